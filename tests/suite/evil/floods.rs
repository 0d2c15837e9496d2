//! Floods: of messages, of texts, of results, and of very small pieces. And texts that a terminal would obey.

use super::{
    phases::at,
    stage::Attack,
    wat::{
        ANSWER_OF_BUFFERS, BUFFER, CAPABILITIES, ERROR, ERROR_OF_PREFERENCES, MANIFEST, PARAMETER, PHASES, Plugin,
        Strikes, TEXT, TYPE,
    },
};

/// What goes wrong in a terminal that believes it.
const CURSE: &[u8] =
    b"\x1b[31mred\x1b]0;title\x07 \xc2\x9b2J \xe2\x80\xaedesrever\xe2\x80\x8f\nerror: forged\r\x08\x7f\x00";
/// Zeros, as many as a large memory has.
const ZEROS: u32 = 1 << 20;
const LARGE: &str = "(memory (export \"memory\") 2000)";

/// Says so many bytes so often, at a level.
fn say(level: u32, start: u32, len: usize, times: i32) -> String {
    format!("(call $say (i32.const {level}) (i32.const {start}) (i32.const {len}) (i32.const {times}))")
}

/// Messages in every function.
pub(super) fn logs() -> Vec<Attack> {
    let never = |attack: (&str, Strikes), kind: &str, body: &str| {
        at(kind, attack.0, Strikes::Never, Plugin::calling(attack.0).first(attack.0, body).poke(TEXT, CURSE))
    };
    let curse: String = (0..4).map(|level| say(level, TEXT, CURSE.len(), 1)).collect();
    let mut attacks = Vec::new();
    for phase in PHASES {
        attacks.push(never(phase, "log flood", &say(2, 2048, 4, 20_000)));
        attacks.push(never(phase, "log a curse", &curse).given("--log", "debug"));
    }
    // Of 2000 characters, of which each is written as five.
    attacks.push(never(("process", Strikes::Never), "log flood of long lines", &say(1, 4096, 2000, 5000)));
    let errors = say(0, 4096, 2000, 5000);
    attacks.push(never(("process", Strikes::Never), "log flood of errors", &errors));
    let lines = Plugin::honest().first("end", &say(2, 8192, 50_000, 300)).poke(8192, &b"a\n".repeat(26_000));
    attacks.push(at("log flood of many lines", "end", Strikes::Never, lines));
    let endless = Plugin::honest().first("process", &say(3, 2048, 4, -1));
    attacks.push(at("log without end", "process", Strikes::OnWorkers, endless));
    let whole = say(2, ZEROS, 120_000_000, 1);
    attacks.push(at(
        "log all memory",
        "begin",
        Strikes::OnWorkers,
        Plugin::honest().with("memory", LARGE).first("begin", &whole),
    ));
    let often = Plugin::honest().with("memory", LARGE).first("begin", &say(3, ZEROS, 10_000_000, -1));
    attacks.push(at("log much without end", "begin", Strikes::OnWorkers, often));
    let small = Plugin::honest().first("process", &say(2, 2048, 4, 20_000));
    attacks.push(
        at("log flood with a small limit", "process", Strikes::Never, small.clone()).given("--max-log-lines", "3"),
    );
    attacks.push(at("log flood with few bytes", "process", Strikes::Never, small).given("--max-log-bytes", "100"));
    let initialize = format!("(func (export \"_initialize\") {})", say(2, 2048, 4, 20_000));
    attacks.push(Attack::new("log flood/initialize", Strikes::Never, Plugin::honest().more(&initialize)));
    attacks
}

