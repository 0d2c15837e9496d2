//! Plugins in C: what the SDK for C makes of a source file, run by the built program. `guests/hooks.c` uses all of it.

use std::{fs, path::Path, process::Command};

use lthost::shape::Dtype;
use lthost_tests::{counts, root, save, wasm};

use crate::{
    headings::numbers,
    program::{Ended, Folder, SCAN},
    vector_files::check_numbers,
};

const N_FRAMES: usize = 20;
const N_PIXELS: usize = 42;

/// A scan of frames that are large enough to be split.
const TALL: [u64; 4] = [4, 5, 60, 7];

fn floats(numbers: &[f64]) -> Vec<u8> {
    #[expect(clippy::cast_possible_truncation, reason = "numbers that f32 has")]
    numbers.iter().flat_map(|&number| (number as f32).to_le_bytes()).collect()
}

/// Compiles a file, with further options of the compiler.
fn compile(source: &Path, built: &Path, options: &[&str]) -> (bool, String) {
    let compiled =
        Command::new(root().join("scripts/guest-cc")).arg(source).arg("-o").arg(built).args(options).output();
    let compiled = compiled.unwrap();
    (compiled.status.success(), String::from_utf8_lossy(&compiled.stderr).into_owned())
}

#[test]
fn radial_is_the_mean_over_rings_for_every_plan() {
    let pixels = numbers(&counts(&TALL));
    let chosen: Vec<bool> = (0..N_FRAMES).map(|frame| frame % 3 != 1).collect();
    let folder = Folder::new();
    folder.array("roi.npy", Dtype::Bool, &TALL[..2], chosen.iter().map(|&one| u8::from(one)).collect());
    save(&folder.path("u16.npy"), &counts(&TALL));
    folder.array("f32.npy", Dtype::F32, &TALL, floats(&pixels));
    // Centre and width of rings by default, and given.
    let given = &["-p", "cy=1.25", "-p", "cx=-3", "-p", "width=1.5"][..];
    for (args, cy, cx, width) in [(&[][..], 29.5, 3.0, 1.0), (given, 1.25, -3.0, 1.5)] {
        let expected: Vec<Vec<f64>> = pixels.chunks(420).map(|frame| profile(frame, cy, cx, width)).collect();
        for (dataset, roi) in [("u16.npy", false), ("u16.npy", true), ("f32.npy", false), ("f32.npy", true)] {
            let of_frame = |frame: usize| match &expected[frame] {
                mean if roi && !chosen[frame] => vec![f64::NAN; mean.len()],
                mean => mean.clone(),
            };
            let wanted: Vec<f64> = (0..N_FRAMES).flat_map(of_frame).collect();
            for (n_partitions, workers, tile_bytes) in
                [("1", "1", "1M"), ("1", "3", "1k"), ("7", "2", "1"), ("20", "2", "3k")]
            {
                let plan = ["--partitions", n_partitions, "--workers", workers, "--tile-bytes", tile_bytes];
                let run = ["run", "--quiet", "--dataset", dataset, "-o", "out", "--plugin", "plugin_radial"];
                let roi = if roi { &["--roi", "roi.npy"][..] } else { &[] };
                folder.lthost(&[&run, args, &plan, roi].concat()).succeeds();
                let mean = folder.result("out/radial/mean.npy");
                assert_eq!(mean.shape.axes(), [TALL[0], TALL[1], expected[0].len() as u64]);
                check_numbers(numbers(&mean), wanted.iter().copied(), (1e-12, 0.0)).unwrap();
                fs::remove_dir_all(folder.path("out")).unwrap();
            }
        }
    }
}

