//! What pages state is so: messages are those of the program, tables those of the contract and of the peer's interface.

use std::{collections::BTreeMap, fs, path::Path};

use lthost_tests::{root, wasm};
use wasmparser::{ExternalKind, Parser, Payload, TypeRef, ValType};

use super::page::Page;

/// The peer's interface for UDFs: methods and attributes of a UDF, of what it knows of the run, and other names.
const PEER: &str = "get_result_buffers process_tile process_frame process_partition get_method UDF_METHOD preprocess postprocess \
    merge merge_all requires_custom_merge requires_custom_merge_all get_results with_mask get_task_data task_data \
    get_preferred_input_dtype USE_NATIVE_DTYPE get_tiling_preferences TILE_SIZE_BEST_FIT TILE_SIZE_MAX TILE_DEPTH_DEFAULT \
    TILE_DEPTH_MAX get_backends BACKEND_NUMPY forbuf aux_data cleanup copy copy_for_partition new_for_partition xp buffer \
    self.params self.results get_buffer self.meta meta.slice meta.sig_slice meta.partition_shape meta.dataset_shape \
    meta.dataset_dtype meta.input_dtype meta.tiling_scheme meta.tiling_scheme_idx meta.roi meta.coordinates meta.corrections \
    meta.get_valid_nav_mask meta.set_valid_nav_mask meta.device_class meta.array_backend meta.threads_per_worker UDFFrameMixin \
    UDFTileMixin UDFPartitionMixin UDFPreprocessMixin UDFPostprocessMixin UDFMergeAllMixin check_cast AutoUDF UDFRunCancelled \
    NoOpUDF SumUDF SumSigUDF StdDevUDF ApplyMasksUDF CoMUDF PickUDF LogsumUDF FEMUDF CrystallinityUDF RecordUDF";

#[test]
fn every_name_of_the_peers_interface_has_its_counterpart() {
    let page = Page::read("from-libertem-to-lthost").text;
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for name in PEER.split_whitespace() {
        let is_whole = |(at, found): (usize, &str)| !page[at + found.len()..].starts_with(is_word);
        assert!(page.match_indices(name).any(is_whole), "`{name}` is missing");
    }
}

#[test]
fn messages_are_those_of_the_program() {
    let mut sources = Vec::new();
    for folder in ["host/src", "guest-sdk"] {
        read_all(&root().join(folder), &mut sources);
    }
    let page = Page::read("error-messages-explained");
    let mut n_messages = 0;
    for block in page.text.split("\n```text\n").skip(1) {
        for message in block.split("\n```").next().unwrap_or_default().lines() {
            n_messages += 1;
            let is_there = sources.iter().any(|text| has(text, message));
            assert!(is_there, "no part of the program says `{message}`");
        }
    }
    assert!(n_messages > 30, "only {n_messages} messages");
}

/// Whether a text has all parts of a message, in their order and near each other.
fn has(text: &str, message: &str) -> bool {
    let parts: Vec<&str> = message.split("...").map(str::trim).filter(|part| part.len() > 2).collect();
    let Some((first, rest)) = parts.split_first() else { return false };
    text.match_indices(first).any(|(start, _)| {
        let mut at = start + first.len();
        rest.iter().all(|part| {
            let near = &text[at..text.floor_char_boundary(at + 400)];
            near.find(part).map(|found| at += found + part.len()).is_some()
        })
    })
}

#[test]
fn every_name_in_c_and_python_is_one_of_the_sdk() {
    let text = |folder: &str| {
        let mut sources = Vec::new();
        read_all(&root().join(folder), &mut sources);
        sources.concat()
    };
    let sdks = ["guest-sdk/src", "guest-sdk/c", "guest-sdk/python/lthost_udf"].map(text);
    let page = Page::read("names-in-c-and-python");
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let mut n_names = 0;
    for row in page.text.lines().filter(|line| line.starts_with("| ") && *line != "| Rust | C | Python |") {
        let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
        assert_eq!(cells.len(), sdks.len(), "{row}");
        for (cell, sdk) in cells.iter().zip(&sdks) {
            let codes = cell.split('`').skip(1).step_by(2);
            for name in codes.flat_map(|code| code.split(|c| !is_word(c))).filter(|name| !name.is_empty()) {
                n_names += 1;
                let is_whole = |(at, found): (usize, &str)| {
                    !sdk[..at].ends_with(is_word) && !sdk[at + found.len()..].starts_with(is_word)
                };
                assert!(sdk.match_indices(name).any(is_whole), "no SDK has `{name}`: {row}");
            }
        }
    }
    assert!(n_names > 300, "only {n_names} names");
}

/// Sources below `dir`, with strings that go on in the next line as one.
fn read_all(dir: &Path, sources: &mut Vec<String>) {
    for path in fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            read_all(&path, sources);
        } else {
            let text = fs::read_to_string(&path).unwrap();
            let joined: Vec<&str> = text.split("\\\n").map(str::trim_start).collect();
            sources.push(joined.concat().replace("\\\\", "\\").replace("\\\"", "\""));
        }
    }
}

#[test]
fn core_signatures_are_those_of_a_plugin_that_runs() {
    // They use different imports: together they use all.
    let stated = tables();
    let mut found = BTreeMap::new();
    for plugin in ["plugin_stddev", "plugin_masks", "plugin_com", "guest_fourier", "guest_probe", "guest_sums"] {
        for (name, signature) in core(&fs::read(wasm(plugin)).unwrap()) {
            let name = name.trim_start_matches("lthost:udf/udf@0.1.0#").to_owned();
            // Helpers that are allowed and not needed.
            if !name.starts_with("cabi_post_") && !name.starts_with("cabi_realloc_") && !name.starts_with("__") {
                found.insert(name, signature);
            }
        }
    }
    assert_eq!(stated, found);
}

/// The tables of the page: names, and their core signatures.
fn tables() -> BTreeMap<String, String> {
    let page = Page::read("any-language");
    let rows = page.text.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`')).collect();
        // Imports have their module in front.
        let is_import = cells[0].contains("lthost:udf/");
        let (name, signature) = if is_import { (cells[1], cells[2]) } else { (cells[0], cells[1]) };
        (name.to_owned(), signature.to_owned())
    })
    .collect()
}

/// What a core module imports and exports.
fn core(module: &[u8]) -> Vec<(String, String)> {
    let (mut types, mut functions, mut found) = (Vec::new(), Vec::new(), Vec::new());
    for payload in Parser::new(0).parse_all(module) {
        match payload.unwrap() {
            Payload::TypeSection(section) => types.extend(section.into_iter_err_on_gc_types().map(Result::unwrap)),
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.unwrap();
                    let TypeRef::Func(index) = import.ty else { panic!("it imports {import:?}") };
                    functions.push(index);
                    found.push((import.name.to_owned(), signature(&types[index as usize])));
                }
            }
            Payload::FunctionSection(section) => functions.extend(section.into_iter().map(Result::unwrap)),
            Payload::ExportSection(section) => {
                for export in section.into_iter().map(Result::unwrap) {
                    let of_function = || signature(&types[functions[export.index as usize] as usize]);
                    let text = if export.kind == ExternalKind::Func { of_function() } else { String::new() };
                    found.push((export.name.to_owned(), text));
                }
            }
            _ => {}
        }
    }
    found
}

fn signature(of: &wasmparser::FuncType) -> String {
    let list = |types: &[ValType]| types.iter().map(ValType::to_string).collect::<Vec<_>>().join(", ");
    let result = if of.results().is_empty() { String::new() } else { format!(" -> {}", list(of.results())) };
    format!("({}){result}", list(of.params()))
}
