//! `--preview`, where stderr is no terminal: one picture in letters, of a result that there is.

use crate::program::{Ended, Folder};

fn run(folder: &Folder, args: &[&str]) -> Ended {
    folder.lthost(&[&["run", "--quiet", "--dataset", "scan.npy"], args].concat())
}

#[test]
fn without_a_terminal_the_final_picture_is_letters() {
    let ended = run(&Folder::new(), &["--plugin", "sum", "--preview", "sum.intensity"]);
    let lines: Vec<&str> = ended.succeeds().stderr.lines().collect();
    // 7 columns of a frame become 42, 6 rows 18: a letter is twice as high as wide.
    assert_eq!(lines.len(), 19, "{lines:#?}");
    assert!(lines[..18].iter().all(|line| line.len() <= 42 && line.is_ascii()), "{lines:#?}");
    assert_eq!(lines[18], "sum.intensity, 6 x 7");
    assert!(ended.stdout.contains("intensity"), "the summary is still there: {ended:?}");
}

#[test]
fn the_first_buffer_that_can_be_drawn_is_shown_and_entries_by_number() {
    let folder = Folder::new();
    let last = |args: &[&str]| run(&folder, args).succeeds().stderr.lines().last().map(str::to_owned);
    assert_eq!(last(&["--plugin", "a-b=sumsig", "--preview", "a-b"]).as_deref(), Some("a-b.intensity, 4 x 5"));
    let com = ["--plugin", "com", "--preview"];
    assert_eq!(last(&[&com[..], &["com.field"]].concat()).as_deref(), Some("com.field, 4 x 5"));
    assert_eq!(last(&[&com[..], &["com.field.1"]].concat()).as_deref(), Some("com.field.1, 4 x 5"));
}

#[test]
fn a_wrong_label_is_refused_before_the_run() {
    let folder = Folder::new();
    let ended = run(&folder, &["--plugin", "sum", "--plugin", "x=com", "-o", "out", "--preview", "com.field"]);
    ended.fails(2, &["--preview com.field: no UDF of this run has that label, there is sum, x"]);
    folder.assert_untouched();
}

#[test]
fn a_wrong_buffer_or_entry_is_refused_with_a_list() {
    let folder = Folder::new();
    let com = |choice: &str| run(&folder, &["--plugin", "com", "--preview", choice]);
    com("com.fields")
        .fails(2, &["--preview com.fields: there is no such buffer; there is ", "com.field with entries 0 to 1"]);
    com("com.field.2").fails(2, &["--preview com.field.2: there is no such entry; there is "]);
}

#[test]
fn what_no_picture_can_show_is_refused_with_the_reason() {
    let folder = Folder::new();
    let ended = run(&folder, &["--plugin", "com", "--preview", "com.regression"]);
    ended.fails(2, &["neither of the scan nor of the detector"]);
}

#[test]
fn a_wished_protocol_must_be_one() {
    let line = "LTHOST_PREVIEW=iterm $lthost run -q --plugin sum --dataset scan.npy --preview sum";
    Folder::new().shell(line).fails(2, &["LTHOST_PREVIEW is `iterm`, expected kitty, sixel, blocks or ascii"]);
}
