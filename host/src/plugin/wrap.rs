//! From a core module, as compilers make it, to a component.

use wasi_preview1_component_adapter_provider::{
    WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME as PREVIEW1, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER as PREVIEW1_ADAPTER,
};
use wasmparser::{Parser, Payload};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use super::{
    PluginError, Wasi, bindings,
    error::{printable, printable_lines},
    load::{foreign_imports, invalid, other_version, refuse},
    wasi,
};

/// The contract as text, for modules that do not bring it.
const WIT: &str = include_str!("../../../wit/udf.wit");

/// What a module says of itself.
#[derive(Default)]
struct Contents {
    /// It has a section with the types of the world that it was built for, as bindings generators write it.
    is_typed: bool,
    /// The interface of the contract whose functions it exports, like `lthost:udf/udf@0.1.0`.
    interface: Option<String>,
    /// What it imports besides the contract, and besides WASI if that is stubbed.
    foreign: Vec<String>,
    /// It imports functions of WASI preview 1, which an adapter makes of those that components import.
    needs_adapter: bool,
}

/// Wraps a core module into a component of the contract's world.
///
/// A module without types, as the C SDK makes it, exports functions of the contract by name: then the contract as this
/// host knows it is what they mean.
pub(super) fn wrap(origin: &str, module: &[u8], wasi: Wasi) -> Result<Vec<u8>, PluginError> {
    let contents = contents(module, wasi).map_err(|error| invalid(origin, error))?;
    if !contents.foreign.is_empty() {
        let names: Vec<&str> = contents.foreign.iter().map(String::as_str).collect();
        return Err(foreign_imports(origin, &names));
    }
    let mut module = module.to_vec();
    if !contents.is_typed {
        match contents.interface.as_deref() {
            Some(bindings::EXPORT) => add_types(&mut module),
            Some(other) => return Err(other_version(origin, other)),
            None => {
                return Err(refuse(
                    origin,
                    "it is a core module that exports no functions of `lthost:udf` and has no `component-type` section, \
                     so it was not built for lthost: a source file ends with `LTH_UDF(..)` in C, and has `export_udf!(..)` in Rust"
                        .to_owned(),
                ));
            }
        }
    }
    let encode = || {
        let mut encoder = ComponentEncoder::default().validate(true).module(&module)?;
        if contents.needs_adapter {
            encoder = encoder.adapter(PREVIEW1, PREVIEW1_ADAPTER)?;
        }
        encoder.encode()
    };
    encode().map_err(|error| {
        let message = printable_lines(&format!("{error:#}"), 2000);
        refuse(origin, format!("it is a core module that makes no component: {message}"))
    })
}

fn contents(module: &[u8], wasi: Wasi) -> Result<Contents, wasmparser::BinaryReaderError> {
    let mut contents = Contents::default();
    for payload in Parser::new(0).parse_all(module) {
        match payload? {
            Payload::CustomSection(section) => contents.is_typed |= section.name().starts_with("component-type"),
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    let is_stubbed = wasi == Wasi::Stubbed && wasi::is_module(import.module);
                    contents.needs_adapter |= is_stubbed && import.module == PREVIEW1;
                    if !is_stubbed && !import.module.contains("lthost:udf/") {
                        contents.foreign.push(printable(&format!("{}.{}", import.module, import.name), 200));
                    }
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let interface = export?.name.split_once('#').map(|(interface, _)| interface);
                    let udf = interface.filter(|name| name.starts_with("lthost:udf/udf@"));
                    contents.interface = contents.interface.or_else(|| udf.map(|name| printable(name, 200)));
                }
            }
            _ => {}
        }
    }
    Ok(contents)
}

/// Adds the section that says which types the functions of the contract have.
fn add_types(module: &mut Vec<u8>) {
    let mut resolve = wit_parser::Resolve::default();
    let package = resolve.push_str("udf.wit", WIT).expect("the contract is valid WIT");
    let world = resolve.select_world(&[package], None).expect("the contract has one world");
    embed_component_metadata(module, &resolve, world, StringEncoding::UTF8).expect("the contract can be encoded");
}
