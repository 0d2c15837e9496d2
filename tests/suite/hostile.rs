//! Plugins that misbehave: each attack ends in one clear error, in bounded time, and leaves nothing behind.

use std::fs;

use lthost_tests::wasm;

use crate::program::{Ended, Folder, SCAN, files};

/// What every run here is limited to.
const LIMITS: [&str; 9] =
    ["--quiet", "--timeout", "0.3", "--max-memory", "256M", "--partitions", "3", "--workers", "2"];
/// Where it says that partition 1 of 3 is.
const PLACE: &str = "(partition 1, frames 6..13)";

/// Runs `hostile_guest` beside a healthy plugin, writing to `out`.
fn attack(params: &[&str]) -> Ended {
    strike(&Folder::new(), "hostile_guest", params)
}

/// Runs `hostile_raw` in the same way, with what it lies about.
fn lie(lie: &str) -> Ended {
    strike(&Folder::new(), "hostile_raw", &[&format!("lie={lie}")])
}

fn strike(folder: &Folder, plugin: &str, params: &[&str]) -> Ended {
    fs::copy(wasm("hostile_guest"), folder.path("healthy.wasm")).unwrap();
    let mut args = vec!["run", "--dataset", "scan.npy", "-o", "out", "--plugin", "healthy=./healthy.wasm"];
    args.extend(LIMITS);
    args.extend(["--plugin", plugin]);
    for param in params {
        args.extend(["-p", param]);
    }
    let ended = folder.lthost(&args);
    if ended.code != Some(0) {
        folder.assert_untouched();
    }
    ended.takes_less_than(20.0);
    ended
}

/// Runs `hostile_raw` with another `describe`.
fn describe_lie(lie: &str) -> Ended {
    let folder = Folder::new();
    folder.write("liar.wasm", that_describes(lie));
    strike(&folder, "./liar.wasm", &[])
}

/// `hostile_raw` with what its `describe` lies about written into it.
fn that_describes(lie: &str) -> Vec<u8> {
    const MARK: &[u8] = b"describe-lie:";
    const LEN: usize = 32;
    let mut bytes = fs::read(wasm("hostile_raw")).unwrap();
    let at = bytes.windows(MARK.len()).position(|window| window == MARK).unwrap();
    let mut place = [MARK, lie.as_bytes()].concat();
    place.resize(LEN, b'.');
    bytes[at..at + LEN].copy_from_slice(&place);
    bytes
}

#[test]
fn without_an_attack_the_hostile_plugins_do_their_work() {
    let folder = Folder::new();
    strike(&folder, "hostile_guest", &[]).succeeds();
    let ended = strike(&folder, "hostile_raw", &[]);
    ended.succeeds();
    assert!(ended.stdout.contains("  pixels       u32 (6, 7)              min 20, mean 20, max 20\n"), "{ended:?}");
    assert!(ended.stderr.is_empty(), "{ended:?}");
}

#[test]
fn a_panic_reaches_the_user_with_plugin_function_partition_and_frames() {
    let ended = attack(&["attack=panic", "at=process", "partition=1"]);
    let parts = [
        &format!("error: plugin `hostile`, `process` {PLACE} trapped: panicked at "),
        "\n    the beam is off in `process`",
    ];
    ended.fails(1, &parts);
    assert!(ended.stderr.contains("hostile/guest/src/lib.rs:"), "file and line are told: {ended:?}");
    assert!(ended.stderr.contains("\n    at hostile_guest::Hostile::strike_in\n"), "and the function: {ended:?}");
    assert!(!ended.stderr.contains("panicking"), "but not how Rust panics: {ended:?}");
    for function in ["begin", "end", "merge"] {
        let ended = attack(&["attack=panic", &format!("at={function}"), "partition=1"]);
        let parts = [
            &format!("error: plugin `hostile`, `{function}` {PLACE} trapped: panicked at "),
            &*format!("\n    the beam is off in `{function}`"),
        ];
        ended.fails(1, &parts);
    }
    for function in ["create", "preferences", "buffers", "preprocess", "results"] {
        let ended = attack(&["attack=panic", &format!("at={function}")]);
        let parts = [
            &format!("error: plugin `hostile`, `{function}` trapped: panicked at "),
            &*format!("\n    the beam is off in `{function}`"),
        ];
        ended.fails(1, &parts);
    }
}

