//! In a C file.

use crate::Usage;

const EXPORTS: [&str; 3] = ["LTH_UDF(", "LTH_MAP(", "LTH_MAP_MANY("];
const NO_PARAMETERS: &str = "which in C takes no parameters (`lthost new --lang c` makes a UDF that does)";

/// A function as the file has it.
struct Function<'a> {
    name: &'a str,
    result: &'a str,
    arguments: Vec<&'a str>,
}

/// What has to be added to a C file so that it is a plugin; nothing if it exports one itself.
///
/// # Errors
///
/// If it is not plain which function is meant, or the function is not one of a frame.
pub(in super::super) fn export(source: &str, file_stem: &str, wanted: Option<&str>) -> Result<String, Usage> {
    let code = code(source);
    if EXPORTS.iter().any(|export| code.contains(export)) {
        return Ok(String::new());
    }
    let functions = functions(&code);
    let named = |name: &str| functions.iter().find(|function| function.name == name);
    let fitting: Vec<&Function<'_>> = functions.iter().filter(|one| misfit(one, &functions).is_none()).collect();
    let function = match (wanted, &fitting[..]) {
        (Some(name), _) => named(name).ok_or_else(|| Usage(format!("there is no function `{}`", like(name))))?,
        // One of this name that doesn't fit is a mistake in it.
        (None, _) if named(&file_stem.replace('-', "_")).is_some() => {
            named(&file_stem.replace('-', "_")).expect("just found")
        }
        (None, [only]) => only,
        (None, []) => functions
            .iter()
            .find(|one| one.takes_frame())
            .ok_or_else(|| Usage(format!("there is no function of a frame, like `{}`", like("f"))))?,
        (None, several) => {
            let names: Vec<&str> = several.iter().map(|function| function.name).collect();
            return Err(Usage(format!("which function is to be run? Choose with --fn out of {}", names.join(", "))));
        }
    };
    if let Some(misfit) = misfit(function, &functions) {
        return Err(Usage(misfit));
    }
    let export = if function.result == "void" { "LTH_MAP_MANY" } else { "LTH_MAP" };
    Ok(format!("{export}({0}, \"{0}\");\n", function.name))
}

fn like(name: &str) -> String {
    format!("double {name}(const float *frame, size_t n_rows, size_t n_columns)")
}

impl Function<'_> {
    fn takes_frame(&self) -> bool {
        self.arguments.first().is_some_and(|first| words(first).any(|word| word == "frame"))
    }
}

/// Why it is no function of a frame; nothing if it is one.
fn misfit(function: &Function<'_>, all: &[Function<'_>]) -> Option<String> {
    let Function { name, result, arguments } = function;
    let is_pointer = |argument: &str, to: &str| argument.contains(['*', '[']) && words(argument).any(|word| word == to);
    let is_many = *result == "void";
    let n_arguments = if is_many { 4 } else { 3 };
    let first = arguments.first().copied().unwrap_or_default();
    if result.contains('*') {
        return Some(format!("`{name}` returns a pointer, expected a number, or `void` and where to write several"));
    }
    if !is_pointer(first, "float") {
        return Some(format!("`{name}` takes `{first}` first, expected the frame, `const float *frame`"));
    }
    if arguments.len() > n_arguments {
        let further = arguments[n_arguments..].join(", ");
        return Some(format!("`{name}` takes `{further}` besides the frame, {NO_PARAMETERS}"));
    }
    if arguments.len() < n_arguments || (is_many && !is_pointer(arguments[3], "double")) {
        let expected = like(name);
        let many = expected.replacen("double", "void", 1).replace(')', ", double *result)");
        return Some(format!(
            "`{name}` is no function of a frame, expected `{}`",
            if is_many { many } else { expected }
        ));
    }
    let size = format!("{name}_size");
    (is_many && all.iter().all(|one| one.name != size)).then(|| {
        format!("`{name}` is `void`, so that it needs `size_t {size}(size_t n_rows, size_t n_columns)` beside it: how many numbers it gives")
    })
}

