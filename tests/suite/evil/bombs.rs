//! Small files of which much is made: machine code, memory, instances, types. What compiling takes is bounded by what a
//! plugin is made of, and by time and memory where that does not tell.

use std::fmt::Write as _;

use super::{
    dwarf,
    stage::Attack,
    wat::{Plugin, Strikes, leb, parsed},
};

/// What the host looks for in a component, so that it goes on to compile it.
const EXPORT: &str = "(instance $i) (export \"lthost:udf/udf@0.1.0\" (instance $i))";
/// The beginning of a component.
const COMPONENT: [u8; 8] = *b"\0asm\x0d\0\x01\0";

/// A function of the honest plugin's that nobody calls.
fn with_function(body: &str) -> Vec<u8> {
    Plugin::honest().more(&format!("(func $bomb (param i32) {body})")).wasm()
}

/// A file that is small, and more than can be made of it.
fn bomb(name: &str, make: impl Fn() -> Vec<u8> + 'static) -> Attack {
    Attack::of_bytes(format!("bomb/{name}"), Strikes::Early, make).uncached()
}

/// One that is merely large.
fn much(name: &str, make: impl Fn() -> Vec<u8> + 'static) -> Attack {
    Attack::of_bytes(format!("bomb/{name}"), Strikes::Perhaps, make).uncached()
}

fn component(name: &str, content: impl Fn() -> String + 'static) -> Attack {
    bomb(name, move || parsed(&format!("(component {} {EXPORT})", content())))
}

fn many_blocks(n: usize) -> Vec<u8> {
    with_function(&"block local.get 0 br_if 0 end ".repeat(n))
}

fn nested_blocks() -> Vec<u8> {
    const N: usize = 20_000;
    let labels: String = (0..N).fold(String::new(), |mut labels, label| {
        write!(labels, "{label} ").unwrap();
        labels
    });
    with_function(&format!("{} local.get 0 br_table {labels} {}", "block ".repeat(N), "end ".repeat(N)))
}

/// Of which each is needed in each round.
fn many_locals() -> Vec<u8> {
    const N: usize = 49_000;
    let mut body = format!("(local {}) loop ", "i64 ".repeat(N));
    for local in 1..N {
        write!(body, "local.get {local} i64.const 1 i64.add local.set {} ", local + 1).unwrap();
    }
    with_function(&(body + "local.get 0 br_if 0 end"))
}

/// Instructions of two bytes, of which each becomes a page of machine code.
fn much_code() -> Vec<u8> {
    let one = "i64.trunc_sat_f64_u f64.convert_i64_u ".repeat(10_000);
    let function = format!("(func (param f64) (result f64) local.get 0 {one})");
    Plugin::honest().more(&function.repeat(10)).wasm()
}

/// Functions that take long to compile, or too much memory.
pub(super) fn functions() -> Vec<Attack> {
    let repeated = |text: &'static str, n: usize| move || Plugin::honest().more(&text.repeat(n)).wasm();
    let exports = || {
        let exports = (0..200_000).fold(String::new(), |mut exports, i| {
            write!(exports, "(export \"e{i}\" (func $spin))").unwrap();
            exports
        });
        Plugin::honest().more(&exports).wasm()
    };
    let import = "(import \"lthost:udf/host@0.1.0\" \"log\" (func (param i32 i32 i32)))";
    let imports = move || Plugin::honest().with("imports", &import.repeat(50_000)).wasm();
    let deep = || with_function(&("block ".repeat(400_000) + &"end ".repeat(400_000)));
    let loops = || with_function(&("loop local.get 0 br_if 0 ".repeat(50_000) + &"end ".repeat(50_000)));
    let branches = || with_function(&format!("block local.get 0 br_table {} end", "0 ".repeat(1_000_000)));
    vec![
        bomb("many blocks", || many_blocks(300_000)),
        bomb("nested blocks", nested_blocks),
        bomb("deep blocks", deep),
        bomb("loops in loops", loops),
        bomb("a million branches", branches),
        much("many locals", many_locals),
        bomb("many functions", repeated("(func)", 900_000)),
        much("many types", repeated("(type (func (param i32)))", 300_000)),
        much("many globals", repeated("(global i64 (i64.const 0))", 300_000)),
        much("many data segments", repeated("(data (i32.const 0) \"\")", 90_000)),
        much("many exports", exports),
        // The time that wrapping them takes grows with the square of their number.
        much("many imports", imports).given("--compile-timeout", "4"),
        bomb("much machine code", much_code).given("--max-code-bytes", "1M"),
        // Where nothing else tells, time and memory do. A quick machine takes 7 s for the first, and 800 MB for the second.
        bomb("many blocks in little time", || many_blocks(1_000_000))
            .given("--max-function-bytes", "64M")
            .given("--compile-timeout", "2"),
        bomb("many blocks in little memory", || many_blocks(300_000))
            .given("--max-function-bytes", "64M")
            .given("--max-compile-memory", "400M"),
        // Let through, they take little of either.
        much("nested blocks of no limit", nested_blocks)
            .given("--max-function-bytes", "64M")
            .given("--max-nesting", "1000000"),
    ]
}

