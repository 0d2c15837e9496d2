//! The rules by themselves, with signatures that minisign made.

use super::*;

/// The key with which minisign itself is signed.
const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
/// Its signature of `test`.
const SIGNATURE: &str = "untrusted comment: signature from minisign secret key
RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=
trusted comment: timestamp:1556193335\tfile:test
y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==
";
/// The same as minisign made it before 0.10: of the text itself, not of its hash.
const OLD: &str = "untrusted comment: signature from minisign secret key
RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=
trusted comment: timestamp:1555779966\tfile:test
QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==
";

const POLICIES: [Policy; 3] = [Policy::Any, Policy::Pinned, Policy::Signed];

fn key() -> TrustedKey {
    TrustedKey::parse("x", KEY).unwrap().named("frank").unwrap()
}

fn judge(policy: Policy) -> Judge {
    Judge { policy, keys: vec![key()] }
}

fn offer(signature: Option<&str>) -> Offer<'static> {
    let (bytes, signature) = (Cow::Borrowed(&b"test"[..]), signature.map(str::to_owned));
    Offer { origin: "x.wasm".to_owned(), bytes, is_shipped: false, pin: None, signature }
}

fn signed() -> Trust {
    Trust::Signed {
        key: "frank".to_owned(),
        key_id: key().id(),
        comment: "timestamp:1556193335\\tfile:test".to_owned(),
    }
}

#[test]
fn policies_want_someone_who_vouches() {
    let pin = Some(Pin::of(b"test"));
    for (offer, trusts) in [
        (offer(None), [Some(Trust::Unknown { signed_by: None }), None, None]),
        (Offer { pin: pin.clone(), ..offer(None) }, [Some(Trust::Pinned), Some(Trust::Pinned), None]),
        (offer(Some(SIGNATURE)), [Some(signed()), Some(signed()), Some(signed())]),
        (Offer { pin, ..offer(Some(SIGNATURE)) }, [Some(signed()), Some(signed()), Some(signed())]),
        (Offer { is_shipped: true, ..offer(None) }, [Some(Trust::Shipped), Some(Trust::Shipped), Some(Trust::Shipped)]),
    ] {
        for (policy, trust) in POLICIES.into_iter().zip(trusts) {
            assert_eq!(judge(policy).admit(&offer).ok(), trust, "{policy}: {offer:?}");
        }
    }
}

#[test]
fn a_pin_that_does_not_fit_is_refused_whoever_else_vouches() {
    let (wrong, right) = (Pin::of(b"Test"), Pin::of(b"test"));
    for policy in POLICIES {
        for is_shipped in [false, true] {
            let offer = Offer { pin: Some(wrong.clone()), is_shipped, ..offer(Some(SIGNATURE)) };
            let error = judge(policy).admit(&offer).unwrap_err().to_string();
            let expected = format!("it is pinned to {wrong}, but this file has {right}: ");
            assert!(error.starts_with(&format!("plugin `x.wasm` is refused: {expected}")), "{error}");
        }
    }
}

#[test]
fn a_trusted_signature_of_something_else_is_refused_under_any_policy() {
    for policy in POLICIES {
        let offer = Offer { bytes: Cow::Borrowed(b"Test"), pin: Some(Pin::of(b"Test")), ..offer(Some(SIGNATURE)) };
        let error = judge(policy).admit(&offer).unwrap_err().to_string();
        assert!(error.contains("names the trusted key `frank` (E7620F1842B4E81F), but is not of this file"), "{error}");
    }
}

#[test]
fn a_signature_by_an_unknown_key_counts_as_none() {
    let judge = |policy| Judge { policy, keys: Vec::new() };
    let trust = judge(Policy::Any).admit(&offer(Some(SIGNATURE))).unwrap();
    assert_eq!(trust.to_string(), "unknown: signed by E7620F1842B4E81F, a key that is not trusted");
    for policy in [Policy::Pinned, Policy::Signed] {
        let error = judge(policy).admit(&offer(Some(SIGNATURE))).unwrap_err().to_string();
        assert!(error.contains("it is signed by the key E7620F1842B4E81F, which you don't trust"), "{error}");
        assert!(error.contains("lthost trust add"), "{error}");
        assert_eq!(error.contains(&Pin::of(b"test").to_string()), policy == Policy::Pinned, "{error}");
    }
}

