//! In a Rust file.

use quote::ToTokens;
use syn::spanned::Spanned;

use crate::Usage;

/// What has to be added to a Rust file so that it is a plugin; nothing if it exports one itself.
///
/// # Errors
///
/// If it is not plain which function is meant. A file that is no Rust needs nothing either: the compiler says what is wrong.
pub(in super::super) fn export(source: &str, file_stem: &str, wanted: Option<&str>) -> Result<String, Usage> {
    let Ok(file) = syn::parse_file(source) else { return Ok(String::new()) };
    let exports = |item: &syn::Item| match item {
        syn::Item::Macro(item) => item.mac.path.is_ident("export_map") || item.mac.path.is_ident("export_udf"),
        _ => false,
    };
    if file.items.iter().any(exports) {
        return Ok(String::new());
    }
    let functions: Vec<&syn::ItemFn> = file
        .items
        .iter()
        .filter_map(|item| if let syn::Item::Fn(function) = item { Some(function) } else { None })
        .collect();
    let takes_frame: Vec<&syn::ItemFn> = functions.iter().copied().filter(|function| takes_frame(function)).collect();
    let named = |name: &str| takes_frame.iter().copied().find(|function| function.sig.ident == name);
    let function = match (wanted, &takes_frame[..]) {
        (Some(name), _) => {
            named(name).ok_or_else(|| Usage(format!("there is no function `{name}(frame: Frame<..>, ..)`")))
        }
        (None, [only]) => Ok(*only),
        (None, several) => named(&file_stem.replace('-', "_")).ok_or_else(|| {
            let names: Vec<String> = several.iter().map(|function| function.sig.ident.to_string()).collect();
            Usage(if names.is_empty() {
                "there is no function of a frame, like `fn f(frame: Frame<f32>) -> f32`".to_owned()
            } else {
                format!("which function is to be run? Choose with --fn out of {}", names.join(", "))
            })
        }),
    }?;
    check_arguments(function)?;
    check_result(function)?;
    Ok(format!("export_map!({}, {:?});\n", signature(function), summary(function)))
}

/// The file with its inner attributes and doc comments made plain comments; none if it has none.
pub(in super::super) fn without_inner_attributes(source: &str) -> Option<String> {
    let file = syn::parse_file(source).ok()?;
    if file.attrs.is_empty() {
        return None;
    }
    let mut lines: Vec<String> = source.lines().map(str::to_owned).collect();
    for attribute in &file.attrs {
        let span = attribute.span();
        let (first, last) = (span.start().line - 1, span.end().line - 1);
        for line in &mut lines[first..=last] {
            line.insert_str(0, "// ");
        }
    }
    Some(lines.join("\n") + "\n")
}

/// Whether the first argument is a `Frame`.
fn takes_frame(function: &syn::ItemFn) -> bool {
    let Some(syn::FnArg::Typed(first)) = function.sig.inputs.first() else { return false };
    let syn::Type::Path(path) = &*first.ty else { return false };
    path.path.segments.last().is_some_and(|segment| segment.ident == "Frame")
}

/// Types that are taken for parameters by mistake, and what there is instead.
const INSTEAD: [(&str, &str); 14] = [
    ("f32", "f64"),
    ("i8", "i64"),
    ("i16", "i64"),
    ("i32", "i64"),
    ("isize", "i64"),
    ("u8", "usize"),
    ("u16", "usize"),
    ("u32", "usize"),
    ("u64", "usize"),
    ("char", "&str"),
    ("String", "&str"),
    ("& String", "&str"),
    ("Array", "&Array"),
    ("& [f64]", "Vec<f64>"),
];

/// Says what the compiler would say in other words, and not at this line.
fn check_arguments(function: &syn::ItemFn) -> Result<(), Usage> {
    for argument in function.sig.inputs.iter().skip(1) {
        let syn::FnArg::Typed(argument) = argument else { continue };
        let text = argument.ty.to_token_stream().to_string();
        let inner = text.strip_prefix("Option < ").and_then(|text| text.strip_suffix(" >")).unwrap_or(&text);
        if let Some((_, instead)) = INSTEAD.iter().find(|(wrong, _)| *wrong == inner) {
            let (name, line) = (argument.pat.to_token_stream(), argument.ty.span().start().line);
            let what = format!("argument `{name}` can't be of type `{inner}`, take `{instead}`");
            return Err(Usage(format!("line {line}: {what}")));
        }
    }
    Ok(())
}

/// As [`check_arguments`], of what it returns.
fn check_result(function: &syn::ItemFn) -> Result<(), Usage> {
    let (given, line) = match &function.sig.output {
        syn::ReturnType::Default => ("nothing".to_owned(), function.sig.ident.span().start().line),
        syn::ReturnType::Type(_, ty) => {
            let text = ty.to_token_stream().to_string();
            let is_wrong = matches!(&**ty, syn::Type::Tuple(_)) || ["String", "& str", "char"].contains(&text.as_str());
            if !is_wrong {
                return Ok(());
            }
            (format!("`{text}`"), ty.span().start().line)
        }
    };
    let instead = "a number, an array or `Vec` of numbers, an `Array`, or a `Result` of one of these";
    Err(Usage(format!("line {line}: a function of a frame can't return {given}: it returns {instead}")))
}

