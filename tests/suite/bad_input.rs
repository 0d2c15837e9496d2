//! Bad input through the program: a clear error, nothing half-written, and exit 2 if what was typed can't be, 1 if
//! something is wrong with the files. What is wrong with a data set in
//! detail is `datasets.rs`; plugins are `hostile.rs` and `not_plugins.rs`.

use std::{
    fs,
    process::Command,
    time::{Duration, Instant},
};

use lthost::shape::Dtype;
use lthost_tests::{counts, save};

use crate::program::{Ended, Folder, files, wait};

/// `lthost run --plugin sum -o out` with these arguments; it must fail.
fn run(folder: &Folder, args: &[&str]) -> Ended {
    let ended = folder.lthost(&[&["run", "--quiet", "--plugin", "sum", "-o", "out"], args].concat());
    assert_ne!(ended.code, Some(0), "{ended:?}");
    folder.assert_untouched();
    ended
}

/// A file of Merlin frames of 4x8 numbers, each full of its sequence number.
fn mib(n_frames: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in 1..=n_frames {
        let end = bytes.len() + 384;
        let shape = "00384,01,0008,0004,U16,   1x1,01";
        bytes.extend(format!("MQ1,{number:06},{shape},2024-01-01 12:00:00,0.001,0,0,0,1.0E+2,").bytes());
        bytes.resize(end, 0);
        bytes.extend([number.to_be_bytes(); 32].as_flattened());
    }
    bytes
}

/// An `.npy` file with this dictionary as its header, and no data.
fn npy_header(dictionary: &str) -> Vec<u8> {
    let header = format!("{dictionary}\n");
    let len = u16::try_from(header.len()).unwrap().to_le_bytes();
    [b"\x93NUMPY\x01\x00", &len[..], header.as_bytes()].concat()
}

#[test]
fn paths_without_data_are_told_apart() {
    let folder = Folder::new();
    folder.write("empty.npy", "");
    run(&folder, &["--dataset", "nowhere.npy"]).fails_saying("there is no file `nowhere.npy`");
    run(&folder, &["--dataset", "scan.npy/x"]).fails(1, &["scan.npy/x"]);
    run(&folder, &["--dataset", "."]).fails_saying("`.` is a directory: name a file in it");
    run(&folder, &["--dataset", "empty.npy"]).fails_saying("data set `empty.npy` is an empty file");
    run(&folder, &["--dataset", ""]).fails(2, &["a value is required for '--dataset <PATH>'"]);
}

#[test]
fn a_file_that_tells_no_format_is_asked_about() {
    let folder = Folder::new();
    folder.write("numbers", [0; 1000]);
    run(&folder, &["--dataset", "numbers"]).fails_saying(
        "can't tell the format of `numbers`: name it with `--format` (known: npy, raw, mib, raw_csr); a file of plain numbers is \
         `raw`, which needs `--dtype` and `--sig-shape`",
    );
    run(&folder, &["--dataset", "numbers", "--format", "raw"])
        .refuses_saying("format `raw` doesn't say all by itself: `numbers` needs `--dtype` and `--sig-shape`");
    run(&folder, &["--dataset", "numbers", "--format", "tiff"])
        .refuses_saying("there is no format `tiff` (known: npy, raw, mib, raw_csr)");
}

#[test]
fn a_truncated_last_frame_is_told_with_its_number() {
    let folder = Folder::new();
    let whole = mib(6);
    folder.write("cut.mib", &whole[..whole.len() - 10]);
    run(&folder, &["--dataset", "cut.mib"]).fails_saying(
        "data set `cut.mib` is cut: 10 bytes of its frame 5 are missing; pass `--nav-shape` to read the frames that are \
         whole",
    );
    let whole = fs::read(folder.path("scan.npy")).unwrap();
    folder.write("cut.npy", &whole[..whole.len() - 5]);
    run(&folder, &["--dataset", "cut.npy"]).fails_saying(
        "data set `cut.npy` is no usable .npy file: the .npy header promises 1680 bytes of data, but there are 1675: the \
         file is cut",
    );
}

#[test]
fn a_header_that_promises_more_than_the_files_hold_is_told_with_both_numbers() {
    let folder = Folder::new();
    folder.write("scan.mib", mib(4));
    folder.write(
        "scan.hdr",
        "HDR,\r\nTime and Date Stamp (day, mnth, yr, hr, min, s):\t1/1/2024 12:00:00\r\nFrames in Acquisition \
         (Number):\t6\r\nFrames per Trigger (Number):\t3\r\nEnd\t",
    );
    run(&folder, &["--dataset", "scan.hdr"]).fails_saying(
        "header `scan.hdr` promises 6 frames, (2, 3), but the files hold 4: pass `--nav-shape` to read them; frames that \
         it has beyond them stay blank",
    );
}