#[test]
fn signatures_of_the_old_form_do_not_count() {
    let error = judge(Policy::Any).admit(&offer(Some(OLD))).unwrap_err().to_string();
    assert!(error.contains("has the form from before minisign 0.10"), "{error}");
    // Nor as one of the new form.
    let renamed = OLD.replacen("RWQf", "RUQf", 1);
    let error = judge(Policy::Any).admit(&offer(Some(&renamed))).unwrap_err().to_string();
    assert!(error.contains("is not of this file"), "{error}");
}

#[test]
fn one_flipped_bit_takes_a_signature_its_worth() {
    let comment = SIGNATURE.find('\n').unwrap();
    let (mut n_refused, mut n_strange) = (0, 0);
    for (at, bit) in (0..SIGNATURE.len()).flat_map(|at| (0..7).map(move |bit| (at, bit))) {
        let mut bytes = SIGNATURE.as_bytes().to_vec();
        bytes[at] ^= 1 << bit;
        let flipped = String::from_utf8(bytes).unwrap();
        match judge(Policy::Any).admit(&offer(Some(&flipped))) {
            // The untrusted comment is not signed, and not shown.
            Ok(trust) if trust == signed() => assert!(at < comment, "bit {bit} of {at}"),
            // It is said to be by another key now.
            Ok(Trust::Unknown { signed_by: Some(id) }) if id != key().id() => n_strange += 1,
            Ok(trust) => panic!("bit {bit} of {at}: {trust:?}"),
            Err(_) => n_refused += 1,
        }
        let strict = judge(Policy::Signed).admit(&offer(Some(&flipped)));
        assert_eq!(strict.is_ok(), at < comment, "bit {bit} of {at}");
    }
    assert!(n_refused > 1000 && n_strange > 30, "{n_refused} {n_strange}");
}

#[test]
fn a_file_that_is_no_signature_is_refused() {
    let lines: Vec<&str> = SIGNATURE.lines().collect();
    let without = |line: usize| lines.iter().enumerate().filter(move |(i, _)| *i != line).map(|(_, line)| *line);
    let mut texts: Vec<String> = (0..4).map(|line| without(line).collect::<Vec<_>>().join("\n")).collect();
    texts.extend(["", "\n\n\n\n", KEY, "é\né\né\né\n"].map(str::to_owned));
    for text in texts {
        let error = judge(Policy::Any).admit(&offer(Some(&text))).unwrap_err().to_string();
        assert!(error.contains("is damaged, or none of minisign's"), "{text:?}: {error}");
    }
}

#[test]
fn keys_may_have_the_same_id() {
    // As if someone had made a key of that ID.
    let twin = TrustedKey::parse("x", &KEY.replacen("mlYecO", "mlYecP", 1)).unwrap().named("twin").unwrap();
    assert_eq!(twin.id(), key().id());
    for keys in [vec![twin.clone(), key()], vec![key(), twin.clone()]] {
        assert_eq!(Judge { policy: Policy::Signed, keys }.admit(&offer(Some(SIGNATURE))).unwrap(), signed());
    }
    let alone = Judge { policy: Policy::Any, keys: vec![twin] };
    assert!(alone.admit(&offer(Some(SIGNATURE))).is_err());
}

#[test]
fn a_signature_stands_beside_its_file() {
    assert_eq!(signature_file(Path::new("a/x.wasm")), Path::new("a/x.wasm.minisig"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.wasm.minisig");
    assert_eq!(read_signature(&path).unwrap(), None);
    assert_eq!(read_signature(&dir.path().join("n".repeat(300))).unwrap(), None);
    fs::write(&path, SIGNATURE).unwrap();
    assert_eq!(read_signature(&path).unwrap().unwrap(), SIGNATURE);
    for bad in [vec![b'a'; 100_000], vec![0xff]] {
        fs::write(&path, bad).unwrap();
        assert!(read_signature(&path).is_err());
    }
    assert!(read_signature(dir.path()).is_err(), "a folder");
}

#[test]
fn the_record_says_why() {
    let json = |trust: &Trust| serde_json::to_string(trust).unwrap();
    let expected =
        r#"{"level":"signed","key":"frank","key_id":"E7620F1842B4E81F","comment":"timestamp:1556193335\\tfile:test"}"#;
    assert_eq!(json(&signed()), expected);
    assert_eq!(json(&Trust::Unknown { signed_by: None }), r#"{"level":"unknown","signed_by":null}"#);
    assert_eq!(json(&Trust::Pinned), r#"{"level":"pinned"}"#);
    assert_eq!(serde_json::from_str::<Policy>("\"signed\"").unwrap(), Policy::Signed);
}