#[test]
fn a_panic_on_a_worker_alone_is_told_too() {
    for function in ["create", "preferences", "buffers"] {
        let ended = attack(&["attack=panic", &format!("at={function}"), "on=worker"]);
        ended.fails(1, &[&format!("plugin `hostile`, `{function}` trapped: panicked at")]);
    }
}

#[test]
fn what_a_plugin_says_never_passes_for_a_message_of_the_host() {
    let ended = attack(&["attack=panic-lines", "partition=1"]);
    ended.fails(1, &["\n    one\n    error: two\n    \\u{1b}[2Kthree"]);
    let ended = attack(&["attack=error-escapes", "partition=1"]);
    ended.fails(1, &["coloured\n    error: forged \\u{1b}[31mred\\u{1b}]0;title\\u{7} \\u{9b}2J \\u{202e}desrever"]);
    let ended = attack(&["attack=log-escapes", "at=end", "partition=1"]);
    ended.succeeds();
    assert!(
        ended.stderr.starts_with("warning: plugin `hostile` (partition 1, frames 6..13): look \\u{1b}[31mred"),
        "{ended:?}"
    );
    assert!(ended.stderr.ends_with("\n    results are in /tmp\n"), "{ended:?}");
}

#[test]
fn a_trap_without_a_message_is_explained() {
    attack(&["attack=trap", "partition=1"]).fails_saying(&format!(
        "plugin `hostile`, `process` {PLACE} trapped: it gave up without a message (`unreachable` was executed)"
    ));
}

#[test]
fn an_endless_loop_in_any_function_is_ended() {
    for function in ["begin", "process", "end", "merge"] {
        let ended = attack(&["attack=loop", &format!("at={function}"), "partition=1"]);
        let place = format!("`{function}` {PLACE}");
        ended.fails_saying(&format!("plugin `hostile`, {place} ran past its 0.3 s for one call (raise --timeout)"));
    }
    for function in ["create", "preferences", "buffers", "preprocess", "results"] {
        let ended = attack(&["attack=loop", &format!("at={function}")]);
        ended
            .fails_saying(&format!("plugin `hostile`, `{function}` ran past its 0.3 s for one call (raise --timeout)"));
    }
    lie("merge-all-loops").fails_saying("plugin `raw`, `merge-all` ran past its 0.3 s for one call (raise --timeout)");
}

#[test]
fn a_loop_of_host_calls_is_ended_too() {
    let ended = attack(&["attack=loop-logging", "partition=1"]);
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("logged more than 1000 messages: the rest is dropped"), "{ended:?}");
    let count = ended.stderr.lines().count();
    assert!(ended.stderr.contains("ran past its 0.3 s for one call (raise --timeout)\n    at "), "{count} lines");
    assert!(count < 1010, "{ended:?}");
}

#[test]
fn deep_recursion_ends_in_an_error() {
    for function in ["create", "process", "results"] {
        let ended = attack(&["attack=recurse", &format!("at={function}")]);
        ended.fails(
            1,
            &["trapped: its calls are nested too deeply for 524288 bytes of stack (raise --max-stack)\n    at hostile_guest::recurse"],
        );
    }
}

#[test]
fn a_memory_bomb_is_refused_with_numbers() {
    let ended = attack(&["attack=memory", "partition=1"]);
    let limit = "bytes of memory, at most 268435456 are allowed (raise --max-memory)";
    ended.fails(1, &[&format!("plugin `hostile`, `process` {PLACE} needs "), limit]);
    attack(&["attack=memory-then-panic", "partition=1"]).fails(1, &[limit, "no room left"]);
}

