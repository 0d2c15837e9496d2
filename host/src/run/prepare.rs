//! UDFs made ready for a run: described, created, their buffers declared and checked.

use std::ops::Range;

use super::{RunError, UdfSpec, source::Source};
use crate::{
    buffer::{Declaration, Merge, Partial, Usage, check_declarations},
    merge::Merged,
    plugin::{
        Axes, Emitted, Granularity, InputDtype, Instance, Limits, Manifest, Parameters, Plugin, PluginError,
        Preferences, Role, Sandbox, TileForm, resolve,
    },
    shape::{Dtype, DtypeKind, RoiIdx, Shape, convertible},
};

/// A UDF of a run, on the main thread.
pub(super) struct Prepared {
    pub(super) label: String,
    pub(super) manifest: Manifest,
    pub(super) parameters: Parameters,
    pub(super) preferences: Preferences,
    /// What a tile has of a partition.
    pub(super) granularity: Granularity,
    pub(super) input_dtype: Dtype,
    plugin: Plugin,
    main: Instance,
    merged: Merged,
    /// Kept for `merge-all`.
    partials: Vec<Partial>,
    n_rows: u64,
    sig: Shape,
}

/// What a worker needs to make its own instance.
pub(super) struct Recipe {
    pub(super) plugin: Plugin,
    pub(super) parameters: Parameters,
    pub(super) preferences: Preferences,
    pub(super) granularity: Granularity,
    pub(super) input_dtype: Dtype,
    pub(super) declarations: Vec<Declaration>,
    pub(super) n_bytes: u64,
}

/// What a plugin says of itself. Runs its `describe` in the sandbox, nothing else.
///
/// # Errors
///
/// [`PluginError`].
pub fn describe(plugin: &Plugin, limits: &Limits) -> Result<Manifest, PluginError> {
    let sandbox = Sandbox { limits: limits.clone(), cancel: crate::plugin::Cancel::default(), logger: super::silent() };
    Instance::new(plugin, &sandbox)?.describe()
}

pub(super) fn prepare(source: Source<'_>, udfs: &[UdfSpec], sandbox: &Sandbox) -> Result<Vec<Prepared>, RunError> {
    if udfs.is_empty() {
        return Err(RunError::NoUdf);
    }
    let mut prepared: Vec<Prepared> = Vec::new();
    for spec in udfs {
        let udf = prepare_one(source, spec, sandbox)?;
        if prepared.iter().any(|other| other.label == udf.label) {
            return Err(RunError::DuplicateLabel { label: udf.label });
        }
        prepared.push(udf);
    }
    Ok(prepared)
}

fn prepare_one(source: Source<'_>, spec: &UdfSpec, sandbox: &Sandbox) -> Result<Prepared, RunError> {
    let dataset = source.dataset;
    let mut main = Instance::new(&spec.plugin, sandbox)?;
    let manifest = main.describe()?;
    let label = check_label(spec.label.clone().unwrap_or_else(|| manifest.name.clone()))?;
    let parameters = resolve(&manifest, &spec.arguments, Axes { nav: dataset.nav(), sig: dataset.sig() })?;
    main.create(&parameters, &source.meta(), Role::Main)?;
    let preferences = main.preferences()?;
    if preferences.form == TileForm::InHost {
        let what = "wants its tiles as InHost, which this version of lthost does not give";
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
        InputDtype::Native => source.dtype(),
        InputDtype::AtLeast(dtype) => dtype.promote(source.dtype()),
        InputDtype::Exactly(dtype) => dtype,
    };
    if !convertible(dataset.dtype(), input_dtype) {
        let (plugin, dtype) = (manifest.name.clone(), dataset.dtype());
        return Err(RunError::Inconvertible { plugin, wanted: input_dtype, dtype });
    }
    if !source.corrections.is_empty() && input_dtype.kind() < DtypeKind::Float {
        return Err(RunError::Uncorrectable { plugin: manifest.name.clone(), wanted: input_dtype });
    }
    let declarations = main.buffers(input_dtype)?;
    let n_rows = source.roi.n_selected();
    let sig = dataset.sig().clone();
    let capabilities = (manifest.capabilities.merge || manifest.capabilities.merge_all, manifest.capabilities.results);
    // Results have an entry for every frame of the scan, also where a ROI leaves few of them.
    check_declarations(&declarations, capabilities, (dataset.nav().size(), &sig), sandbox.limits.max_result_bytes)
        .map_err(|error| main.broke("buffers", &error.to_string()))?;
    main.expect_bytes(n_bytes(&declarations, n_rows, &sig));
    let mut merged = Merged::new(declarations, n_rows, &sig);
    if manifest.capabilities.preprocess {
        let emitted = main.preprocess(merged.declarations(), (n_rows, &sig))?;
        merged.replace(emitted);
    }
    let plugin = spec.plugin.clone();
    let partials = Vec::new();
    Ok(Prepared {
        label,
        manifest,
        parameters,
        preferences,
        granularity,
        input_dtype,
        plugin,
        main,
        merged,
        partials,
        n_rows,
        sig,
    })
}

