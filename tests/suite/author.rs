//! Plugins from their source, as an author makes them: far from this repository, with the program alone.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use lthost::shape::{Dtype, npy};
use lthost_tests::{counts, lthost, root, save};

use crate::{
    program::{Ended, SCAN},
    reference::Scan,
};

/// A folder with a scan in it, and a cache that all tests share: the SDK is compiled once.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        save(&desk.path("scan.npy"), &counts(&SCAN));
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = lthost();
        command.current_dir(&self.0).args(args).env("LTHOST_CACHE", cache());
        command
    }

    fn lthost(&self, args: &[&str]) -> Ended {
        let start = Instant::now();
        Ended::of(&self.command(args).output().unwrap(), start)
    }

    #[expect(clippy::cast_precision_loss, reason = "small counts")]
    fn result(&self, name: &str) -> Vec<f64> {
        let array = npy::read(&self.path(name)).unwrap();
        let number = |bytes: &[u8]| match array.dtype {
            Dtype::F32 => f64::from(f32::from_le_bytes(bytes.try_into().unwrap())),
            Dtype::F64 => f64::from_le_bytes(bytes.try_into().unwrap()),
            _ => i64::from_le_bytes(bytes.try_into().unwrap()) as f64,
        };
        array.data.chunks_exact(array.dtype.size()).map(number).collect()
    }
}

pub(crate) fn cache() -> PathBuf {
    let cache = root().join("target/tmp/cache");
    fs::create_dir_all(&cache).unwrap();
    cache.canonicalize().unwrap()
}

const ROW_SUMS: &str =
    "fn row_sums(frame: Frame<f32>) -> Vec<f32> {\n    frame.rows().map(|row| row.iter().sum()).collect()\n}\n";

fn row_sums() -> Vec<f64> {
    let pixels = Scan::new(&counts(&SCAN)).pick();
    pixels.chunks_exact(7).map(|row| row.iter().sum()).collect()
}

#[test]
fn a_new_plugin_builds_is_tested_and_runs() {
    let desk = Desk::new();
    let made = desk.lthost(&["new", "some/bright-spots", "--lang", "rust"]);
    assert!(made.succeeds().stderr.contains("cd some/bright-spots"), "{made:?}");
    let built = desk.lthost(&["build", "some/bright-spots"]);
    let facts = &built.succeeds().stdout;
    assert!(facts.starts_with("bright-spots 0.1.0: "), "{facts}");
    assert!(facts.contains("some/bright-spots/bright-spots.wasm (component, "), "{facts}");
    assert!(facts.contains("imports       lthost:udf/types@0.1.0, lthost:udf/host@0.1.0\n"), "{facts}");
    assert_eq!(built.stderr, "", "an author is told of the author's mistakes alone");
    let wasm = "./some/bright-spots/bright-spots.wasm";
    let run = ["run", "--quiet", "--dataset", "scan.npy", "-o", "out", "--plugin", wasm, "-p", "level=500"];
    desk.lthost(&run).succeeds();
    let pixels = Scan::new(&counts(&SCAN)).pick();
    let is_bright: Vec<f64> = pixels.iter().map(|&pixel| f64::from(u8::from(pixel > 500.0))).collect();
    let counted: Vec<f64> = is_bright.chunks_exact(42).map(|frame| frame.iter().sum()).collect();
    assert_eq!(desk.result("out/bright-spots/count.npy"), counted);
    let places: Vec<f64> = (0..42).map(|pixel| is_bright.iter().skip(pixel).step_by(42).sum()).collect();
    assert_eq!(desk.result("out/bright-spots/where.npy"), places);
    // Its own tests run with plain cargo.
    let mut cargo = Command::new("cargo");
    cargo.args(["test", "--quiet"]).current_dir(desk.path("some/bright-spots")).env_remove("CARGO_TARGET_DIR");
    let tested = cargo.output().unwrap();
    assert!(tested.status.success(), "{}", String::from_utf8_lossy(&tested.stderr));
    assert!(String::from_utf8_lossy(&tested.stdout).contains("1 passed"));
    broken_and_mended(&desk);
}

