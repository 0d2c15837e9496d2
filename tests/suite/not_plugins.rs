//! Files that are no plugins, and modules written by hand where no compiler would go so far: refused, with the reason
//! and what to do.

use std::fs;

use lthost_tests::wasm;
use wasmparser::{Parser, Payload};

use crate::program::{Ended, Folder};

/// Runs a file as a plugin.
fn run(bytes: &[u8]) -> Ended {
    let folder = Folder::new();
    folder.write("x.wasm", bytes);
    let args = ["run", "--quiet", "--dataset", "scan.npy", "-o", "out", "--plugin", "./x.wasm"];
    let ended = folder.lthost(&[&args[..], &["--timeout", "0.3", "--max-memory", "256M"]].concat());
    folder.assert_untouched();
    ended.takes_less_than(10.0);
    let inspected = folder.lthost(&["inspect", "./x.wasm", "--timeout", "0.3"]);
    assert_ne!(inspected.code, None, "{inspected:?}");
    ended
}

/// A component or module in text form.
fn run_text(text: &str) -> Ended {
    run(&wat::parse_str(text).unwrap())
}

/// A core module that has everything that the contract wants. `parts` replace some of it.
fn module(parts: &[(&str, &str)]) -> Vec<u8> {
    [untyped(parts), contract_section()].concat()
}