impl Prepared {
    pub(super) fn recipe(&self) -> Recipe {
        Recipe {
            plugin: self.plugin.clone(),
            parameters: self.parameters.clone(),
            preferences: self.preferences,
            granularity: self.granularity,
            input_dtype: self.input_dtype,
            declarations: self.merged.declarations().to_vec(),
            n_bytes: n_bytes(self.merged.declarations(), self.n_rows, &self.sig),
        }
    }

    /// Merges a partition's partial; the next one in order.
    pub(super) fn merge(&mut self, partial: Partial, present: &Range<RoiIdx>) -> Result<(), PluginError> {
        let needs_custom = self
            .merged
            .declarations()
            .iter()
            .any(|declaration| declaration.merge == Merge::Custom && declaration.usage != Usage::ResultOnly);
        if !needs_custom {
            return self.merged.merge(&partial, present, None);
        }
        if self.manifest.capabilities.merge {
            let (main, sig) = (&mut self.main, &self.sig);
            let declarations = self.merged.declarations().to_vec();
            let mut custom = |dest: (&[&[u8]], &[u8]), partial: &Partial| main.merge(&declarations, dest, partial, sig);
            return self.merged.merge(&partial, present, Some(&mut custom));
        }
        // `merge-all` wants all of them at the end; the standard merges go on as usual.
        let nothing: Emitted = vec![(None, None); self.merged.declarations().len()];
        self.merged.merge(&partial, present, Some(&mut |_, _| Ok(nothing.clone())))?;
        self.partials.push(partial);
        Ok(())
    }

    /// After the last partition: merges what waits for all of them.
    pub(super) fn finish_merge(&mut self) -> Result<(), PluginError> {
        if self.partials.is_empty() {
            return Ok(());
        }
        let partials = std::mem::take(&mut self.partials);
        let emitted = self.main.merge_all(self.merged.declarations(), &partials, (self.n_rows, &self.sig))?;
        self.merged.replace(emitted);
        Ok(())
    }

    /// What `results` makes; none if the plugin does without.
    pub(super) fn results(&mut self) -> Result<Option<Emitted>, PluginError> {
        if !self.manifest.capabilities.results {
            return Ok(None);
        }
        let merged = (&self.merged.buffers()[..], self.merged.valid());
        self.main.results(self.merged.declarations(), merged, (self.n_rows, &self.sig)).map(Some)
    }

    pub(super) fn merged(&self) -> &Merged {
        &self.merged
    }
}

/// Bytes of all buffers together.
fn n_bytes(declarations: &[Declaration], n_rows: u64, sig: &Shape) -> u64 {
    let bytes = |declaration: &Declaration| declaration.n_elements(n_rows, sig) * declaration.dtype.size() as u64;
    declarations.iter().map(bytes).sum()
}

/// A label becomes a folder's name.
fn check_label(label: String) -> Result<String, RunError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let starts_well = label.starts_with(|c: char| c.is_ascii_alphanumeric());
    if starts_well && label.len() <= 64 && label.chars().all(plain) {
        Ok(label)
    } else {
        Err(RunError::Label { label })
    }
}
