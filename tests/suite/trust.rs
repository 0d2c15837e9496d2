//! Whose plugins run: pins, signatures, keys and policies, through the built program.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink},
    path::{Path, PathBuf},
    time::Instant,
};

use lthost_tests::{lthost, wasm};
use minisign::{KeyPair, SecretKey};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::program::{Ended, Folder, files};

/// Bytes in front of the ID in a secret key, as its crate writes it.
const BEFORE_ID: usize = 2 + 2 + 2 + 32 + 8 + 8;

/// A folder with a scan, a plugin `x.wasm`, and the configuration of a user of its own.
struct Desk {
    folder: Folder,
    config: Option<PathBuf>,
}

impl Desk {
    fn new() -> Self {
        let folder = Folder::new();
        fs::copy(wasm("plugin_sum"), folder.path("x.wasm")).unwrap();
        Self { folder, config: None }
    }

    /// The same, with a policy in a configuration file.
    fn under(policy: &str) -> Self {
        let mut desk = Self::new();
        desk.obey(policy);
        desk
    }

    fn obey(&mut self, policy: &str) {
        let config = self.folder.write("config.toml", format!("[trust]\npolicy = \"{policy}\"\n"));
        set_mode(&config, 0o600);
        self.config = Some(config);
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path(name)
    }

    fn bytes(&self) -> Vec<u8> {
        fs::read(self.path("x.wasm")).unwrap()
    }

    /// A key's file, where the program keeps it.
    fn key(&self, name: &str) -> PathBuf {
        self.path(&format!("config/lthost/keys/{name}.pub"))
    }

    fn lthost(&self, args: &[&str]) -> Ended {
        let start = Instant::now();
        let mut command = lthost();
        command.current_dir(self.path("")).env("XDG_CONFIG_HOME", self.path("config")).args(args);
        command.env("LTHOST_PLUGINS", self.path("plugins"));
        if let Some(config) = &self.config {
            command.env("LTHOST_CONFIG", config);
        }
        Ended::of(&command.output().unwrap(), start)
    }

    fn run(&self, plugin: &str) -> Ended {
        let ended =
            self.lthost(&["run", "--quiet", "--dataset", "scan.npy", "-o", "out", "--plugin", &format!("u={plugin}")]);
        if ended.code != Some(0) {
            self.folder.assert_untouched();
        }
        ended
    }

    /// What the record of a run says of trust.
    fn trust_of(&self, plugin: &str) -> Json {
        self.run(plugin).succeeds();
        let trust = self.folder.json("out/run.json")["udfs"][0]["trust"].clone();
        fs::remove_dir_all(self.path("out")).unwrap();
        trust
    }

    fn check(&self, plugin: &str) -> Ended {
        self.lthost(&["trust", "check", plugin])
    }

    fn trust(&self, author: &Author, name: &str) {
        self.lthost(&["trust", "add", &author.line(), "--name", name]).succeeds();
    }

    /// Signs `x.wasm`.
    fn sign(&self, author: &Author) -> PathBuf {
        self.folder.write("x.wasm.minisig", author.sign(&self.bytes()))
    }
}

/// Somebody who signs plugins.
struct Author(KeyPair);

impl Author {
    fn new() -> Self {
        Self(KeyPair::generate_unencrypted_keypair().unwrap())
    }

    /// Another one, whose key has the same ID.
    fn with_id_of(other: &Self) -> Self {
        let mut pair = Self::new().0;
        let mut secret = pair.sk.to_bytes();
        let mut public = pair.pk.to_bytes();
        secret[BEFORE_ID..BEFORE_ID + 8].copy_from_slice(other.0.pk.keynum());
        public[2..10].copy_from_slice(other.0.pk.keynum());
        pair.sk = SecretKey::from_bytes(&secret).unwrap();
        pair.pk = minisign::PublicKey::from_bytes(&public).unwrap();
        assert_eq!(pair.sk.keynum(), other.0.sk.keynum());
        Self(pair)
    }

