//! What a UDF says of itself before any data are read: how it wants to be fed, and what it gives.

use std::sync::Arc;

use super::{RunError, UdfSpec, silent, source::Scan};
use crate::{
    buffer::{Declaration, DeclarationLimits, check_declarations},
    correction::Corrections,
    plugin::{
        Cancel, Granularity, InputDtype, Instance, Limits, Manifest, Parameters, Plugin, PluginError, Preferences,
        Role, Sandbox, TileForm, resolve,
    },
    shape::{Dtype, DtypeKind, Roi, Shape, convertible},
};

/// What a plugin says of itself. Runs its `describe` in the sandbox, nothing else.
///
/// # Errors
///
/// [`PluginError`].
pub fn describe(plugin: &Plugin, limits: &Limits) -> Result<Manifest, PluginError> {
    Ok(start(plugin, &Sandbox::new(limits.clone(), Cancel::default(), silent()))?.1)
}

/// What a UDF says of itself, once it knows its parameters and the shape of the data.
#[derive(Debug, Clone)]
pub struct Declared {
    /// Name, parameters, what it can do.
    pub manifest: Manifest,
    /// How it wants to be fed.
    pub preferences: Preferences,
    /// What a tile has of a partition.
    pub granularity: Granularity,
    /// What the pixels of its tiles are.
    pub input_dtype: Dtype,
    /// Its buffers.
    pub buffers: Vec<Declaration>,
}

/// Asks a UDF what it would do with a scan of shape `nav` with frames of shape `sig`, stored as `dtype`. Runs its `describe`,
/// `create`, `preferences` and `buffers` in the sandbox, nothing else.
///
/// # Errors
///
/// Where the parameters or such data won't do, and where the plugin breaks the contract.
pub fn declare(spec: &UdfSpec, nav: &Shape, sig: &Shape, dtype: Dtype, limits: &Limits) -> Result<Declared, RunError> {
    let scan = Scan {
        nav: nav.clone(),
        sig: sig.clone(),
        stored: dtype,
        metadata: Vec::new(),
        roi: Roi::everything(nav),
        corrections: Corrections::default(),
    };
    let sandbox = Sandbox::new(limits.clone(), Cancel::default(), silent());
    Ok(create(&scan, spec, start(&spec.plugin, &sandbox)?, limits)?.2)
}

/// The instance of the main thread, and what it is.
pub(super) fn start(plugin: &Plugin, sandbox: &Sandbox) -> Result<(Instance, Manifest), PluginError> {
    let mut main = Instance::new(plugin, sandbox)?;
    let manifest = main.describe()?;
    Ok((main, manifest))
}

/// Creates its UDF, and asks that for what it says.
pub(super) fn create(
    scan: &Scan,
    spec: &UdfSpec,
    (mut main, manifest): (Instance, Manifest),
    limits: &Limits,
) -> Result<(Instance, Arc<Parameters>, Declared), RunError> {
    let parameters = Arc::new(resolve(&manifest, &spec.arguments, scan.axes())?);
    main.create(&parameters, &scan.meta(), Role::Main)?;
    let preferences = main.preferences()?;
    if preferences.form == TileForm::InHost && !spec.plugin.uses_kernels() {
        let what = "wants its tiles to stay in the host, but does not import the kernels that could use them there";
        return Err(main.broke("preferences", what).into());
    }
    let granularity = preferences.granularity.unwrap_or(manifest.processes[0]);
    if !manifest.processes.contains(&granularity) {
        let processes: Vec<&str> = manifest.processes.iter().map(|one| one.describe()).collect();
        let (asked, processes) = (granularity.describe(), processes.join(" or "));
        let what = format!("asks for {asked}, but says that it processes {processes}");
        return Err(main.broke("preferences", &what).into());
    }
    let input_dtype = match preferences.input {
        InputDtype::Native => scan.dtype(),
        InputDtype::AtLeast(dtype) => dtype.promote(scan.dtype()),
        InputDtype::Exactly(dtype) => dtype,
    };
    if !convertible(scan.stored, input_dtype) {
        let (plugin, dtype) = (manifest.name, scan.stored);
        return Err(RunError::Inconvertible { plugin, wanted: input_dtype, dtype });
    }
    if !scan.corrections.is_empty() && input_dtype.kind() < DtypeKind::Float {
        return Err(RunError::Uncorrectable { plugin: manifest.name, wanted: input_dtype });
    }
    let buffers = main.buffers(input_dtype)?;
    let capabilities = (manifest.capabilities.merge || manifest.capabilities.merge_all, manifest.capabilities.results);
    // Results have an entry for every frame of the scan, also where a ROI leaves few of them.
    let limits = DeclarationLimits { max_buffers: limits.max_buffers, max_bytes: limits.max_result_bytes };
    check_declarations(&buffers, capabilities, (scan.nav.size(), &scan.sig), limits)
        .map_err(|error| main.broke("buffers", &error.to_string()))?;
    Ok((main, parameters, Declared { manifest, preferences, granularity, input_dtype, buffers }))
}