#[test]
fn a_header_cut_in_the_middle_is_told() {
    let folder = Folder::new();
    let npy = fs::read(folder.path("scan.npy")).unwrap();
    folder.write("cut.npy", &npy[..40]);
    folder.write("cut.mib", &mib(1)[..200]);
    run(&folder, &["--dataset", "cut.npy"]).fails_saying(
        "data set `cut.npy` is no usable .npy file: the .npy header is cut: it takes 128 bytes, but there are 40",
    );
    run(&folder, &["--dataset", "cut.mib"])
        .fails_saying("bad header in `cut.mib`, at byte 0: it is cut: it takes 384 bytes, but there are 200");
}

#[test]
fn sizes_of_zero_are_refused() {
    let folder = Folder::new();
    folder.write("empty.npy", npy_header("{'descr': '<u2', 'fortran_order': False, 'shape': (0, 4, 5, 6), }"));
    run(&folder, &["--dataset", "empty.npy"])
        .fails(1, &["shape (0, 4, 5, 6) is empty: every extent must be at least 1"]);
    for option in ["--nav-shape", "--sig-shape"] {
        run(&folder, &["--dataset", "scan.npy", option, "0,4"])
            .fails(2, &[option, "an extent of 0: every axis needs at least 1"]);
    }
    run(&folder, &["--dataset", "scan.npy", "--sig-dims", "0"])
        .refuses_saying("`--sig-dims` is `0`, but should be at least 1");
}

#[test]
fn sizes_whose_product_overflows_are_refused() {
    let folder = Folder::new();
    let huge = "{'descr': '<u2', 'fortran_order': False, 'shape': (4294967296, 4294967296, 4, 5), }";
    folder.write("huge.npy", npy_header(huge));
    folder.write("numbers", [0; 1000]);
    let too_many = "shape (4294967296, 4294967296, 4, 5) has more elements than can be counted";
    run(&folder, &["--dataset", "huge.npy"]).fails(1, &[too_many]);
    run(&folder, &["--dataset", "scan.npy", "--nav-shape", "4294967296,4294967296"]).refuses_saying(
        "`--nav-shape` can't be used: shape (4294967296, 4294967296) has more elements than can be counted",
    );
    run(&folder, &["--dataset", "numbers", "--dtype", "u16", "--sig-shape", "4294967296,4294967296"]).refuses_saying(
        "`--sig-shape` can't be used: shape (4294967296, 4294967296) has more elements than can be counted",
    );
    run(&folder, &["--dataset", "scan.npy", "--nav-shape", "4000000000,4000000000"])
        .fails(1, &["scan (4000000000, 4000000000) times frame (6, 7) has more elements than can be counted"]);
    run(&folder, &["--dataset", "scan.npy", "--nav-shape", "18446744073709551616"]).fails(2, &["is no extent"]);
}

#[test]
fn a_scan_beyond_all_memory_is_refused_before_memory_is_taken() {
    let folder = Folder::new();
    run(&folder, &["--dataset", "scan.npy", "--nav-shape", "1000000,1000000"])
        .fails(1, &["scan (1000000, 1000000) has 1000000000000 frames", "--max-result-bytes", "--nav-shape"])
        .takes_less_than(10.0);
    let info = folder.lthost(&["info", "--dataset", "scan.npy", "--nav-shape", "1000000,1000000"]);
    info.succeeds().takes_less_than(10.0);
}

