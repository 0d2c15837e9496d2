//! From a file to a compiled plugin: what is it, which contract was it built for, what does it import?

use std::{fmt::Display, io::Read, path::Path, sync::Arc};

use sha2::{Digest, Sha256};
use wasmparser::{Encoding, Parser, Payload, Validator, WasmFeatures};
use wasmtime::component::Component;

use super::{
    CodeCache, Engine, Limits, PluginError, Wasi, bindings,
    cache::{Kept, hexadecimal},
    error::{printable, printable_lines},
    scan::scan,
    trust::{Judge, Offer, Trust},
    wasi,
    wrap::wrap,
};

/// The version of the contract that this host speaks.
pub const CONTRACT: &str = "lthost:udf@0.1.0";

/// A compiled plugin. Cheap to clone.
#[derive(Clone)]
pub struct Plugin {
    pub(super) component: Component,
    pub(super) engine: Engine,
    facts: Arc<Facts>,
}

/// What can be said of a plugin without running it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Facts {
    /// Where it came from: a path, or the name of a shipped plugin.
    pub origin: String,
    /// SHA-256 of the file, hexadecimal.
    pub sha256: String,
    /// Size of the file in bytes.
    pub n_bytes: usize,
    /// `component` or `core module`.
    pub encoding: String,
    /// The contract that it was built for, like `lthost:udf@0.1.0`.
    pub contract: String,
    /// What it imports, by interface.
    pub imports: Vec<String>,
    /// What it exports, by interface.
    pub exports: Vec<String>,
    /// Who vouches for it, if somebody asked.
    pub trust: Option<Trust>,
}

impl Plugin {
    /// Reads and compiles the plugin in a file.
    ///
    /// # Errors
    ///
    /// [`PluginError::Unreadable`], and those of [`Plugin::from_bytes`].
    pub fn from_file(engine: &Engine, path: &Path, limits: &Limits) -> Result<Self, PluginError> {
        Self::from_bytes(engine, &path.display().to_string(), &read(path, limits)?, limits)
    }

    /// Compiles a plugin if `judge` admits it: the bytes that are compiled are those that were judged.
    ///
    /// # Errors
    ///
    /// Those of [`Judge::admit`] and of [`Plugin::from_bytes`].
    pub fn admitted(engine: &Engine, judge: &Judge, offer: &Offer<'_>, limits: &Limits) -> Result<Self, PluginError> {
        let trust = judge.admit(offer)?;
        let mut plugin = Self::from_bytes(engine, &offer.origin, &offer.bytes, limits)?;
        Arc::make_mut(&mut plugin.facts).trust = Some(trust);
        Ok(plugin)
    }

    /// Compiles the plugin in `bytes`: a component, or a core module that is wrapped into one.
    ///
    /// # Errors
    ///
    /// [`PluginError::NoWebAssembly`], [`PluginError::Refused`], [`PluginError::Runtime`].
    pub fn from_bytes(engine: &Engine, origin: &str, bytes: &[u8], limits: &Limits) -> Result<Self, PluginError> {
        check_start(origin, bytes, limits)?;
        // What was compiled before is held to the limits of now.
        scan(origin, bytes, limits)?;
        let entry = engine.cache().map(|cache| (cache, CodeCache::name(engine.wasmtime(), &sha256(bytes))));
        let kept = entry.as_ref().and_then(|(cache, name)| {
            let (kept, code) = cache.load(name).filter(|(_, code)| code.len() as u64 <= limits.max_code_bytes)?;
            // It may have been compiled for who was offered more; then it is examined again, and refused.
            check_world(origin, &kept.imports, &kept.exports, limits.wasi).ok()?;
            Some((kept, deserialize(engine.wasmtime(), &code).ok()?))
        });
        let (kept, component) = if let Some(kept) = kept {
            kept
        } else {
            let (kept, code) = engine.compiler().compile(engine, origin, bytes, limits)?;
            let component = deserialize(engine.wasmtime(), &code)
                .map_err(|error| PluginError::Runtime { message: format!("{error:#}") })?;
            if let Some((cache, name)) = &entry {
                cache.store(name, &kept, &code);
            }
            (kept, component)
        };
        Ok(Self { component, engine: engine.clone(), facts: Arc::new(Facts::of(origin, bytes, kept)) })
    }

