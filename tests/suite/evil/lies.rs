//! Lies: pointers, lengths, numbers of cases and texts that are none, in all that comes from a plugin.

use super::{
    phases::at,
    stage::Attack,
    wat::{
        ANSWER_OF_BUFFERS, BUFFER, CREATED, ERROR, ERROR_OF_PREFERENCES, MANIFEST, PARAMETER, PHASES, Plugin, Strikes,
        TEXT, TYPE,
    },
};

/// Memory ends at 1 MiB.
const BEYOND: [u8; 8] = *b"\xf8\xff\x0f\x00\x10\x00\x00\x00";
/// It ends where numbers of 32 bits do.
const AROUND: [u8; 8] = *b"\xf8\xff\xff\xff\x10\x00\x00\x00";
/// So long that its size in bytes, times 4 or more, has no 32 bits.
const LONG: [u8; 8] = *b"\x00\x01\x00\x00\x01\x00\x00\x40";
const LONGEST: [u8; 8] = *b"\x00\x01\x00\x00\xff\xff\xff\xff";
const UNALIGNED: [u8; 8] = *b"\x01\x01\x00\x00\x02\x00\x00\x00";
/// No UTF-8 at `TEXT`.
const NO_TEXT: &[u8] = b"\xff\xfe\x80";

/// Where lists and texts of what it says of itself are, and whether their elements have to be aligned.
const LISTS: [(&str, &str, u32, bool); 15] = [
    ("name", "describe", MANIFEST, false),
    ("summary", "describe", MANIFEST + 16, false),
    ("authors", "describe", MANIFEST + 24, true),
    ("parameters", "describe", MANIFEST + 40, true),
    ("name of the parameter", "describe", PARAMETER, false),
    ("types of the parameter", "describe", PARAMETER + 8, true),
    ("choices of the parameter", "describe", PARAMETER + 88, true),
    ("doc of the parameter", "describe", PARAMETER + 104, false),
    ("list", "buffers", ANSWER_OF_BUFFERS + 4, true),
    ("name", "buffers", BUFFER, false),
    ("extra shape", "buffers", BUFFER + 12, true),
    ("unit", "buffers", BUFFER + 32, false),
    ("doc", "buffers", BUFFER + 40, false),
    ("message", "preferences", ERROR_OF_PREFERENCES + 8, false),
    ("causes", "preferences", ERROR_OF_PREFERENCES + 16, true),
];

/// Numbers of cases that there are not.
const CASES: [(&str, &str, u32, u8); 17] = [
    ("result", "create", CREATED, 2),
    ("result", "preferences", 1152, 2),
    ("input", "preferences", 1160, 3),
    ("granularity", "preferences", 1162, 2),
    ("form", "preferences", 1164, 5),
    ("depth", "preferences", 1168, 2),
    ("result", "buffers", ANSWER_OF_BUFFERS, 0xff),
    ("kind", "buffers", BUFFER + 8, 3),
    ("dtype", "buffers", BUFFER + 9, 13),
    ("usage", "buffers", BUFFER + 20, 3),
    ("merge", "buffers", BUFFER + 21, 6),
    ("default", "describe", PARAMETER + 24, 7),
    ("minimum", "describe", PARAMETER + 56, 2),
    ("type", "describe", TYPE, 7),
    ("flags", "describe", MANIFEST + 48, 0xf8),
    // An error that nobody wrote.
    ("error", "buffers", ANSWER_OF_BUFFERS, 1),
    ("error", "create", CREATED, 1),
];

/// Answers that are nowhere.
const NOWHERE: [(&str, &str); 4] =
    [("around", "-8"), ("beyond", "1048572"), ("far", "0x7ffffff8"), ("unaligned", "1154")];

fn early(name: String, plugin: Plugin) -> Attack {
    Attack::new(name, Strikes::Early, plugin)
}