#[test]
fn shapes_that_do_not_fit_are_told_with_those_that_would() {
    let folder = Folder::new();
    folder.write("scan.mib", mib(6));
    folder.write("numbers", [0; 1000]);
    run(&folder, &["--dataset", "scan.mib", "--sig-shape", "5,5"]).refuses_saying(
        "data set `scan.mib` has frames of (4, 8), 32 pixels, but `--sig-shape` (5, 5) has 25: give a shape with as many, \
         or leave it out",
    );
    run(&folder, &["--dataset", "numbers", "--dtype", "u16", "--sig-shape", "40,50"]).fails_saying(
        "data set `numbers` holds no whole frame: there are 1000 bytes of data, and one frame takes 4000",
    );
    run(&folder, &["--dataset", "scan.npy", "--sig-dims", "4"])
        .fails(2, &["has shape (4, 5, 6, 7): that is no scan of frames with 4 axes each"]);
    run(&folder, &["--dataset", "scan.npy", "--nav-shape", "4x5"]).fails(2, &["write a shape like 64,64"]);
    for sync_offset in ["20", "-20", "9223372036854775807", "-9223372036854775808"] {
        run(&folder, &["--dataset", "scan.npy", "--sync-offset", sync_offset])
            .fails(2, &[&format!("`--sync-offset` {sync_offset} is out of range: data set `scan.npy` has 20 frames")]);
    }
}

#[test]
fn what_is_left_over_at_the_end_of_a_file_is_a_warning() {
    let folder = Folder::new();
    folder.write("numbers", [0; 1000]);
    let args = ["run", "--quiet", "--plugin", "sum", "--dataset", "numbers", "--dtype", "u16", "--sig-shape", "4,7"];
    let ended = folder.lthost(&args);
    ended.succeeds();
    assert!(ended.stderr.starts_with("warning: the last 48 bytes are ignored"), "{ended:?}");
}

#[test]
fn unknown_dtypes_are_refused_with_those_known() {
    let folder = Folder::new();
    folder.write("numbers", [0; 1000]);
    run(&folder, &["--dataset", "numbers", "--dtype", "float", "--sig-shape", "4,5"]).fails(
        2,
        &["unknown dtype `float`: write it like `u16`, `uint16` or `<u2` (known: bool, u8, u16, u32, u64, i8,"],
    );
    run(&folder, &["--dataset", "numbers", "--dtype", "u16", "--sig-shape", "5,5", "--byte-order", "middle"])
        .fails(2, &["\"middle\" is neither `little` nor `big`"]);
    for (descr, kind) in [("<U3", "text"), ("|O", "Python objects")] {
        folder.write(
            "odd.npy",
            npy_header(&format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (4, 5), }}")),
        );
        run(&folder, &["--dataset", "odd.npy"])
            .fails(1, &[&format!("elements of type `{descr}` are not supported ({kind})")]);
    }
}

#[test]
fn what_a_file_says_does_not_control_the_terminal() {
    let folder = Folder::new();
    folder.write("odd.npy", npy_header("{'descr': '\x1b[31m\x07', 'fortran_order': False, 'shape': (4, 5), }"));
    // `Ended` sees to it.
    run(&folder, &["--dataset", "odd.npy"]).fails(1, &["\\u{1b}[31m\\u{7}"]);
    let mut scan = mib(2);
    let at = scan.windows(3).position(|window| window == b"1x1").unwrap();
    scan[at..at + 3].copy_from_slice(b"\x1b[m");
    folder.write("odd.mib", &scan);
    let _whatever = folder.lthost(&["info", "--dataset", "odd.mib"]);
    let _whatever = folder.lthost(&["run", "--plugin", "sum", "--dataset", "odd.mib"]);
}

#[test]
fn options_of_other_formats_are_refused() {
    let folder = Folder::new();
    run(&folder, &["--dataset", "scan.npy", "--dtype", "u16"]).refuses_saying(
        "format `npy` takes no `--dtype` (it takes --nav-shape, --sig-shape, --sig-dims, --sync-offset)",
    );
    run(&folder, &["--dataset", "scan.npy", "--ds", "x=1"])
        .refuses_saying("format `npy` has no option `--ds x` (known: none)");
    run(&folder, &["--dataset", "scan.npy", "--ds", "x"]).fails(2, &["\"x\" is not of the form KEY=VALUE"]);
}

#[test]
fn a_roi_must_be_boolean_and_of_the_scans_shape() {
    let folder = Folder::new();
    folder.array("other.npy", Dtype::Bool, &[5, 4], vec![1; 20]);
    folder.array("numbers.npy", Dtype::U8, &[4, 5], vec![1; 20]);
    folder.write("text.npy", "no array");
    let with = |option: &str, file: &str| run(&folder, &["--dataset", "scan.npy", option, file]);
    with("--roi", "other.npy").refuses_saying("ROI has shape (5, 4), but the scan has shape (4, 5)");
    for option in ["--roi", "--excluded"] {
        let error = "has dtype u8, expected bool: convert it, as with numpy's `.astype(bool)`";
        with(option, "numbers.npy").refuses_saying(&format!("{option} `numbers.npy` {error}"));
    }
    with("--dark", "numbers.npy").refuses_saying("dark frame has shape (4, 5), but a frame has shape (6, 7)");
    let roi = |file: &str, error: &str| {
        with("--roi", file).fails_saying(error);
    };
    roi("nowhere.npy", "can't read `nowhere.npy`: No such file or directory (os error 2)");
    roi(".", "can't read `.`: it is not a regular file");
    roi("/dev/zero", "can't read `/dev/zero`: it is not a regular file");
    roi("text.npy", "can't use `text.npy` as an array: not an .npy file: it doesn't start with the bytes `\\x93NUMPY`");
}