#[test]
fn a_plugin_that_takes_no_for_an_answer_goes_on() {
    attack(&["attack=memory-polite"]).succeeds();
}

#[test]
fn an_error_is_told_word_for_word_with_what_led_to_it() {
    attack(&["attack=error", "at=end", "partition=1"])
        .fails_saying(&format!("plugin `hostile`, `end` {PLACE}: the camera length is unknown: set it with -p"));
    attack(&["attack=error-causes", "at=results"])
        .fails_saying("plugin `hostile`, `results`: no strain map: no lattice found: no peak above the noise");
}

#[test]
fn what_a_plugin_says_is_cut() {
    let ended = attack(&["attack=error-huge", "partition=1"]);
    ended.fails(1, &["xxx…"]);
    assert!(ended.stderr.len() < 10_000, "{}", ended.stderr.len());
    let ended = attack(&["attack=log-huge", "at=end", "partition=1"]);
    ended.succeeds();
    assert!(ended.stderr.ends_with("yyy…\n") && ended.stderr.len() < 3000, "{}", ended.stderr.len());
    lie("log-huge").fails(1, &["hands over more data in one call than its buffers can hold"]);
}

#[test]
fn a_flood_of_messages_is_cut() {
    let ended = attack(&["attack=log-flood", "at=end", "partition=1"]);
    ended.succeeds();
    let lines: Vec<&str> = ended.stderr.lines().collect();
    assert_eq!(lines.len(), 1001, "{}", lines.len());
    assert_eq!(lines[0], "info: plugin `hostile` (partition 1, frames 6..13): 0");
    assert!(
        lines[1000].starts_with("warning: ") && lines[1000].ends_with("the rest is dropped (raise --max-log-lines)"),
        "{}",
        lines[1000]
    );
}

#[test]
fn an_error_message_of_a_run_that_succeeds_is_shown() {
    let ended = attack(&["attack=log-error", "at=end", "partition=1"]);
    ended.succeeds();
    assert_eq!(ended.stderr, "error: plugin `hostile` (partition 1, frames 6..13): something is odd, but not fatal\n");
}

#[test]
fn instances_share_no_memory() {
    let folder = Folder::new();
    let ended = strike(&folder, "hostile_guest", &[]);
    ended.succeeds();
    for label in ["healthy", "hostile"] {
        let created = folder.result(&format!("out/{label}/created.npy"));
        assert!(created.data.chunks_exact(8).all(|n| n == 1_u64.to_le_bytes()), "{label}: {created:?}");
    }
}

#[test]
fn complex_data_are_not_made_real() {
    let folder = Folder::new();
    folder.array("scan.npy", lthost::shape::Dtype::C64, &[2, 3, 4, 5], vec![0; 2 * 3 * 4 * 5 * 8]);
    let args = ["run", "--dataset", "scan.npy", "-o", "out", "--plugin", "hostile_guest", "-p", "exactly=f32"];
    folder.lthost(&args).refuses_saying(
        "plugin `hostile` wants its data as f32, but the data set is c64: complex numbers can't become real",
    );
    folder.assert_untouched();
}

#[test]
fn what_is_emitted_must_be_what_was_declared() {
    let in_end = |what: &str| format!("plugin `raw`, `end` (partition 0, frames 0..6): {what}");
    for (name, what) in [
        ("emit-too-few", "emitted 5 of the 6 elements of buffer `count`"),
        ("emit-too-many", "emitted elements 0..7 of buffer `count`, which has 6"),
        ("emit-whole-scan", "emitted elements 0..20 of buffer `count`, which has 6"),
        ("emit-wrong-number", "emitted buffer number 9, but declared 3 (count, pixels, total)"),
        ("emit-max-number", "emitted buffer number 4294967295, but declared 3 (count, pixels, total)"),
        ("emit-result-only", "emitted buffer `total`, which this function may not emit"),
        ("emit-fraction", "emitted 3 bytes for buffer `pixels` of dtype u32, which is no whole number of elements"),
        ("emit-twice", "emitted some elements of buffer `count` twice"),
        ("emit-overlap", "emitted some elements of buffer `count` twice"),
        ("emit-nothing", "emitted 0 of the 6 elements of buffer `count`"),
        ("emit-forget", "emitted 0 of the 42 elements of buffer `pixels`"),
    ] {
        one_worker(name).fails_saying(&in_end(what));
    }
    one_worker("emit-far").fails(1, &["emitted elements 18446744073709551615..", " of buffer `count`, which has 6"]);
}

