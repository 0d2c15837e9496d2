//! UDFs made ready for a run: described, created, their buffers declared and checked.

use std::{borrow::Cow, ops::Range, sync::Arc};

use super::{
    Declared, Phase, RunError, UdfOutcome, UdfSpec,
    declare::create,
    profile::{Clock, Task},
    source::Scan,
};
use crate::{
    buffer::{Declaration, Merge, Partial, Usage},
    merge::Merged,
    plugin::{
        Emitted, Granularity, Instance, Manifest, MemoryShare, Parameters, Plugin, PluginError, Preferences, Role,
        Sandbox,
    },
    results::{ResultBuffer, finish},
    shape::{Dtype, RoiIdx, Shape},
};

/// A UDF of a run, on the main thread.
pub(super) struct Prepared {
    pub(super) label: String,
    pub(super) manifest: Manifest,
    pub(super) parameters: Arc<Parameters>,
    /// Those that hold now.
    current: Arc<Parameters>,
    pub(super) preferences: Preferences,
    /// What a tile has of a partition.
    pub(super) granularity: Granularity,
    pub(super) input_dtype: Dtype,
    plugin: Plugin,
    main: Instance,
    /// Positions of the partitions that are left out.
    pub(super) skipped: Vec<usize>,
    /// How often it failed.
    pub(super) n_errors: u64,
    /// Why there can't be another instance in the place of one that failed.
    pub(super) dead: Option<Arc<PluginError>>,
    merged: Merged,
    /// Kept for `merge-all`.
    partials: Vec<Partial>,
    n_rows: u64,
    sig: Shape,
    /// What times it, and its place in the run.
    clock: (Clock, usize),
    sandbox: Sandbox,
}

/// What a worker needs to make its own instance.
pub(super) struct Recipe {
    pub(super) label: String,
    pub(super) manifest: Manifest,
    pub(super) plugin: Plugin,
    sandbox: Sandbox,
    /// Those that the run began with.
    pub(super) parameters: Arc<Parameters>,
    pub(super) preferences: Preferences,
    pub(super) granularity: Granularity,
    pub(super) input_dtype: Dtype,
    pub(super) declarations: Vec<Declaration>,
    pub(super) n_bytes: u64,
    /// Bytes of the window that a worker's instance gets, if it wants one.
    pub(super) window: Option<usize>,
}

pub(super) fn prepare(
    scan: &Scan,
    udfs: &[UdfSpec],
    sandbox: &Sandbox,
    clock: &Clock,
) -> Result<Vec<Prepared>, RunError> {
    if udfs.is_empty() {
        return Err(RunError::NoUdf);
    }
    let mut prepared: Vec<Prepared> = Vec::new();
    for (idx, spec) in udfs.iter().enumerate() {
        let sandbox = Sandbox { share: MemoryShare::among(udfs.len()), ..sandbox.clone() };
        let task = Task::new(idx, Phase::Create, None);
        let udf = clock.time(task, || prepare_one(scan, spec, sandbox, (clock.clone(), idx)))?;
        if prepared.iter().any(|other| other.label == udf.label) {
            return Err(RunError::DuplicateLabel { label: udf.label });
        }
        prepared.push(udf);
    }
    Ok(prepared)
}

fn prepare_one(scan: &Scan, spec: &UdfSpec, sandbox: Sandbox, clock: (Clock, usize)) -> Result<Prepared, RunError> {
    let (mut main, parameters, declared) = create(scan, spec, &sandbox)?;
    let Declared { manifest, preferences, granularity, input_dtype, buffers: declarations } = declared;
    let label = check_label(spec.label.clone().unwrap_or_else(|| manifest.name.clone()))?;
    let n_rows = scan.roi.n_selected();
    let sig = scan.sig.clone();
    main.expect_bytes(n_bytes(&declarations, n_rows, &sig), &sig);
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
        current: Arc::clone(&parameters),
        parameters,
        preferences,
        granularity,
        input_dtype,
        plugin,
        main,
        skipped: Vec::new(),
        n_errors: 0,
        dead: None,
        merged,
        partials,
        n_rows,
        sig,
        clock,
        sandbox,
    })
}

impl Prepared {
    /// `window`: what the plan says of the UDF's.
    pub(super) fn recipe(&self, window: Option<usize>) -> Recipe {
        Recipe {
            label: self.label.clone(),
            manifest: self.manifest.clone(),
            plugin: self.plugin.clone(),
            sandbox: self.sandbox.clone(),
            parameters: Arc::clone(&self.parameters),
            preferences: self.preferences,
            granularity: self.granularity,
            input_dtype: self.input_dtype,
            declarations: self.merged.declarations().to_vec(),
            n_bytes: n_bytes(self.merged.declarations(), self.n_rows, &self.sig),
            window,
        }
    }