/// Mean over the rings around a centre.
fn profile(frame: &[f64], cy: f64, cx: f64, width: f64) -> Vec<f64> {
    let columns = usize::try_from(TALL[3]).unwrap();
    let mut rings: Vec<Vec<f64>> = Vec::new();
    for (i, &pixel) in frame.iter().enumerate() {
        #[expect(clippy::cast_precision_loss, reason = "small numbers")]
        let (y, x) = ((i / columns) as f64, (i % columns) as f64);
        let distance = ((y - cy).powi(2) + (x - cx).powi(2)).sqrt();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small number")]
        let ring = (distance / width).round() as usize;
        rings.resize(rings.len().max(ring + 1), Vec::new());
        rings[ring].push(pixel);
    }
    #[expect(clippy::cast_precision_loss, reason = "small numbers")]
    let mean = |ring: &Vec<f64>| ring.iter().sum::<f64>() / ring.len().max(1) as f64;
    rings.iter().map(mean).collect()
}

/// Runs `hooks` over the scan, in four partitions.
fn hooks(folder: &Folder, args: &[&str]) -> Ended {
    let sig = &folder.result("scan.npy").shape.axes()[2..].to_vec();
    folder.array("pattern.npy", Dtype::U8, sig, vec![1; usize::try_from(sig[0] * sig[1]).unwrap()]);
    let run = ["run", "--dataset", "scan.npy", "--partitions", "4", "-o", "out"];
    folder.lthost(&[&run[..], &["--plugin", "guest_hooks", "-p", "pattern=@pattern.npy"], args].concat())
}

/// A result of `hooks`.
fn seen(folder: &Folder, name: &str) -> Vec<f64> {
    numbers(&folder.result(&format!("out/hooks/{name}.npy")))
}

#[test]
fn every_hook_does_its_part_in_every_portion_and_form() {
    let weights: Vec<f64> = (0..40).map(f64::from).collect();
    // Frames of 168 and 1680 bytes in tiles of about 600.
    for (by, depth, n_blocks) in [("tile", 3.0, [1.0, 10.0]), ("frame", 1.0, [1.0; 2]), ("partition", 5.0, [1.0; 2])] {
        for (flag, workers) in [("false", "1"), ("false", "3"), ("true", "2")] {
            for (scan, n_blocks) in [SCAN, TALL].into_iter().zip(n_blocks) {
                let folder = Folder::new();
                save(&folder.path("scan.npy"), &counts(&scan));
                folder.array("weights.npy", Dtype::F32, &[scan[0], scan[1], 2], floats(&weights));
                let (by, flag) = (format!("by={by}"), format!("flag={flag}"));
                let args = ["-p", &by, "-p", &flag, "-p", "weights=@weights.npy", "--workers", workers];
                hooks(&folder, &args).succeeds();
                if flag == "flag=false" {
                    let depths = seen(&folder, "depth");
                    assert!(depths.contains(&depth) && depths.iter().all(|&one| one <= depth), "{by}: {depths:?}");
                    assert_eq!(seen(&folder, "blocks"), [n_blocks; N_FRAMES], "{by}");
                }
                check_hooks(&folder, &scan, &weights);
            }
        }
    }
}