    /// Whether its engine gives the same bits on any machine.
    pub fn is_deterministic(&self) -> bool {
        self.engine.is_deterministic()
    }

    /// Whether it imports the host's kernels.
    pub(crate) fn uses_kernels(&self) -> bool {
        self.facts.imports.iter().any(|name| name == bindings::KERNELS)
    }

    /// What can be said of it without running it.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// Says what a plugin file is, without compiling or running it.
///
/// # Errors
///
/// [`PluginError::Unreadable`], and those of [`inspect_bytes`].
pub fn inspect_file(path: &Path, limits: &Limits) -> Result<Facts, PluginError> {
    inspect_bytes(&path.display().to_string(), &read(path, limits)?, limits)
}

/// As [`inspect_file`], of bytes.
///
/// # Errors
///
/// [`PluginError::NoWebAssembly`], [`PluginError::Refused`].
pub fn inspect_bytes(origin: &str, bytes: &[u8], limits: &Limits) -> Result<Facts, PluginError> {
    check_start(origin, bytes, limits)?;
    scan(origin, bytes, limits)?;
    Ok(Facts::of(origin, bytes, examine(origin, bytes, limits.wasi)?.0))
}

/// The bytes of the component that a plugin is or makes: a core module is wrapped into one.
///
/// # Errors
///
/// [`PluginError::Refused`].
pub fn componentize(origin: &str, bytes: &[u8], limits: &Limits) -> Result<Vec<u8>, PluginError> {
    check_start(origin, bytes, limits)?;
    scan(origin, bytes, limits)?;
    Ok(examine(origin, bytes, limits.wasi)?.1)
}

pub(super) fn read(path: &Path, limits: &Limits) -> Result<Vec<u8>, PluginError> {
    let unreadable = |source| PluginError::Unreadable { path: path.display().to_string(), source };
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(unreadable(std::io::Error::other("it is not a regular file")));
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    // One byte more than allowed, so that `examine` sees that it is too large.
    file.take(limits.max_plugin_bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(unreadable)?;
    Ok(bytes)
}

impl Facts {
    fn of(origin: &str, bytes: &[u8], kept: Kept) -> Self {
        let Kept { encoding, imports, exports } = kept;
        let (origin, contract) = (printable(origin, 1000), CONTRACT.to_owned());
        Self { origin, sha256: sha256(bytes), n_bytes: bytes.len(), encoding, contract, imports, exports, trust: None }
    }
}

/// Compiled code that this host made or kept.
#[expect(unsafe_code, reason = "machine code can't be checked; that it is ours can")]
fn deserialize(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: the bytes are what `precompile_component` gave: to this process, to one that it has started for that, or to
    // an earlier one, as the cache hands out nothing without a code of authenticity by a secret that this user alone can
    // read. That they belong to this version and this engine `deserialize` checks itself.
    unsafe { Component::deserialize(engine, code) }
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Before anything else looks at the bytes.
pub(super) fn check_start(origin: &str, bytes: &[u8], limits: &Limits) -> Result<(), PluginError> {
    if bytes.len() as u64 > limits.max_plugin_bytes {
        let limit = limits.max_plugin_bytes;
        return Err(refuse(origin, format!("it has more than {limit} bytes (raise --max-plugin-bytes)")));
    }
    if !bytes.starts_with(b"\0asm") {
        return Err(PluginError::NoWebAssembly { plugin: printable(origin, 1000) });
    }
    Ok(())
}

/// What is to be known of a plugin, and the bytes of a component that imports nothing but the contract, and what is stubbed.
pub(super) fn examine(origin: &str, bytes: &[u8], wasi: Wasi) -> Result<(Kept, Vec<u8>), PluginError> {
    let (encoding, component) = match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding: Encoding::Component, .. })) => ("component", bytes.to_vec()),
        Some(Ok(Payload::Version { encoding: Encoding::Module, .. })) => ("core module", wrap(origin, bytes, wasi)?),
        Some(Err(error)) => return Err(invalid(origin, error)),
        _ => return Err(invalid(origin, "there is no header")),
    };
    Validator::new_with_features(features()).validate_all(&component).map_err(|error| invalid(origin, error))?;
    let (imports, exports) = interfaces(origin, &component)?;
    check_world(origin, &imports, &exports, wasi)?;
    Ok((Kept { encoding: encoding.to_owned(), imports, exports }, component))
}

