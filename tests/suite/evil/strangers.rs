//! Plugins that want what there is not, or are something else: other imports, other contracts, features that are switched off,
//! machine code.

use super::{
    caches,
    stage::Attack,
    wat::{PHASES, Plugin, Strikes, export},
};

/// What a module may look for. A plugin that finds nothing can still tell by it where it runs: no name gets through.
const IMPORTS: [(&str, &str, &str); 21] = [
    ("wasi_snapshot_preview1", "fd_write", "(param i32 i32 i32 i32) (result i32)"),
    ("wasi_snapshot_preview1", "path_open", "(param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)"),
    ("wasi_snapshot_preview1", "environ_get", "(param i32 i32) (result i32)"),
    ("wasi_snapshot_preview1", "clock_time_get", "(param i32 i64 i32) (result i32)"),
    ("wasi_snapshot_preview1", "random_get", "(param i32 i32) (result i32)"),
    ("wasi_snapshot_preview1", "sock_send", "(param i32 i32 i32 i32 i32) (result i32)"),
    ("wasi_snapshot_preview1", "proc_exit", "(param i32)"),
    ("wasi_unstable", "fd_read", "(param i32 i32 i32 i32) (result i32)"),
    ("env", "system", "(param i32) (result i32)"),
    ("env", "emscripten_run_script", "(param i32)"),
    ("wasi:filesystem/types@0.2.0", "[method]descriptor.read", "(param i32 i64 i64 i32)"),
    ("", "", ""),
    ("$root", "[thread-yield]", "(result i32)"),
    ("__main_module__", "memory.grow", "(param i32) (result i32)"),
    ("lthost:udf/host@0.1.0", "read-file", "(param i32 i32 i32)"),
    ("lthost:udf/host@0.1.0", "[async-lower]log", "(param i32 i32 i32) (result i32)"),
    ("lthost:udf/host@0.2.0", "log", "(param i32 i32 i32)"),
    ("lthost:udf/kernels@0.1.0", "[method]matrix.free", "(param i32)"),
    ("lthost:udf/files@0.1.0", "open", "(param i32 i32) (result i32)"),
    ("[export]lthost:udf/udf@0.1.0", "[task-cancel]", ""),
    ("not lthost:udf/host@0.1.0", "log", "(param i32 i32 i32)"),
];