#[test]
fn the_order_and_number_of_pieces_do_not_matter() {
    lie("emit-backwards").succeeds();
    lie("emit-empty-often").succeeds();
}

#[test]
fn nothing_is_emitted_outside_of_its_phase() {
    const WHAT: &str = "emitted outside of `end`, `merge`, `merge-all`, `preprocess` and `results`";
    lie("emit-in-create").fails_saying(&format!("plugin `raw`, `create`: {WHAT}"));
    one_worker("emit-in-begin").fails_saying(&format!("plugin `raw`, `begin` (partition 0, frames 0..6): {WHAT}"));
    one_worker("emit-in-process").fails_saying(&format!("plugin `raw`, `process` (partition 0, frames 0..6): {WHAT}"));
    for (name, what) in [
        ("preprocess-result-only", "`preprocess`: emitted buffer `total`, which this function may not emit"),
        ("preprocess-part", "`preprocess`: emitted 1 of the 42 elements of buffer `pixels`"),
        ("merge-all-emits-nothing", "`merge-all`: emitted 0 of the 42 elements of buffer `pixels`"),
        ("merge-all-emits-more", "`merge-all`: emitted elements 0..84 of buffer `pixels`, which has 42"),
        ("merge-all-emits-assigned", "`merge-all`: emitted buffer `count`, which this function may not emit"),
        ("results-forget", "`results`: emitted 0 of the 1 elements of buffer `total`"),
        ("results-too-many", "`results`: emitted elements 0..2 of buffer `total`, which has 1"),
        ("results-part", "`results`: emitted 1 of the 42 elements of buffer `pixels`"),
        ("mask-size", "`results`: emitted a mask of 1 bytes for buffer `count`, which has 20 elements"),
        ("mask-number", "`results`: emitted buffer number 7, but declared 3 (count, pixels, total)"),
    ] {
        lie(name).fails_saying(&format!("plugin `raw`, {what}"));
    }
}

/// As [`lie`], with one worker, so that the first partition is the one that fails.
fn one_worker(lie: &str) -> Ended {
    let folder = Folder::new();
    let param = format!("lie={lie}");
    let mut args = vec!["run", "--dataset", "scan.npy", "-o", "out", "--plugin", "hostile_raw", "-p", &param];
    args.extend(&LIMITS[..7]);
    args.extend(["--workers", "1"]);
    let ended = folder.lthost(&args);
    folder.assert_untouched();
    ended
}

#[test]
fn a_window_harms_only_its_own_plugin() {
    lie("window-freed").succeeds();
    lie("window-in-use").succeeds();
    one_worker("emit-in-window").fails_saying(
        "plugin `raw`, `window`: emitted outside of `end`, `merge`, `merge-all`, `preprocess` and `results`",
    );
    one_worker("window-refused").fails_saying("plugin `raw`, `window`: a window is more than I can take");
}