#[test]
fn a_result_never_replaces_what_it_was_made_from() {
    let folder = Folder::new();
    fs::create_dir_all(folder.path("here/sum")).unwrap();
    fs::rename(folder.path("scan.npy"), folder.path("here/sum/intensity.npy")).unwrap();
    let before = fs::read(folder.path("here/sum/intensity.npy")).unwrap();
    let ended = folder.lthost(&["run", "--dataset", "here/sum/intensity.npy", "--plugin", "sum", "-o", "here"]);
    ended.fails(1, &["output folder `here`: can't make `sum/intensity.npy`", "it is an input of this run"]);
    assert_eq!(fs::read(folder.path("here/sum/intensity.npy")).unwrap(), before);
    assert_eq!(files(&folder.path("here")), ["sum", "sum/intensity.npy"]);
}

#[test]
fn the_centre_of_mass_takes_no_nonsense() {
    let run = |value: &str, error: &str| {
        let error = format!("plugin `com`, {error}");
        let ended = Folder::new().lthost(&["run", "--dataset", "scan.npy", "--plugin", "com", "-p", value]);
        ended.fails(2, &[&error]);
    };
    run("cy=nan", "`create`: parameter `cy`: expected a finite number, given NaN");
    run("r=-1", "parameter `r`: -1 is too small, the smallest is 0 px");
    run("r=nan", "parameter `r`: NaN is not a number, and one within limits is expected");
}

/// `lthost run -o out` of a plugin with parameters; it must fail, and say this.
fn parameters(args: &[&str], code: i32, error: &str) {
    let folder = Folder::new();
    folder.array("other.npy", Dtype::F32, &[2, 6, 8], vec![0; 2 * 6 * 8 * 4]);
    folder.array("masks.npy", Dtype::F32, &[2, 6, 7], vec![0; 2 * 6 * 7 * 4]);
    let ended = folder.lthost(&[&["run", "--quiet", "--dataset", "scan.npy", "-o", "out"], args].concat());
    ended.fails(code, &[&format!("error: {error}")]);
    folder.assert_untouched();
}

#[test]
fn unknown_plugins_are_told_with_those_known() {
    parameters(
        &["--plugin", "nope"],
        2,
        "no plugin `nope`: there is no such file, and the plugins known by name are com, ",
    );
    parameters(&["--plugin", "./nope.wasm"], 1, "plugin `./nope.wasm`: can't be read: No such file or directory");
    parameters(&["--plugin", "./."], 1, "plugin `./.`: can't be read: it is not a regular file");
    parameters(&["--plugin", "/dev/zero"], 1, "plugin `/dev/zero`: can't be read: it is not a regular file");
    parameters(&["--plugin", "./scan.npy"], 2, "plugin `./scan.npy` is refused: it is no WebAssembly");
}

#[test]
fn unknown_parameters_are_told_with_those_known() {
    parameters(
        &["--plugin", "sum", "-p", "nope=1"],
        2,
        "plugin `sum`, parameter `nope`: there is no such parameter: it has dtype",
    );
    parameters(
        &["--plugin", "sumsig", "-p", "dtype=f32", "-p", "dtype=f64"],
        2,
        "plugin `sumsig`, parameter `dtype`: ",
    );
    parameters(
        &["--plugin", "sum", "-p", "dtype=f32", "-p", "dtype=f64"],
        2,
        "plugin `sum`, parameter `dtype`: given twice",
    );
}