/// Components in components, without a large one among them.
pub(super) fn components() -> Vec<Attack> {
    let modules = || "(core module)".repeat(900);
    let instances = || format!("(core module $m) {}", "(core instance (instantiate $m))".repeat(900));
    // Ten of the one before in each.
    let dolls = |n: usize| {
        let mut text = "(component $c0 (core module $m) (core instance (instantiate $m)))".to_owned();
        for i in 1..=n {
            write!(text, "(component $c{i} {})", format!("(instance (instantiate $c{}))", i - 1).repeat(10)).unwrap();
        }
        text + &format!("(instance (instantiate $c{n}))")
    };
    let pairs = || {
        (1..40).fold("(type $t0 (tuple u8 u8))".to_owned(), |mut types, i| {
            write!(types, "(type $t{i} (tuple $t{0} $t{0}))", i - 1).unwrap();
            types
        })
    };
    let lists = || {
        (1..1000).fold("(type $t0 (list u8))".to_owned(), |mut types, i| {
            write!(types, "(type $t{i} (list $t{}))", i - 1).unwrap();
            types
        })
    };
    let nested = || {
        let wrap = |inner: Vec<u8>, _| [&COMPONENT[..], &[4], &leb(inner.len()), &inner].concat();
        (0..1000).fold(COMPONENT.to_vec(), wrap)
    };
    vec![
        component("many modules", modules),
        component("many instances", instances),
        component("dolls in dolls, ten thousand", move || dolls(4)),
        component("dolls in dolls, a billion", move || dolls(9)).given("--compile-timeout", "1"),
        component("types of pairs of pairs", pairs),
        component("lists of lists", lists),
        bomb("deep components", nested),
    ]
}

/// What is there before any of its code runs.
pub(super) fn instances() -> Vec<Attack> {
    let early = |name: &str, plugin: Plugin| Attack::new(format!("instance/{name}"), Strikes::Early, plugin);
    let memory = |pages: &str| Plugin::honest().with("memory", &format!("(memory (export \"memory\") {pages})"));
    let each = |module: &str, n: usize| {
        let instances = "(core instance (instantiate $m))".repeat(n);
        format!("(component (core module $m {module}) {instances} {EXPORT})")
    };
    let of_text = |name: &str, text: String| Attack::of_text(format!("instance/{name}"), Strikes::Early, text);
    vec![
        early("a memory of 4 GiB", memory("65536")),
        early("a memory too large for all", memory("4000")).given("--max-total-memory", "200M"),
        early("100 memories", Plugin::honest().more(&"(memory 1)".repeat(99))),
        early("a table of ten million", Plugin::honest().more("(table 10000000 funcref)")),
        early("40 tables", Plugin::honest().more(&"(table 1 funcref)".repeat(40))),
        early("a table of a limit", Plugin::honest().more("(table 100 funcref)")).given("--max-table-elements", "10"),
        early("tables of a limit", Plugin::honest().more("(table 1 funcref) (table 1 funcref)"))
            .given("--max-tables", "1"),
        early("instances of a limit", Plugin::honest()).given("--max-instances", "1"),
        early("a stack of a limit", Plugin::honest().first("create", "(call $fall)")).given("--max-stack", "64k"),
        of_text("100 instances with a memory", each("(memory 1)", 100)),
        of_text("60 instances with a large memory", each("(memory 100)", 60)),
        of_text("60 instances with a table", each("(table 1000 funcref)", 60)),
        of_text("900 instances", each("", 900)),
        of_text("an instance that loops", each("(func $f (loop br 0)) (start $f)", 1)),
    ]
}

/// What is looked at only when the plugin gives up: where in its source that was.
pub(super) fn sources() -> Vec<Attack> {
    let with = |units: usize, rows: usize, phase: &'static str, body: &'static str| {
        move || {
            let lines = dwarf::lines(rows);
            let plugin = Plugin::calling(phase).first(phase, body).section(".debug_abbrev", &dwarf::ABBREVIATIONS);
            plugin.section(".debug_info", &dwarf::UNIT.repeat(units)).section(".debug_line", &lines).wasm()
        }
    };
    let source = |name: &str, strikes, make| Attack::of_bytes(format!("source/{name}"), strikes, make).uncached();
    vec![
        source("of few lines", Strikes::Early, with(1, 1, "create", "(call $give_up)")),
        source("of many lines", Strikes::Early, with(1, 8 << 20, "create", "(call $give_up)")),
        source("of the same lines again and again", Strikes::Early, with(16, 2 << 20, "create", "(call $give_up)")),
        source("of many lines in deep calls", Strikes::OnWorkers, with(1, 2 << 20, "process", "(call $fall)")),
    ]
}