    /// As minisign shows it.
    fn id(&self) -> String {
        format!("{:016X}", u64::from_le_bytes(self.0.pk.keynum().try_into().unwrap()))
    }

    /// The file with the public key.
    fn file(&self) -> String {
        self.0.pk.to_box().unwrap().into_string()
    }

    /// The line in it that has the key.
    fn line(&self) -> String {
        self.0.pk.to_base64()
    }

    fn sign(&self, bytes: &[u8]) -> String {
        let comment = Some("timestamp:1\tfile:x.wasm");
        minisign::sign(Some(&self.0.pk), &self.0.sk, bytes, comment, None).unwrap().into_string()
    }
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |text, byte| text + &format!("{byte:02x}"))
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A text with one bit flipped in the byte where `part` begins.
fn flipped(text: &str, part: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    bytes[text.find(part).unwrap()] ^= 1;
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_pin_takes_one_file_and_no_other() {
    let desk = Desk::new();
    let (right, wrong) = (hash(&desk.bytes()), hash(b"another plugin"));
    let both = [wrong.as_str(), right.as_str(), "plugin `x.wasm` is refused: it is pinned to "];
    assert_eq!(desk.trust_of(&format!("x.wasm@{right}")), json!({ "level": "pinned" }));
    assert_eq!(desk.trust_of(&format!("./x.wasm@{}", right.to_uppercase())), json!({ "level": "pinned" }));
    desk.run(&format!("x.wasm@{wrong}")).fails(1, &both);
    let inspected = desk.lthost(&["inspect", &format!("x.wasm@{right}")]);
    assert!(inspected.succeeds().stdout.contains("\ntrust         pinned\n"), "{inspected:?}");
    let plugin = format!("x.wasm@{wrong}");
    for command in [&["inspect"][..], &["test", "--no-cost"], &["trust", "check"]] {
        desk.lthost(&[command, &[plugin.as_str()]].concat()).fails(1, &both);
    }
    // Another file in its place.
    fs::copy(wasm("plugin_sumsig"), desk.path("x.wasm")).unwrap();
    desk.run(&format!("x.wasm@{right}")).fails(1, &[&right, &hash(&desk.bytes())]);
}

#[test]
fn names_are_pinned_like_files() {
    let desk = Desk::new();
    let (shipped, mine) = (hash(&fs::read(wasm("plugin_sum")).unwrap()), hash(&fs::read(wasm("plugin_max")).unwrap()));
    fs::create_dir(desk.path("plugins")).unwrap();
    fs::copy(wasm("plugin_max"), desk.path("plugins/mine.wasm")).unwrap();
    assert_eq!(desk.trust_of(&format!("sum@{shipped}")), json!({ "level": "shipped" }));
    assert_eq!(desk.trust_of(&format!("mine@{mine}")), json!({ "level": "pinned" }));
    desk.run(&format!("sum@{mine}")).fails(1, &["plugin `sum` is refused: it is pinned to ", &mine, &shipped]);
    desk.run(&format!("mine@{shipped}")).fails(1, &["mine.wasm` is refused: it is pinned to ", &mine, &shipped]);
    desk.run(&format!("no-such-one@{mine}")).fails(2, &["no plugin `no-such-one`"]);
}

#[test]
fn a_hash_alone_finds_its_plugin_under_any_name() {
    let desk = Desk::under("pinned");
    let of = |name: &str| hash(&fs::read(wasm(name)).unwrap());
    let (noop, folder) = (of("guest_noop"), desk.path("plugins"));
    let missing = format!("no plugin has the hash `{noop}`: searched were ");
    desk.run(&noop).fails(2, &[&missing, &format!("`{}`", folder.display()), "`/nonexistent/lthost/plugins`"]);
    fs::create_dir_all(folder.join("a.wasm")).unwrap();
    fs::write(folder.join("b.wasm"), "no plugin").unwrap();
    // It counts by its name no more than the one that is shipped.
    fs::copy(wasm("guest_noop"), folder.join("sum.wasm")).unwrap();
    for plugin in [noop.as_str(), &noop.to_uppercase()] {
        assert_eq!(desk.trust_of(plugin), json!({ "level": "pinned" }));
    }
    assert_eq!(desk.trust_of(&of("plugin_sum")), json!({ "level": "shipped" }));
    assert!(desk.check(&noop).succeeds().stdout.contains("sum.wasm\n"));
    // A file of this name is another matter.
    let other = hash(b"another plugin");
    fs::copy(desk.path("x.wasm"), desk.path(&other)).unwrap();
    desk.run(&other).fails(2, &[&format!("no plugin has the hash `{other}`")]);
    desk.run("sha256:12").fails(2, &["a pin is `@sha256:` and 64 hexadecimal digits"]);
}

#[test]
fn what_is_no_hash_is_no_pin() {
    let desk = Desk::new();
    let right = hash(&desk.bytes());
    for pin in ["sha256:", "sha256:12", &right[..70], &format!("{right}0"), &format!("sha256:{}", "g".repeat(64))] {
        desk.run(&format!("x.wasm@{pin}")).fails(2, &["a pin is `@sha256:` and 64 hexadecimal digits"]);
    }
}

#[test]
fn a_file_of_the_whole_name_takes_no_pin_away() {
    let desk = Desk::new();
    let (right, wrong) = (hash(&desk.bytes()), hash(b"another plugin"));
    let decoy = format!("x.wasm@{wrong}");
    fs::copy(desk.path("x.wasm"), desk.path(&decoy)).unwrap();
    desk.run(&decoy).fails(1, &["it is pinned to ", &wrong, &right]);
    desk.run(&decoy.to_uppercase().replace("X.WASM", "x.wasm")).fails(1, &["it is pinned to "]);
    // Pinned itself, it can be named.
    assert_eq!(desk.trust_of(&format!("./{decoy}@{right}")), json!({ "level": "pinned" }));
}

#[test]
fn a_trusted_key_vouches_under_any_policy() {
    let (mut desk, alice) = (Desk::new(), Author::new());
    desk.sign(&alice);
    desk.trust(&alice, "alice");
    let comment = "timestamp:1\\tfile:x.wasm";
    let signed = json!({ "level": "signed", "key": "alice", "key_id": alice.id(), "comment": comment });
    for policy in ["any", "pinned", "signed"] {
        desk.obey(policy);
        assert_eq!(desk.trust_of("x.wasm"), signed);
        assert_eq!(desk.trust_of(&format!("x.wasm@{}", hash(&desk.bytes()))), signed);
    }
    let inspected = desk.lthost(&["inspect", "x.wasm"]);
    let line = format!("\ntrust         signed by alice ({})\n", alice.id());
    assert!(inspected.succeeds().stdout.contains(&line), "{inspected:?}");
    assert_eq!(desk.lthost(&["inspect", "x.wasm", "--json"]).json()["plugin"]["trust"], signed);
    let checked = desk.check("x.wasm");
    let lines = format!("trust    signed by alice ({})\ncomment  {comment}\npolicy   signed\n", alice.id());
    assert!(checked.succeeds().stdout.ends_with(&lines), "{checked:?}");
    // In a plugin folder as well.
    fs::create_dir(desk.path("plugins")).unwrap();
    for (file, to) in [("x.wasm", "mine.wasm"), ("x.wasm.minisig", "mine.wasm.minisig")] {
        fs::copy(desk.path(file), desk.path(&format!("plugins/{to}"))).unwrap();
    }
    assert_eq!(desk.trust_of("mine"), signed);
    let listed = desk.lthost(&["plugins"]);
    assert!(listed.succeeds().stdout.contains("\nmine "), "the signature is no plugin: {listed:?}");
    assert!(!listed.stdout.contains("minisig") && !listed.stdout.contains("can't be used"), "{listed:?}");
}

#[test]
fn policies_refuse_what_nobody_vouches_for() {
    let mut desk = Desk::new();
    let right = hash(&desk.bytes());
    let pinned = format!("x.wasm@{right}");
    assert_eq!(desk.trust_of("x.wasm"), json!({ "level": "unknown", "signed_by": null }));
    let inspected = desk.lthost(&["inspect", "x.wasm"]);
    assert!(inspected.succeeds().stdout.contains("\ntrust         unknown: nobody vouches for it\n"), "{inspected:?}");
    desk.obey("pinned");
    let hint = format!("pin it with `@{right}` if that is the hash you know, or get it signed by a key that you trust");
    let nobody = "plugin `x.wasm` is refused: nobody vouches for it, and the trust policy is";
    desk.run("x.wasm").fails_saying(&format!("{nobody} `pinned`: {hint}"));
    assert_eq!(desk.trust_of(&pinned), json!({ "level": "pinned" }));
    assert_eq!(desk.trust_of("sum"), json!({ "level": "shipped" }));
    desk.obey("signed");
    for plugin in ["x.wasm", &pinned] {
        desk.run(plugin).fails_saying(&format!("{nobody} `signed`: get it signed by a key that you trust"));
        for command in [&["inspect"][..], &["test", "--no-cost"], &["trust", "check"]] {
            desk.lthost(&[command, &[plugin]].concat()).fails(1, &[nobody]);
        }
    }
    assert_eq!(desk.trust_of("sum"), json!({ "level": "shipped" }));
    let inspected = desk.lthost(&["inspect", "sum"]);
    assert!(inspected.succeeds().stdout.contains("\ntrust         shipped with lthost\n"), "{inspected:?}");
    fs::create_dir(desk.path("plugins")).unwrap();
    fs::copy(wasm("plugin_max"), desk.path("plugins/mine.wasm")).unwrap();
    let listed = desk.lthost(&["plugins"]);
    assert!(listed.succeeds().stdout.contains("\nmine          can't be used: plugin `"), "{listed:?}");
    desk.obey("none");
    desk.run("sum").fails(1, &["unknown variant `none`"]);
}

#[test]
fn a_signature_by_an_unknown_key_counts_as_none() {
    let (mut desk, alice) = (Desk::new(), Author::new());
    desk.sign(&alice);
    assert_eq!(desk.trust_of("x.wasm"), json!({ "level": "unknown", "signed_by": alice.id() }));
    let who = format!("it is signed by the key {}, which you don't trust, and the trust policy is", alice.id());
    for policy in ["pinned", "signed"] {
        desk.obey(policy);
        desk.run("x.wasm").fails(1, &[&who, "trust its public key with `lthost trust add`"]);
    }
    desk.obey("pinned");
    assert_eq!(desk.trust_of(&format!("x.wasm@{}", hash(&desk.bytes()))), json!({ "level": "pinned" }));
    desk.obey("signed");
    desk.folder.write("alice.pub", alice.file());
    desk.lthost(&["trust", "add", "alice.pub"]).succeeds();
    assert_eq!(desk.trust_of("x.wasm")["key"], "alice");
    desk.lthost(&["trust", "remove", "alice"]).succeeds();
    desk.run("x.wasm").fails(1, &[&who]);
}

#[test]
fn what_was_changed_is_refused_under_any_policy() {
    let (desk, alice) = (Desk::new(), Author::new());
    desk.trust(&alice, "alice");
    let (good, text) = (desk.bytes(), alice.sign(&desk.bytes()));
    let lines: Vec<&str> = text.lines().collect();
    let broken = format!("its signature names the trusted key `alice` ({}), but is not of this file", alice.id());
    // The plugin.
    desk.sign(&alice);
    for at in [0, 8, good.len() / 2, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        desk.folder.write("x.wasm", bad);
        let (code, expected) = if at == 0 { (2, "it is no WebAssembly") } else { (1, broken.as_str()) };
        desk.run("x.wasm").fails(code, &[expected]);
    }
    desk.folder.write("x.wasm", [&good[..], &[0]].concat());
    desk.run("x.wasm").fails(1, &[&broken]);
    desk.folder.write("x.wasm", &good);
    // The signature, the comment that is signed, and the signature of that.
    let of_comment = lines[2].replace("timestamp:1", "timestamp:2");
    for changed in [text.replace(lines[2], &of_comment), text.replace("file:x.wasm", "file:y.wasm")] {
        desk.folder.write("x.wasm.minisig", changed);
        desk.run("x.wasm").fails(1, &[&broken]);
    }
    let other = alice.sign(b"something else");
    let parts: Vec<&str> = other.lines().collect();
    for line in [1, 3] {
        desk.folder.write("x.wasm.minisig", text.replace(lines[line], parts[line]));
        desk.run("x.wasm").fails(1, &[&broken]);
    }
    for part in ["\ntrusted comment: ", lines[3]] {
        desk.folder.write("x.wasm.minisig", flipped(&text, part));
        assert_ne!(desk.check("x.wasm").code, Some(0), "{part}");
    }
    // The comment that is not signed counts for nothing.
    desk.folder.write("x.wasm.minisig", text.replace(lines[0], "untrusted comment: by mallory"));
    let checked = desk.check("x.wasm");
    assert!(
        checked.succeeds().stdout.contains("signed by alice") && !checked.stdout.contains("mallory"),
        "{checked:?}"
    );
}

#[test]
fn a_signature_of_another_plugin_is_refused_even_if_pinned() {
    let (desk, alice) = (Desk::new(), Author::new());
    desk.trust(&alice, "alice");
    desk.folder.write("x.wasm.minisig", alice.sign(&fs::read(wasm("plugin_max")).unwrap()));
    let expected = ["names the trusted key `alice`", "is not of this file", "they do not belong together"];
    desk.run("x.wasm").fails(1, &expected);
    desk.run(&format!("x.wasm@{}", hash(&desk.bytes()))).fails(1, &expected);
}

#[test]
fn a_forged_id_helps_nobody() {
    let (desk, alice) = (Desk::under("signed"), Author::new());
    let mallory = Author::with_id_of(&alice);
    assert_eq!(mallory.id(), alice.id());
    desk.trust(&alice, "alice");
    desk.sign(&mallory);
    desk.run("x.wasm").fails(1, &["names the trusted key `alice`", "is not of this file"]);
    desk.lthost(&["trust", "add", &mallory.line()]).fails(1, &["ANOTHER key has the same ID", "that of `alice`"]);
    desk.sign(&alice);
    assert_eq!(desk.trust_of("x.wasm")["key"], "alice");
}

#[test]
fn a_file_that_is_no_signature_is_refused_in_time() {
    let desk = Desk::new();
    let path = desk.path("x.wasm.minisig");
    for text in [&b""[..], b"signed by alice\n", &[b'a'; 10_000], b"\xff\xfe"] {
        fs::write(&path, text).unwrap();
        desk.run("x.wasm").fails(1, &["plugin `x.wasm` is refused: ", "signature"]).takes_less_than(20.0);
    }
    fs::write(&path, vec![b'a'; 1 << 20]).unwrap();
    desk.run("x.wasm").fails(1, &["its signature `x.wasm.minisig` can't be read: it is too long for one"]);
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    desk.run("x.wasm").fails(1, &["its signature `x.wasm.minisig` can't be read: it is no file"]);
    fs::remove_dir(&path).unwrap();
    desk.folder.shell("mkfifo x.wasm.minisig").succeeds();
    desk.run("x.wasm").fails(1, &["its signature `x.wasm.minisig` can't be read"]).takes_less_than(20.0);
}

#[test]
fn keys_that_others_could_change_do_not_count() {
    let (desk, alice) = (Desk::under("signed"), Author::new());
    desk.sign(&alice);
    desk.trust(&alice, "alice");
    let key = desk.key("alice");
    let refused = |what: &str| {
        let ended = desk.run("x.wasm");
        ended.fails(1, &["warning: keys do not count: `", what, "which you don't trust"]);
    };
    for (place, mode) in [
        (key.clone(), 0o620),
        (key.clone(), 0o602),
        (desk.path("config/lthost/keys"), 0o770),
        (desk.path("config/lthost"), 0o702),
    ] {
        let before = fs::metadata(&place).unwrap().permissions();
        set_mode(&place, mode);
        refused("is open to others: take their rights with `chmod go-w`");
        if place != key {
            desk.lthost(&["trust", "add", &Author::new().line()]).fails(1, &["is open to others"]);
        }
        fs::set_permissions(&place, before).unwrap();
    }
    // What all may read is no secret.
    set_mode(&key, 0o644);
    assert_eq!(desk.trust_of("x.wasm")["key"], "alice");
    if fs::metadata(&key).unwrap().uid() == 0 {
        chown(&key, Some(12345), None).unwrap();
        refused("belongs to another user");
        chown(&key, Some(0), None).unwrap();
    }
    fs::rename(&key, desk.path("elsewhere.pub")).unwrap();
    symlink(desk.path("elsewhere.pub"), &key).unwrap();
    refused("can't be used");
    fs::remove_file(&key).unwrap();
    fs::write(&key, "no key\n").unwrap();
    set_mode(&key, 0o600);
    refused("is no public key of minisign");
    // A bad one does not spoil the others.
    desk.trust(&alice, "second");
    assert_eq!(desk.trust_of("x.wasm")["key"], "second");
}

#[test]
fn keys_are_added_listed_and_removed() {
    let (desk, alice, bob) = (Desk::new(), Author::new(), Author::new());
    let listed = desk.lthost(&["trust", "list"]);
    let none = "policy `any`: all plugins run\nno keys are trusted: `lthost trust add` takes one\n";
    assert_eq!(listed.succeeds().stdout, none);
    desk.folder.write("alice.pub", alice.file());
    let added = desk.lthost(&["trust", "add", "alice.pub"]);
    assert_eq!(added.succeeds().stderr, format!("the key `alice` ({}) is trusted from now on\n", alice.id()));
    assert_eq!(fs::metadata(desk.key("alice")).unwrap().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(desk.path("config/lthost/keys")).unwrap().mode() & 0o777, 0o700);
    // Nothing is replaced.
    let before = fs::read(desk.key("alice")).unwrap();
    desk.lthost(&["trust", "add", "alice.pub"]).fails(1, &["is there already, as `alice`"]);
    desk.lthost(&["trust", "add", "alice.pub", "--name", "again"]).fails(1, &["is there already, as `alice`"]);
    desk.lthost(&["trust", "add", &bob.line(), "--name", "alice"]).fails(1, &["another key has the name `alice`"]);
    assert_eq!(fs::read(desk.key("alice")).unwrap(), before);
    assert_eq!(files(&desk.path("config/lthost/keys")), ["alice.pub"]);
    // Without a name it has its ID.
    desk.lthost(&["trust", "add", &bob.line()]).succeeds();
    let listed = desk.lthost(&["trust", "list", "--json"]).json();
    let keys: Vec<_> = listed["keys"].as_array().unwrap().iter().map(|key| (&key["name"], &key["key_id"])).collect();
    let (of_alice, of_bob) = (json!(alice.id()), json!(bob.id()));
    assert_eq!(listed["policy"], "any");
    assert!(keys.contains(&(&json!("alice"), &of_alice)) && keys.contains(&(&of_bob, &of_bob)), "{keys:?}");
    let text = desk.lthost(&["trust", "list"]);
    assert!(text.succeeds().stdout.contains(&format!("alice            {}  /", alice.id())), "{text:?}");
    // By ID in any case, and by name also what does not count.
    desk.lthost(&["trust", "remove", &bob.id().to_lowercase()]).succeeds();
    set_mode(&desk.key("alice"), 0o666);
    desk.lthost(&["trust", "remove", "alice"]).succeeds();
    assert_eq!(files(&desk.path("config/lthost/keys")), [""; 0]);
    desk.lthost(&["trust", "remove", "alice"]).fails(2, &["there is no key `alice`"]);
    desk.lthost(&["trust", "remove", "../../config"]).fails(2, &["there is no key `../../config`"]);
}

#[test]
fn what_is_no_key_is_not_added() {
    let (desk, alice) = (Desk::new(), Author::new());
    let secret = alice.0.sk.to_box(None).unwrap().into_string();
    desk.folder.write("secret.pub", secret);
    desk.folder.write("signature.pub", alice.sign(b"x"));
    desk.folder.write("flipped.pub", flipped(&alice.file(), "RW"));
    desk.folder.write("empty.pub", "");
    for file in ["secret.pub", "signature.pub", "flipped.pub", "empty.pub", "x.wasm", "/dev/zero"] {
        let ended = desk.lthost(&["trust", "add", file]);
        ended.fails(1, &["is no public key of minisign"]).takes_less_than(20.0);
    }
    desk.lthost(&["trust", "add", "no-such.pub"])
        .fails(1, &["`no-such.pub` is no public key of minisign, and no file"]);
    desk.lthost(&["trust", "add", &alice.line()[..54]]).fails(1, &["is no public key of minisign"]);
    for name in ["", "..", ".x", "a/b", "../x", "a b", "a\u{202e}b"] {
        let ended = desk.lthost(&["trust", "add", &alice.line(), "--name", name]);
        ended.fails(2, &["a key's name is made of"]);
    }
    assert!(!desk.path("config").exists(), "nothing was made: {:?}", files(&desk.path("config")));
}

#[test]
fn partials_do_not_vouch_for_plugins() {
    let mut desk = Desk::new();
    let right = hash(&desk.bytes());
    // Whoever makes a partial says in it where the plugin is. A pin in that is a part of the name.
    let decoy = format!("./x.wasm@{right}");
    fs::copy(desk.path("x.wasm"), desk.path(&decoy)).unwrap();
    for (plugin, partial) in [("./x.wasm".to_owned(), "plain"), (format!("{decoy}@{right}"), "decoy")] {
        let plugin = format!("u={plugin}");
        let args = ["partial", "--partition", "0", "-o", partial, "--dataset", "scan.npy", "--plugin", &plugin];
        desk.lthost(&args).succeeds();
    }
    desk.lthost(&["merge", "plain", "-o", "merged"]).succeeds();
    desk.lthost(&["merge", "decoy", "-o", "merged"]).succeeds();
    desk.obey("pinned");
    for partial in ["plain", "decoy"] {
        let ended = desk.lthost(&["merge", partial, "-o", "out"]);
        ended.fails(1, &["nobody vouches for it, and the trust policy is `pinned`"]);
        desk.folder.assert_untouched();
        let pinned = format!("u=./x.wasm@{right}");
        desk.lthost(&["merge", partial, "-o", "out", "--plugin", &pinned]).succeeds();
        assert_eq!(desk.folder.json("out/run.json")["udfs"][0]["trust"], json!({ "level": "pinned" }));
        fs::remove_dir_all(desk.path("out")).unwrap();
    }
}

#[test]
fn what_is_built_here_is_pinned_where_that_is_wanted() {
    let mut desk = Desk::new();
    desk.folder.write("total.rs", "fn total(frame: Frame<f32>) -> f32 {\n    frame.pixels().iter().sum()\n}\n");
    let map = ["map", "total.rs", "--dataset", "scan.npy", "--quiet", "-o", "out"];
    let run = |desk: &Desk| {
        let start = Instant::now();
        let mut command = lthost();
        command.current_dir(desk.path("")).env("LTHOST_CACHE", crate::author::cache()).args(map);
        command.env("XDG_CONFIG_HOME", desk.path("config"));
        if let Some(config) = &desk.config {
            command.env("LTHOST_CONFIG", config);
        }
        Ended::of(&command.output().unwrap(), start)
    };
    let level = |desk: &Desk| desk.folder.json("out/run.json")["udfs"][0]["trust"]["level"].clone();
    run(&desk).succeeds();
    assert_eq!(level(&desk), "unknown");
    desk.obey("pinned");
    run(&desk).succeeds();
    assert_eq!(level(&desk), "pinned");
    desk.obey("signed");
    run(&desk).fails(1, &["nobody vouches for it"]);
}