#[test]
fn parameters_are_of_the_declared_type_and_range() {
    let masks = |value| ["--plugin", "masks", "-p", value];
    let expected = "plugin `masks`, parameter `factors`: expected an array of shape (n, ...sig), got";
    parameters(&masks("factors=3"), 2, &format!("{expected} 3"));
    parameters(&masks("factors=word"), 2, &format!("{expected} the text \"word\""));
    parameters(
        &masks("factors=[[1],[2,3]]"),
        2,
        &format!("{expected} [[1],[2,3]] (the nested lists have unequal lengths)"),
    );
    parameters(&masks("factors=@nowhere.npy"), 1, "-p factors=@nowhere.npy: can't read `nowhere.npy`: No such file");
    parameters(&masks("factors=@scan.npy/x"), 1, "-p factors=@scan.npy/x: can't read `scan.npy/x`");
    parameters(
        &masks("factors=@other.npy"),
        2,
        &format!(
            "{expected} an array of f32 of shape (2, 6, 8) (its shape is (2, 6, 8), expected (n, 6, 7) for this data set)"
        ),
    );
    parameters(
        &["--plugin", "fem"],
        2,
        "plugin `fem`, parameter `center`: it is required: give an array of real numbers of shape (2,) with -p center=VALUE",
    );
    parameters(
        &["--plugin", "masks", "-p", "factors=@masks.npy", "-p", "mask_count=0"],
        2,
        "plugin `masks`, parameter `mask_count`: 0 is too small, the smallest is 1",
    );
    parameters(
        &["--plugin", "com", "-p", "cy=abc"],
        2,
        "plugin `com`, parameter `cy`: expected a number, got the text \"abc\"",
    );
    parameters(
        &["--plugin", "com", "-p", "flip_y=maybe"],
        2,
        "plugin `com`, parameter `flip_y`: expected true or false, got",
    );
    parameters(
        &["--plugin", "sum", "-p", "dtype=float"],
        2,
        "plugin `sum`, parameter `dtype`: expected a dtype like float32",
    );
    parameters(
        &["--plugin", "hostile_guest", "-p", "attack=none of these"],
        2,
        "plugin `hostile`, parameter `attack`: `none of these` is none of none, panic",
    );
    parameters(
        &["--plugin", "hostile_guest", "-p", "partition=1.5"],
        2,
        "plugin `hostile`, parameter `partition`: expected a whole number",
    );
    parameters(
        &["--plugin", "hostile_guest", "-p", "partition=99999999999999999999"],
        2,
        "plugin `hostile`, parameter `partition`",
    );
}

#[test]
fn masks_that_contradict_each_other_are_told_by_the_plugin() {
    parameters(
        &["--plugin", "masks", "-p", "factors=@masks.npy", "-p", "mask_count=3"],
        2,
        "plugin `masks`, `create`: parameter `mask_count`: expected 2, the number of masks, given 3",
    );
    parameters(
        &["--plugin", "masks"],
        2,
        "plugin `masks`, `create`: parameters `factors` and `shape`: give one of them, a stack of masks or the shape of",
    );
    parameters(
        &["--plugin", "masks", "-p", "shape=disk", "-p", "ri=3"],
        2,
        "plugin `masks`, `create`: parameter `ri` does not belong to shape `disk`, which takes cx, cy, r",
    );
}

#[test]
fn a_command_that_makes_no_sense_is_exit_2() {
    parameters(
        &["-p", "dtype=f32", "--plugin", "sum"],
        2,
        "-p dtype=f32 stands before any --plugin: put it after its own",
    );
    parameters(&["--plugin", "sum", "-p", "dtype"], 2, "invalid value 'dtype' for '--param <KEY=VALUE>'");
    parameters(
        &["--plugin", "sum", "--plugin", "sum"],
        2,
        "two UDFs have the label `sum`: give one another with `--plugin LABEL=NAME`",
    );
    parameters(&["--plugin", "a b=sum"], 2, "label \"a b\" is not made of 1 to 64 letters");
    parameters(&["--plugin", "=sum"], 2, "label \"\" is not made of 1 to 64 letters");
    parameters(&["--plugin", "sum", "--frobnicate"], 2, "unexpected argument '--frobnicate'");
    for (option, value) in [
        ("--workers", "0"),
        ("--workers", "-1"),
        ("--workers", "100000"),
        ("--partitions", "0"),
        ("--tile-bytes", "0"),
        ("--timeout", "0"),
        ("--timeout", "-1"),
        ("--timeout", "nan"),
        ("--timeout", "soon"),
        ("--max-memory", "much"),
        ("--max-memory", "99999999999G"),
        ("--max-result-bytes", "-1"),
        ("--max-plugin-bytes", ""),
        ("--wasi", "all"),
    ] {
        let given = format!("{option}={value}");
        parameters(&["--plugin", "sum", &given], 2, &format!("invalid value '{value}' for '{option}"));
    }
    let folder = Folder::new();
    folder.lthost(&["run", "--dataset", "scan.npy"]).fails(2, &["--plugin <NAME|FILE>"]);
    folder.lthost(&["run", "--plugin", "sum"]).fails(2, &["--dataset <PATH>"]);
    folder.lthost(&["run", "--plugin", "sum", "--dataset", "scan.npy", "--png"]).fails(2, &["--output <DIR>"]);
    let negative = ["run", "--plugin", "sum", "--dataset", "scan.npy", "--timeout", "-1"];
    folder.lthost(&negative).fails(2, &["invalid value '-1' for '--timeout"]);
    folder.lthost(&["frobnicate"]).fails(2, &["unrecognized subcommand 'frobnicate'"]);
    assert_eq!(folder.lthost(&[]).code, Some(2));
}