/// Holds the results of `hooks` over four partitions against what they should be.
fn check_hooks(folder: &Folder, scan: &[u64], weights: &[f64]) {
    let pixels = numbers(&counts(scan));
    let n_pixels = pixels.len() / N_FRAMES;
    let sums: Vec<f64> = pixels.chunks(n_pixels).map(|frame| frame.iter().sum()).collect();
    let largest = |pixel: usize| pixels.iter().skip(pixel).step_by(n_pixels).copied().fold(0.0, f64::max);
    assert_eq!(seen(folder, "sum"), sums);
    assert_eq!(seen(folder, "largest"), (0..n_pixels).map(largest).collect::<Vec<_>>());
    let places = (0..4).flat_map(|y| (0..5).flat_map(move |x| [f64::from(y), f64::from(x)]));
    assert_eq!(seen(folder, "place"), places.collect::<Vec<_>>());
    let weighted = weights.chunks(2).map(|pair| 2.0 * pair[0] + pair[1]);
    assert_eq!(seen(folder, "weighted"), weighted.collect::<Vec<_>>());
    assert_eq!(seen(folder, "initial"), [41.0, 2.0, 3.0], "`preprocess` once, `begin` for each partition");
    assert_eq!(seen(folder, "before"), [0.0, 5.0, 10.0, 15.0, -1.0, -1.0, -1.0, -1.0]);
    assert_eq!(seen(folder, "parts"), [5.0, 5.0, 5.0, 5.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(seen(folder, "mean"), [sums.iter().sum::<f64>() / 20.0]);
    assert_eq!(seen(folder, "even"), sums);
    let even: Vec<f64> = sums.iter().map(|sum| f64::from(u8::from(sum % 2.0 == 0.0))).collect();
    assert_eq!(seen(folder, "even.mask"), even);
    assert!(!folder.path("out/hooks/hidden.npy").exists());
}

#[test]
fn buffers_of_every_dtype_start_with_their_fill_value() {
    let folder = Folder::new();
    hooks(&folder, &[]).succeeds();
    let bytes = |name: &str, dtype: Dtype| {
        let result = folder.result(&format!("out/hooks/{name}_{}.npy", dtype.numpy_name()));
        assert_eq!(result.dtype, dtype);
        result.data[..dtype.size()].to_vec()
    };
    let (inf32, inf64) = (f32::INFINITY.to_le_bytes(), f64::INFINITY.to_le_bytes());
    for (dtype, most, three) in [
        (Dtype::Bool, vec![1], vec![0]),
        (Dtype::U8, vec![255], vec![3]),
        (Dtype::U16, u16::MAX.to_le_bytes().into(), 3_u16.to_le_bytes().into()),
        (Dtype::U32, u32::MAX.to_le_bytes().into(), 3_u32.to_le_bytes().into()),
        (Dtype::U64, u64::MAX.to_le_bytes().into(), 3_u64.to_le_bytes().into()),
        (Dtype::I8, i8::MAX.to_le_bytes().into(), vec![3]),
        (Dtype::I16, i16::MAX.to_le_bytes().into(), 3_i16.to_le_bytes().into()),
        (Dtype::I32, i32::MAX.to_le_bytes().into(), 3_i32.to_le_bytes().into()),
        (Dtype::I64, i64::MAX.to_le_bytes().into(), 3_i64.to_le_bytes().into()),
        (Dtype::F32, inf32.into(), 3_f32.to_le_bytes().into()),
        (Dtype::F64, inf64.into(), 3_f64.to_le_bytes().into()),
        (Dtype::C64, [inf32, [0; 4]].concat(), [3_f32.to_le_bytes(), [0; 4]].concat()),
        (Dtype::C128, [inf64, [0; 8]].concat(), [3_f64.to_le_bytes(), [0; 8]].concat()),
    ] {
        assert_eq!((bytes("most", dtype), bytes("three", dtype)), (most, three), "{dtype}");
    }
}

#[test]
fn a_udf_in_c_is_told_of_its_parameters_and_of_the_data() {
    let folder = Folder::new();
    let roi = (0..20).map(|frame| u8::from(frame % 4 != 0)).collect();
    folder.array("roi.npy", Dtype::Bool, &SCAN[..2], roi);
    folder.array(
        "dark.npy",
        Dtype::F64,
        &SCAN[2..],
        (0..42).flat_map(|i| (f64::from(i) / 2.0).to_le_bytes()).collect(),
    );
    folder.array("excluded.npy", Dtype::Bool, &SCAN[2..], (0..42).map(|i| u8::from(i == 9 || i == 30)).collect());
    folder.array("weights.npy", Dtype::F32, &[SCAN[0], SCAN[1], 2], vec![0; 160]);
    let ended = hooks(&folder, &[]);
    let said = |ended: &Ended, line: &str| {
        let line = format!(": plugin `hooks`: {line}");
        assert!(ended.stderr.lines().any(|said| said.ends_with(&line)), "no {line} in {}", ended.stderr);
    };
    said(&ended, "nav 4x5 sig 6x7 frames 20 of 20 pixels 42 roi -1 stored as uint16 corrected 0");
    said(&ended, "flag 0 integer -7 number 2 text a dtype float32 numbers 0.5 1.5 pattern 6x7 uint8");
    said(&ended, "absent 0 either nothing weights 0");
    let given =
        ["flag=true", "integer=9", "scale=0.5", "text=é", "dtype=f64", "numbers=[7,8,9]", "absent=1", "either=3"];
    let given: Vec<&str> = given.iter().flat_map(|given| ["-p", given]).collect();
    let corrected =
        ["--roi", "roi.npy", "--dark", "dark.npy", "--excluded", "excluded.npy", "-p", "weights=@weights.npy"];
    let ended = hooks(&folder, &[&given[..], &corrected[..]].concat());
    said(&ended, "nav 4x5 sig 6x7 frames 15 of 20 pixels 42 roi 0 stored as uint16 corrected 1");
    said(&ended, "dark 0.5 gain 0 excluded 2 first 9");
    said(&ended, "flag 1 integer 9 number 0.5 text é dtype float64 numbers 7 9 pattern 6x7 uint8");
    said(&ended, "absent 1 either a number weights 1");
    let metadata = "debug: plugin `hooks`: array shape: (4, 5, 6, 7)";
    assert!(!ended.stderr.contains(metadata), "{ended:?}");
    said(&hooks(&folder, &["--log", "debug"]), "array shape: (4, 5, 6, 7)");
    let quieter = hooks(&folder, &["--log", "warn"]);
    assert!(quieter.stderr.contains("warning: plugin `hooks`: flag") && !quieter.stderr.contains("info: plugin"));
    for (wrong, why) in [("integer=10", "9"), ("scale=-1", "0"), ("text=b", "é"), ("numbers=[[1]]", "shape")] {
        hooks(&folder, &["-p", wrong]).fails(2, &["plugin `hooks`, parameter `", why]);
    }
}

#[test]
fn frames_of_a_roi_are_where_they_are_in_the_scan() {
    let folder = Folder::new();
    let chosen: Vec<bool> = (0..N_FRAMES).map(|frame| frame % 3 != 1).collect();
    folder.array("roi.npy", Dtype::Bool, &SCAN[..2], chosen.iter().map(|&one| u8::from(one)).collect());
    folder.array(
        "weights.npy",
        Dtype::F32,
        &[SCAN[0], SCAN[1], 2],
        floats(&(0..40).map(f64::from).collect::<Vec<_>>()),
    );
    for by in ["by=tile", "by=frame", "by=partition"] {
        hooks(&folder, &["--roi", "roi.npy", "-p", "weights=@weights.npy", "-p", by]).succeeds();
        let (places, weighted) = (seen(&folder, "place"), seen(&folder, "weighted"));
        for frame in (0..N_FRAMES).filter(|&frame| chosen[frame]) {
            let index = f64::from(u32::try_from(frame).unwrap());
            assert_eq!(places[2 * frame..][..2], [(index / 5.0).floor(), index % 5.0], "{by}");
            assert_eq!(weighted[frame..=frame], [6.0 * index + 1.0], "{by}");
        }
        fs::remove_dir_all(folder.path("out")).unwrap();
    }
}

#[test]
fn new_parameters_reach_a_udf_in_c() {
    let folder = Folder::new();
    folder.array("weights.npy", Dtype::F32, &[SCAN[0], SCAN[1], 2], floats(&[1.0; 40]));
    let updates = ["--update", "1:hooks.scale=3", "--update", "3:hooks.scale=5"];
    hooks(&folder, &[&["-p", "weights=@weights.npy"][..], &updates].concat()).succeeds();
    assert_eq!(seen(&folder, "updates"), [[0.0; 5], [1.0; 5], [1.0; 5], [2.0; 5]].as_flattened());
    assert_eq!(seen(&folder, "weighted"), [[3.0; 5], [4.0; 5], [4.0; 5], [6.0; 5]].as_flattened());
}

#[test]
fn whatever_a_udf_in_c_fails_with_is_told() {
    let folder = Folder::new();
    let fails = |place: &str, how: &str, errors: &[&str]| {
        let (at, fail) = (format!("at={place}"), format!("fail={how}"));
        let ended = hooks(&folder, &["--quiet", "--workers", "1", "-p", &at, "-p", &fail]);
        // What `create` says no to are the parameters.
        ended.fails(if place == "create" { 2 } else { 1 }, errors);
        folder.assert_untouched();
        ended
    };
    for place in ["create", "preferences", "buffers", "preprocess", "begin", "process", "end", "merge", "results"] {
        let error = format!(": {place} failed as it was told to, 1 times: the outer cause: the inner cause\n");
        fails(place, "error", &[&format!("plugin `hooks`, `{place}`"), &error]);
    }
    fails("end", "plain", &[": no more than a sentence\n"]);
    let at_end = |how: &str, error: &str| fails("end", how, &[&format!("`end` (partition 0, frames 0..5){error}")]);
    at_end("long", &format!(": {}\n", "0".repeat(1998)));
    let panicked = at_end("panic", " trapped: 7 is no number of axes\n    at fail (");
    let backtrace: Vec<&str> = panicked.stderr.lines().filter(|line| line.starts_with("    at ")).collect();
    assert!(
        backtrace.len() == 2 && backtrace[1].contains("at end (") && backtrace[1].contains("hooks.c:"),
        "{backtrace:?}"
    );
    at_end("assert", " trapped: assertion failed: udf->meta->n_frames == 0 (fail, tests/guests/hooks.c:");
    at_end("abort", " trapped: it gave up without a message");
    at_end("memory", " needs ");
    at_end("size", " trapped: 1073741823 x 8 is too much for a memory of 4 GiB\n");
    at_end("stack", " trapped: ");
    at_end("wild", " trapped: out of bounds memory access\n");
    at_end("parameter", " trapped: the UDF declares no parameter `scales`\n");
    at_end("absent", " trapped: parameter `absent` has no value: ask `lth_has` first\n");
    at_end("type", " trapped: parameter `scale` has a value of another type than is asked for\n");
    at_end("buffer", " trapped: the UDF declares no buffer `sums`\n");
    at_end("dtype", " trapped: buffer `sum` is declared as float64, and was used as float32\n");
    at_end(
        "result-only",
        " trapped: buffer `mean` has no numbers here: it is LTH_RESULT_ONLY, or handed over by parts\n",
    );
    at_end("emit", " trapped: buffer `sum` can be emitted only in `end`, and if it is declared .by_parts\n");
}

#[test]
fn all_partitions_at_once_are_merged_in_c() {
    let folder = Folder::new();
    let built = folder.path("hooks.wasm");
    let (is_built, said) = compile(&root().join("tests/guests/hooks.c"), &built, &["-DONE_STEP"]);
    assert!(is_built, "{said}");
    let run = ["run", "--quiet", "--dataset", "scan.npy", "--partitions", "4", "-o", "out"];
    hooks(&folder, &[]).succeeds();
    let step_by_step = (seen(&folder, "before"), seen(&folder, "sum"));
    fs::remove_dir_all(folder.path("out")).unwrap();
    folder.lthost(&[&run[..], &["--plugin", "./hooks.wasm", "-p", "pattern=@pattern.npy"]].concat()).succeeds();
    assert_eq!((seen(&folder, "before"), seen(&folder, "sum")), step_by_step);
}

#[test]
fn the_plugins_of_readme_and_header_build_and_run() {
    let pixels = numbers(&counts(&SCAN));
    let readme = fs::read_to_string(root().join("guest-sdk/c/README.md")).unwrap();
    let header = fs::read_to_string(root().join("guest-sdk/c/lthost_udf.h")).unwrap();
    let brightest = readme.split("```").nth(1).unwrap().trim_start_matches('c');
    // The one at the top is whole.
    let top = header.lines().take_while(|line| line.starts_with("//"));
    let sum: Vec<&str> = top.filter_map(|line| line.strip_prefix("//     ")).collect();
    let over_frames = |make: fn(&[f64]) -> f64| pixels.chunks(N_PIXELS).map(make).collect::<Vec<_>>();
    let largest = over_frames(|frame| frame.iter().copied().fold(0.0, f64::max));
    let sums = over_frames(|frame| frame.iter().sum());
    for (source, result, expected) in
        [(brightest, "brightest/brightest", largest), (&sum.join("\n"), "frame-sum/sum", sums)]
    {
        let folder = Folder::new();
        let source = folder.write("my_udf.c", source);
        let (is_built, said) = compile(&source, &folder.path("my_udf.wasm"), &["-Wextra", "-Wno-unused-parameter"]);
        assert!(is_built && said.is_empty(), "{said}");
        folder.lthost(&["run", "--plugin", "./my_udf.wasm", "--dataset", "scan.npy", "-o", "out"]).succeeds();
        assert_eq!(numbers(&folder.result(&format!("out/{result}.npy"))), expected);
    }
}

#[test]
fn a_plugin_of_several_files_shares_what_it_has_to() {
    let folder = Folder::new();
    folder.write("helper.h", "#include \"lthost_udf.h\"\nlth_error check(lth_udf *udf);\n");
    let helper = "#include \"helper.h\"
        lth_error check(lth_udf *udf) {
            lth_cause(\"it has %zu pixels\", udf->meta->n_pixels);
            return lth_param_flag(udf, \"ok\") ? LTH_OK : lth_fail(\"%s\", strcpy(lth_scratch(char, 20), \"not ok\"));
        }";
    folder.write("helper.c", helper);
    let main = "#include \"helper.h\"
        static lth_error process(lth_udf *udf, const lth_tile *tile) { return LTH_OK; }
        LTH_UDF(.name = \"two\", .parameters = LTH_PARAMETERS({\"ok\", {LTH_FLAG}, .required = true}), .create = check,
                .process_tile = process);";
    let main = folder.write("main.c", main);
    let helper = folder.path("helper.c").display().to_string();
    let (is_built, said) = compile(&main, &folder.path("two.wasm"), &[&helper]);
    assert!(is_built, "{said}");
    let run = ["run", "--dataset", "scan.npy", "--plugin", "./two.wasm", "-p"];
    folder.lthost(&[&run[..], &["ok=true"]].concat()).succeeds();
    folder.lthost(&[&run[..], &["ok=false"]].concat()).fails(2, &["`create`: not ok: it has 42 pixels\n"]);
}

#[test]
fn a_default_that_no_type_accepts_is_a_mistake() {
    let folder = Folder::new();
    let inspect = |parameter: &str| {
        let source = format!(
            "#include \"lthost_udf.h\"
            static const lth_array PAIR = {{LTH_F64, LTH_SHAPE(2), 2, (double[]){{0.5, 1.5}}}};
            static lth_error process(lth_udf *udf, const lth_tile *tile) {{ return &PAIR ? LTH_OK : LTH_OK; }}
            LTH_UDF(.name = \"defaults\", .version = \"0.1.0\", .process_tile = process,
                    .parameters = LTH_PARAMETERS({{\"level\", {parameter}}}));"
        );
        let (is_built, said) = compile(&folder.write("defaults.c", &source), &folder.path("defaults.wasm"), &[]);
        assert!(is_built, "{said}");
        folder.lthost(&["inspect", "./defaults.wasm"])
    };
    for (types, default, what) in [
        ("LTH_NUMBER", "\"a\"", "accepts LTH_NUMBER, and its .default_value is LTH_TEXT"),
        ("LTH_INTEGER", "2.5", "accepts LTH_INTEGER, and its .default_value is LTH_NUMBER"),
        ("LTH_TEXT", "5", "accepts LTH_TEXT, and its .default_value is LTH_INTEGER"),
        ("LTH_FLAG", "7", "accepts LTH_FLAG, and its .default_value is LTH_INTEGER"),
        ("LTH_DTYPE", "14", "accepts LTH_DTYPE, and its .default_value is LTH_INTEGER"),
        ("LTH_TEXT, LTH_FLAG", "&PAIR", "accepts LTH_TEXT or LTH_FLAG, and its .default_value is LTH_ARRAY"),
    ] {
        let ended = inspect(&format!("{{{types}}}, .default_value = LTH_DEFAULT({default})"));
        ended.fails(1, &[&format!("`describe` trapped: parameter `level` {what}\n")]);
    }
    inspect("{LTH_NUMBER}, .required = true, .default_value = LTH_DEFAULT(1)")
        .fails(1, &["`describe` trapped: parameter `level` is .required, so that its .default_value is never used"]);
    for (types, default, shown) in [
        ("LTH_NUMBER", "1", "default 1.0"),
        ("LTH_TEXT, LTH_FLAG", "true", "default true"),
        ("LTH_DTYPE", "LTH_C128", "default \"c128\""),
        ("LTH_ARRAY", "&PAIR", "default "),
    ] {
        let ended = inspect(&format!("{{{types}}}, .default_value = LTH_DEFAULT({default})"));
        assert!(ended.succeeds().stdout.contains(shown), "{ended:?}");
    }
}

#[test]
fn a_file_that_exports_nothing_is_told_what_it_lacks() {
    let folder = Folder::new();
    let source = folder.write("bare.c", "#include \"lthost_udf.h\"\n");
    let (is_built, said) = compile(&source, &folder.path("bare.wasm"), &[]);
    assert!(is_built, "{said}");
    folder.lthost(&["inspect", "./bare.wasm"]).fails(1, &["a source file ends with `LTH_UDF(..)` in C"]);
}

#[test]
fn what_needs_a_system_is_refused_with_its_imports_or_gets_stand_ins() {
    let folder = Folder::new();
    let source = "#include \"lthost_udf.h\"
        static lth_error process(lth_udf *udf, const lth_tile *tile) { printf(\"%zu\\n\", tile->n_frames); return LTH_OK; }
        LTH_UDF(.name = \"talker\", .process_tile = process);";
    let source = folder.write("talker.c", source);
    let (is_built, said) = compile(&source, &folder.path("talker.wasm"), &[]);
    assert!(is_built, "{said}");
    let run = ["run", "--dataset", "scan.npy", "--plugin", "./talker.wasm", "--partitions", "1"];
    folder.lthost(&run).fails(
        1,
        &[
            "plugin `./talker.wasm` is refused: it imports what lthost does not offer: wasi_snapshot_preview1.fd_",
            "there are no files and no clock, and it logs instead of printing; --wasi=stub gives it stand-ins for these)",
        ],
    );
    // With stand-ins each line is logged as soon as it is printed.
    let ended = folder.lthost(&[&run[..], &["--wasi=stub"]].concat());
    let said = ended.succeeds().stderr.lines();
    let n_frames = said.filter_map(|line| line.strip_prefix("info: plugin `talker` (partition 0, frames 0..20): "));
    assert_eq!(n_frames.map(|n_frames| n_frames.parse::<usize>().unwrap()).sum::<usize>(), N_FRAMES, "{ended:?}");
}

#[test]
fn without_a_compiler_it_is_said_what_is_missing() {
    let mut compiler = Command::new(root().join("scripts/guest-cc"));
    let ended =
        compiler.args(["x.c", "-o", "x.wasm"]).env("LTHOST_GUEST_CLANG", "/nonexistent/clang").output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(3), "{said}");
    assert!(said.contains("nothing can compile plugins in C here:\n  - there is no /nonexistent/clang\n"), "{said}");
    assert!(said.lines().last().unwrap().contains("install clang with lld"), "{said}");
}

#[test]
fn no_path_of_the_machine_gets_into_a_plugin() {
    let folder = Folder::new();
    let (elsewhere, built) = (folder.path("radial.c"), folder.path("radial.wasm"));
    fs::copy(root().join("plugins/radial.c"), &elsewhere).unwrap();
    let (is_built, said) = compile(&elsewhere, &built, &[]);
    assert!(is_built, "{said}");
    let paths = [root().canonicalize().unwrap(), folder.path("")];
    for plugin in [built, wasm("plugin_radial"), wasm("guest_hooks")] {
        let text = String::from_utf8_lossy(&fs::read(&plugin).unwrap()).into_owned();
        for path in &paths {
            assert!(!text.contains(&path.display().to_string()), "{} has {}", plugin.display(), path.display());
        }
    }
}