/// As `export_map!` wants it: without the types of frame and result.
fn signature(function: &syn::ItemFn) -> String {
    let dtype = function.sig.generics.type_params().next().map(|dtype| format!("<{}>", dtype.to_token_stream()));
    let arguments = function.sig.inputs.iter().skip(1).map(|argument| argument.to_token_stream().to_string());
    let arguments: Vec<String> = std::iter::once("frame".to_owned()).chain(arguments).collect();
    format!("{}{} ({})", function.sig.ident, dtype.unwrap_or_default(), arguments.join(", "))
}

/// Its doc comment, or its name.
fn summary(function: &syn::ItemFn) -> String {
    let line = |attribute: &syn::Attribute| match &attribute.meta {
        syn::Meta::NameValue(meta) if meta.path.is_ident("doc") => match &meta.value {
            syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Str(text), .. }) => Some(text.value().trim().to_owned()),
            _ => None,
        },
        _ => None,
    };
    let lines: Vec<String> = function.attrs.iter().filter_map(line).take_while(|line| !line.is_empty()).collect();
    if lines.is_empty() { function.sig.ident.to_string() } else { lines.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exported(source: &str) -> Result<String, String> {
        export(source, "row-sums", None).map_err(|error| error.to_string())
    }

    #[test]
    fn the_only_function_of_a_frame_is_exported() {
        let source =
            "/// Sum over\n/// rows\nfn f(frame: Frame<f32>) -> Vec<f32> { g(&frame) }\nfn g(x: &Frame<f32>) {}";
        assert_eq!(exported(source).unwrap(), "export_map!(f (frame), \"Sum over rows\");\n");
    }

    #[test]
    fn further_arguments_are_parameters() {
        let source = "fn f<T: Real>(frame: Frame<'_, T>, level: f64, kind: Option<&str>) -> f64 { 0.0 }";
        let expected = "export_map!(f<T : Real> (frame, level : f64, kind : Option < & str >), \"f\");\n";
        assert_eq!(exported(source).unwrap(), expected);
    }

    #[test]
    fn types_that_are_no_parameters_are_named_with_their_line() {
        let wrong =
            |ty: &str| exported(&format!("fn f(\n    frame: Frame<f32>,\n    level: {ty},\n) -> f64 {{ 0.0 }}"));
        let error = wrong("f32").unwrap_err();
        assert!(error.starts_with("line 3: argument `level` can't be of type `f32`, take `f64`"), "{error}");
        assert!(wrong("Option<String>").unwrap_err().contains("take `&str`"));
        assert!(wrong("&[f64]").unwrap_err().contains("take `Vec<f64>`"));
        assert!(wrong("Option<f64>").is_ok() && wrong("[f64; 2]").is_ok());
        let wrong = |result: &str| exported(&format!("\nfn f(frame: Frame<f32>) {result} {{ g() }}"));
        for (result, given) in [("", "nothing"), ("-> String", "`String`"), ("-> (f64, f64)", "`(f64 , f64)`")] {
            let error = wrong(result).unwrap_err();
            assert!(error.starts_with(&format!("line 2: a function of a frame can't return {given}: it")), "{error}");
        }
        assert!(wrong("-> Result<Vec<f32>>").is_ok());
    }

    #[test]
    fn what_stands_only_at_the_beginning_of_a_crate_becomes_a_comment() {
        let source = "//! What.\n#![allow(unused)]\n/// Sum\nfn f() {}\n";
        let expected = "// //! What.\n// #![allow(unused)]\n/// Sum\nfn f() {}\n";
        assert_eq!(without_inner_attributes(source).as_deref(), Some(expected));
        assert_eq!(without_inner_attributes("fn f() {}\n"), None);
    }

    #[test]
    fn of_several_it_is_that_of_the_files_name() {
        let source = "fn a(f: Frame<f32>) -> f32 { 0.0 } fn row_sums(f: Frame<f32>) -> f32 { 0.0 }";
        assert!(exported(source).unwrap().contains("row_sums (frame)"));
        let error = exported(&source.replace("row_sums", "b")).unwrap_err();
        assert_eq!(error, "which function is to be run? Choose with --fn out of a, b");
        assert!(export(source, "x", Some("a")).unwrap().contains("(a (frame)"));
        assert!(exported("fn main() {}").unwrap_err().contains("no function of a frame"));
    }

    #[test]
    fn what_exports_itself_or_is_no_rust_is_left_alone() {
        assert_eq!(exported("export_map!(f, \"x\");\nfn f(frame: Frame<f32>) -> f32 { 0.0 }").unwrap(), "");
        assert_eq!(exported("fn f(frame: Frame<f32> -> f32 {").unwrap(), "");
    }
}
