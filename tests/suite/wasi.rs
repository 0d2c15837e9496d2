//! Plugins that want WASI, with nothing behind it: they run, print to the log, and learn nothing. They are modules written by
//! hand, so that each asks for just what its test is about.

use std::fs;

use lthost_tests::root;
use wit_component::{StringEncoding, embed_component_metadata};

use crate::program::{Ended, Folder};

/// Functions of WASI preview 1.
const FD_WRITE: &str =
    "(import \"wasi_snapshot_preview1\" \"fd_write\" (func $fd_write (param i32 i32 i32 i32) (result i32)))";
const FD_READ: &str =
    "(import \"wasi_snapshot_preview1\" \"fd_read\" (func $fd_read (param i32 i32 i32 i32) (result i32)))";
const RANDOM_GET: &str =
    "(import \"wasi_snapshot_preview1\" \"random_get\" (func $random_get (param i32 i32) (result i32)))";
const CLOCK_TIME_GET: &str =
    "(import \"wasi_snapshot_preview1\" \"clock_time_get\" (func $clock_time_get (param i32 i64 i32) (result i32)))";
const SIZES_GET: &str =
    "(import \"wasi_snapshot_preview1\" \"environ_sizes_get\" (func $environ_sizes_get (param i32 i32) (result i32)))
     (import \"wasi_snapshot_preview1\" \"args_sizes_get\" (func $args_sizes_get (param i32 i32) (result i32)))";
const PATH_OPEN: &str = "(import \"wasi_snapshot_preview1\" \"path_open\"
    (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))";
const PROC_EXIT: &str = "(import \"wasi_snapshot_preview1\" \"proc_exit\" (func $proc_exit (param i32)))";

/// `say` writes bytes to a file descriptor, `hex` prints bytes as a line of hexadecimal digits.
const PRINTING: &str = "
    (func $say (param $fd i32) (param $at i32) (param $len i32)
        (i32.store (i32.const 16) (local.get $at))
        (i32.store (i32.const 20) (local.get $len))
        (drop (call $fd_write (local.get $fd) (i32.const 16) (i32.const 1) (i32.const 24))))
    (func $digit (param $digit i32) (result i32)
        (i32.add (local.get $digit)
            (select (i32.const 48) (i32.const 87) (i32.lt_u (local.get $digit) (i32.const 10)))))
    (func $hex (param $at i32) (param $n i32) (local $to i32)
        (local.set $to (i32.const 4096))
        (loop $next
            (i32.store8 (local.get $to) (call $digit (i32.shr_u (i32.load8_u (local.get $at)) (i32.const 4))))
            (i32.store8 offset=1 (local.get $to)
                (call $digit (i32.and (i32.load8_u (local.get $at)) (i32.const 15))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (local.set $to (i32.add (local.get $to) (i32.const 2)))
            (local.set $n (i32.sub (local.get $n) (i32.const 1)))
            (br_if $next (local.get $n)))
        (i32.store8 (local.get $to) (i32.const 10))
        (call $say (i32.const 1) (i32.const 4096) (i32.sub (local.get $to) (i32.const 4095))))";

/// Parts of a plugin.
#[derive(Default)]
struct Parts<'a> {
    imports: &'a [&'a str],
    functions: &'a str,
    data: &'a str,
    /// What `describe` and `begin` do besides their duty.
    describe: &'a str,
    begin: &'a str,
}