#[test]
fn a_window_has_nothing_of_the_file_but_the_frames() {
    const SECRET: u8 = 0xee;
    let folder = Folder::new();
    let (frame, n_frames) = (32 * 32, 600);
    for (n_lead, name) in [(100, "unaligned.raw"), (4096, "aligned.raw")] {
        // Of three partitions the first and the last are secret, and what stands before the frames.
        let frames = (0..n_frames).map(|i| if (200..400).contains(&i) { 0x11 } else { SECRET });
        let bytes = [vec![SECRET; n_lead], frames.flat_map(|byte| vec![byte; frame * 2]).collect()].concat();
        fs::write(folder.path(name), bytes).unwrap();
        let run = |partition| {
            let offset = n_lead.to_string();
            let (shape, plugin) = (["--nav-shape", "600", "--sig-shape", "32,32"], ["--plugin", "hostile_raw"]);
            let mut args = vec!["run", "--dataset", name, "--dtype", "u16", "--offset", &offset, "--partitions", "3"];
            args.extend(shape.into_iter().chain(plugin).chain(["-p", "lie=window-peek", "--partition", partition]));
            folder.lthost(&args)
        };
        run("1").succeeds();
        let all = 200 * frame * 2;
        let seen = format!("(partition 0, frames 0..200): {all} bytes are in the window that are not the tile's");
        run("0").fails_saying(&format!("plugin `raw`, `process` {seen}"));
    }
}

#[test]
fn absurd_buffers_are_refused() {
    let plain = "which is not made of letters, digits, `_`, `-`";
    for (name, what) in [
        ("extra-huge", "buffer `count`: shape (20, 18446744073709551615) has more elements than can be counted"),
        (
            "extra-overflow",
            "declares buffer `count`: shape (4294967296, 4294967296) has more elements than can be counted",
        ),
        (
            "extra-large",
            "its buffers need 21990232555520 bytes with buffer `count`, at most 8589934592 are allowed \
             (raise --max-result-bytes)",
        ),
        ("extra-axes", "declares buffer `count` with 10000 extra axes, at most 16 are allowed"),
        ("many", "declares 100000 buffers, at most 256 are allowed (raise --max-buffers)"),
        ("name-path", &format!("declares a buffer \"../../evil\", {plain}")),
        ("name-absolute", &format!("declares a buffer \"/tmp/evil\", {plain}")),
        ("name-escapes", &format!("declares a buffer \"\\u{{1b}}[31mred\\u{{1b}}[0m\\u{{202e}}\\u{{7}}\", {plain}")),
        ("name-empty", &format!("declares a buffer \"\", {plain}")),
        (
            "name-long",
            &format!(
                "declares a buffer \"{}\"…, a name of 1048576 characters, at most 64 are allowed (raise --max-name-len)",
                "n".repeat(64)
            ),
        ),
        ("name-twice", "declares two buffers `pixels`"),
        ("fill-nan", "buffer `count`: fill value NaN is no u8"),
        ("fill-256", "buffer `count`: fill value 256 is no u8"),
        ("complex-max", "buffer `count`: complex numbers have no minimum or maximum"),
    ] {
        lie(name).fails_saying(&format!("plugin `raw`, `buffers`: {what}"));
    }
}

#[test]
fn buffers_are_the_same_on_every_thread() {
    for name in ["other-on-worker", "fewer-on-worker"] {
        lie(name).fails_saying("plugin `raw`, `buffers`: declares other buffers on a worker than on the main thread");
    }
}

#[test]
fn no_room_is_made_for_results_that_a_roi_only_seems_to_keep_small() {
    let folder = Folder::new();
    folder.array("none.npy", lthost::shape::Dtype::Bool, &SCAN[..2], vec![0; 20]);
    let param = ["--plugin", "hostile_raw", "-p", "lie=extra-large", "--roi", "none.npy"];
    let args = [&["run", "--dataset", "scan.npy", "-o", "out"], &param[..]].concat();
    folder.lthost(&args).fails(1, &["its buffers need 21990232555520 bytes with buffer `count`"]);
    folder.assert_untouched();
}

#[test]
fn who_asks_for_no_pixels_and_for_no_kernels_is_told() {
    lie("in-host").fails(1, &["plugin `raw`, `preferences`: wants its tiles to stay in the host, but does not import"]);
}