#[test]
fn absurd_but_possible_numbers_do_no_harm() {
    let folder = Folder::new();
    for options in [
        ["--workers", "1024"],
        ["--partitions", "18446744073709551615"],
        ["--tile-bytes", "18446744073709551615"],
        ["--tile-bytes", "1"],
        ["--timeout", "1e19"],
        ["--max-memory", "16777215G"],
    ] {
        let args = ["run", "--quiet", "--plugin", "sum", "--dataset", "scan.npy"];
        folder.lthost(&[&args[..], &options[..]].concat()).succeeds();
    }
}

#[test]
fn memory_that_is_too_small_is_told_with_the_option_to_raise() {
    let folder = Folder::new();
    run(&folder, &["--dataset", "scan.npy", "--max-memory", "100k"]).fails(1, &["(raise --max-memory)"]);
    run(&folder, &["--dataset", "scan.npy", "--max-result-bytes", "100"]).fails(1, &["(raise --max-result-bytes)"]);
}

#[test]
fn an_output_folder_that_can_not_be_made_is_told_before_the_work() {
    let folder = Folder::new();
    let before = files(&folder.path("."));
    for (dir, why) in [
        ("scan.npy", "File exists (os error 17)"),
        ("scan.npy/out", "Not a directory (os error 20)"),
        ("/proc/out", "No such file or directory (os error 2)"),
    ] {
        let ended = folder.lthost(&["run", "--quiet", "--plugin", "sum", "--dataset", "scan.npy", "-o", dir]);
        let what = format!("output folder `{dir}`: can't make it; nothing of this run was left there: {why}");
        ended.fails_saying(&what);
    }
    assert_eq!(files(&folder.path(".")), before);
}

#[test]
fn a_place_that_is_taken_by_a_file_is_told() {
    let folder = Folder::new();
    fs::create_dir(folder.path("out")).unwrap();
    folder.write("out/sum", "mine");
    let ended = folder.lthost(&["run", "--quiet", "--plugin", "sum", "--dataset", "scan.npy", "-o", "out"]);
    ended.fails(1, &["output folder `out`: can't make `sum`", "File exists"]);
    assert_eq!(files(&folder.path("out")), ["sum"]);
    assert_eq!(fs::read(folder.path("out/sum")).unwrap(), b"mine");
}

#[test]
fn a_full_disk_leaves_nothing() {
    let folder = Folder::new();
    save(&folder.path("large.npy"), &counts(&[2, 1024, 1024]));
    // No file may grow beyond 2 MiB: writing fails, as on a full disk. The data set is there already.
    let limit = "ulimit -f 4096;";
    let run = "$lthost run --quiet --plugin sum --plugin sumsig --dataset large.npy -o";
    let ended = folder.shell(&format!("{limit} {run} out"));
    ended.fails(
        1,
        &["output folder `out`: can't write `sum/intensity.npy`; nothing of this run was left there: File too large"],
    );
    folder.assert_untouched();
    fs::create_dir(folder.path("earlier")).unwrap();
    folder.write("earlier/mine", "mine");
    folder.shell(&format!("{limit} {run} earlier")).fails(1, &["can't write `sum/intensity.npy`"]);
    assert_eq!(files(&folder.path("earlier")), ["mine"]);
}