    /// What the plugin's own merge makes of a partition's partial, the next one in order; none if the host merges. Nothing is
    /// merged yet.
    pub(super) fn customized(&mut self, partial: &Partial) -> Result<Option<Emitted>, PluginError> {
        if !self.needs_custom() || !self.manifest.capabilities.merge {
            return Ok(None);
        }
        let (clock, idx) = self.clock.clone();
        clock.merge(idx, partial, || {
            let (main, sig) = (&mut self.main, &self.sig);
            let declarations = self.merged.declarations();
            let mut custom = |dest: (&[&[u8]], &[u8]), partial: &Partial| main.merge(declarations, dest, partial, sig);
            self.merged.customized(partial, &mut custom).map(Some)
        })
    }

    /// Merges a partial with what [`Prepared::customized`] made of it.
    pub(super) fn merge(&mut self, partial: Partial, present: &Range<RoiIdx>, made: Option<Emitted>) {
        let (clock, idx) = self.clock.clone();
        match &made {
            // Timed by `customized`; this is a copy.
            Some(_) => self.merged.merge(&partial, present, made.as_ref()),
            None => clock.merge(idx, &partial, || self.merged.merge(&partial, present, None)),
        }
        made.into_iter().flatten().filter_map(|(data, _)| data).for_each(|data| self.sandbox.spare.give(data));
        if self.keeps_partials() {
            // `merge-all` wants all of them at the end; the standard merges went on as usual.
            self.partials.push(partial);
        } else {
            partial.buffers.into_iter().flatten().for_each(|piece| self.sandbox.spare.give(piece.data));
        }
    }

    /// Whether some buffer is not merged by the host.
    fn needs_custom(&self) -> bool {
        let is_custom =
            |declaration: &Declaration| declaration.merge == Merge::Custom && declaration.usage != Usage::ResultOnly;
        self.merged.declarations().iter().any(is_custom)
    }

    /// Whether all partials are kept until `merge-all`.
    pub(super) fn keeps_partials(&self) -> bool {
        self.needs_custom() && !self.manifest.capabilities.merge
    }

    /// Content of the declared buffers, and the partials that wait for `merge-all`.
    pub(super) fn merged_so_far(&self) -> (Vec<&[u8]>, &[Partial]) {
        (self.merged.buffers(), &self.partials)
    }