#[test]
fn kernels_of_the_host_take_nothing_that_makes_no_sense() {
    for (attack, what) in [
        ("matrix-of-counts", "made a matrix of u16, and only those of f32 and f64 can be multiplied with"),
        ("matrix-of-pieces", "appended 6 bytes to a matrix of f32, which are no whole numbers"),
        ("matrix-of-no-frame", "multiplies frames of 42 pixels with a matrix of 0 numbers in rows of 0"),
        ("matrix-flood", "keeps more than 1000 matrices in the host"),
    ] {
        let attack = [&format!("attack={attack}"), "partition=1"];
        self::attack(&attack).fails_saying(&format!("plugin `hostile`, `process` {PLACE}: {what}"));
    }
    attack(&["attack=matrix-products", "at=begin", "partition=1"]).fails_saying(&format!(
        "plugin `hostile`, `begin` {PLACE}: asked the host to compute with a tile outside of `process`"
    ));
    attack(&["attack=matrix-products", "at=results"])
        .fails_saying("plugin `hostile`, `results`: asked the host to compute with a tile outside of `process`");
    let of_shape = |shape: &str| {
        format!(
            "asked for Fourier transforms of arrays of shape {shape}: they have 1 to 8 axes of 1 to 1048576 numbers"
        )
    };
    for (attack, what) in [
        (
            "of-counts",
            "asked for Fourier transforms of u16, and there are only those of f32, f64, c64 and c128".to_owned(),
        ),
        ("of-no-axis", of_shape("[]")),
        ("of-nothing", of_shape("[4, 0]")),
        ("too-long", of_shape("[18446744073709551615]")),
        ("of-pieces", "has 24 bytes transformed, which are no whole arrays of 16".to_owned()),
        ("flood", "keeps more than 1000 Fourier transforms in the host".to_owned()),
    ] {
        let attack = [&format!("attack=fourier-{attack}"), "partition=1"];
        self::attack(&attack).fails_saying(&format!("plugin `hostile`, `process` {PLACE}: {what}"));
    }
    // What is kept and what is made counts as the plugin's memory, and as its time.
    for name in [
        "matrix-hoard",
        "matrix-too-large",
        "sums-too-many",
        "sums-hoard",
        "sums-of-moments-hoard",
        "fourier-hoard",
        "fourier-too-large",
        "fourier-of-much",
        "fourier-for-ever",
    ] {
        let ended = attack(&[&format!("attack={name}"), "partition=1"]);
        assert_eq!(ended.code, Some(1), "{}", ended.stderr);
        assert!(ended.stderr.contains("(raise --max-memory)") || ended.stderr.contains("(raise --timeout)"), "{name}");
    }
}

#[test]
fn sums_of_the_host_take_nothing_that_makes_no_sense() {
    for (attack, what) in [
        ("sums-of-counts", "asked for sums of u16, and the host adds in f32 and f64 only"),
        ("sums-of-frames-of-counts", "asked for sums of u16, and the host adds in f32 and f64 only"),
        ("sums-of-no-frame", "adds frames of 42 pixels where 43 were announced"),
        ("sums-beyond", "reads what was added up of 2 pixels from number 41 on, and there are 42"),
        ("sums-of-other-pixels", "adds pixels of u16 where those of i16 were announced"),
        ("sums-of-moments-of-no-frame", "adds frames of 42 pixels where 7 were announced"),
        (
            "sums-of-moments-beyond",
            "reads what was added up of 2 pixels from number 18446744073709551615 on, and there are 42",
        ),
        ("sums-flood", "keeps more than 1000 pixel-sums in the host"),
    ] {
        let attack = [&format!("attack={attack}"), "partition=1"];
        self::attack(&attack).fails_saying(&format!("plugin `hostile`, `process` {PLACE}: {what}"));
    }
    attack(&["attack=sums-of-frames", "at=end", "partition=1"]).fails_saying(&format!(
        "plugin `hostile`, `end` {PLACE}: asked the host to compute with a tile outside of `process`"
    ));
}