/// A mistake is shown at its line and leaves the plugin that was there; with `--watch` it is enough to mend it.
fn broken_and_mended(desk: &Desk) {
    let source = desk.path("some/bright-spots/src/lib.rs");
    let good = fs::read_to_string(&source).unwrap();
    let before = fs::read(desk.path("some/bright-spots/bright-spots.wasm")).unwrap();
    fs::write(&source, good.replace("self.level);", "self.levle);")).unwrap();
    let line = good.lines().position(|line| line.contains("self.level);")).unwrap() + 1;
    let place = format!("src/lib.rs:{line}:");
    desk.lthost(&["build", "some/bright-spots"]).fails(1, &["no field `levle`", &place, "error: it did not build"]);
    assert_eq!(fs::read(desk.path("some/bright-spots/bright-spots.wasm")).unwrap(), before);
    fs::write(&source, good.replace("default = 100.0", "defualt = 100.0")).unwrap();
    let line = good.lines().position(|line| line.contains("default = 100.0")).unwrap() + 1;
    let place = format!("src/lib.rs:{line}:");
    desk.lthost(&["build", "some/bright-spots"]).fails(1, &["expected one of default, minimum,", &place]);
    let options = ["--", "--dataset", "scan.npy", "-o", "watched", "--quiet"];
    let mut watching = desk.command(&[&["build", "some/bright-spots", "--watch"], &options[..]].concat());
    let log = fs::File::create(desk.path("log")).unwrap();
    let mut watching = watching.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
    let wait_for = |what: &str, is_there: &dyn Fn() -> bool| {
        let start = Instant::now();
        while !is_there() {
            assert!(
                start.elapsed() < Duration::from_mins(2),
                "no {what}: {}",
                fs::read_to_string(desk.path("log")).unwrap()
            );
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let logged = |text: &str| fs::read_to_string(desk.path("log")).unwrap().contains(text);
    wait_for("error", &|| logged("waiting for a change"));
    fs::write(&source, good.replace("default = 100.0", "default = 7.0")).unwrap();
    wait_for("result", &|| desk.path("watched/run.json").exists());
    assert!(logged("default 7.0"));
    watching.kill().unwrap();
    watching.wait().unwrap();
    assert!(desk.path("watched/bright-spots/count.npy").exists());
}

/// `new`, `build` and the golden case of a language; and that the plugin that it makes counts right.
fn new_builds_and_passes(lang: &str) {
    let desk = Desk::new();
    desk.lthost(&["new", "bright-spots", "--lang", lang]).succeeds();
    let built = desk.lthost(&["build", "--install", "bright-spots"]);
    assert!(built.succeeds().stdout.starts_with("bright-spots 0.1.0: Bright pixels"), "{built:?}");
    let tested =
        desk.lthost(&["test", "bright-spots/bright-spots.wasm", "--golden", "bright-spots/golden", "--only", "golden"]);
    assert!(tested.succeeds().stdout.contains("ok      golden      two-frames"), "{tested:?}");
    let wasm = "bright-spots/bright-spots.wasm";
    let run = ["run", "--quiet", "--dataset", "scan.npy", "-o", "out", "--plugin", wasm, "-p", "level=500"];
    desk.lthost(&run).succeeds();
    assert_eq!(desk.result("out/bright-spots/count.npy"), bright_pixels());
}

/// Pixels above 500 in each frame.
fn bright_pixels() -> Vec<f64> {
    let pixels = Scan::new(&counts(&SCAN)).pick();
    let bright = |frame: &[f64]| frame.iter().map(|&pixel| f64::from(u8::from(pixel > 500.0))).sum();
    pixels.chunks_exact(42).map(bright).collect()
}

#[test]
fn a_new_plugin_in_c_builds_and_passes() {
    new_builds_and_passes("c");
}

#[test]
fn a_new_plugin_in_python_builds_and_passes() {
    new_builds_and_passes("python");
}

#[test]
fn a_function_in_c_or_python_is_run() {
    let desk = Desk::new();
    let c = "size_t row_sums_size(size_t n_rows, size_t n_columns) { return n_rows; }\n\
             void row_sums(const float *frame, size_t n_rows, size_t n_columns, double *result) {\n    \
             for (size_t i = 0; i < n_rows * n_columns; i++) result[i / n_columns] += frame[i];\n}\n";
    desk.write("row_sums.c", c);
    desk.write("row-sums.py", "def row_sums(frame):\n    return [sum(row) for row in frame.rows()]\n");
    for file in ["row_sums.c", "row-sums.py"] {
        desk.lthost(&["map", "--install", file, "--dataset", "scan.npy", "--quiet", "-o", "out"]).succeeds();
        assert_eq!(desk.result("out/row_sums/result.npy"), row_sums(), "{file}");
        fs::remove_dir_all(desk.path("out")).unwrap();
    }
    desk.write(
        "broken.c",
        "double broken(const float *frame, size_t n_rows, size_t n_columns) {\n    return fram[0];\n}\n",
    );
    desk.lthost(&["map", "broken.c", "--dataset", "scan.npy"]).fails(1, &["broken.c:2:12: error", "it did not build"]);
    desk.write(
        "level.c",
        "#include \"it.h\"\ndouble f(const float *frame, size_t n, size_t m, double x) { return IT; }\n",
    );
    let level = ["map", "level.c", "--dataset", "scan.npy", "-o", "out"];
    desk.lthost(&level)
        .fails(2, &["`level.c`: `f` takes `double x` besides the frame, which in C takes no parameters"]);
    // A header beside the file is part of the plugin.
    desk.write("level.c", "#include \"it.h\"\ndouble f(const float *frame, size_t n, size_t m) { return IT; }\n");
    for it in ["1", "2"] {
        desk.write("it.h", &format!("#define IT {it}\n"));
        desk.lthost(&level).succeeds();
        assert_eq!(desk.result("out/f/result.npy")[0].to_string(), it);
    }
}

#[test]
fn a_function_in_python_can_import_its_neighbours() {
    let desk = Desk::new();
    desk.write("helper.py", "def total(row):\n    return sum(row)\n");
    let source = "from helper import total\n\ndef plain(x):\n    return x\n\ndef sums(frame, more: int):\n    \
                  return [plain(total(row)) + more for row in frame.rows()]\n";
    desk.write("two.py", source);
    let map = ["map", "--install", "two.py", "-p", "more=1", "--dataset", "scan.npy", "--quiet", "-o", "out"];
    desk.lthost(&map).succeeds();
    assert_eq!(desk.result("out/sums/result.npy"), row_sums().iter().map(|sum| sum + 1.0).collect::<Vec<_>>());
    // What is imported is part of the plugin.
    desk.write("helper.py", "def total(row):\n    return sum(row) + 1\n");
    desk.lthost(&map).succeeds();
    assert_eq!(desk.result("out/sums/result.npy"), row_sums().iter().map(|sum| sum + 2.0).collect::<Vec<_>>());
    let fails = |source: &str, why: &[&str]| {
        desk.write("two.py", source);
        let ended = desk.lthost(&map);
        ended.fails(1, why);
        assert!(!ended.stderr.contains("line 3"), "the file has no such line: {}", ended.stderr);
    };
    fails("def sums(frame, more):\n    return 1\n", &["argument `more` of `sums` needs one type, like `more: float`"]);
    fails("import numpy\ndef sums(frame): return 1\n", &["line 1", "no module `numpy` in Python's standard library"]);
}

#[test]
fn a_function_in_a_file_is_run() {
    let desk = Desk::new();
    desk.write("row_sums.rs", ROW_SUMS);
    let map = ["map", "row_sums.rs", "--dataset", "scan.npy", "--quiet", "-o", "out"];
    let mapped = desk.lthost(&map);
    assert_eq!(mapped.succeeds().stderr, "");
    assert_eq!(desk.result("out/row_sums/result.npy"), row_sums());
    // Unchanged, it is there already: no compiler is needed.
    let start = Instant::now();
    let again = Ended::of(&desk.command(&map).env("PATH", "/nowhere").output().unwrap(), start);
    again.succeeds();
    // Changed, it is another one; further plugins may run beside it.
    desk.write("row_sums.rs", &ROW_SUMS.replace(".sum()", ".sum::<f32>() + 1.0"));
    desk.lthost(&[&map[..], &["--plugin", "sumsig"]].concat()).succeeds();
    let more: Vec<f64> = row_sums().iter().map(|sum| sum + 1.0).collect();
    assert_eq!(desk.result("out/row_sums/result.npy"), more);
    assert_eq!(desk.result("out/sumsig/intensity.npy"), Scan::new(&counts(&SCAN)).sumsig(0.0));
}

#[test]
fn further_arguments_of_a_function_are_parameters() {
    let desk = Desk::new();
    let source = "/// Bright pixels\nfn bright<T: Real>(frame: Frame<T>, level: f64) -> usize {\n    \
                  frame.pixels().iter().filter(|pixel| pixel.to_f64() > level).count()\n}\n\
                  fn other(frame: Frame<f32>) -> f32 { frame.pixels()[0] }\n";
    desk.write("two.rs", source);
    let map =
        |more: &[&str]| desk.lthost(&[&["map", "two.rs"], more, &["--dataset", "scan.npy", "-o", "out"]].concat());
    map(&[]).fails(2, &["`two.rs`: which function is to be run? Choose with --fn out of bright, other"]);
    map(&["--fn", "bright"]).fails(2, &["parameter `level`"]);
    map(&["--fn", "bright", "-p", "level=500"]).succeeds();
    assert_eq!(desk.result("out/bright/result.npy"), bright_pixels());
    // Options may come in any order.
    let late = ["map", "two.rs", "--dataset", "scan.npy", "-p", "level=500", "-o", "late", "--fn", "bright"];
    desk.lthost(&late).succeeds();
    assert_eq!(desk.result("late/bright/result.npy"), bright_pixels());
}

#[test]
fn a_file_may_begin_like_a_crate_and_fail_at_its_line() {
    let desk = Desk::new();
    let source = "//! Sums.\n#![allow(dead_code)]\nfn total(frame: Frame<f32>, r#type: f64) -> f64 {\n    \
                  while r#type == 2.0 { std::hint::black_box(frame.pixels()); }\n    \
                  assert!(r#type < 3.0, \"too big\");\n    frame.pixels().len() as f64\n}\n";
    desk.write("total.rs", source);
    let map = |value: &str| {
        let args = ["map", "total.rs", "--dataset", "scan.npy", "--timeout", "1", "-p", value, "-o", "out"];
        desk.lthost(&args)
    };
    map("type=1").succeeds();
    assert_eq!(desk.result("out/total/result.npy"), [42.0; 20]);
    let slow = map("type=2");
    slow.fails(1, &["`create` ran past its 1 s for one call (raise --timeout)\n    at total (total.rs:4)\n"]);
    let failed = map("type=4");
    failed.fails(1, &["panicked at total.rs:5:5:\n    too big\n    at total (total.rs:5)\n"]);
}

#[test]
fn a_mistake_in_a_function_is_shown_at_its_line() {
    let desk = Desk::new();
    fs::create_dir(desk.path("sub")).unwrap();
    desk.write("sub/row-sums.rs", &ROW_SUMS.replace("row.iter", "rox.iter"));
    let map = |file: &str| desk.lthost(&["map", file, "--dataset", "scan.npy"]);
    map("sub/row-sums.rs").fails(1, &["cannot find value `rox`", "row-sums.rs:2:28", "error: it did not build"]);
    desk.write("broken.rs", "fn f(frame: Frame<f32> -> f32 {\n    0.0\n}\n");
    map("broken.rs").fails(1, &["broken.rs:3:3", "error: it did not build"]);
    desk.write("none.rs", "fn f(x: f32) -> f32 {\n    x\n}\n");
    map("none.rs").fails(2, &["`none.rs`: there is no function of a frame, like `fn f(frame: Frame<f32>) -> f32`"]);
    let other = "fn f(frame: Frame<f32>,\n     level: f32) -> f32 {\n    level\n}\n";
    desk.write("other.rs", other);
    map("other.rs").fails(2, &["`other.rs`: line 2: argument `level` can't be of type `f32`, take `f64`"]);
    let text = "fn f(frame: Frame<f32>) -> String {\n    String::new()\n}\n";
    desk.write("text.rs", text);
    map("text.rs").fails(2, &["`text.rs`: line 1: a function of a frame can't return `String`: it returns a number"]);
    // What is missing is said before anything is built.
    let start = Instant::now();
    let without_data = desk.command(&["map", "text.rs"]).env("PATH", "/nowhere").output().unwrap();
    Ended::of(&without_data, start).fails(2, &["--dataset <PATH>"]);
    map("nowhere.rs").fails(1, &["can't read `nowhere.rs`"]);
    map("scan.npy").fails(2, &["`scan.npy` is no source file"]);
}

#[test]
fn what_can_not_be_built_is_refused_with_a_reason() {
    let desk = Desk::new();
    desk.lthost(&["build", "nowhere"]).fails(2, &["`nowhere` is no folder"]);
    desk.lthost(&["build"]).fails(2, &["there is no plugin to build in `.`", "`lthost new NAME` makes one"]);
    for name in ["Bright", "9", "a b", "a/B", ""] {
        let ended = desk.lthost(&["new", name]);
        assert_eq!(ended.code, Some(2), "{name}: {ended:?}");
    }
    for name in ["self", "int", "lambda", "lthost-guest-sdk"] {
        desk.lthost(&["new", name]).fails(2, &["is a word of Rust, C or Python, or lthost's own"]);
    }
    let shadowed = desk.lthost(&["new", "com"]);
    let warning = "warning: `--plugin com` is another plugin: yours is `--plugin ./com.wasm`\n";
    assert!(shadowed.succeeds().stderr.contains(warning), "{}", shadowed.stderr);
    desk.lthost(&["new", "scan.npy"]).fails(2, &["small letters, digits and `-`"]);
    fs::create_dir(desk.path("taken")).unwrap();
    desk.lthost(&["new", "taken"]).fails(2, &["`taken` is there already"]);
    assert_eq!(fs::read_dir(desk.path("taken")).unwrap().count(), 0);
    desk.write("f.rs", ROW_SUMS);
    let mut nowhere = desk.command(&["map", "f.rs", "--dataset", "scan.npy"]);
    nowhere.env("LTHOST_CACHE", "").env("XDG_CACHE_HOME", "").env("HOME", "");
    Ended::of(&nowhere.output().unwrap(), Instant::now()).fails(2, &["set LTHOST_CACHE to an absolute path"]);
}

#[test]
fn without_a_compiler_it_is_said_what_to_install() {
    let desk = Desk::new();
    desk.lthost(&["new", "mine"]).succeeds();
    let mut build = desk.command(&["build", "mine"]);
    // The basic tools, and no Rust.
    let bin = desk.path("bin");
    fs::create_dir(&bin).unwrap();
    for tool in ["bash", "dirname", "id", "grep", "sort", "tail"] {
        let found = ["/usr/bin", "/bin"].map(|dir| Path::new(dir).join(tool)).into_iter().find(|path| path.exists());
        std::os::unix::fs::symlink(found.unwrap(), bin.join(tool)).unwrap();
    }
    build.env("PATH", &bin).env("LTHOST_GUEST_TOOLCHAIN", "rustup");
    let ended = Ended::of(&build.output().unwrap(), Instant::now());
    ended.fails(
        1,
        &["there is no cargo on PATH", "there is no compiler for plugins", "--install lets this command install it"],
    );
}