/// Starts a plugin that never ends in some function, waits until it works, sends a signal, and gives what came of it.
fn interrupted(folder: &Folder, at: &str, signal: &str) -> Ended {
    let at = format!("at={at}");
    let params = ["-p", "attack=loop", "-p", &at];
    let args = [&["run", "--dataset", "scan.npy", "-o", "out", "--plugin", "hostile_guest"], &params[..]].concat();
    let start = Instant::now();
    let child = folder.start(&args);
    // The staging folder is made just before the work.
    while !folder.path("out").exists() && start.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    let sent = Command::new("sh").args(["-c", &format!("kill -s {signal} {}", child.id())]).status().unwrap();
    assert!(sent.success());
    Ended::of(&wait(child, Duration::from_secs(10)), start)
}

#[test]
fn ctrl_c_ends_a_run_within_seconds_and_leaves_nothing() {
    for (at, signal) in
        [("process", "INT"), ("process", "TERM"), ("create", "INT"), ("merge", "INT"), ("results", "INT")]
    {
        let folder = Folder::new();
        interrupted(&folder, at, signal).fails_saying("interrupted: no results were written");
        folder.assert_untouched();
    }
}

#[test]
fn a_signal_at_any_moment_leaves_nothing_behind() {
    let folder = Folder::new();
    // Compiled already, so that all begins at once.
    folder.lthost(&["run", "--dataset", "scan.npy", "--plugin", "hostile_guest"]).succeeds();
    let args =
        ["run", "--quiet", "--dataset", "scan.npy", "-o", "out", "--plugin", "hostile_guest", "-p", "attack=loop"];
    let mut codes = Vec::new();
    // On a busy machine it takes long until it has begun.
    for delay in (0..40).chain((40..).step_by(40)) {
        let (start, child) = (Instant::now(), folder.start(&args));
        std::thread::sleep(Duration::from_millis(delay));
        let pid = i32::try_from(child.id()).unwrap();
        assert!(Command::new("kill").args(["-s", "TERM", &pid.to_string()]).status().unwrap().success());
        codes.push(Ended::of(&wait(child, Duration::from_secs(10)), start).code);
        folder.assert_untouched();
        if delay >= 40 && codes.contains(&Some(1)) || delay > 10_000 {
            break;
        }
    }
    // Before there is anything to be left, the program just ends.
    assert!(codes.iter().all(|code| matches!(code, None | Some(1))) && codes.contains(&Some(1)), "{codes:?}");
}

#[test]
fn a_signal_leaves_nothing_of_a_partial_or_a_merge() {
    let folder = Folder::new();
    let plugin = lthost_tests::wasm("hostile_guest").display().to_string();
    let partial = |at: &str, file: &str| {
        format!(
            "$lthost partial --partition 0 --dataset scan.npy --plugin {plugin} -p attack=loop -p at={at} --timeout 60 -o {file}"
        )
    };
    folder.shell(&partial("merge", "0.partial")).succeeds();
    for command in [partial("process", "new/0.partial"), "$lthost merge --timeout 60 0.partial -o new/out".to_owned()] {
        let ended = folder.shell(&format!(
            "{command} & child=$!; while [ ! -e new ]; do sleep 0.01; done; sleep 0.3; kill -s INT $child; wait $child"
        ));
        ended.fails(1, &["error: interrupted"]);
        assert!(!folder.path("new").exists(), "{ended:?}");
    }
}

#[test]
fn what_a_run_reads_is_not_replaced_by_what_it_leaves() {
    let folder = Folder::new();
    let plugin = lthost_tests::wasm("hostile_guest").display().to_string();
    fs::create_dir(folder.path("out")).unwrap();
    let copy = |from: &str, to: &str| folder.shell(&format!("cp {from} {to}")).succeeds().code;
    copy("scan.npy", "out/checkpoint.lthost");
    let run = "$lthost run --quiet --dataset";
    folder
        .shell(&format!("{run} out/checkpoint.lthost --format npy --plugin sum -o out"))
        .fails(1, &["`out/checkpoint.lthost` is an input of this run"]);
    assert!(folder.path("out/checkpoint.lthost").exists());
    // Values that come later, and plugins of a merge.
    fs::create_dir(folder.path("out/masks")).unwrap();
    save(&folder.path("one.npy"), &counts(&[1, 6, 7]));
    copy("one.npy", "out/masks/intensity.npy");
    folder
        .shell(&format!(
            "{run} scan.npy --partitions 3 --plugin masks -p factors=@one.npy --update 1:masks.factors=@out/masks/intensity.npy -o out"
        ))
        .fails(1, &["can't make `masks/intensity.npy`", "it is an input of this run"]);
    fs::create_dir_all(folder.path("merged/hostile")).unwrap();
    copy(&plugin, "merged/hostile/intensity.npy");
    folder
        .shell(&format!("$lthost partial --partition 0 --dataset scan.npy --plugin {plugin} -o 0.partial"))
        .succeeds();
    folder
        .shell("$lthost merge --plugin hostile=merged/hostile/intensity.npy 0.partial -o merged")
        .fails(1, &["can't make `hostile/intensity.npy`", "it is an input of this run"]);
}

