//! In a Python file.

use crate::Usage;

/// The function of a frame that is to be the plugin; none if the file exports one itself.
///
/// # Errors
///
/// If it is not plain which function is meant.
pub(in super::super) fn chosen(source: &str, file_stem: &str, wanted: Option<&str>) -> Result<Option<String>, Usage> {
    if source.contains("export_map") || source.contains("(Udf)") {
        return Ok(None);
    }
    let functions: Vec<(&str, bool)> = functions(source).collect();
    if let Some(name) = wanted {
        let is_there = functions.iter().any(|(function, _)| *function == name);
        let missing = || Usage(format!("there is no function `{name}(frame)`"));
        return is_there.then(|| Some(name.to_owned())).ok_or_else(missing);
    }
    // Who calls the frame otherwise has just one function, or one of the file's name.
    let takes_frame = functions.iter().any(|(_, takes_frame)| *takes_frame);
    let possible: Vec<&str> =
        functions.iter().filter(|(_, is_one)| *is_one || !takes_frame).map(|(function, _)| *function).collect();
    let stem = file_stem.replace('-', "_");
    match &possible[..] {
        [only] => Ok(Some((*only).to_owned())),
        [] => Err(Usage("there is no function of a frame, like `def f(frame):`".to_owned())),
        several if several.contains(&stem.as_str()) => Ok(Some(stem)),
        several => Err(Usage(format!("which function is to be run? Choose with --fn out of {}", several.join(", ")))),
    }
}

/// Each function of the file, and whether its first argument is called `frame`.
fn functions(source: &str) -> impl Iterator<Item = (&str, bool)> {
    let starts = source.match_indices("def ").filter(|(at, _)| *at == 0 || source[..*at].ends_with('\n'));
    starts.filter_map(|(at, def)| {
        let (name, arguments) = source[at + def.len()..].split_once('(')?;
        let after = arguments.trim_start().strip_prefix("frame");
        Some((name.trim(), after.is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen_of(source: &str) -> Result<Option<String>, String> {
        chosen(source, "row-sums", None).map_err(|error| error.to_string())
    }

    #[test]
    fn it_is_the_only_function_of_a_frame_or_that_of_the_files_name() {
        let of = |source: &str| chosen_of(source).unwrap().unwrap();
        assert_eq!(of("def f(frame, level: float = 0):\n    def g(x):\n        pass\n"), "f");
        assert_eq!(of("def helper(x): 0\ndef f(\n    frame: Frame,\n    level: float\n): 0\n"), "f");
        assert_eq!(of("def f(image): 0\n"), "f");
        assert_eq!(of("def a(frame): 0\ndef row_sums(frame): 0\n"), "row_sums");
        assert_eq!(of("def a(x): 0\ndef row_sums(x): 0\n"), "row_sums");
        assert_eq!(chosen("def a(x): 0\ndef b(frame): 0\n", "x", Some("a")).unwrap().unwrap(), "a");
        for unclear in ["def a(frame): 0\ndef b(frame): 0\n", "def a(x): 0\ndef b(frames): 0\n"] {
            assert!(chosen_of(unclear).unwrap_err().ends_with("out of a, b"));
        }
        assert!(chosen_of("x = 1\n").unwrap_err().contains("no function of a frame"));
    }

    #[test]
    fn what_exports_itself_is_left_alone() {
        assert_eq!(chosen_of("@export_map\ndef a(frame): 0\n").unwrap(), None);
    }
}
