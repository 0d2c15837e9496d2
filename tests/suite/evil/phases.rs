//! Attacks in every function of a plugin, and where code of a plugin runs besides: at the start, where it gives memory,
//! where it cleans up, where a resource goes.

use super::{
    stage::Attack,
    wat::{PHASES, Plugin, Strikes},
};

/// Fourier transforms of the host: what it makes of one, it puts into memory that the plugin gives it meanwhile.
const FOURIER: &str = r#"
    (import "lthost:udf/kernels@0.1.0" "[constructor]fourier" (func $fourier (param i32 i32 i32) (result i32)))
    (import "lthost:udf/kernels@0.1.0" "[method]fourier.forward" (func $forward (param i32 i32 i32 i32)))"#;
/// Of four numbers of f32.
const TRANSFORM: &str = "(i64.store (i32.const 2304) (i64.const 4))
    (global.set $armed (i32.const 1))
    (call $forward (call $fourier (i32.const 9) (i32.const 2304) (i32.const 1)) (i32.const 4096) (i32.const 16) (i32.const 2320))";
/// On a worker, and on the main thread, from here on.
const ARM_ON_WORKER: &str = "(global.set $armed (i32.eqz (global.get $role)))";
const ARM_ON_MAIN: &str = "(global.set $armed (global.get $role))";
const IS_WORKER: &str = "(i32.eqz (i32.load8_u offset=8 (local.get $args)))";

/// An attack in a phase.
pub(super) fn at(kind: &str, phase: &str, strikes: Strikes, plugin: Plugin) -> Attack {
    let attack = Attack::new(format!("{kind}/{phase}"), strikes, plugin);
    if phase == "update" { attack.given("--update", "1:evil.level=5") } else { attack }
}

/// The same in every function of a plugin, before anything else.
pub(super) fn everywhere(kind: &str, body: &str) -> Vec<Attack> {
    let attack =
        |(phase, strikes): (&str, Strikes)| at(kind, phase, strikes, Plugin::calling(phase).first(phase, body));
    PHASES.into_iter().map(attack).collect()
}

/// In some functions.
fn in_some(kind: &str, body: &str, phases: &[&str]) -> Vec<Attack> {
    let some = PHASES.into_iter().filter(|(phase, _)| phases.contains(phase));
    some.map(|(phase, strikes)| at(kind, phase, strikes, Plugin::calling(phase).first(phase, body))).collect()
}

fn when(condition: &str, body: &str) -> String {
    format!("(if {condition} (then {body}))")
}

/// Loops that never end.
pub(super) fn loops() -> Vec<Attack> {
    let mut attacks = everywhere("loop", "(call $spin)");
    attacks.push(Attack::new("loop/start", Strikes::Early, Plugin::honest().more("(start $spin)")));
    let initialize = "(export \"_initialize\" (func $spin))";
    attacks.push(Attack::new("loop/initialize", Strikes::Early, Plugin::honest().more(initialize)));
    // On workers alone, and with one partition alone.
    let on_worker = Plugin::honest().first("create", &when(IS_WORKER, "(call $spin)"));
    attacks.push(Attack::new("loop/create on a worker", Strikes::Elsewhere, on_worker));
    let one = when("(i32.eq (global.get $index) (i32.const 1))", "(call $spin)");
    for phase in ["process", "end"] {
        let plugin = Plugin::honest().first(phase, &one);
        attacks.push(Attack::new(format!("loop/{phase} of one partition"), Strikes::OnWorkers, plugin));
    }
    attacks
}

/// Giving up, and calls without end.
pub(super) fn traps() -> Vec<Attack> {
    let mut attacks = everywhere("trap", "(call $give_up)");
    attacks.extend(everywhere("recurse", "(call $fall)"));
    for (kind, function) in [("trap", "$give_up"), ("recurse", "$fall")] {
        let start = Plugin::honest().more(&format!("(start {function})"));
        attacks.push(Attack::new(format!("{kind}/start"), Strikes::Early, start));
        let initialize = Plugin::honest().more(&format!("(export \"_initialize\" (func {function}))"));
        attacks.push(Attack::new(format!("{kind}/initialize"), Strikes::Early, initialize));
    }
    let on_worker = Plugin::honest().first("create", &when(IS_WORKER, "(call $give_up)"));
    attacks.push(Attack::new("trap/create on a worker", Strikes::Elsewhere, on_worker));
    // The largest stack that there may be: threads have to have more.
    for phase in ["create", "process"] {
        let strikes = if phase == "create" { Strikes::Early } else { Strikes::OnWorkers };
        let plugin = Plugin::honest().first(phase, "(call $fall)");
        attacks.push(at("recurse on a large stack", phase, strikes, plugin).given("--max-stack", "4M"));
    }
    attacks
}