/// What plugins are made of: what compilers use today, and the engine has thoroughly tested. The engine has no more either.
pub(super) fn features() -> WasmFeatures {
    let features =
        WasmFeatures::WASM2 | WasmFeatures::RELAXED_SIMD | WasmFeatures::EXTENDED_CONST | WasmFeatures::COMPONENT_MODEL;
    // References to what a garbage collector looks after: there is none in this engine.
    features - WasmFeatures::GC_TYPES
}

/// Names of the imports and exports of a component.
fn interfaces(origin: &str, component: &[u8]) -> Result<(Vec<String>, Vec<String>), PluginError> {
    let invalid = |error| invalid(origin, error);
    let (mut imports, mut exports) = (Vec::new(), Vec::new());
    let mut depth = 0_u32;
    for payload in Parser::new(0).parse_all(component) {
        match payload.map_err(invalid)? {
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
            Payload::End(_) => depth = depth.saturating_sub(1),
            Payload::ComponentImportSection(section) if depth == 0 => {
                for import in section {
                    imports.push(printable(import.map_err(invalid)?.name.name, 200));
                }
            }
            Payload::ComponentExportSection(section) if depth == 0 => {
                for export in section {
                    exports.push(printable(export.map_err(invalid)?.name.name, 200));
                }
            }
            _ => {}
        }
    }
    Ok((imports, exports))
}

/// A plugin exports the contract's interface, and imports nothing else than the contract offers, and WASI if it is stubbed.
pub(super) fn check_world(origin: &str, imports: &[String], exports: &[String], wasi: Wasi) -> Result<(), PluginError> {
    if !exports.iter().any(|name| name == bindings::EXPORT) {
        return Err(match exports.iter().find(|name| name.starts_with("lthost:udf/udf@")) {
            Some(name) => other_version(origin, name),
            None => refuse(
                origin,
                format!(
                    "it is WebAssembly for another world: it does not export `{}`, but {}",
                    bindings::EXPORT,
                    if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") }
                ),
            ),
        });
    }
    let offered = [bindings::HOST, bindings::KERNELS, bindings::TYPES];
    let is_offered = |name: &str| offered.contains(&name) || (wasi == Wasi::Stubbed && wasi::interface(name).is_some());
    let foreign: Vec<&str> = imports.iter().map(String::as_str).filter(|name| !is_offered(name)).collect();
    if foreign.is_empty() { Ok(()) } else { Err(foreign_imports(origin, &foreign)) }
}

pub(super) fn other_version(origin: &str, interface: &str) -> PluginError {
    refuse(
        origin,
        format!(
            "it was built for another version of the contract: it exports `{interface}`, this lthost runs `{}`: rebuild \
             it with the guest SDK of this lthost",
            bindings::EXPORT
        ),
    )
}

pub(super) fn foreign_imports(origin: &str, names: &[&str]) -> PluginError {
    const MAX_NAMES: usize = 16;
    let hint = if names.iter().all(|name| wasi::is_stubbed(name)) {
        ": there are no files and no clock, and it logs instead of printing; --wasi=stub gives it stand-ins for these"
    } else if names.iter().any(|name| name.starts_with("wasi")) {
        ": there are no files and no clock, and it logs instead of printing"
    } else {
        ""
    };
    let more = if names.len() > MAX_NAMES { ", …" } else { "" };
    let names = names[..names.len().min(MAX_NAMES)].join(", ");
    refuse(
        origin,
        format!("it imports what lthost does not offer: {names}{more} (a plugin may import only `lthost:udf`{hint})"),
    )
}

/// Names in the file are part of what is wrong with it.
pub(super) fn invalid(origin: &str, error: impl Display) -> PluginError {
    refuse(origin, format!("it is no valid WebAssembly: {}", printable_lines(&error.to_string(), 2000)))
}

pub(super) fn refuse(origin: &str, reason: String) -> PluginError {
    PluginError::Refused { plugin: printable(origin, 1000), reason }
}