/// The same, without the section by which it says which contract it was built for.
fn untyped(parts: &[(&str, &str)]) -> Vec<u8> {
    let part = |name: &str, default: &str| {
        let given = parts.iter().find(|(other, _)| *other == name);
        given.map_or_else(|| default.to_owned(), |(_, text)| (*text).to_owned())
    };
    let described = "(func (export \"lthost:udf/udf@0.1.0#describe\") (result i32) i32.const 1024)";
    // The manifest at 1024: a name, and that it processes tiles.
    let name = "(data (i32.const 1024) \"\\10\\08\\00\\00\\03\\00\\00\\00\") (data (i32.const 2064) \"wat\")
        (data (i32.const 1072) \"\\01\")";
    // Memory for whoever asks, from 1 page on.
    let realloc = "(global $top (mut i32) (i32.const 65536))
        (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32)
            global.get $top
            global.get $top local.get 3 i32.add i32.const 7 i32.add i32.const -8 i32.and global.set $top)";
    let text = format!(
        "(module
            {imports}
            {memory}
            {realloc}
            {data}
            {describe}
            (func (export \"lthost:udf/udf@0.1.0#[static]udf.create\")
                (param i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.preferences\") (param i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.buffers\") (param i32 i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.preprocess\") (param i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.window\") (param i32 i32 i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.begin\")
                (param i32 i64 i64 i64 i64 i64 i64 i32 i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.process\") (param i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.end\") (param i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.merge\")
                (param i32 i64 i64 i64 i64 i64 i32 i32 i32 i32 i32 i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.merge-all\") (param i32 i32 i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.results\")
                (param i32 i32 i32 i32 i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.update\") (param i32 i32 i32) (result i32) unreachable)
            {more}
        )",
        imports = part("imports", ""),
        memory = part("memory", "(memory (export \"memory\") 16)"),
        realloc = part("realloc", realloc),
        data = part("data", name),
        describe = part("describe", described),
        more = part("more", ""),
    );
    wat::parse_str(text).unwrap()
}

/// The section by which a core module says which contract it was built for, taken from a built plugin.
fn contract_section() -> Vec<u8> {
    let plugin = fs::read(wasm("hostile_raw")).unwrap();
    for payload in Parser::new(0).parse_all(&plugin) {
        if let Payload::CustomSection(section) = payload.unwrap()
            && section.name().starts_with("component-type")
        {
            let content = [&leb(section.name().len())[..], section.name().as_bytes(), section.data()].concat();
            return [&[0][..], &leb(content.len()), &content].concat();
        }
    }
    panic!("the built plugin does not say which contract it was built for");
}

/// A length as WebAssembly writes it.
fn leb(mut n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(n & 0x7f).unwrap();
        n >>= 7;
        if n == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}

#[test]
fn a_file_that_is_no_wasm_is_refused() {
    let no_wasm = "plugin `./x.wasm` is refused: it is no WebAssembly: the file does not start with `\\0asm`";
    run(b"").refuses_saying(no_wasm);
    run(b"(module)").refuses_saying(no_wasm);
    run(b"\x7fELF\x02\x01\x01").refuses_saying(no_wasm);
    run(b"\0asm\x01\0\0\0 and then something else").fails(1, &["plugin `./x.wasm` is refused: "]);
    let folder = Folder::new();
    folder.lthost(&["inspect", "scan.npy"]).refuses_saying(&no_wasm.replace("./x.wasm", "scan.npy"));
    // What begins like one is damaged.
    run(b"\0asm").fails(1, &["plugin `./x.wasm` is refused: it is no valid WebAssembly"]);
    run(b"\0asm\xff\xff\xff\xff").fails(1, &["plugin `./x.wasm` is refused: it is no valid WebAssembly"]);
}

#[test]
fn a_truncated_plugin_is_refused_wherever_it_is_cut() {
    let whole = fs::read(wasm("hostile_raw")).unwrap();
    for part in 1..8 {
        run(&whole[..whole.len() * part / 8]).fails(1, &["plugin `./x.wasm` is refused: "]);
    }
    let component = lthost_component(&whole);
    for part in 1..4 {
        run(&component[..component.len() * part / 4]).fails(1, &["plugin `./x.wasm` is refused: "]);
    }
}

fn lthost_component(module: &[u8]) -> Vec<u8> {
    wit_component::ComponentEncoder::default().module(module).unwrap().encode().unwrap()
}

#[test]
fn a_plugin_with_bytes_changed_never_crashes_the_host() {
    let whole = fs::read(wasm("hostile_raw")).unwrap();
    let folder = Folder::new();
    for i in 0..12 {
        let mut bytes = whole.clone();
        let at = 8 + (whole.len() - 8) * i / 12;
        bytes[at] ^= 0x15;
        folder.write("x.wasm", &bytes);
        let args = ["run", "--dataset", "scan.npy", "--plugin", "./x.wasm", "--timeout", "0.3"];
        // Whatever it became: the host lives, and says so.
        let ended = folder.lthost(&args);
        assert!(matches!(ended.code, Some(0 | 1)), "byte {at}: {ended:?}");
    }
}

#[test]
fn a_module_that_was_not_built_for_lthost_is_refused() {
    run_text("(module)").fails_saying(
        "plugin `./x.wasm` is refused: it is a core module that exports no functions of `lthost:udf` and has no \
         `component-type` section, so it was not built for lthost: a source file ends with \
         `LTH_UDF(..)` in C, and has `export_udf!(..)` in Rust",
    );
}

#[test]
fn a_module_without_types_is_taken_at_the_names_of_its_functions() {
    let folder = Folder::new();
    folder.write("x.wasm", untyped(&[]));
    let facts = folder.lthost(&["inspect", "./x.wasm"]);
    assert!(facts.succeeds().stdout.contains("contract      lthost:udf@0.1.0"), "{facts:?}");
    run(&untyped(&[])).fails(1, &["plugin `wat`, `create` trapped: it gave up without a message"]);
    let other_type = "(func (export \"lthost:udf/udf@0.1.0#describe\") (result i64) i64.const 1024)";
    run(&untyped(&[("describe", other_type)])).fails(1, &["it is a core module that makes no component", "describe"]);
    let other_name = other_type.replace("describe", "descry");
    run(&untyped(&[("describe", &other_name)])).fails(1, &["it is a core module that makes no component", "describe"]);
    run_text("(module (func (export \"lthost:udf/udf@0.2.0#describe\") (result i32) unreachable))").fails_saying(
        "plugin `./x.wasm` is refused: it was built for another version of the contract: it exports \
         `lthost:udf/udf@0.2.0`, this lthost runs `lthost:udf/udf@0.1.0`: rebuild it with the guest SDK of this lthost",
    );
}

#[test]
fn a_component_for_another_world_is_refused() {
    run_text("(component)").fails_saying(
        "plugin `./x.wasm` is refused: it is WebAssembly for another world: it does not export \
         `lthost:udf/udf@0.1.0`, but nothing",
    );
    let other = "(component (instance $i) (export \"wasi:http/handler@0.2.0\" (instance $i)))";
    run_text(other).fails(1, &["it does not export `lthost:udf/udf@0.1.0`, but wasi:http/handler@0.2.0"]);
}

#[test]
fn another_version_of_the_contract_is_refused_with_both_versions() {
    let other = "(component (instance $i) (export \"lthost:udf/udf@0.2.0\" (instance $i)))";
    run_text(other).fails_saying(
        "plugin `./x.wasm` is refused: it was built for another version of the contract: it exports \
         `lthost:udf/udf@0.2.0`, this lthost runs `lthost:udf/udf@0.1.0`: rebuild it with the guest SDK of this lthost",
    );
}

#[test]
fn foreign_imports_are_refused_and_listed() {
    let wasi = "(component
        (import \"wasi:cli/environment@0.2.0\" (instance))
        (import \"lthost:udf/host@0.1.0\" (instance))
        (import \"evil\" (func))
        (instance $i)
        (export \"lthost:udf/udf@0.1.0\" (instance $i)))";
    run_text(wasi).fails_saying(
        "plugin `./x.wasm` is refused: it imports what lthost does not offer: wasi:cli/environment@0.2.0, evil (a plugin \
         may import only `lthost:udf`: there are no files and no clock, and it logs instead of printing)",
    );
    let preview1 = "(import \"wasi_snapshot_preview1\" \"fd_write\" (func (param i32 i32 i32 i32) (result i32)))";
    let env = "(import \"env\" \"open\" (func (param i32)))";
    for module in [module, untyped] {
        run(&module(&[("imports", &[preview1, env].concat())])).fails_saying(
            "plugin `./x.wasm` is refused: it imports what lthost does not offer: wasi_snapshot_preview1.fd_write, env.open (a \
             plugin may import only `lthost:udf`: there are no files and no clock, and it logs instead of printing)",
        );
    }
    run(&module(&[("imports", &env.repeat(17))])).fails(1, &["env.open, … (a plugin may import only `lthost:udf`)"]);
}

#[test]
fn an_interface_that_is_only_named_like_ours_is_refused() {
    let empty = "(component (instance $i) (export \"lthost:udf/udf@0.1.0\" (instance $i)))";
    run_text(empty).fails(1, &["plugin `./x.wasm`"]);
}

#[test]
fn a_plugin_that_is_too_large_is_refused_with_the_option_to_raise() {
    let folder = Folder::new();
    let args = ["run", "--dataset", "scan.npy", "--plugin", "hostile_guest", "--max-plugin-bytes", "1k"];
    folder.lthost(&args).fails(1, &["is refused: it has more than 1024 bytes (raise --max-plugin-bytes)"]);
    folder.lthost(&["inspect", "hostile_guest", "--max-plugin-bytes", "1k"]).fails(1, &["(raise --max-plugin-bytes)"]);
}

#[test]
fn the_module_written_by_hand_is_one_until_it_is_created() {
    let folder = Folder::new();
    folder.write("x.wasm", module(&[]));
    folder.lthost(&["inspect", "./x.wasm"]).succeeds();
    run(&module(&[])).fails(1, &["plugin `wat`, `create` trapped: it gave up without a message"]);
}

#[test]
fn a_loop_outside_of_the_contracts_functions_is_ended() {
    let spin = "(func $spin (loop br 0))";
    let start = module(&[("more", &format!("{spin} (start $spin)"))]);
    run(&start).fails_saying("plugin `./x.wasm`, `instantiate` ran past its 0.3 s for one call (raise --timeout)");
    let realloc = "(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (loop br 0) unreachable)";
    run(&module(&[("realloc", realloc)])).fails(1, &["plugin `wat`, `create` ran past its 0.3 s"]);
    let post = "(func (export \"cabi_post_lthost:udf/udf@0.1.0#describe\") (param i32) (loop br 0))";
    run(&module(&[("more", post)])).fails(1, &["plugin `./x.wasm`, `describe` ran past its 0.3 s"]);
}

#[test]
fn an_allocator_that_lies_is_found_out() {
    let realloc =
        |result: &str| format!("(func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) {result})");
    let fails = |result: &str| {
        let ended = run(&module(&[("realloc", &realloc(result))]));
        ended.fails(1, &["plugin `wat`, `create`"]);
    };
    fails("i32.const 0x7fffffff");
    fails("i32.const -1");
    fails("i32.const 65533");
    fails("unreachable");
}

#[test]
fn pointers_out_of_memory_are_found_out() {
    let describe =
        |pointer: &str| format!("(func (export \"lthost:udf/udf@0.1.0#describe\") (result i32) i32.const {pointer})");
    for pointer in ["-8", "0x7ffffff8", "1025", "1048572"] {
        run(&module(&[("describe", &describe(pointer))])).fails(1, &["plugin `./x.wasm`, `describe`: "]);
    }
    // A name of 4 GiB, and one that is no UTF-8.
    let long = "(data (i32.const 1024) \"\\10\\08\\00\\00\\ff\\ff\\ff\\ff\")";
    run(&module(&[("data", long)])).fails(1, &["plugin `./x.wasm`, `describe`: "]);
    let no_text =
        "(data (i32.const 1024) \"\\10\\08\\00\\00\\03\\00\\00\\00\") (data (i32.const 2064) \"\\ff\\fe\\80\")";
    run(&module(&[("data", no_text)])).fails(1, &["plugin `./x.wasm`, `describe`: "]);
}

#[test]
fn memories_and_tables_are_limited_from_the_start() {
    let memory = "(memory (export \"memory\") 65536)";
    run(&module(&[("memory", memory)])).fails_saying(
        "plugin `./x.wasm`, `instantiate` needs 4294967296 bytes of memory, at most 268435456 are allowed (raise \
         --max-memory)",
    );
    run(&module(&[("more", "(table 10000000 funcref)")])).fails_saying(
        "plugin `./x.wasm`, `instantiate` needs 10000000 elements of a table, at most 200000 are allowed (raise \
         --max-table-elements)",
    );
    let tables = "(table 1 funcref)".repeat(40);
    run(&module(&[("more", &tables)]))
        .fails_saying("plugin `./x.wasm`, `instantiate`: has more than 16 tables (raise --max-tables)");
}

#[test]
fn memory_that_is_filled_in_one_go_ends_in_time() {
    // The clock is looked at between instructions: one that fills all memory must be short enough.
    let describe = "(func (export \"lthost:udf/udf@0.1.0#describe\") (result i32)
        (drop (memory.grow (i32.const 4000)))
        (loop (memory.fill (i32.const 0) (i32.const 1) (i32.const 0xf000000)) br 0) unreachable)";
    run(&module(&[("describe", describe)])).fails(1, &["`describe` ran past its 0.3 s"]).takes_less_than(5.0);
}