/// Panics in every partition: one line for each message, however many partitions there are.
pub(super) fn storms() -> Vec<Attack> {
    let say = "(i32.store8 (i32.const 2312) (i32.add (i32.const 65) (global.get $index)))
        (call $log (i32.const 0) (i32.const 2304) (i32.const 9))";
    let alike = Plugin::honest()
        .first("process", "(call $say (i32.const 0) (i32.const 2048) (i32.const 4) (i32.const 1)) (call $give_up)");
    let unlike = Plugin::honest().first("process", &format!("{say} (call $give_up)")).poke(2304, b"beam at ?");
    // Whoever trapped is never called again.
    let again = when("(global.get $armed)", "(call $say (i32.const 0) (i32.const 2304) (i32.const 14) (i32.const 1))");
    let armed = "(global.set $armed (i32.const 1)) (call $give_up)";
    let again = Plugin::honest().first("begin", &again).first("process", armed).poke(2304, b"entered again!");
    let floods = "(call $say (i32.const 2) (i32.const 2048) (i32.const 4) (i32.const 2000)) (call $give_up)";
    [
        ("alike", alike),
        ("unlike", unlike),
        ("entered again", again),
        ("with a flood each", Plugin::honest().first("process", floods)),
    ]
    .map(|(kind, plugin)| Attack::new(format!("storm/{kind}"), Strikes::OnWorkers, plugin).given("--partitions", "20"))
    .into()
}

/// What takes memory and time in one instruction.
pub(super) fn fills() -> Vec<Attack> {
    let mut attacks =
        in_some("fill", "(drop (memory.grow (i32.const 3800))) (call $fill)", &["describe", "process", "merge"]);
    attacks.extend(in_some("grow without end", "(call $grow)", &["create", "process", "results"]));
    let grow = "(loop $again (br_if $again (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))) (call $give_up)";
    attacks.extend(in_some("grow and give up", grow, &["describe", "end", "merge-all"]));
    let table = |body: &str, phase: &str| Plugin::calling(phase).first(phase, body).more("(table $more 1 funcref)");
    let grow = "(loop $again (br_if $again (i32.ne (table.grow $more (ref.null func) (i32.const 1000)) (i32.const -1)))) (call $give_up)";
    attacks.push(at("grow a table", "process", Strikes::OnWorkers, table(grow, "process")));
    let spin = "(loop $again (drop (table.grow $more (ref.null func) (i32.const 1000))) (br $again))";
    attacks.push(at("grow a table without end", "buffers", Strikes::Early, table(spin, "buffers")));
    let fill = "(drop (table.grow $more (ref.null func) (i32.const 199999)))
        (loop $again (table.fill $more (i32.const 0) (ref.null func) (table.size $more)) (br $again))";
    attacks.push(at("fill a table", "process", Strikes::OnWorkers, table(fill, "process")));
    let copy = "(drop (memory.grow (i32.const 3800)))
        (loop $again (memory.copy (i32.const 1) (i32.const 0) (i32.const 0xed00000)) (br $again))";
    attacks.extend(in_some("copy", copy, &["preferences", "process"]));
    // What its own bound refuses is taken from nobody.
    let beyond = "(global.set $armed (i32.const 5000))
        (loop $again
            (drop (memory.grow (i32.const 1)))
            (global.set $armed (i32.sub (global.get $armed) (i32.const 1)))
            (br_if $again (global.get $armed)))";
    let own = Plugin::honest().with("memory", "(memory (export \"memory\") 16 16)").first("describe", beyond);
    attacks.push(
        at("grow beyond its own bound", "describe", Strikes::Never, own)
            .given("--max-total-memory", "260M")
            .given("--timeout", "10"),
    );
    attacks
}

/// After each function, where a plugin cleans up.
pub(super) fn post_returns() -> Vec<Attack> {
    let after = |kind: &str, phase: &str, strikes: Strikes, body: &str| {
        at(kind, phase, strikes, Plugin::calling(phase).post_return(phase, body))
    };
    let mut attacks: Vec<Attack> =
        PHASES.into_iter().map(|(phase, strikes)| after("loop after", phase, strikes, "(call $spin)")).collect();
    attacks.push(after("trap after", "process", Strikes::OnWorkers, "(call $give_up)"));
    attacks.push(after("trap after", "results", Strikes::Elsewhere, "(call $give_up)"));
    attacks.push(after("recurse after", "create", Strikes::Early, "(call $fall)"));
    // Nothing may be called from there.
    let log = "(call $log (i32.const 2) (i32.const 2048) (i32.const 4))";
    attacks.push(after("log after", "process", Strikes::OnWorkers, log));
    attacks.push(after("emit after", "end", Strikes::OnWorkers, "(call $ones (global.get $part_rows))"));
    attacks
}

