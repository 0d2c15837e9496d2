//! Keeps the layout honest: data flow one way, files stay small, and nothing speaks of a machine.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lthost_tests::root;

/// Modules of `host/src` in the order in which data meet them. A module may name only itself and modules to its left;
/// `plugin` may not name `dataset` either: they meet in `run`.
const ORDER: [&str; 9] = ["shape", "tile", "buffer", "dataset", "correction", "plugin", "merge", "results", "run"];
const MAX_LINES: usize = 800;

#[test]
fn modules_only_look_left() {
    let mut n_files = 0;
    for (rank, module) in ORDER.iter().enumerate() {
        for (path, text) in sources(&root().join("host/src").join(module)) {
            n_files += 1;
            let strangers = (*module == "plugin").then_some("dataset");
            for later in ORDER[rank + 1..].iter().copied().chain(strangers) {
                assert!(!names(&text, later), "{}: `{module}` must not know about `{later}`", path.display());
            }
        }
    }
    assert!(n_files > ORDER.len(), "only {n_files} files were looked at");
}

#[test]
fn a_name_is_found_in_every_form_of_use() {
    assert!(names("use crate::run::Plan;", "run"));
    assert!(names("use crate::{\n    buffer::{A, B},\n    run::Plan,\n};", "run"));
    assert!(names("use crate::{shape::X, run};", "run"));
    assert!(!names("use crate::{\n    buffer::{A, run::B},\n};\nfn run() {}", "run"));
    assert!(!names("crate::runner::x()", "run"));
}

#[test]
fn only_the_library_front_door_lists_the_modules() {
    let lib = fs::read_to_string(root().join("host/src/lib.rs")).unwrap();
    let at =
        |module: &str| lib.find(&format!("mod {module};")).unwrap_or_else(|| panic!("`{module}` is not in lib.rs"));
    assert!(ORDER.windows(2).all(|pair| at(pair[0]) < at(pair[1])), "lib.rs lists modules in another order");
}

#[test]
fn generated_types_stay_where_they_are_made() {
    for (path, text) in sources(&root().join("host/src")) {
        let at_home = path.components().any(|part| part.as_os_str() == "plugin");
        assert!(at_home || !text.contains("bindings::"), "{}: generated types belong to `plugin`", path.display());
    }
}

#[test]
fn plugins_build_without_warnings() {
    // Of the SDK neither: its warnings are shown to whoever builds a plugin with it.
    let log = fs::read_to_string(env!("PLUGINS_LOG")).unwrap();
    assert!(!log.contains("warning: "), "{log}");
}

#[test]
fn files_stay_small_and_open_with_what_they_are() {
    let mut n_files = 0;
    for folder in ["host", "guest-sdk", "plugins", "tests", "bench", "docs"] {
        for (path, text) in sources(&root().join(folder)) {
            n_files += 1;
            let n_lines = text.lines().count();
            assert!(n_lines <= MAX_LINES, "{}: {n_lines} lines, split it", path.display());
            // Files for `lthost map` are parts of a file.
            let starts = if path.parent().is_some_and(|folder| folder.ends_with("map")) { "///" } else { "//!" };
            assert!(text.starts_with(starts), "{}: the first line says what the file is", path.display());
        }
    }
    assert!(n_files > 50, "only {n_files} files were looked at");
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() <= 150, "the README has at most 150 lines");
}

#[test]
fn nothing_is_left_to_do_in_a_comment() {
    for folder in ["host", "guest-sdk", "plugins", "tests", "bench", "docs"] {
        for (path, text) in sources(&root().join(folder)) {
            for word in ["TODO", "FIXME", "XXX"].map(|word| format!("{word}:")) {
                assert!(path.ends_with("tidy.rs") || !text.contains(&word), "{}: {word}", path.display());
            }
        }
    }
}

/// Whether `text` names a module of this crate in a path: `crate::module`, or `module` in a `use crate::{..}`.
fn names(text: &str, module: &str) -> bool {
    let is_word = |rest: &str| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_');
    let direct = text
        .match_indices("crate::")
        .any(|(at, prefix)| text[at + prefix.len()..].strip_prefix(module).is_some_and(is_word));
    direct || text.match_indices("crate::{").any(|(at, prefix)| in_group(&text[at + prefix.len()..], module))
}

/// Whether the outermost list of a `use crate::{..}` has `module`. `group` starts behind the brace.
fn in_group(group: &str, module: &str) -> bool {
    let (mut depth, mut word) = (0_u32, String::new());
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => return word == module,
            '}' => depth -= 1,
            _ if depth > 0 => {}
            ',' | ':' if word == module => return true,
            ',' => word.clear(),
            c if c.is_whitespace() => {}
            c => word.push(c),
        }
    }
    false
}

/// Every `.rs` file below `dir`, with its text. Build folders are left out.
fn sources(dir: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut todo = vec![dir.to_owned()];
    while let Some(path) = todo.pop() {
        if path.ends_with("target") {
            continue;
        }
        if let Ok(entries) = fs::read_dir(&path) {
            todo.extend(entries.flatten().map(|entry| entry.path()));
        } else if path.extension().is_some_and(|ext| ext == "rs")
            && let Ok(text) = fs::read_to_string(&path)
        {
            found.push((path, text));
        }
    }
    found
}
