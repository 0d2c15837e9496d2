//! The guide: every heading has its page, what pages show is what happens, and no link is dead.

mod facts;
mod page;
mod shell;

use std::{
    env, fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use lthost_tests::root;

use page::{Page, Step, is_shown};

/// The peer's headings on user-defined functions, in its order, with two of this project's own: frame processing and merging.
/// Each is a page, with an example that is run.
const HEADINGS: [&str; 25] = [
    "Implementing a UDF",
    "Running UDFs",
    "Live plotting",
    "Partial results",
    "Asynchronous execution",
    "Tiled processing",
    "Frame processing",
    "Partition processing",
    "Precedence",
    "Merging",
    "Post-processing of partition results",
    "Post-processing after merging",
    "Pre-processing",
    "Valid data masking",
    "AUX data",
    "Task data",
    "Meta information",
    "Preferred input dtype",
    "CuPy support",
    "Sparse arrays",
    "Threading",
    "Auto UDF",
    "One-step merge",
    "Dynamically updating UDF parameters",
    "Profiling UDFs",
];

/// Headings of the contract that have no page of their own.
const IN_THE_CONTRACT_ONLY: [&str; 2] = ["The data, and their words", "What else there is"];

#[test]
fn what_pages_show_is_what_happens() {
    let (pages, next) = (Page::all(), AtomicUsize::new(0));
    let work = || {
        let mut wrong = Vec::new();
        while let Some(page) = pages.get(next.fetch_add(1, Ordering::Relaxed)) {
            wrong.extend(run(page));
        }
        wrong
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let workers: Vec<_> = (0..3).map(|_| scope.spawn(work)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}\nBLESS=1 writes what came into the pages", wrong.join("\n"));
}

/// Runs what a page shows. Gives what came otherwise.
fn run(page: &Page) -> Vec<String> {
    let (steps, mut wrong) = (page.steps(), Vec::new());
    let steps: Vec<&Step> = steps.iter().collect();
    if steps.is_empty() {
        return wrong;
    }
    let came = shell::run(&steps);
    let mut replaced: Vec<(&Step, &[String])> = Vec::new();
    for (step, came) in steps.iter().zip(&came) {
        // A command that fails says so.
        let fails = step.shown.iter().any(|line| line.starts_with("error: "));
        let is_as_shown = is_shown(&step.shown, &came.lines);
        if !is_as_shown || fails != (came.code != 0) {
            let (at, command, lines) = (step.line, &step.command, came.lines.join("\n"));
            wrong.push(format!("{}.md:{at}: `{command}` ended with {} and\n{lines}\n", page.name, came.code));
        }
        if !is_as_shown {
            replaced.push((*step, came.lines.as_slice()));
        }
    }
    if came.len() < steps.len() {
        wrong.push(format!("{}.md: `{}` was not reached", page.name, steps[came.len()].command));
    }
    if env::var_os("BLESS").is_some() {
        page.replace(&replaced);
    }
    wrong
}

#[test]
fn every_heading_has_a_page_with_an_example_that_is_run() {
    let contract = fs::read_to_string(root().join("wit/README.md")).unwrap();
    for heading in contract.lines().filter_map(|line| line.strip_prefix("## ")) {
        assert!(HEADINGS.contains(&heading) != IN_THE_CONTRACT_ONLY.contains(&heading), "no page for `{heading}`");
    }
    let index = Page::read("index").text;
    let mut before = 0;
    for heading in HEADINGS {
        let page = Page::read(&heading.to_lowercase().replace(' ', "-"));
        assert_eq!(page.title(), heading, "{}.md", page.name);
        let at = index.find(&format!("\n{}\n", page.name));
        let at = at.unwrap_or_else(|| panic!("{} is not in the table of contents", page.name));
        assert!(at > before, "{} is out of order", page.name);
        before = at;
        assert!(!page.steps().is_empty(), "{}.md has no example that is run", page.name);
    }
    assert!(Page::read("getting-started").text.contains(&format!("\n$ {}\n", shell::SIMULATE)));
}

#[test]
fn every_plugin_of_the_guide_is_shown_and_run() {
    let pages = Page::all();
    let shown: String = pages.iter().map(|page| page.text.as_str()).collect();
    let commands: Vec<String> = pages.iter().flat_map(Page::steps).map(|step| step.command).collect();
    let tested = fs::read_to_string(page::folder().join("examples/lib.rs")).unwrap();
    for name in shell::plugins() {
        assert!(tested.contains(&format!("\nmod {name};\n")), "the unit tests of {name}.rs are not run");
        assert!(shown.contains(&format!("{{literalinclude}} examples/{name}.rs")), "{name}.rs is not shown");
        let file = format!("{name}.wasm");
        assert!(commands.iter().any(|command| command.split([' ', '=']).any(|word| word == file)), "{file} is not run");
    }
}

#[test]
fn no_link_is_dead() {
    // The tool makes the site, and is told to fail at what it can't resolve.
    let made = Command::new(root().join("scripts/docs")).output().unwrap();
    let said = [made.stdout, made.stderr].concat();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&said));
    assert!(root().join("target/docs/index.html").is_file());
}

#[test]
fn files_that_are_named_exist() {
    let folders = ["wit", "host", "guest-sdk", "plugins", "tests", "examples", "bench", "scripts", "docs"];
    for page in Page::all() {
        for word in page.text.split('`').skip(1).step_by(2) {
            let is_path = folders.iter().any(|folder| word.starts_with(&format!("{folder}/")));
            let is_there = || root().join(Path::new(word.trim_end_matches('/'))).exists();
            assert!(
                !is_path || word.contains([' ', '\n', '*']) || is_there(),
                "{}.md: there is no `{word}`",
                page.name
            );
        }
    }
}