/// Where the host asks for memory.
pub(super) fn reallocs() -> Vec<Attack> {
    let armed = |phase: &str, body: &str| {
        let plugin = Plugin::calling(phase).first("realloc", &when("(global.get $armed)", body));
        match phase {
            "window" | "begin" => plugin.first("buffers", ARM_ON_WORKER),
            "process" => plugin.first("begin", "(global.set $armed (i32.const 1))"),
            _ => plugin.first("buffers", ARM_ON_MAIN),
        }
    };
    let mut attacks = Vec::new();
    for (phase, strikes) in PHASES {
        if ["window", "begin", "process", "merge", "merge-all", "results", "update"].contains(&phase) {
            attacks.push(at("loop in realloc", phase, strikes, armed(phase, "(call $spin)")));
        }
    }
    attacks.push(at("loop in realloc", "create", Strikes::Early, Plugin::honest().first("realloc", "(call $spin)")));
    for (kind, body) in [
        ("trap in", "(call $give_up)"),
        ("recurse in", "(call $fall)"),
        ("log in", "(call $log (i32.const 2) (i32.const 2048) (i32.const 4))"),
        ("outside from", "(return (i32.const -8))"),
        ("far outside from", "(return (i32.const 0x7ffffff8))"),
        ("unaligned from", "(return (i32.const 65537))"),
        ("at the very end from", "(return (i32.const 1048568))"),
    ] {
        attacks.push(at(&format!("{kind} realloc"), "process", Strikes::OnWorkers, armed("process", body)));
    }
    attacks.push(at("outside from realloc", "window", Strikes::Elsewhere, armed("window", "(return (i32.const -8))")));
    // Whoever gives the same memory twice, or none, harms only itself.
    for (kind, body) in [
        ("the same from", "(return (i32.const 65536))"),
        ("null from", "(return (i32.const 0))"),
        ("more memory in", "(drop (memory.grow (i32.const 1)))"),
    ] {
        attacks.push(at(&format!("{kind} realloc"), "process", Strikes::Never, armed("process", body)));
    }
    for (kind, body) in [
        ("loop in", "(call $spin)"),
        ("recurse in", "(call $fall)"),
        ("outside from", "(return (i32.const -8))"),
        ("transform in", "(drop (call $fourier (i32.const 9) (i32.const 2304) (i32.const 1)))"),
    ] {
        let plugin = Plugin::honest().with("imports", FOURIER).first("process", TRANSFORM);
        let plugin = plugin.first("realloc", &when("(global.get $armed)", body));
        attacks.push(at(&format!("{kind} realloc of a kernel"), "process", Strikes::OnWorkers, plugin));
    }
    attacks
}

/// Where handles of UDFs are made, and go.
pub(super) fn handles() -> Vec<Attack> {
    let create = |body: &str| Plugin::honest().with("create", body);
    let give = |handle: &str| create(&format!("(i32.store (i32.const 1220) {handle}) (i32.const 1216)"));
    let dropped = "(local $handle i32) (local.set $handle (call $new (i32.const 7))) (call $drop (local.get $handle))
        (i32.store (i32.const 1220) (local.get $handle)) (i32.const 1216)";
    let flood = "(loop $again (drop (call $new (i32.const 7))) (br $again))";
    let mut attacks = Vec::new();
    for (kind, plugin) in [
        ("none", give("(i32.const 0)")),
        ("never made", give("(i32.const 1)")),
        ("far out", give("(i32.const -1)")),
        ("dropped before", create(dropped)),
        ("too many", Plugin::honest().first("create", flood)),
        (
            "dropped twice",
            Plugin::honest().first("create", "(call $drop (call $new (i32.const 7))) (call $drop (i32.const 1))"),
        ),
    ] {
        attacks.push(Attack::new(format!("handle/{kind}"), Strikes::Early, plugin));
    }
    for (kind, body) in [
        ("dropped while in use", "(call $drop (i32.const 1))"),
        ("dropped that is none", "(call $drop (i32.const 99))"),
        ("too many", flood),
    ] {
        let plugin = Plugin::honest().first("process", body);
        attacks.push(Attack::new(format!("handle/{kind} in process"), Strikes::OnWorkers, plugin));
    }
    for (kind, body) in [
        ("loops", "(call $spin)"),
        ("gives up", "(call $give_up)"),
        ("drops more", "(call $drop (call $new (i32.const 7)))"),
        ("logs", "(call $say (i32.const 2) (i32.const 2048) (i32.const 4) (i32.const 20000)) (call $give_up)"),
    ] {
        let dtor = format!("(func $gone (export \"lthost:udf/udf@0.1.0#[dtor]udf\") (param $rep i32) {body})");
        let drops = "(call $drop (call $new (i32.const 7)))";
        let plugin = Plugin::honest().more(&dtor).first("create", drops);
        attacks.push(Attack::new(format!("handle/whose end {kind}"), Strikes::Early, plugin));
        // Nobody waits for the end of that in use.
        let plugin = Plugin::honest().more(&dtor);
        attacks.push(Attack::new(format!("handle/whose end {kind} in the end"), Strikes::Never, plugin));
    }
    attacks
}