impl Parts<'_> {
    /// The core module of a plugin that has one buffer of one number, and does nothing with its data.
    ///
    /// In its memory: the manifest at 1024, its name at 2064; at 8192 zeros, which are a result without an error; what `create`
    /// gives at 8448, and what `buffers` gives at 8512. From 64 KiB on it is for whoever asks, from 1 MiB on for tests.
    fn module(&self) -> Vec<u8> {
        let text = format!(
            "(module
            {imports}
            (import \"lthost:udf/host@0.1.0\" \"emit\" (func $emit (param i32 i64 i32 i32)))
            (import \"[export]lthost:udf/udf@0.1.0\" \"[resource-new]udf\" (func $new (param i32) (result i32)))
            (memory (export \"memory\") 32)
            (global $top (mut i32) (i32.const 65536))
            (func (export \"cabi_realloc\") (param i32 i32 i32 i32) (result i32) (local $at i32)
                (local.set $at (i32.and (i32.add (global.get $top) (i32.sub (local.get 2) (i32.const 1)))
                    (i32.sub (i32.const 0) (local.get 2))))
                (global.set $top (i32.add (local.get $at) (local.get 3)))
                local.get $at)
            (data (i32.const 1024) \"\\10\\08\\00\\00\\03\\00\\00\\00\")
            (data (i32.const 1072) \"\\03\")
            (data (i32.const 2064) \"wat\")
            (data (i32.const 8512) \"\\00\\00\\00\\00\\80\\21\\00\\00\\01\\00\\00\\00\")
            (data (i32.const 8576) \"\\10\\08\\00\\00\\03\\00\\00\\00\\02\\01\")
            (data (i32.const 8597) \"\\01\")
            {data}
            {functions}
            (func (export \"lthost:udf/udf@0.1.0#describe\") (result i32) {describe} i32.const 1024)
            (func (export \"lthost:udf/udf@0.1.0#[static]udf.create\") (param i32) (result i32)
                (i32.store (i32.const 8452) (call $new (i32.const 1)))
                i32.const 8448)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.preferences\") (param i32) (result i32) i32.const 8192)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.buffers\") (param i32 i32) (result i32) i32.const 8512)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.preprocess\") (param i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.window\") (param i32 i32 i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.begin\")
                (param i32 i64 i64 i64 i64 i64 i64 i32 i32) (result i32) {begin} i32.const 8192)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.process\") (param i32) (result i32) i32.const 8192)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.end\") (param i32) (result i32)
                (call $emit (i32.const 0) (i64.const 0) (i32.const 8192) (i32.const 1))
                i32.const 8192)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.merge\")
                (param i32 i64 i64 i64 i64 i64 i32 i32 i32 i32 i32 i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.merge-all\") (param i32 i32 i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.results\")
                (param i32 i32 i32 i32 i32) (result i32) unreachable)
            (func (export \"lthost:udf/udf@0.1.0#[method]udf.update\") (param i32 i32 i32) (result i32) unreachable)
        )",
            imports = self.imports.join("\n"),
            data = self.data,
            functions = self.functions,
            describe = self.describe,
            begin = self.begin,
        );
        wat::parse_str(text).unwrap()
    }

    /// The same as a module that says for which world it was built: the contract's, with `imports` of these packages.
    fn typed(&self, packages: &[&str], imports: &str) -> Vec<u8> {
        let (mut module, mut resolve) = (self.module(), wit_parser::Resolve::default());
        for package in packages {
            resolve.push_str("wasi.wit", package).unwrap();
        }
        resolve.push_str("udf.wit", &fs::read_to_string(root().join("wit/udf.wit")).unwrap()).unwrap();
        let world = format!("package test:test; world both {{ include lthost:udf/plugin@0.1.0; {imports} }}");
        let package = resolve.push_str("test.wit", &world).unwrap();
        let world = resolve.select_world(&[package], Some("both")).unwrap();
        embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
        module
    }
}

/// Runs a file as a plugin, in three partitions.
fn run(bytes: &[u8], args: &[&str]) -> Ended {
    let folder = Folder::new();
    run_in(&folder, bytes, args)
}

fn run_in(folder: &Folder, bytes: &[u8], args: &[&str]) -> Ended {
    folder.write("x.wasm", bytes);
    let run = ["run", "--quiet", "--dataset", "scan.npy", "--plugin", "./x.wasm", "--partitions", "3"];
    let ended = folder.lthost(&[&run[..], &["--timeout", "5"], args].concat());
    ended.takes_less_than(10.0);
    ended
}

/// Runs it with WASI stubbed.
fn run_stubbed(bytes: &[u8]) -> Ended {
    run(bytes, &["--wasi=stub"])
}

/// A plugin that says hello when it is asked what it is.
fn greeter() -> Vec<u8> {
    let describe = "(call $say (i32.const 1) (i32.const 256) (i32.const 6))";
    let data = "(data (i32.const 256) \"hello\\0a\")";
    Parts { imports: &[FD_WRITE], functions: PRINTING, data, describe, ..Parts::default() }.module()
}

/// Lines of hexadecimal digits that a plugin printed, each with where in the run it was, sorted.
fn printed(ended: &Ended) -> Vec<(String, String)> {
    let line = |line: &str| {
        let (place, digits) = line.strip_prefix("info: plugin `")?.split_once(": ")?;
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then(|| (place.to_owned(), digits.to_owned()))
    };
    let mut lines: Vec<_> = ended.stderr.lines().filter_map(line).collect();
    lines.sort();
    lines
}

#[test]
fn wasi_is_refused_unless_it_is_to_be_stubbed() {
    let refusal = "plugin `./x.wasm` is refused: it imports what lthost does not offer: wasi_snapshot_preview1.fd_write (a \
                   plugin may import only `lthost:udf`: there are no files and no clock, and it logs instead of printing; \
                   --wasi=stub gives it stand-ins for these)";
    let folder = Folder::new();
    // What was compiled in between changes nothing.
    for _ in 0..2 {
        run_in(&folder, &greeter(), &[]).fails_saying(refusal);
        run_in(&folder, &greeter(), &["--wasi=refuse"]).fails_saying(refusal);
        let ended = run_in(&folder, &greeter(), &["--wasi=stub"]);
        ended.succeeds();
        assert!(ended.stderr.contains("info: plugin `./x.wasm`: hello\n"), "{ended:?}");
    }
    folder.lthost(&["inspect", "./x.wasm"]).fails_saying(refusal);
    let facts = folder.lthost(&["inspect", "./x.wasm", "--wasi=stub"]);
    assert!(facts.succeeds().stdout.contains("wasi:cli/stdout@0.2."), "{facts:?}");
}

#[test]
fn what_no_stub_stands_for_is_refused_all_the_same() {
    let other = "(import \"env\" \"open\" (func (param i32)))";
    let module = Parts { imports: &[FD_WRITE, other], ..Parts::default() }.module();
    run_stubbed(&module).fails(1, &["it imports what lthost does not offer: env.open (a plugin may import only"]);
    let old = "(import \"wasi_unstable\" \"proc_exit\" (func (param i32)))";
    let module = Parts { imports: &[old], ..Parts::default() }.module();
    run_stubbed(&module).fails(1, &["does not offer: wasi_unstable.proc_exit (a plugin"]);
    let component = "(component
        (import \"wasi:cli/environment@0.2.0\" (instance))
        (import \"wasi:cli/stdout@0.3.0\" (instance))
        (import \"wasi:cli/stderr@0.2.0-rc-2023-11-10\" (instance))
        (instance $i)
        (export \"lthost:udf/udf@0.1.0\" (instance $i)))";
    let missing = "does not offer: wasi:cli/stdout@0.3.0, wasi:cli/stderr@0.2.0-rc-2023-11-10 (a plugin";
    run_stubbed(&wat::parse_str(component).unwrap()).fails(1, &[missing]);
}

#[test]
fn what_is_printed_goes_to_the_log_by_lines() {
    let data = "(data (i32.const 256) \"one\\0atwo\\0d\\0a\\0athr\") (data (i32.const 320) \"ee \\1b[31m\")
        (data (i32.const 384) \"look\\0a\")";
    let describe = "(call $say (i32.const 1) (i32.const 256) (i32.const 13))
        (call $say (i32.const 1) (i32.const 320) (i32.const 8))
        (call $say (i32.const 2) (i32.const 384) (i32.const 5))";
    let parts = Parts { imports: &[FD_WRITE], functions: PRINTING, data, describe, ..Parts::default() };
    let ended = run_stubbed(&parts.module());
    ended.succeeds();
    let said: Vec<&str> = ended.stderr.lines().take(4).collect();
    let wanted = [
        "info: plugin `./x.wasm`: one",
        "info: plugin `./x.wasm`: two",
        "warning: plugin `./x.wasm`: look",
        "info: plugin `./x.wasm`: three \\u{1b}[31m",
    ];
    assert_eq!(said, wanted, "{ended:?}");
}

#[test]
fn what_is_printed_before_a_trap_is_told() {
    let data = "(data (i32.const 256) \"no end\")";
    let describe = "(call $say (i32.const 2) (i32.const 256) (i32.const 6)) unreachable";
    let parts = Parts { imports: &[FD_WRITE], functions: PRINTING, data, describe, ..Parts::default() };
    let ended = run_stubbed(&parts.module());
    let trapped = "error: plugin `./x.wasm`, `describe` trapped: it gave up without a message";
    ended.fails(1, &["warning: plugin `./x.wasm`: no end\n", trapped]);
}

#[test]
fn printing_without_end_takes_neither_memory_nor_the_screen() {
    // 100 MB in one line, and then a thousand lines and more.
    let describe = "(local $i i32)
        (memory.fill (i32.const 1048576) (i32.const 120) (i32.const 1000000))
        (loop $again
            (call $say (i32.const 1) (i32.const 1048576) (i32.const 1000000))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 100))))
        (loop $again
            (call $say (i32.const 1) (i32.const 256) (i32.const 3))
            (local.set $i (i32.add (local.get $i) (i32.const 1)))
            (br_if $again (i32.lt_u (local.get $i) (i32.const 2000))))";
    let data = "(data (i32.const 256) \"\\0aok\")";
    let parts = Parts { imports: &[FD_WRITE], functions: PRINTING, data, describe, ..Parts::default() };
    let ended = run(&parts.module(), &["--wasi=stub", "--workers", "1"]);
    ended.succeeds();
    let longest = ended.stderr.lines().map(|line| line.matches('x').count()).max();
    assert!(longest.is_some_and(|n| (2000..2010).contains(&n)), "{longest:?}");
    assert!(ended.stderr.contains("logged more than 1000 messages: the rest is dropped"));
    assert!(
        ended.stderr.matches(": ok\n").count() < 2000,
        "of two instances: that of the main thread, and that of a worker"
    );
}

#[test]
fn time_and_random_numbers_are_the_same_in_every_run() {
    let begin = "(drop (call $random_get (i32.const 256) (i32.const 20)))
        (call $hex (i32.const 256) (i32.const 20))
        (drop (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 288)))
        (drop (call $clock_time_get (i32.const 1) (i64.const 1) (i32.const 296)))
        (drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 304)))
        (call $hex (i32.const 288) (i32.const 24))";
    let imports = [FD_WRITE, RANDOM_GET, CLOCK_TIME_GET];
    let module = Parts { imports: &imports, functions: PRINTING, begin, ..Parts::default() }.module();
    let seen = |workers: &str| {
        let ended = run(&module, &["--wasi=stub", "--workers", workers]);
        ended.succeeds();
        printed(&ended)
    };
    let lines = seen("1");
    assert_eq!(lines.len(), 6, "two lines of each of three partitions: {lines:?}");
    for workers in ["1", "2", "3"] {
        assert_eq!(seen(workers), lines, "with {workers} workers");
    }
    let with_digits = |n_digits| -> Vec<&str> {
        lines.iter().map(|(_, digits)| &**digits).filter(|digits| digits.len() == n_digits).collect()
    };
    let random = with_digits(40);
    assert_eq!(random.len(), 3);
    assert!(random[0] != random[1] && random[0] != random[2] && random[1] != random[2], "{random:?}");
    for times in with_digits(48) {
        let time = |at: usize| u64::from_str_radix(&times[at..at + 16], 16).unwrap().swap_bytes();
        let (first, second, third) = (time(0), time(16), time(32));
        assert_eq!((second - first, third - second), (1000, 1000), "a look takes a microsecond");
        assert!(first < 10 * 3_600_000_000_000, "{first} is long after 1970");
    }
}

#[test]
fn there_is_nothing_around_a_plugin() {
    let describe = "(i64.store (i32.const 256) (i64.const -1))
        (drop (call $environ_sizes_get (i32.const 256) (i32.const 260)))
        (call $hex (i32.const 256) (i32.const 8))
        (i64.store (i32.const 256) (i64.const -1))
        (drop (call $args_sizes_get (i32.const 256) (i32.const 260)))
        (call $hex (i32.const 256) (i32.const 8))
        (i32.store (i32.const 264) (call $path_open (i32.const 3) (i32.const 0) (i32.const 2064) (i32.const 3)
            (i32.const 0) (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 272)))
        (call $hex (i32.const 264) (i32.const 1))
        (i32.store (i32.const 16) (i32.const 1048576))
        (i32.store (i32.const 20) (i32.const 100))
        (i32.store (i32.const 268) (i32.const -1))
        (i32.store (i32.const 264) (call $fd_read (i32.const 0) (i32.const 16) (i32.const 1) (i32.const 268)))
        (call $hex (i32.const 264) (i32.const 8))";
    let imports = [FD_WRITE, FD_READ, SIZES_GET, PATH_OPEN];
    let ended = run_stubbed(&Parts { imports: &imports, functions: PRINTING, describe, ..Parts::default() }.module());
    ended.succeeds();
    let said: Vec<&str> =
        ended.stderr.lines().filter_map(|line| Some(line.split_once(": plugin `./x.wasm`: ")?.1)).collect();
    // No variables, no arguments, no such descriptor (errno 8), and the end of the input.
    assert_eq!(said[..4], ["0000000000000000", "0000000000000000", "08", "0000000000000000"], "{ended:?}");
}

#[test]
fn a_plugin_that_exits_ends_its_call() {
    for (status, told) in [("0", "0"), ("3", "1")] {
        let describe = format!("(call $proc_exit (i32.const {status}))");
        let module = Parts { imports: &[PROC_EXIT], describe: &describe, ..Parts::default() }.module();
        run_stubbed(&module).fails_saying(&format!(
            "plugin `./x.wasm`, `describe`: ends itself as a program does, with status {told}; a plugin returns instead"
        ));
    }
}

#[test]
fn random_numbers_come_in_small_portions() {
    let asks = |n_bytes: &str| {
        let describe = format!("(drop (call $random_get (i32.const 1048576) (i32.const {n_bytes})))");
        run_stubbed(&Parts { imports: &[RANDOM_GET], describe: &describe, ..Parts::default() }.module())
    };
    asks("65536").succeeds();
    for n_bytes in ["65537", "1073741824", "4294967295"] {
        asks(n_bytes).fails_saying(&format!(
            "plugin `./x.wasm`, `describe`: asks for {n_bytes} random bytes at once, at most 65536 are allowed"
        ));
    }
}

#[test]
fn a_function_without_a_stub_ends_the_call_with_its_name() {
    let sockets = "package wasi:sockets@0.2.1;
        interface network { resource network; }
        interface instance-network { use network.{network}; instance-network: func() -> network; }";
    let import = "(import \"wasi:sockets/instance-network@0.2.1\" \"instance-network\" (func $network (result i32)))";
    let parts = Parts { imports: &[import], describe: "(drop (call $network))", ..Parts::default() };
    let module = parts.typed(&[sockets], "import wasi:sockets/instance-network@0.2.1;");
    run(&module, &[])
        .fails(1, &["it imports what lthost does not offer: wasi:sockets/instance-network@0.2.1.", "--wasi=stub"]);
    run_stubbed(&module).fails_saying(
        "plugin `./x.wasm`, `describe`: calls `instance-network` of `wasi:sockets/instance-network@0.2.1`, which does nothing \
         here: WASI is stubbed (--wasi=stub)",
    );
}

/// Runs a plugin that imports streams as a component does. Its `describe` has a handle of one in `$out`.
fn run_with_stream(describe: &str) -> Ended {
    let io = "package wasi:io@0.2.1;
        interface error { resource error; }
        interface streams {
            use error.{error};
            variant stream-error { last-operation-failed(error), closed }
            resource output-stream { blocking-write-and-flush: func(contents: list<u8>) -> result<_, stream-error>; }
        }";
    let cli = "package wasi:cli@0.2.1;
        interface stdout { use wasi:io/streams@0.2.1.{output-stream}; get-stdout: func() -> output-stream; }";
    let imports = [
        "(import \"wasi:cli/stdout@0.2.1\" \"get-stdout\" (func $stdout (result i32)))",
        "(import \"wasi:io/streams@0.2.1\" \"[method]output-stream.blocking-write-and-flush\"
            (func $write (param i32 i32 i32 i32)))",
        "(import \"wasi:io/streams@0.2.1\" \"[resource-drop]output-stream\" (func $drop (param i32)))",
    ];
    let describe = format!("(local $out i32) (local.set $out (call $stdout)) {describe}");
    let data = "(data (i32.const 256) \"hello\\0a\")";
    let parts = Parts { imports: &imports, data, describe: &describe, ..Parts::default() };
    run_stubbed(&parts.typed(&[io, cli], "import wasi:cli/stdout@0.2.1; import wasi:io/streams@0.2.1;"))
}

#[test]
fn streams_of_components_are_printed_too() {
    let write = "(call $write (local.get $out) (i32.const 256) (i32.const 6) (i32.const 512))";
    let ended = run_with_stream(&format!("{write} (call $drop (local.get $out))"));
    ended.succeeds();
    assert!(ended.stderr.contains("info: plugin `./x.wasm`: hello\n"), "{ended:?}");
}

#[test]
fn handles_are_good_for_nothing_but_what_they_are() {
    let write = |handle: &str, len: &str| {
        run_with_stream(&format!("(call $write {handle} (i32.const 256) (i32.const {len}) (i32.const 512))"))
    };
    write("(local.get $out)", "4096").succeeds();
    write("(local.get $out)", "4097")
        .fails_saying("plugin `./x.wasm`, `describe`: writes 4097 bytes to a stream at once, at most 4096 are allowed");
    write("(local.get $out)", "-1").fails(1, &["plugin `./x.wasm`, `describe`: "]);
    write("(i32.const 77)", "6").fails(1, &["plugin `./x.wasm`, `describe`: ", "handle"]);
    let used_again = "(call $drop (local.get $out))
        (call $write (local.get $out) (i32.const 256) (i32.const 6) (i32.const 512))";
    run_with_stream(used_again).fails(1, &["plugin `./x.wasm`, `describe`: ", "handle"]);
    let dropped_twice = "(call $drop (local.get $out)) (call $drop (local.get $out))";
    run_with_stream(dropped_twice).fails(1, &["plugin `./x.wasm`, `describe`: ", "handle"]);
    let endless = "(loop $again (drop (call $stdout)) (br $again))";
    run_with_stream(endless).fails(1, &["plugin `./x.wasm`, `describe`: ", "handle"]);
    let in_turn = "(local.set $out (i32.const 200000))
        (loop $again
            (call $drop (call $stdout))
            (local.set $out (i32.sub (local.get $out) (i32.const 1)))
            (br_if $again (local.get $out)))";
    run_with_stream(in_turn).succeeds();
}

#[test]
fn an_interface_that_is_only_named_like_one_of_wasi_is_refused() {
    for import in [
        "(import \"wasi:random/random@0.2.0\" (instance (export \"get-random-u64\" (func (result string)))))",
        "(import \"wasi:random/random@0.2.0\" (instance (export \"get-random-bytes\" (func (param \"len\" u64)))))",
        "(import \"wasi:cli/exit@0.2.0\" (func))",
        "(import \"wasi:cli/stdin@0.2.0\" (instance
            (export \"input-stream\" (type $stream (sub resource)))
            (export \"get-stdin\" (func (result (own $stream))))))",
    ] {
        let component = format!("(component {import} (instance $i) (export \"lthost:udf/udf@0.1.0\" (instance $i)))");
        run_stubbed(&wat::parse_str(component).unwrap()).fails(1, &["plugin `./x.wasm`, `instantiate`: "]);
    }
}