    /// Takes over what [`Prepared::merged_so_far`] gave, after partitions with these frames. False: the sizes do not fit.
    pub(super) fn go_on_from<'a>(
        &mut self,
        buffers: &[&[u8]],
        waiting: Vec<Partial>,
        merged: impl Iterator<Item = &'a Range<RoiIdx>>,
    ) -> bool {
        self.partials = waiting;
        self.merged.restore(buffers, merged)
    }

    /// Shape of a frame.
    pub(super) fn sig(&self) -> &Shape {
        &self.sig
    }

    pub(super) fn declarations(&self) -> &[Declaration] {
        self.merged.declarations()
    }

    /// Takes new values of parameters.
    pub(super) fn update(&mut self, scan: &Scan, parameters: &Arc<Parameters>) -> Result<(), PluginError> {
        self.current = Arc::clone(parameters);
        self.recipe(None).update(&mut self.main, scan, parameters, Role::Main)
    }

    /// Makes another instance in the place of one that failed; what is merged is not in it. If that fails, too, there are no
    /// results.
    pub(super) fn revive(&mut self, scan: &Scan) {
        let recipe = self.recipe(None);
        let made = recipe.replace(&mut self.main, scan, &self.parameters, Role::Main).and_then(|()| {
            if !Arc::ptr_eq(&self.parameters, &self.current) {
                recipe.update(&mut self.main, scan, &self.current, Role::Main)?;
            }
            recipe.check(&mut self.main, "in another instance than in the first")
        });
        self.dead = made.err().map(Arc::new);
    }

    /// Results of what is merged so far.
    pub(super) fn outcome_so_far(&mut self, scan: &Scan) -> Result<UdfOutcome, PluginError> {
        self.merge_waiting()?;
        let (clock, idx) = self.clock.clone();
        clock.time(Task::new(idx, Phase::Results, None), || {
            let emitted = self.results()?;
            let merged = self.merged.buffers().into_iter().map(Cow::Borrowed).collect();
            let results = finish(self.merged.declarations(), merged, emitted, (&scan.nav, &scan.sig, &scan.roi));
            Ok(self.outcome_of(results))
        })
    }

    /// Results of all that is merged, which is given away with them.
    pub(super) fn outcome(&mut self, scan: &Scan) -> Result<UdfOutcome, PluginError> {
        self.merge_waiting()?;
        let (clock, idx) = self.clock.clone();
        clock.time(Task::new(idx, Phase::Results, None), || {
            let emitted = self.results()?;
            let merged = self.merged.take_buffers().into_iter().map(Cow::Owned).collect();
            let results = finish(self.merged.declarations(), merged, emitted, (&scan.nav, &scan.sig, &scan.roi));
            Ok(self.outcome_of(results))
        })
    }

    /// Merges what `merge-all` merges, all of it anew.
    fn merge_waiting(&mut self) -> Result<(), PluginError> {
        if self.partials.is_empty() {
            return Ok(());
        }
        let (clock, idx) = self.clock.clone();
        clock.time(Task::new(idx, Phase::MergeAll, None), || {
            let emitted = self.main.merge_all(self.merged.declarations(), &self.partials, (self.n_rows, &self.sig))?;
            self.merged.replace(emitted);
            Ok(())
        })
    }

    /// What `results` makes; none if the plugin does without.
    fn results(&mut self) -> Result<Option<Emitted>, PluginError> {
        if !self.manifest.capabilities.results {
            return Ok(None);
        }
        let merged = (&self.merged.buffers()[..], self.merged.valid());
        self.main.results(self.merged.declarations(), merged, (self.n_rows, &self.sig)).map(Some)
    }

    /// What it gives with these results.
    pub(super) fn outcome_of(&self, results: Vec<ResultBuffer>) -> UdfOutcome {
        UdfOutcome {
            label: self.label.clone(),
            manifest: self.manifest.clone(),
            parameters: self.parameters.values.clone(),
            input_dtype: self.input_dtype,
            results,
            damage: None,
        }
    }
}

impl Recipe {
    /// A worker's instance, ready for its first partition.
    pub(super) fn instantiate(&self, scan: &Scan) -> Result<Instance, PluginError> {
        let mut instance = self.start(scan, &self.parameters, Role::Worker)?;
        self.check(&mut instance, "on a worker than on the main thread")?;
        Ok(instance)
    }

    fn start(&self, scan: &Scan, parameters: &Parameters, role: Role) -> Result<Instance, PluginError> {
        let mut instance = Instance::new(&self.plugin, &self.sandbox)?;
        instance.describe()?;
        instance.create(parameters, &scan.meta(), role)?;
        instance.expect_bytes(self.n_bytes, &scan.sig);
        Ok(instance)
    }

    /// Makes another instance in the place of one. The UDF's share of memory need not do for both.
    fn replace(
        &self,
        instance: &mut Instance,
        scan: &Scan,
        parameters: &Parameters,
        role: Role,
    ) -> Result<(), PluginError> {
        instance.make_way();
        *instance = self.start(scan, parameters, role)?;
        Ok(())
    }

    /// Gives new values of parameters to an instance; one that does not take them is made anew.
    pub(super) fn update(
        &self,
        instance: &mut Instance,
        scan: &Scan,
        parameters: &Parameters,
        role: Role,
    ) -> Result<(), PluginError> {
        if !self.manifest.capabilities.update {
            self.replace(instance, scan, parameters, role)?;
            return self.check(instance, "with new parameters than with those of the start");
        }
        instance.update(parameters)?;
        self.check(instance, "after `update` than before")
    }

    /// Holds what an instance says against what the first one said; then it may get its window.
    fn check(&self, instance: &mut Instance, when: &str) -> Result<(), PluginError> {
        if instance.preferences()? != self.preferences {
            return Err(instance.broke("preferences", &format!("asks for other tiles {when}")));
        }
        if instance.buffers(self.input_dtype)? != self.declarations {
            return Err(instance.broke("buffers", &format!("declares other buffers {when}")));
        }
        match self.window {
            Some(n_bytes) if !instance.has_window() => instance.make_window(n_bytes),
            _ => Ok(()),
        }
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
    if [".json", ".npy", ".lthost"].iter().any(|end| label.ends_with(end)) {
        return Err(RunError::LabelOfFile { label });
    }
    if starts_well && label.len() <= 64 && label.chars().all(plain) {
        Ok(label)
    } else {
        Err(RunError::Label { label })
    }
}