/// Pointers and lengths of lists and texts.
pub(super) fn lists() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for (what, phase, place, is_aligned) in LISTS {
        let plugin = match phase {
            "preferences" => Plugin::honest().with("preferences", "(i32.const 1376)"),
            _ => Plugin::honest(),
        };
        let mut lie = |kind: &str, bytes: &[u8; 8]| {
            attacks.push(early(format!("lie/{phase}, {what} {kind}"), plugin.clone().poke(place, bytes)));
        };
        lie("beyond", &BEYOND);
        lie("around", &AROUND);
        lie("longest", &LONGEST);
        if is_aligned {
            lie("long", &LONG);
            lie("unaligned", &UNALIGNED);
        } else {
            let no_text = plugin.clone().write(place, TEXT, NO_TEXT);
            attacks.push(early(format!("lie/{phase}, {what} of no text"), no_text));
        }
    }
    attacks
}

/// Cases that there are not, and answers that are nowhere.
pub(super) fn cases() -> Vec<Attack> {
    let of_case = |(what, phase, place, number): (&str, &str, u32, u8)| {
        early(format!("case/{phase}, {what} {number}"), Plugin::honest().poke(place, &[number]))
    };
    let mut attacks: Vec<Attack> = CASES.into_iter().map(of_case).collect();
    for (phase, strikes) in PHASES {
        for (kind, pointer) in NOWHERE {
            // Everywhere the first, and all where it is another code that looks.
            if kind == "around" || ["describe", "preferences", "process", "results"].contains(&phase) {
                let plugin = Plugin::calling(phase).with(phase, &format!("(i32.const {pointer})"));
                attacks.push(at(&format!("answer {kind}"), phase, strikes, plugin));
            }
        }
    }
    attacks
}

/// Errors that are none, from functions that workers and the main thread call.
pub(super) fn errors() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for (phase, strikes) in
        [("process", Strikes::OnWorkers), ("results", Strikes::Elsewhere), ("preprocess", Strikes::Early)]
    {
        let plugin = Plugin::calling(phase).with(phase, "(i32.const 1344)");
        let lie = |kind: &str, plugin: Plugin| at(&format!("error {kind}"), phase, strikes, plugin);
        attacks.push(lie("beyond", plugin.clone().poke(ERROR + 4, &BEYOND)));
        attacks.push(lie("longest", plugin.clone().poke(ERROR + 4, &LONGEST)));
        attacks.push(lie("of no text", plugin.clone().write(ERROR + 4, TEXT, NO_TEXT)));
        attacks.push(lie("with causes beyond", plugin.clone().poke(ERROR + 12, &BEYOND)));
        attacks.push(lie("with causes unaligned", plugin.clone().poke(ERROR + 12, &UNALIGNED)));
        attacks.push(lie("with long causes", plugin.clone().poke(ERROR + 12, &LONG)));
        attacks.push(lie("of the third kind", plugin.poke(ERROR, &[2])));
    }
    attacks
}

/// What imports are given.
pub(super) fn arguments() -> Vec<Attack> {
    let products = |place: &str| {
        format!(
            "(global.set $armed (call $matrix (i32.const 9) (i64.const 42)))
            (call $append (global.get $armed) (i32.const 4096) (i32.const 168))
            (call $products (global.get $armed) (i32.const {place}))"
        )
    };
    let mut attacks = Vec::new();
    for (kind, place) in [
        ("beyond", "(i32.const 1048568) (i32.const 16)"),
        ("around", "(i32.const -8) (i32.const 16)"),
        ("longest", "(i32.const 256) (i32.const -1)"),
        ("at the last byte", "(i32.const -1) (i32.const -1)"),
    ] {
        let emit = format!("(call $emit (i32.const 0) (i64.const 0) {place})");
        attacks.push(Attack::new(
            format!("argument/emit {kind}"),
            Strikes::OnWorkers,
            Plugin::honest().first("end", &emit),
        ));
        let log = format!("(call $log (i32.const 2) {place})");
        attacks.push(Attack::new(
            format!("argument/log {kind}"),
            Strikes::OnWorkers,
            Plugin::honest().first("process", &log),
        ));
        let mask = format!("(call $emit_mask (i32.const 0) {place})");
        let plugin = Plugin::calling("results").first("results", &mask);
        attacks.push(Attack::new(format!("argument/mask {kind}"), Strikes::Elsewhere, plugin));
        let append = format!("(call $append (call $matrix (i32.const 9) (i64.const 42)) {place})");
        let plugin = Plugin::honest().with("imports", MATRIX).first("process", &append);
        attacks.push(Attack::new(format!("argument/numbers {kind}"), Strikes::OnWorkers, plugin));
    }
    for (kind, body) in [
        ("log of no level", "(call $log (i32.const 4) (i32.const 2048) (i32.const 4))"),
        ("log of no text", "(call $log (i32.const 2) (i32.const 2304) (i32.const 3))"),
        ("matrix of no dtype", "(drop (call $matrix (i32.const 13) (i64.const 42)))"),
        ("matrix that is none", "(call $append (i32.const 77) (i32.const 256) (i32.const 8))"),
        ("matrix that is a UDF", "(call $append (call $new (i32.const 7)) (i32.const 256) (i32.const 8))"),
        ("products nowhere", &products("-8")),
        ("products at an odd place", &products("2305")),
        ("matrix dropped that is none", "(call $drop_matrix (i32.const 1))"),
        ("matrices without end", "(loop $again (drop (call $matrix (i32.const 9) (i64.const 42))) (br $again))"),
        (
            "matrices made and dropped",
            "(loop $again (call $drop_matrix (call $matrix (i32.const 9) (i64.const 42))) (br $again))",
        ),
    ] {
        let plugin = Plugin::honest().with("imports", MATRIX).first("process", body).poke(TEXT, NO_TEXT);
        attacks.push(Attack::new(format!("argument/{kind}"), Strikes::OnWorkers, plugin));
    }
    attacks
}