#[test]
fn absurd_preferences_do_no_harm() {
    for name in [
        "rows-max",
        "depth-0",
        "depth-max",
        "size-0",
        "size-max",
        "size-max-frames",
        "exactly-f32",
        "bytes",
        "csr",
        "text-escapes",
    ] {
        lie(name).succeeds();
    }
}

#[test]
fn preferences_that_contradict_the_manifest_are_refused() {
    lie("partitions").fails(
        1,
        &["plugin `raw`, `preferences`: asks for whole partitions, but says that it processes tiles or frames"],
    );
    describe_lie("processes-none").fails(1, &["`describe`: offers no processing function"]);
}

#[test]
fn a_describe_that_misbehaves_is_ended() {
    let (run, inspect) =
        ("`describe` ran past its 0.3 s for one call (raise --timeout)", "`describe` ran past its 0.2 s");
    describe_lie("loop").fails(1, &["plugin `./liar.wasm`, ", run]);
    describe_lie("panic").fails(1, &["plugin `./liar.wasm`, `describe` trapped: panicked before it began"]);
    describe_lie("abort").fails(1, &["`describe` trapped: it gave up without a message (`unreachable` was executed)"]);
    let folder = Folder::new();
    folder.write("liar.wasm", that_describes("loop"));
    folder.lthost(&["inspect", "./liar.wasm", "--timeout", "0.2"]).fails(1, &[inspect]).takes_less_than(10.0);
}

#[test]
fn a_describe_that_lies_is_refused() {
    for (name, what) in [
        ("name-empty", "is named \"\", which is not made of letters, digits, `_`, `-`"),
        ("name-path", "is named \"../evil\", which is not made of"),
        ("name-escapes", "is named \"\\u{1b}[31mred\\u{1b}[0m\\u{202e}\\u{7}\", which is not made of"),
        ("huge-summary", "hands over more data in one call than its buffers can hold"),
        ("many-parameters", "declares 1000 parameters, at most 256 are allowed"),
        ("parameter-twice", "declares two parameters `p`"),
        ("parameter-name", "declares a parameter \"\\u{1b}[31mred\\u{1b}[0m\\u{202e}\\u{7}\", which is not made of"),
        ("no-types", "declares parameter `lie` with 0 types, expected 1 to 16"),
        (
            "array-default",
            "declares parameter `lie`: shape (18446744073709551615, 3) has more elements than can be counted",
        ),
    ] {
        describe_lie(name).fails(1, &["error: plugin `./liar.wasm`, `describe`: ", what]);
    }
}

#[test]
fn a_function_that_is_not_among_the_capabilities_is_not_called() {
    describe_lie("no-merge").fails_saying(
        "plugin `raw`, `buffers`: buffer `pixels` merges by `custom`, but the plugin has neither capability `merge` nor \
         `merge-all`",
    );
    describe_lie("no-results").fails_saying(
        "plugin `raw`, `buffers`: buffer `total` is result-only, but the plugin does not have capability `results`",
    );
}

#[test]
fn inspect_shows_escapes_as_text() {
    let ended = Folder::new().lthost(&["inspect", "hostile_raw"]);
    ended.succeeds();
    assert!(ended.stdout.starts_with("raw 1.0\\u{1b}[31mred"), "{ended:?}");
    assert!(!ended.stdout.contains("\nerror:"), "a summary is one line: {ended:?}");
}

#[test]
fn a_bad_plugin_in_a_plugin_folder_is_listed_as_such() {
    let folder = Folder::new();
    fs::create_dir(folder.path("plugins")).unwrap();
    folder.write("plugins/zz-bad.wasm", "no wasm");
    folder.write("plugins/zz-liar.wasm", that_describes("abort"));
    let ended = folder.shell("LTHOST_PLUGINS=$PWD/plugins XDG_DATA_HOME=/nonexistent $lthost plugins");
    ended.succeeds();
    assert!(ended.stdout.contains("zz-bad        can't be used: plugin `"), "{ended:?}");
    assert!(ended.stdout.contains("it is no WebAssembly: the file does not start with"), "{ended:?}");
    assert!(ended.stdout.contains("zz-liar       can't be used: plugin `"), "{ended:?}");
}

