//! UDFs made ready for a run: described, created, their buffers declared and checked.

use std::{borrow::Cow, ops::Range, path::Path, sync::Arc};

use super::{
    Declared, Phase, RunConfig, RunError, Taken, UdfOutcome, UdfSpec,
    declare::{create, start},
    profile::{Clock, Task},
    source::Scan,
};
use crate::{
    buffer::{Declaration, Merge, Partial, Usage},
    merge::Merged,
    plugin::{
        Capabilities, Emitted, Granularity, InputDtype, Instance, Manifest, MemoryShare, Parameters, Plugin,
        PluginError, Preferences, Role, Sandbox, TileForm, resolve,
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
    /// None if it is dead.
    main: Option<Instance>,
    /// Positions of the partitions that are left out.
    pub(super) skipped: Vec<usize>,
    pub(super) n_frames_skipped: u64,
    /// How often it failed.
    pub(super) n_errors: u64,
    /// Why there is no instance, and will be none: the first one failed before any data were read, or there can't be another one
    /// in the place of one that failed later.
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

/// All of them are of one byte each.
const MAX_LABEL_CHARS: usize = 64;

/// Why there is an instance where one is asked for something.
const ALIVE: &str = "nobody asks a UDF that is dead";

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

/// Where a run goes on without what fails, a UDF that fails here is dead; but not all of them, and not one that was asked for what
/// can't be.
pub(super) fn prepare(
    scan: &Scan,
    udfs: &[UdfSpec],
    (sandbox, config): (&Sandbox, &RunConfig),
    clock: &Clock,
) -> Result<Vec<Prepared>, RunError> {
    if udfs.is_empty() {
        return Err(RunError::NoUdf);
    }
    let mut prepared: Vec<Prepared> = Vec::new();
    for (idx, spec) in udfs.iter().enumerate() {
        let sandbox = Sandbox { share: MemoryShare::among(udfs.len()), ..sandbox.clone() };
        let task = Task::new(idx, Phase::Create, None);
        let udf = clock.time(task, || prepare_one(scan, spec, (sandbox, config), (clock.clone(), idx)))?;
        if prepared.iter().any(|other| other.label == udf.label) {
            return Err(RunError::DuplicateLabel { label: udf.label });
        }
        prepared.push(udf);
    }
    if prepared.iter().all(|udf| udf.dead.is_some()) {
        let first = prepared.swap_remove(0).dead.expect("all of them are dead, and there is one");
        return Err(RunError::Plugin(Arc::into_inner(first).expect("nobody else has it yet")));
    }
    Ok(prepared)
}

fn prepare_one(
    scan: &Scan,
    spec: &UdfSpec,
    (sandbox, config): (Sandbox, &RunConfig),
    clock: (Clock, usize),
) -> Result<Prepared, RunError> {
    let (main, manifest) = match start(&spec.plugin, &sandbox) {
        Ok(started) => started,
        Err(error) => {
            let error = survivable(error.into(), config)?;
            let manifest = unknown(&spec.plugin, clock.1);
            let label = check_label(spec.label.clone().unwrap_or_else(|| manifest.name.clone()))?;
            return Ok(Prepared::dead(scan, spec, (label, manifest, error), (sandbox, clock)));
        }
    };
    if spec.label.is_none() {
        Taken::check(&config.taken, &spec.plugin, &manifest.name)?;
    }
    let label = check_label(spec.label.clone().unwrap_or_else(|| manifest.name.clone()))?;
    let kept = (label.clone(), manifest.clone());
    Prepared::new(scan, spec, (label, manifest, main), (sandbox.clone(), clock.clone())).or_else(|error| {
        let (label, manifest) = kept;
        Ok(Prepared::dead(scan, spec, (label, manifest, survivable(error, config)?), (sandbox, clock)))
    })
}

/// The failure of a plugin before there are data, if the run goes on then.
fn survivable(error: RunError, config: &RunConfig) -> Result<PluginError, RunError> {
    match error {
        // That is how the run was called, and not what runs.
        RunError::Plugin(error) if error.is_refusal() => Err(RunError::Plugin(error)),
        // The checkpoint has results of it.
        error if config.resume.is_some() => Err(error),
        error => config.on_error.skippable(error),
    }
}

impl Prepared {
    fn new(
        scan: &Scan,
        spec: &UdfSpec,
        (label, manifest, mut main): (String, Manifest, Instance),
        (sandbox, clock): (Sandbox, (Clock, usize)),
    ) -> Result<Self, RunError> {
        main.call_it(&label);
        let (mut main, parameters, declared) = create(scan, spec, (main, manifest), &sandbox.limits)?;
        let Declared { manifest, preferences, granularity, input_dtype, buffers: declarations } = declared;
        let n_rows = scan.roi.n_selected();
        let sig = scan.sig.clone();
        main.expect_bytes(n_bytes(&declarations, n_rows, &sig), &sig);
        let mut merged = Merged::new(declarations, n_rows, &sig);
        if manifest.capabilities.preprocess {
            let emitted = main.preprocess(merged.declarations(), (n_rows, &sig))?;
            merged.replace(emitted);
        }
        Ok(Self {
            label,
            manifest,
            current: Arc::clone(&parameters),
            parameters,
            preferences,
            granularity,
            input_dtype,
            plugin: spec.plugin.clone(),
            main: Some(main),
            skipped: Vec::new(),
            n_frames_skipped: 0,
            n_errors: 0,
            dead: None,
            merged,
            partials: Vec::new(),
            n_rows,
            sig,
            clock,
            sandbox,
        })
    }

    /// One that failed before any data were read: it has its place among the others, and no results.
    fn dead(
        scan: &Scan,
        spec: &UdfSpec,
        (label, manifest, error): (String, Manifest, PluginError),
        (sandbox, clock): (Sandbox, (Clock, usize)),
    ) -> Self {
        let parameters = resolve(&manifest, &spec.arguments, scan.axes());
        let parameters = Arc::new(parameters.unwrap_or(Parameters { values: Vec::new(), aux: Vec::new() }));
        let preferences = Preferences {
            input: InputDtype::Native,
            granularity: None,
            form: TileForm::Dense,
            depth: None,
            total_size: None,
            split_rows: None,
        };
        Self {
            label,
            manifest,
            current: Arc::clone(&parameters),
            parameters,
            preferences,
            granularity: Granularity::Tile,
            input_dtype: scan.dtype(),
            plugin: spec.plugin.clone(),
            main: None,
            skipped: Vec::new(),
            n_frames_skipped: 0,
            n_errors: 1,
            dead: Some(Arc::new(error)),
            merged: Merged::new(Vec::new(), scan.roi.n_selected(), &scan.sig),
            partials: Vec::new(),
            n_rows: scan.roi.n_selected(),
            sig: scan.sig.clone(),
            clock,
            sandbox,
        }
    }

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
            let (main, sig) = (self.main.as_mut().expect(ALIVE), &self.sig);
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

    /// Makes another instance in the place of one that failed; what is merged is not in it. If that fails, too, it has to
    /// [`die`](Self::die).
    pub(super) fn revive(&mut self, scan: &Scan) -> Result<(), PluginError> {
        let recipe = self.recipe(None);
        let main = recipe.replace(&mut self.main, scan, &self.parameters, Role::Main)?;
        recipe.check(main, "in another instance than in the first")?;
        if Arc::ptr_eq(&self.parameters, &self.current) {
            return Ok(());
        }
        recipe.update(&mut self.main, scan, &self.current, Role::Main)
    }

    /// There will be no more results of it.
    pub(super) fn die(&mut self, reason: PluginError) -> Arc<PluginError> {
        self.main = None;
        Arc::clone(self.dead.insert(Arc::new(reason)))
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
            let main = self.main.as_mut().expect(ALIVE);
            let emitted = main.merge_all(self.merged.declarations(), &self.partials, (self.n_rows, &self.sig))?;
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
        let main = self.main.as_mut().expect(ALIVE);
        main.results(self.merged.declarations(), merged, (self.n_rows, &self.sig)).map(Some)
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
        instance.call_it(&self.label);
        instance.create(parameters, &scan.meta(), role)?;
        instance.expect_bytes(self.n_bytes, &scan.sig);
        Ok(instance)
    }

    /// Makes another instance in the place of one, which goes first: the UDF's share of memory need not do for both.
    fn replace<'a>(
        &self,
        place: &'a mut Option<Instance>,
        scan: &Scan,
        parameters: &Parameters,
        role: Role,
    ) -> Result<&'a mut Instance, PluginError> {
        *place = None;
        Ok(place.insert(self.start(scan, parameters, role)?))
    }

    /// Gives new values of parameters to an instance; one that does not take them is made anew.
    pub(super) fn update(
        &self,
        place: &mut Option<Instance>,
        scan: &Scan,
        parameters: &Parameters,
        role: Role,
    ) -> Result<(), PluginError> {
        match place {
            Some(instance) if self.manifest.capabilities.update => {
                instance.update(parameters)?;
                self.check(instance, "after `update` than before")
            }
            _ => {
                let instance = self.replace(place, scan, parameters, role)?;
                self.check(instance, "with new parameters than with those of the start")
            }
        }
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

/// What is known of a plugin that does not say what it is: its file, as far as letters go, and its place in the run. No plugin has a
/// dot in its name: nobody else is called so.
fn unknown(plugin: &Plugin, place: usize) -> Manifest {
    let stem = Path::new(&plugin.facts().origin).file_stem().unwrap_or_default().to_string_lossy();
    let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
    let stem: String = stem.chars().map(plain).skip_while(|&c| c == '_').take(MAX_LABEL_CHARS / 2).collect();
    Manifest {
        name: format!("{}.{place}", if stem.is_empty() { "unknown" } else { &stem }),
        version: "unknown".to_owned(),
        summary: String::new(),
        authors: Vec::new(),
        license: String::new(),
        parameters: Vec::new(),
        processes: Vec::new(),
        capabilities: Capabilities::default(),
    }
}

/// A label becomes a folder's name.
fn check_label(label: String) -> Result<String, RunError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let starts_well = label.starts_with(|c: char| c.is_ascii_alphanumeric());
    if [".json", ".npy", ".lthost"].iter().any(|end| label.ends_with(end)) {
        return Err(RunError::LabelOfFile { label });
    }
    if starts_well && label.len() <= MAX_LABEL_CHARS && label.chars().all(plain) {
        Ok(label)
    } else {
        Err(RunError::Label { label })
    }
}
