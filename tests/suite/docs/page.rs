//! A page of the guide: its blocks of shell, and whether what they show is what came.
//!
//! In a block `console` a line with `$ ` in front is a command, and continues where it ends in `\`. What follows is what the
//! user sees. `...` stands for anything: in a line for some text, alone for any number of lines.

use std::{fs, path::PathBuf};

use lthost_tests::root;

/// A page.
pub(super) struct Page {
    /// Name of the file, without extension.
    pub(super) name: String,
    pub(super) text: String,
}

/// A command, and what it shows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Step {
    /// Line of the page, from 0, at which what is shown begins.
    pub(super) line: usize,
    pub(super) command: String,
    pub(super) shown: Vec<String>,
}

impl Page {
    /// All pages.
    pub(super) fn all() -> Vec<Self> {
        let files = fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
        let mut names: Vec<String> = files
            .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
            .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names.iter().map(|name| Self::read(name)).collect()
    }

    pub(super) fn read(name: &str) -> Self {
        let path = folder().join(format!("{name}.md"));
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Self { name: name.to_owned(), text }
    }

    pub(super) fn title(&self) -> &str {
        self.text.lines().find_map(|line| line.strip_prefix("# ")).unwrap_or_default()
    }

    /// The commands in its blocks of shell.
    pub(super) fn steps(&self) -> Vec<Step> {
        let lines: Vec<&str> = self.text.lines().collect();
        let starts = (0..lines.len()).filter(|&at| lines[at] == "```console");
        let of_block = |start: usize| {
            let len = lines[start..].iter().position(|&line| line == "```").expect("a block ends");
            steps(start + 1, &lines[start + 1..start + len])
        };
        starts.flat_map(of_block).collect()
    }

    /// Replaces what `steps` show by what came of them, but for lines that fit. `steps` are in the order of the page.
    pub(super) fn replace(&self, steps: &[(&Step, &[String])]) {
        let mut lines: Vec<String> = self.text.lines().map(str::to_owned).collect();
        for (step, came) in steps.iter().rev() {
            let fits = |at: &usize| came.len() == step.shown.len() && is_shown_in_line(&step.shown[*at], &came[*at]);
            let shown = (0..came.len()).map(|at| if fits(&at) { &step.shown[at] } else { &came[at] });
            lines.splice(step.line..step.line + step.shown.len(), shown.cloned());
        }
        fs::write(folder().join(format!("{}.md", self.name)), lines.join("\n") + "\n").unwrap();
    }
}

pub(super) fn folder() -> PathBuf {
    root().join("docs")
}

/// The commands in the lines of a block, of which the first is line `first` of the page.
fn steps(first: usize, lines: &[&str]) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut is_continued = false;
    for (at, line) in lines.iter().enumerate() {
        let command = line.strip_prefix("$ ");
        match (steps.last_mut(), command) {
            (Some(step), _) if is_continued => step.command.extend(["\n", line]),
            (_, Some(command)) => steps.push(Step { line: 0, command: command.to_owned(), shown: Vec::new() }),
            (Some(step), None) => step.shown.push((*line).to_owned()),
            (None, None) => panic!("a block of shell begins with a command, not with `{line}`"),
        }
        let step = steps.last_mut().expect("it begins with a command");
        if is_continued || command.is_some() {
            step.line = first + at + 1;
            is_continued = line.ends_with('\\');
        }
    }
    steps
}

/// Whether `came` is what `shown` says.
pub(super) fn is_shown(shown: &[String], came: &[String]) -> bool {
    match shown.split_first() {
        None => came.is_empty(),
        Some((first, rest)) if first.trim() == "..." => {
            (0..=came.len()).any(|skipped| is_shown(rest, &came[skipped..]))
        }
        Some((first, rest)) => {
            came.split_first().is_some_and(|(line, came)| is_shown_in_line(first, line) && is_shown(rest, came))
        }
    }
}

fn is_shown_in_line(shown: &str, came: &str) -> bool {
    let mut parts = shown.split("...");
    let Some(mut rest) = parts.next().and_then(|start| came.strip_prefix(start)) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((end, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        let Some(at) = rest.find(part) else { return false };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(end)
}

#[test]
fn a_block_of_shell_has_commands_and_what_they_show() {
    let text = "# Title\n\n```console\n$ one \\\n    more\na\n\n$ two\n```\n";
    let page = Page { name: String::new(), text: text.to_owned() };
    let step = |line, command: &str, shown: &[&str]| Step {
        line,
        command: command.to_owned(),
        shown: shown.iter().map(|&line| line.to_owned()).collect(),
    };
    let steps = vec![step(5, "one \\\n    more", &["a", ""]), step(8, "two", &[])];
    assert_eq!(page.steps(), steps);
    assert_eq!(page.title(), "Title");
}

#[test]
fn dots_stand_for_anything() {
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<Vec<_>>();
    let fits = |shown: &str, came: &str| is_shown(&lines(shown), &lines(came));
    assert!(fits("a ... c", "a b b c") && fits("a...", "a") && fits("...b...", "abc"));
    assert!(!fits("a ... c", "a b") && !fits("ab...ba", "aba") && !fits("a", "a b"));
    assert!(fits("a\n...\nc", "a\nb\nb\nc") && fits("...", "") && fits("a\n...", "a\nb"));
    assert!(!fits("a\n...\nc", "a\nb") && !fits("a", "a\nb") && !fits("a\nb", "a"));
}