#[test]
fn a_failed_run_leaves_an_earlier_result_alone() {
    let folder = Folder::new();
    let run = |attack: &str| {
        folder.lthost(&["run", "--dataset", "scan.npy", "-o", "out", "--plugin", "hostile_guest", "-p", attack])
    };
    run("attack=none").succeeds();
    let before = (files(&folder.path("out")), fs::read(folder.path("out/run.json")).unwrap());
    run("attack=panic").fails(1, &[]);
    assert_eq!((files(&folder.path("out")), fs::read(folder.path("out/run.json")).unwrap()), before);
}

#[test]
fn folders_that_were_made_for_results_go_with_them() {
    let folder = Folder::new();
    let args = ["run", "--dataset", "scan.npy", "-o", "out/of/the/way", "--plugin", "hostile_guest"];
    folder.lthost(&[&args[..], &["-p", "attack=trap"]].concat()).fails(1, &[]);
    folder.assert_untouched();
    folder.lthost(&args).succeeds();
    assert!(folder.path("out/of/the/way/run.json").is_file());
}

#[test]
fn a_failure_is_repeated_by_the_command_line_that_is_printed() {
    let folder = Folder::new();
    let args = ["run", "--quiet", "--dataset", "scan.npy", "--partitions", "5", "--plugin", "sum"];
    fs::create_dir(folder.path("a b")).unwrap();
    fs::copy(wasm("hostile_guest"), folder.path("a b/it's.wasm")).unwrap();
    let panicking = ["--plugin", "./a b/it's.wasm", "-p", "attack=panic", "-p", "partition=3"];
    let ended = folder.lthost(&[&args[..], &panicking[..]].concat());
    ended.fails(1, &["plugin `hostile`, `process` (partition 3, frames 12..16) trapped"]);
    let command = ended.stderr.lines().find_map(|line| line.strip_prefix("repeat it with: ")).unwrap();
    assert!(command.ends_with(" --partition 3"), "{command}");
    let again = folder.shell(command);
    let error = |ended: &Ended| ended.stderr.lines().next().unwrap().to_owned();
    assert_eq!((again.code, error(&again)), (ended.code, error(&ended)));
    // Results that there are stay as they are, whatever else was asked for.
    let kept = ["--on-error", "skip", "-o", "kept", "--png", "--checkpoint=0", "--every", "1"];
    let skipped = folder.lthost(&[&args[..], &panicking[..], &kept[..]].concat());
    assert_eq!(skipped.code, Some(3), "{skipped:?}");
    let before = folder.result("kept/sum/intensity.npy").data;
    let command = skipped.stderr.lines().find_map(|line| line.strip_prefix("repeat it with: ")).unwrap();
    let again = folder.shell(command);
    assert_eq!((again.code, error(&again)), (Some(3), error(&skipped)), "{command}");
    assert!(folder.result("kept/sum/intensity.npy").data == before, "{command}");
    // Another partition alone is fine, and is the only one in its results.
    let alone = folder.lthost(&[&args[..], &panicking[..], &["--partition", "1", "-o", "out"]].concat());
    let said = "partition 1 alone: 16 of 20 frames are not in these results";
    assert!(alone.succeeds().stdout.contains(said), "{alone:?}");
    assert_eq!(folder.json("out/run.json")["complete"], false);
    let damage = folder.result("out/damage.npy").data;
    assert!((0..20).all(|frame| (damage[frame] == 1) == (4..8).contains(&frame)), "{damage:?}");
    let args = [&args[..], &["--partition", "5"]].concat();
    folder.lthost(&args).fails(2, &["there is no partition 5: the scan has 5, numbered from 0"]);
    // On the main thread it is not one partition that fails.
    let ended = attack(&["attack=panic", "at=results"]);
    assert!(!ended.stderr.contains("repeat it"), "{ended:?}");
}