/// What the host computes with matrices.
const MATRIX: &str = r#"
    (import "lthost:udf/kernels@0.1.0" "[constructor]matrix" (func $matrix (param i32 i64) (result i32)))
    (import "lthost:udf/kernels@0.1.0" "[method]matrix.append" (func $append (param i32 i32 i32)))
    (import "lthost:udf/kernels@0.1.0" "[method]matrix.tile-products" (func $products (param i32 i32)))
    (import "lthost:udf/kernels@0.1.0" "[resource-drop]matrix" (func $drop_matrix (param i32)))"#;

/// Emitting where nothing may be emitted, twice, half, and all but the last.
pub(super) fn emissions() -> Vec<Attack> {
    let one = "(call $emit (i32.const 0) (i64.const 0) (i32.const 4096) (i32.const 1))";
    let mut attacks = Vec::new();
    for (phase, strikes) in PHASES {
        if !["preprocess", "end", "merge", "merge-all", "results"].contains(&phase) {
            attacks.push(at("emit in", phase, strikes, Plugin::calling(phase).first(phase, one)));
        }
    }
    let initialize = format!("(func (export \"_initialize\") {one})");
    attacks.push(early("emit in/initialize".to_owned(), Plugin::honest().more(&initialize)));
    // Imports are not there yet.
    let start = format!("(func $early {one}) (start $early)");
    attacks.push(early("emit in/start".to_owned(), Plugin::honest().more(&start)));
    let all = "(call $ones (global.get $rows))";
    let rows = "(call $ones (i32.wrap_i64 (i64.sub (local.get $roi_stop) (local.get $roi_start))))";
    for (phase, strikes, once) in [
        ("end", Strikes::OnWorkers, "(call $ones (global.get $part_rows))"),
        ("merge", Strikes::Elsewhere, rows),
        ("merge-all", Strikes::Elsewhere, all),
        ("results", Strikes::Elsewhere, &format!("{all} {all}")),
        ("preprocess", Strikes::Early, &format!("{all} {all}")),
    ] {
        attacks.push(at("emit twice in", phase, strikes, Plugin::calling(phase).first(phase, once)));
        let half = Plugin::calling(phase).with(phase, &format!("{one} (i32.const 1152)"));
        attacks.push(at("emit a part in", phase, strikes, half));
        // It said all, and fails after that.
        let late = Plugin::calling(phase).with(phase, &format!("{} (call $give_up) (i32.const 1152)", one_call(once)));
        attacks.push(at("emit and give up in", phase, strikes, late));
    }
    attacks
}

/// The first of one or two calls.
fn one_call(calls: &str) -> &str {
    &calls[..calls.find(") (call").map_or(calls.len(), |at| at + 1)]
}