/// Texts that control a terminal, wherever there are texts.
pub(super) fn curses() -> Vec<Attack> {
    let mut attacks = Vec::new();
    for (phase, strikes) in PHASES {
        let (answer, place) = match phase {
            // It has no errors.
            "describe" => continue,
            "preferences" => ("(i32.const 1376)", ERROR_OF_PREFERENCES + 8),
            _ => ("(i32.const 1344)", ERROR + 4),
        };
        let plugin = Plugin::calling(phase).with(phase, answer).write(place, TEXT, CURSE);
        let text = u32::try_from(CURSE.len()).unwrap();
        // Once more as a cause.
        let plugin = plugin.point(place + 8, 3072, 1).point(3072, TEXT, text);
        attacks.push(at("error with a curse", phase, strikes, plugin));
    }
    for (what, place, strikes) in [
        ("name", MANIFEST, Strikes::Early),
        ("version", MANIFEST + 8, Strikes::Never),
        ("summary", MANIFEST + 16, Strikes::Never),
        ("license", MANIFEST + 32, Strikes::Never),
        ("name of the parameter", PARAMETER, Strikes::Early),
        ("unit of the parameter", PARAMETER + 96, Strikes::Never),
        ("doc of the parameter", PARAMETER + 104, Strikes::Never),
        ("name of the buffer", BUFFER, Strikes::Early),
        ("unit of the buffer", BUFFER + 32, Strikes::Never),
        ("doc of the buffer", BUFFER + 40, Strikes::Never),
    ] {
        let plugin = Plugin::honest().write(place, TEXT, CURSE);
        attacks.push(Attack::new(format!("curse/{what}"), strikes, plugin).inspected());
    }
    attacks.extend(curses_in_lists());
    attacks.extend(curses_of_names());
    attacks
}

fn curses_in_lists() -> Vec<Attack> {
    let len = u32::try_from(CURSE.len()).unwrap();
    let list = |place: u32| Plugin::honest().point(place, 3072, 1).point(3072, TEXT, len).poke(TEXT, CURSE);
    // A text, and its default is the first of two choices.
    let choices = list(PARAMETER + 88).point(PARAMETER + 88, 3072, 2).point(3080, 2048, 4);
    let choices = choices.poke(TYPE, &[3]).poke(PARAMETER + 24, &[4]).point(PARAMETER + 32, TEXT, len);
    [("authors", list(MANIFEST + 24)), ("choices", choices)]
        .map(|(what, plugin)| Attack::new(format!("curse/{what}"), Strikes::Never, plugin).inspected())
        .into()
}

/// Names in the module itself: of a function that gives up, of what is imported, of the contract.
fn curses_of_names() -> Vec<Attack> {
    let quoted = super::wat::quoted(CURSE);
    let function = format!("(func $cursed (@name {quoted}) (unreachable))");
    let function = Plugin::honest().more(&function).first("process", "(call $cursed)");
    let long = format!("(func $long (@name \"{}\") (unreachable))", "_ZN".repeat(30_000));
    let long = Plugin::honest().more(&long).first("process", "(call $long)");
    let module = format!("(module (import {quoted} {quoted} (func)))");
    let contract = format!("(module (func (export \"lthost:udf/udf@{}#describe\")))", &quoted[1..quoted.len() - 1]);
    vec![
        Attack::new("curse/function", Strikes::OnWorkers, function),
        Attack::new("curse/function of a long name", Strikes::OnWorkers, long),
        Attack::of_text("curse/import", Strikes::Early, module).inspected(),
        Attack::of_text("curse/contract", Strikes::Early, contract).inspected(),
    ]
}