/// What a component may look for, where a module could not say so.
const INTERFACES: [(&str, &str); 7] = [
    ("a file system", r#"(import "wasi:filesystem/preopens@0.2.0" (instance))"#),
    ("a clock", r#"(import "wasi:clocks/monotonic-clock@0.2.0" (instance (export "now" (func (result u64)))))"#),
    ("a network", r#"(import "wasi:sockets/network@0.2.0" (instance))"#),
    ("a function by its plain name", r#"(import "system" (func (param "command" string)))"#),
    ("a module", r#"(import "library" (core module))"#),
    (
        "more of the host",
        r#"(import "lthost:udf/host@0.1.0" (instance (export "read-file" (func (param "path" string)))))"#,
    ),
    ("other messages", r#"(import "lthost:udf/host@0.1.0" (instance (export "log" (func (param "text" string)))))"#),
];

/// What is switched off.
const FEATURES: [(&str, &str); 11] = [
    ("two memories", "(memory 1)"),
    ("a shared memory", "(memory 1 1 shared)"),
    ("a memory of 64 bits", "(memory i64 1)"),
    ("a table of 64 bits", "(table i64 1 funcref)"),
    ("tail calls", "(func $tail (return_call $tail))"),
    ("exceptions", "(tag $e) (func (throw $e))"),
    ("structures", "(type $s (struct (field i32))) (func (drop (struct.new_default $s)))"),
    ("atomics", "(func (drop (i32.atomic.rmw.add (i32.const 0) (i32.const 1))))"),
    ("wide arithmetic", "(func (result i64 i64) i64.const 0 i64.const 0 i64.const 0 i64.const 0 i64.add128)"),
    ("pages of a byte", "(memory 1 (pagesize 1))"),
    ("references to functions", "(type $f (func)) (func (param (ref null $f)) (call_ref $f (local.get 0)))"),
];

/// The beginning of a name by which a function may end later.
const ASYNC_END: &str = "\"[async-lift]lthost:udf/udf@0.1.0#[method]udf.end";

/// What is imported.
pub(super) fn imports() -> Vec<Attack> {
    let of_module = |(module, name, signature): (&str, &str, &str)| {
        let import = format!("(import \"{module}\" \"{name}\" (func {signature}))");
        let plugin = Plugin::honest().with("imports", &import);
        Attack::new(format!("import/{module}.{name}"), Strikes::Early, plugin)
    };
    let of_component = |(what, import): (&str, &str)| {
        let text = format!("(component {import} (instance $i) (export \"lthost:udf/udf@0.1.0\" (instance $i)))");
        Attack::of_text(format!("import/{what}"), Strikes::Early, text)
    };
    let others = [
        ("a memory", "(import \"env\" \"memory\" (memory 1))"),
        ("a table of the host", "(import \"lthost:udf/host@0.1.0\" \"log\" (table 1 funcref))"),
        ("a global of the host", "(import \"lthost:udf/host@0.1.0\" \"log\" (global i32))"),
        ("emit of another kind", "(import \"lthost:udf/host@0.1.0\" \"emit\" (func (param i32)))"),
    ];
    let of_other = |(what, import): (&str, &str)| {
        Attack::new(format!("import/{what}"), Strikes::Early, Plugin::honest().with("imports", import))
    };
    let twice = "(import \"lthost:udf/host@0.1.0\" \"log\" (func (param i32 i32 i32)))";
    let twice = Attack::new("import/log twice", Strikes::Never, Plugin::honest().with("imports", twice));
    let all = IMPORTS.into_iter().map(of_module).chain(INTERFACES.into_iter().map(of_component));
    all.chain(others.into_iter().map(of_other)).chain([twice]).collect()
}

/// What is not there, and what is of another version.
pub(super) fn contracts() -> Vec<Attack> {
    let early = |name: String, plugin: Plugin| Attack::new(format!("contract/{name}"), Strikes::Early, plugin);
    let mut attacks = Vec::new();
    for (phase, _) in PHASES {
        let name = format!("(export \"{}\")", export(phase));
        attacks.push(early(format!("without {phase}"), Plugin::honest().replaced(&name, "")));
        let plugin =
            Plugin::honest().replaced(&name, "").more(&format!("(func {name} (param f64) (result f64) local.get 0)"));
        attacks.push(early(format!("{phase} of another kind"), plugin));
    }
    for (name, text, by) in [
        ("another version", "lthost:udf/udf@0.1.0", "lthost:udf/udf@0.2.0"),
        ("a later version", "lthost:udf/udf@0.1.0", "lthost:udf/udf@0.1.7"),
        ("no version", "lthost:udf/udf@0.1.0", "lthost:udf/udf"),
        ("a host of another version", "lthost:udf/host@0.1.0", "lthost:udf/host@1.0.0"),
        ("no memory", "(memory (export \"memory\") 16)", "(memory 16)"),
        ("no realloc", "(export \"cabi_realloc\")", ""),
        ("functions that take their time", "\"lthost:udf/udf@0.1.0#[method]udf.end", ASYNC_END),
    ] {
        attacks.push(early(name.to_owned(), Plugin::honest().replaced(text, by)));
    }
    attacks
}

/// Features, and files that are no modules.
pub(super) fn others() -> Vec<Attack> {
    let feature = |(what, text): (&str, &str)| {
        Attack::new(format!("feature/{what}"), Strikes::Early, Plugin::honest().more(text))
    };
    let mut attacks: Vec<Attack> = FEATURES.into_iter().map(feature).collect();
    let file = |name: &str, make: fn() -> Vec<u8>| Attack::of_bytes(format!("file/{name}"), Strikes::Early, make);
    attacks.extend([
        file("machine code", caches::machine_code),
        file("machine code as it is kept", caches::entry),
        file("nothing", Vec::new),
        file("the beginning", || b"\0asm".to_vec()),
        file("a component that is cut", || b"\0asm\x0d\0\x01\0\x01\xff\xff\xff\x0f".to_vec()),
        file("a section without end", || [&b"\0asm\x01\0\0\0\x00\xff\xff\xff\xff\x0f"[..], &[0; 100]].concat()),
        file("zeros", || vec![0; 1 << 20]),
        file("a module and then another", || [Plugin::honest().wasm(), Plugin::honest().wasm()].concat()),
        file("a long name of a section", || Plugin::honest().section(&"n".repeat(200_000), &[]).wasm()),
        file("many bytes", || Plugin::honest().section("ballast", &vec![0; 65 << 20]).wasm()),
    ]);
    attacks.push(Attack::new(
        "file/many bytes that nobody needs",
        Strikes::Never,
        Plugin::honest().section("ballast", &vec![0; 8 << 20]),
    ));
    // Of these, only the contract's types count.
    let types = Plugin::honest().section("component-type:evil", b"\0asm\x0d\0\x01\0 and then something else");
    attacks.push(Attack::new("file/types that are none", Strikes::Early, types));
    attacks
}
