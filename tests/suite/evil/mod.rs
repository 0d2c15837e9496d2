//! The evil suite: a hostile plugin for each attack that is known, in each function where it can strike. Each runs beside a
//! healthy plugin, which has the same bits as ever, and leaves a block in `attacks.txt`: how it ended, what was said, and
//! bounds for time, memory and text. `BLESS=1` writes the file.
//!
//! `hostile.rs` has plugins in Rust that do the like on command, and says what each error means; `not_plugins.rs` has files that
//! are no plugins.

mod bombs;
mod caches;
mod dwarf;
mod floods;
mod lies;
mod phases;
mod snapshot;
mod stage;
mod strangers;
mod wat;

use lthost_tests::{counts, save};

use crate::program::Folder;

use self::wat::{PHASES, Plugin};
use stage::{Attack, play};

/// All groups of attacks: each is played by a test.
const GROUPS: [fn() -> Vec<Attack>; 24] = [
    phases::loops,
    phases::traps,
    phases::storms,
    phases::fills,
    phases::post_returns,
    phases::reallocs,
    phases::handles,
    lies::lists,
    lies::cases,
    lies::errors,
    lies::arguments,
    lies::emissions,
    floods::logs,
    floods::curses,
    floods::results,
    floods::dust,
    floods::sizes,
    bombs::functions,
    bombs::components,
    bombs::instances,
    bombs::sources,
    strangers::imports,
    strangers::contracts,
    strangers::others,
];

#[test]
fn without_an_attack_the_plugin_by_hand_does_its_work() {
    for (phase, _) in PHASES {
        let folder = Folder::new();
        folder.write("evil.wasm", Plugin::calling(phase).wasm());
        let mut args = vec!["run", "--quiet", "--dataset", "scan.npy", "--plugin", "./evil.wasm", "--partitions", "3"];
        args.extend(["-o", "out"]);
        if phase == "update" {
            args.extend(["--update", "1:evil.level=5"]);
        }
        let ended = folder.lthost(&args);
        ended.succeeds();
        assert_eq!(ended.stderr, "", "{phase}");
        assert_eq!(folder.result("out/evil/count.npy").data, [1; 20], "{phase}");
    }
}

#[test]
fn what_a_partition_emitted_before_it_failed_does_not_count() {
    let folder = Folder::new();
    let late = "(call $ones (global.get $part_rows))
        (if (i32.eq (global.get $index) (i32.const 1)) (then (call $give_up)))
        (i32.const 1152)";
    folder.write("evil.wasm", Plugin::honest().with("end", late).wasm());
    let args = ["run", "--quiet", "--dataset", "scan.npy", "--plugin", "./evil.wasm", "--plugin", "sum", "-o", "out"];
    let ended = folder.lthost(&[&args[..], &["--partitions", "3", "--on-error", "skip"]].concat());
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let count = folder.result("out/evil/count.npy").data;
    assert!((0..20).all(|frame| count[frame] == u8::from(!(6..13).contains(&frame))), "{count:?}");
}

#[test]
fn every_attack_has_a_name_of_its_own_and_no_block_is_left_over() {
    let mut names: Vec<String> = GROUPS.into_iter().flat_map(|group| group()).map(|attack| attack.name).collect();
    let strangers = snapshot::strangers(&names);
    assert!(strangers.is_empty(), "attacks.txt has blocks of no attack, which BLESS=1 removes: {strangers:?}");
    names.sort();
    let twice: Vec<&String> = names.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| &pair[0]).collect();
    assert!(twice.is_empty(), "{twice:?}");
    assert!(names.len() > 300, "only {} attacks", names.len());
}

#[test]
fn loops_are_ended_in_every_function() {
    play(&phases::loops());
}

#[test]
fn traps_and_deep_calls_end_in_an_error_in_every_function() {
    play(&phases::traps());
}

#[test]
fn panics_in_every_partition_are_told_once() {
    play(&phases::storms());
}

#[test]
fn all_memory_at_once_ends_in_time() {
    play(&phases::fills());
}

#[test]
fn a_plugin_that_cleans_up_is_ended_too() {
    play(&phases::post_returns());
}

#[test]
fn a_plugin_that_gives_memory_is_not_trusted() {
    play(&phases::reallocs());
}

#[test]
fn handles_are_what_the_plugin_was_given() {
    play(&phases::handles());
}

#[test]
fn lists_that_are_nowhere_are_found_out() {
    play(&lies::lists());
}

#[test]
fn cases_that_there_are_not_are_found_out() {
    play(&lies::cases());
}

#[test]
fn errors_that_are_none_are_found_out() {
    play(&lies::errors());
}

#[test]
fn arguments_that_are_none_are_found_out() {
    play(&lies::arguments());
}

#[test]
fn results_out_of_place_are_found_out() {
    play(&lies::emissions());
}

#[test]
fn floods_of_messages_are_cut() {
    play(&floods::logs());
}

#[test]
fn no_text_controls_the_terminal() {
    play(&floods::curses());
}

#[test]
fn floods_of_results_are_refused() {
    play(&floods::results());
}

#[test]
fn sizes_have_limits() {
    play(&floods::sizes());
}

#[test]
fn results_in_small_pieces_take_no_longer() {
    play(&floods::dust());
}

#[test]
fn wishes_for_tiles_end_no_other_plugin() {
    let folder = Folder::new();
    save(&folder.path("large.npy"), &counts(&[8, 1024, 1024]));
    let split_rows = "(i32.store8 (i32.const 1200) (i32.const 1)) (i64.store (i32.const 1208) (i64.const -1))";
    folder.write("evil.wasm", Plugin::honest().first("preferences", split_rows).wasm());
    let run = |more: &str| {
        let limits = "--quiet --max-memory 12M --on-error skip";
        folder.shell(&format!("$lthost run --dataset large.npy {limits} --plugin max {more}"))
    };
    run("-o alone").succeeds();
    // Such tiles may be too large for itself.
    let beside = run("--plugin ./evil.wasm -o beside");
    assert!(matches!(beside.code, Some(0 | 3)), "{beside:?}");
    let maximum = |dir: &str| folder.result(&format!("{dir}/max/max.npy")).data;
    assert_eq!(maximum("alone"), maximum("beside"));
}

#[test]
fn functions_that_take_long_to_compile_are_refused() {
    play(&bombs::functions());
}

#[test]
fn components_of_components_are_refused() {
    play(&bombs::components());
}

#[test]
fn what_is_there_from_the_start_is_limited() {
    play(&bombs::instances());
}

#[test]
fn debug_information_costs_no_more_than_it_is_worth() {
    play(&bombs::sources());
}

#[test]
fn imports_that_are_not_offered_are_refused() {
    play(&strangers::imports());
}

#[test]
fn other_contracts_are_refused() {
    play(&strangers::contracts());
}

#[test]
fn other_files_and_features_are_refused() {
    play(&strangers::others());
}