/// More in one answer than can be taken, or shown.
pub(super) fn results() -> Vec<Attack> {
    let large = || Plugin::honest().with("memory", LARGE);
    // It is wanted, and told with all that it may be.
    let required = |plugin: Plugin| plugin.poke(PARAMETER + 16, &[1]).poke(PARAMETER + 24, &[0]).poke(TYPE, &[5]);
    let axes = |plugin: Plugin, len| plugin.poke(TYPE + 12, &[1]).point(TYPE + 16, ZEROS, len);
    // An array of no numbers, of so many axes.
    let default = large().poke(PARAMETER + 24, &[6]).point(PARAMETER + 32, ZEROS, 1_000_000).poke(PARAMETER + 40, &[1]);
    let default = axes(default.poke(TYPE, &[5]), 0);
    let failing = |plugin: Plugin| plugin.with("preferences", "(i32.const 1376)");
    [
        ("summary", large().point(MANIFEST + 16, ZEROS, 120_000_000), Strikes::Early),
        ("authors", large().point(MANIFEST + 24, ZEROS, 10_000_000), Strikes::Early),
        ("few authors", large().point(MANIFEST + 24, ZEROS, 100_000), Strikes::Never),
        ("parameters", large().point(MANIFEST + 40, ZEROS, 1_000_000), Strikes::Early),
        (
            "choices",
            large().poke(TYPE, &[3]).poke(PARAMETER + 24, &[0]).point(PARAMETER + 88, ZEROS, 300_000),
            Strikes::Never,
        ),
        ("dtypes", required(large()).point(TYPE + 4, ZEROS, 10_000_000), Strikes::Early),
        ("axes", axes(required(large()), 300_000), Strikes::Early),
        ("axes of a default", default, Strikes::Early),
        ("buffers", large().point(ANSWER_OF_BUFFERS + 4, ZEROS, 2_000_000), Strikes::Early),
        ("many buffers", large().point(ANSWER_OF_BUFFERS + 4, ZEROS, 10_000), Strikes::Early),
        ("extra axes", large().point(BUFFER + 12, ZEROS, 1_000_000), Strikes::Early),
        ("message", failing(large()).point(ERROR_OF_PREFERENCES + 8, ZEROS, 120_000_000), Strikes::Early),
        ("long message", failing(large()).point(ERROR_OF_PREFERENCES + 8, ZEROS, 10_000_000), Strikes::Early),
        ("causes", failing(large()).point(ERROR_OF_PREFERENCES + 16, ZEROS, 10_000_000), Strikes::Early),
        ("many causes", failing(large()).point(ERROR_OF_PREFERENCES + 16, ZEROS, 300_000), Strikes::Early),
    ]
    .map(|(what, plugin, strikes)| Attack::new(format!("flood/{what}"), strikes, plugin).inspected())
    .into()
}

/// Results in very small pieces, from the last one on, so that none joins another.
pub(super) fn dust() -> Vec<Attack> {
    // One byte after the other of a buffer of so many.
    let of = |phase: &str, n: u32| {
        let body = format!(
            "(global.set $armed (i32.const {n}))
            (loop $again
                (global.set $armed (i32.sub (global.get $armed) (i32.const 1)))
                (call $emit (i32.const 0) (i64.extend_i32_u (global.get $armed)) (i32.const 4096) (i32.const 1))
                (br_if $again (global.get $armed)))
            (i32.const 1152)"
        );
        let shape = [n.to_le_bytes(), [0; 4]].concat();
        let plugin = Plugin::calling(phase).poke(BUFFER + 8, &[2]).point(BUFFER + 12, 3072, 1).poke(3072, &shape);
        let at_once =
            format!("(call $emit (i32.const 0) (i64.const 0) (i32.const 4096) (i32.const {n})) (i32.const 1152)");
        plugin.with("end", &at_once).with(phase, &body)
    };
    let mut attacks = vec![at("dust", "end", Strikes::OnWorkers, of("end", 60_000_000)).given("--timeout", "0.5")];
    for phase in ["results", "preprocess", "merge", "merge-all"] {
        attacks.push(at("dust", phase, Strikes::Never, of(phase, 1 << 17)).given("--timeout", "2"));
    }
    attacks
}

/// More at once than there is room for.
pub(super) fn sizes() -> Vec<Attack> {
    let single = |shape: u64| {
        let plugin = Plugin::honest().poke(BUFFER + 8, &[2]).point(BUFFER + 12, 3072, 1);
        plugin.poke(3072, &shape.to_le_bytes())
    };
    vec![
        Attack::new("size/buffer", Strikes::Early, single(1 << 40)),
        Attack::new("size/buffer of a limit", Strikes::Early, single(2 << 20)).given("--max-result-bytes", "1M"),
        Attack::new("size/name", Strikes::Early, Plugin::honest().write(MANIFEST, TEXT, &[b'n'; 65])),
        Attack::new("size/name of a limit", Strikes::Early, Plugin::honest()).given("--max-name-len", "3"),
        Attack::new("size/parameters of a limit", Strikes::Early, Plugin::honest()).given("--max-parameters", "0"),
        Attack::new("size/buffers of a limit", Strikes::Early, Plugin::honest()).given("--max-buffers", "0"),
        Attack::new("size/all capabilities", Strikes::Never, Plugin::calling("merge").poke(CAPABILITIES, &[0xff])),
    ]
}