#[test]
fn frames_too_large_for_results_are_refused() {
    let folder = Folder::new();
    let words = |numbers: &[u64]| numbers.iter().flat_map(|number| number.to_le_bytes()).collect::<Vec<u8>>();
    folder.write("indptr", words(&[0, 1, 2]));
    folder.write("indices", words(&[0, 5]));
    folder.write("data", [1, 1]);
    let file = |name: &str, dtype: &str| format!("{name}_file = \"{name}\"\n{name}_dtype = \"{dtype}\"\n");
    let files = [file("indptr", "<u8"), file("indices", "<u8"), file("data", "u1")].concat();
    let params = "filetype = \"raw_csr\"\nnav_shape = [1, 2]\nsig_shape = [2147483648, 1073741824]\n";
    folder.write("large.toml", format!("[params]\n{params}[raw_csr]\n{files}"));
    let run = ["run", "--dataset", "large.toml", "--plugin", "hostile_guest", "--timeout", "1"];
    folder.lthost(&run).fails(1, &["frames of (2147483648, 1073741824) have 2305843009213693952 pixels"]);
}

#[test]
fn a_plugin_does_not_replace_the_results_of_another_one_under_its_name() {
    let folder = Folder::new();
    let run = |label: &str, file: &str| {
        folder.shell(&format!("$lthost run --quiet --dataset scan.npy -o out --plugin {label}{file}"))
    };
    fs::copy(lthost_tests::wasm("hostile_guest"), folder.path("stranger.wasm")).unwrap();
    run("hostile=", "sum").succeeds();
    let before = folder.result("out/hostile/intensity.npy").data;
    let refused = run("", "./stranger.wasm");
    refused.fails(
        2,
        &[
            "plugin `./stranger.wasm` calls itself `hostile`, under which there are results of another one",
            "`--plugin hostile=./stranger.wasm` replaces them",
        ],
    );
    assert_eq!(folder.result("out/hostile/intensity.npy").data, before);
    // Not only those of the last run are known, and partials don't tell who gave a label.
    run("", "sumsig").succeeds();
    run("", "./stranger.wasm").fails(2, &["under which there are results of another one"]);
    folder.shell("$lthost partial --partition 0 -o 0.partial --dataset scan.npy --plugin ./stranger.wasm").succeeds();
    folder
        .shell("$lthost merge 0.partial -o out")
        .fails(2, &["has results of another plugin under the label `hostile`"]);
    folder.shell("$lthost merge 0.partial -o merged").succeeds();
    assert_eq!(folder.result("out/hostile/intensity.npy").data, before);
    // Who says so may, and then again and again, wherever it is and however it is called.
    run("hostile=", "./stranger.wasm").succeeds();
    run("", "sumsig").succeeds();
    run("", "$PWD/stranger.wasm").succeeds();
    folder.shell("cp stranger.wasm moved.wasm").succeeds();
    run("", "moved.wasm").succeeds();
}

#[test]
fn nobody_has_to_listen() {
    let folder = Folder::new();
    let run = "$lthost run --quiet --dataset scan.npy --plugin sum";
    // A reader that goes away; one that was never there; a device that is full.
    let gone = folder.shell(&format!("({run} --json; echo $? >&2) | true"));
    assert_eq!(gone.succeeds().stderr, "0\n");
    folder.shell(&format!("{run} -o out >&-")).succeeds();
    let full = folder.shell(&format!("{run} >/dev/full"));
    assert_eq!(full.code, Some(1), "{full:?}");
    assert!(full.stderr.contains("No space left on device"), "{full:?}");
    // Errors and messages that nobody reads are lost, and change nothing else.
    for stderr in ["2>&-", "2>/dev/full", "2>&1 >/dev/null | true; exit 1"] {
        let ended = folder.shell(&format!("$lthost run --dataset nowhere.npy --plugin sum {stderr}"));
        assert_eq!(ended.code, Some(1), "{ended:?}");
    }
}