/// The functions of a file, each once.
fn functions(code: &str) -> Vec<Function<'_>> {
    let mut found: Vec<Function<'_>> = Vec::new();
    let (mut depth, mut start) = (0_u32, 0);
    for (at, c) in code.char_indices() {
        match c {
            '{' | ';' if depth == 0 => {
                let function = signature(&code[start..at]);
                found.extend(function.filter(|new| found.iter().all(|one| one.name != new.name)));
                depth += u32::from(c == '{');
                start = at + 1;
            }
            '{' => depth += 1,
            '}' => {
                depth = depth.saturating_sub(1);
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

/// Of what stands before a body.
fn signature(head: &str) -> Option<Function<'_>> {
    let (before, arguments) = head.split_once('(')?;
    let arguments = arguments.rsplit_once(')')?.0;
    let before = before.trim();
    let name = before.rsplit(|c: char| !is_part(c)).next().filter(|name| !name.is_empty())?;
    let result = before[..before.len() - name.len()].trim();
    let result = result.split_whitespace().next_back().filter(|word| *word == "void").unwrap_or(result);
    let is_declared = !result.is_empty() && result.chars().all(|c| is_part(c) || c.is_whitespace() || c == '*');
    let arguments = arguments.split(',').map(str::trim).filter(|argument| !argument.is_empty()).collect();
    is_declared.then_some(Function { name, result, arguments })
}

/// Without comments, texts and lines for the preprocessor.
fn code(source: &str) -> String {
    let (mut code, mut rest) = (String::new(), source);
    while let Some(c) = rest.chars().next() {
        let line = code.trim_end_matches([' ', '\t']);
        let is_line_start = line.is_empty() || line.ends_with('\n');
        let n_bytes = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '#' if is_line_start => directive(rest),
            '"' | '\'' => literal(rest, c),
            _ => {
                code.push(c);
                c.len_utf8()
            }
        };
        rest = &rest[n_bytes..];
    }
    code
}

/// Bytes of a line for the preprocessor, with those on which it goes on.
fn directive(text: &str) -> usize {
    let ends = text.match_indices('\n').map(|(at, _)| at);
    ends.into_iter().find(|&at| !text[..at].trim_end_matches('\r').ends_with('\\')).unwrap_or(text.len())
}

/// Bytes of a text or character, with its quotes.
fn literal(text: &str, quote: char) -> usize {
    let mut is_escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if c == quote && !is_escaped {
            return at + 1;
        }
        is_escaped = c == '\\' && !is_escaped;
    }
    text.len()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !is_part(c))
}

fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARGUMENTS: &str = "(const float *frame, size_t n_rows, size_t n_columns";

    fn exported(source: &str) -> Result<String, String> {
        let source = source.replace("ARGUMENTS", ARGUMENTS);
        export(&source, "row-sums", None).map_err(|error| error.to_string())
    }

    #[test]
    fn it_is_the_only_function_of_a_frame_or_that_of_the_files_name() {
        let map = |name: &str| format!("LTH_MAP({name}, \"{name}\");\n");
        let helper = "static double mean(const float *x, size_t n) { if (n) { return x[0]; } return 0; }\n";
        assert_eq!(exported("// row_sums\ndouble row_sums ARGUMENTS) {}").unwrap(), map("row_sums"));
        assert_eq!(exported(&format!("{helper}static inline float f ARGUMENTS) {{}}")).unwrap(), map("f"));
        assert_eq!(
            exported("#define X(a) \\\n  void a(int)\n/* int g(); */\nint f ARGUMENTS) { g(\"}\"); }").unwrap(),
            map("f")
        );
        assert_eq!(exported("double a ARGUMENTS) {} double row_sums ARGUMENTS) {}").unwrap(), map("row_sums"));
        let two = "double a ARGUMENTS);\nstruct { int x; } s;\ndouble a ARGUMENTS) {}\nint b ARGUMENTS) {}";
        assert!(exported(two).unwrap_err().ends_with("Choose with --fn out of a, b"));
        assert_eq!(export(&two.replace("ARGUMENTS", ARGUMENTS), "x", Some("b")).unwrap(), map("b"));
        assert!(export(two, "x", Some("c")).unwrap_err().to_string().contains("no function `double c("));
    }

    #[test]
    fn one_that_gives_more_than_a_number_says_how_many() {
        let many = "size_t f_size(size_t y, size_t x) { return y; }\nvoid f ARGUMENTS, double *result) {}";
        assert_eq!(exported(many).unwrap(), "LTH_MAP_MANY(f, \"f\");\n");
        let error = exported("void f ARGUMENTS, double *result) {}").unwrap_err();
        assert!(error.contains("it needs `size_t f_size(size_t n_rows, size_t n_columns)` beside it"), "{error}");
    }

    #[test]
    fn what_is_no_function_of_a_frame_is_told_why() {
        for (source, why) in [
            ("double f(const double *frame, size_t y, size_t x) {}", "`f` takes `const double *frame` first, expected"),
            ("double f ARGUMENTS, double level) {}", "`f` takes `double level` besides the frame, which in C takes no"),
            ("double row_sums(const float *x) {}", "expected `double row_sums(const float *frame, size_t n_rows"),
            ("void f(const float *frame, int y, int x) {}", "n_columns, double *result)`"),
            ("double *f ARGUMENTS) {}", "`f` returns a pointer"),
            ("int main(void) { return 0; }", "there is no function of a frame, like `double f(const float *frame,"),
        ] {
            let error = exported(source).unwrap_err();
            assert!(error.contains(why), "{source}: {error}");
        }
    }

    #[test]
    fn what_exports_itself_is_left_alone() {
        assert_eq!(exported("LTH_UDF(.name = \"x\");").unwrap(), "");
        assert!(exported("// LTH_UDF(.name = \"x\");").is_err());
    }
}
