//! `lthost inspect`: what a plugin is, takes, gives and imports.

use std::{fmt::Write as _, io::Write as _};

use lthost::{
    buffer::{Declaration, Kind, Usage},
    confine::Needs,
    plugin::{Capabilities, Facts, Limits, Manifest, Parameter, ParameterType, Plugin, PluginError, Value},
    run::{Declared, RunError, UdfSpec, declare, describe},
    shape::{Array, ByteOrder, Dtype, Shape},
};
use serde_json::{Value as Json, json};

use crate::{
    dataset_args::{Extents, dtype, extents, key_value},
    find,
    job_args::arguments,
    limit_args::LimitArgs,
    outcome::record_value,
    terminal, trust,
};

/// Show what a plugin is, takes, gives and imports
///
/// What it gives depends on the data and the parameters: it is asked for a scan of --nav-shape with frames of
/// --sig-shape and --dtype. It gets no data, and of its functions only `describe`, `create`, `preferences` and
/// `buffers` are run, in the sandbox.
///
/// Examples:
///   lthost inspect com
///   lthost inspect ./udf.wasm --json
///   lthost inspect masks -p shape=disk --sig-shape 256,256
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Opts {
    /// A plugin's name (see `lthost plugins`) or a .wasm file, with @sha256:HASH only if it has that hash
    #[arg(value_name = "NAME|FILE")]
    plugin: String,
    /// Parameter of the plugin: JSON, a bare word, or @file.npy; may be repeated
    #[arg(short = 'p', long = "param", value_name = "KEY=VALUE", value_parser = key_value, allow_hyphen_values = true)]
    param: Vec<(String, String)>,
    /// Shape of the scan [default: 64,64]
    #[arg(long, value_name = "NY,NX", value_parser = extents)]
    nav_shape: Option<Extents>,
    /// Shape of a frame [default: 128,128]
    #[arg(long, value_name = "SY,SX", value_parser = extents)]
    sig_shape: Option<Extents>,
    /// Element type of the data [default: u16]
    #[arg(long, value_name = "DTYPE", value_parser = dtype)]
    dtype: Option<(Dtype, Option<ByteOrder>)>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: LimitArgs,
}

pub(crate) fn run(opts: &Opts) -> anyhow::Result<()> {
    let limits = opts.limits.limits()?;
    let plugin = find::find(&opts.plugin)?.load(&trust::judge()?, &opts.limits.engine(false)?, &limits)?;
    let spec = UdfSpec { label: None, plugin, arguments: arguments(&opts.param)? };
    let dtype = opts.dtype.map(|(dtype, _)| dtype);
    let assumed = Assumed::new(opts.nav_shape.as_ref(), opts.sig_shape.as_ref(), dtype)?;
    opts.limits.confine(&Needs::default())?;
    let card = Card::new(&spec, assumed, &limits)?;
    // Whoever asks for certain data or parameters wants to know of these alone.
    let is_asked =
        !opts.param.is_empty() || opts.nav_shape.is_some() || opts.sig_shape.is_some() || opts.dtype.is_some();
    match card.gives {
        Err(refusal) if is_asked => Err(refusal.into()),
        _ => {
            let text = if opts.json { terminal::pretty_json(&card.json())? + "\n" } else { card.text() };
            Ok(std::io::stdout().lock().write_all(text.as_bytes())?)
        }
    }
}

/// The data for which a plugin is asked what it gives.
struct Assumed {
    nav: Shape,
    sig: Shape,
    dtype: Dtype,
}

impl Assumed {
    /// The usual ones, but for what is given.
    fn new(nav: Option<&Extents>, sig: Option<&Extents>, dtype: Option<Dtype>) -> anyhow::Result<Self> {
        let shape = |extents: Option<&Extents>, usual: [u64; 2]| match extents {
            Some(Extents(extents)) => Shape::new(extents.as_slice()),
            None => Shape::new(usual.as_slice()),
        };
        Ok(Self { nav: shape(nav, [64, 64])?, sig: shape(sig, [128, 128])?, dtype: dtype.unwrap_or(Dtype::U16) })
    }
}

/// All that is known of a plugin.
pub(crate) struct Card {
    facts: Facts,
    manifest: Manifest,
    assumed: Assumed,
    /// What it gives for such data, or why it won't.
    gives: Result<Declared, RunError>,
}

impl Card {
    /// Of a plugin with its default parameters.
    pub(crate) fn of(plugin: &Plugin, limits: &Limits) -> anyhow::Result<Self> {
        let spec = UdfSpec { label: None, plugin: plugin.clone(), arguments: Vec::new() };
        Self::new(&spec, Assumed::new(None, None, None)?, limits)
    }

    fn new(spec: &UdfSpec, assumed: Assumed, limits: &Limits) -> anyhow::Result<Self> {
        let manifest = describe(&spec.plugin, limits)?;
        let gives = declare(spec, &assumed.nav, &assumed.sig, assumed.dtype, limits);
        Ok(Self { facts: spec.plugin.facts().clone(), manifest, assumed, gives })
    }

    /// How the plugin fails when it is to say what it gives. It may well refuse such data, or want parameters.
    pub(crate) fn fault(&self) -> Option<&PluginError> {
        match &self.gives {
            Err(RunError::Plugin(PluginError::Argument { .. } | PluginError::Failed { .. })) => None,
            Err(RunError::Plugin(error)) => Some(error),
            _ => None,
        }
    }

    /// What the plugin says against such data, if it says no to them itself.
    pub(crate) fn refusal(&self) -> Option<&PluginError> {
        match &self.gives {
            Err(RunError::Plugin(error @ PluginError::Failed { .. })) => Some(error),
            _ => None,
        }
    }

    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        self.write(&mut text).expect("memory takes it");
        text
    }

    fn write(&self, out: &mut String) -> std::fmt::Result {
        let Self { facts, manifest, .. } = self;
        writeln!(out, "{} {}: {}", manifest.name, manifest.version, manifest.summary)?;
        writeln!(out, "authors       {}", list(&manifest.authors))?;
        writeln!(out, "licence       {}", if manifest.license.is_empty() { "none" } else { &manifest.license })?;
        writeln!(out, "plugin        {} ({}, {} bytes)", facts.origin, facts.encoding, facts.n_bytes)?;
        writeln!(out, "sha256        {}", facts.sha256)?;
        if let Some(trust) = &facts.trust {
            writeln!(out, "trust         {trust}")?;
        }
        writeln!(out, "contract      {}", facts.contract)?;
        writeln!(out, "imports       {}", list(&facts.imports))?;
        writeln!(out, "exports       {}", list(&facts.exports))?;
        writeln!(out, "processes     {}", processes(manifest))?;
        writeln!(out, "capabilities  {}", list(&capabilities(manifest.capabilities)))?;
        let none = if manifest.parameters.is_empty() { "  none" } else { "" };
        writeln!(out, "parameters{none}")?;
        for parameter in &manifest.parameters {
            let types: Vec<String> = parameter.types.iter().map(ParameterType::describe).collect();
            let default = match (&parameter.default, parameter.required) {
                (_, true) => ", required".to_owned(),
                (Value::Absent, false) => String::new(),
                (Value::Array(array), false) => format!(", default {}", array_text(array)),
                (default, false) => format!(", default {}", record_value(default)),
            };
            let (types, unit, range) = (types.join(" or "), in_brackets(&parameter.unit), range(parameter));
            writeln!(out, "  {}: {types}{unit}{range}{default}", parameter.name)?;
            write_doc(out, &parameter.doc)?;
        }
        let Assumed { nav, sig, dtype } = &self.assumed;
        let declared = match &self.gives {
            Ok(declared) => declared,
            Err(refusal) => {
                return writeln!(out, "gives         not known for {nav} frames of {sig} {dtype}: {refusal}");
            }
        };
        writeln!(
            out,
            "gives, for {nav} frames of {sig} {dtype}, seen as {} of {}",
            declared.granularity.describe(),
            declared.input_dtype
        )?;
        for buffer in &declared.buffers {
            let usage = if buffer.usage == Usage::Private { ", kept to itself" } else { "" };
            let unit = in_brackets(&buffer.unit);
            writeln!(out, "  {}: {} {}{unit}{usage}", buffer.name, buffer.dtype, axes(buffer))?;
            write_doc(out, &buffer.doc)?;
        }
        Ok(())
    }

    fn json(&self) -> Json {
        let Self { facts, manifest, assumed, gives } = self;
        let parameters: Vec<Json> = manifest.parameters.iter().map(parameter).collect();
        let gives = match gives {
            Ok(declared) => json!({
                "tiles": declared.granularity,
                "input_dtype": declared.input_dtype.name(),
                "buffers": declared.buffers.iter().map(buffer).collect::<Vec<_>>(),
            }),
            Err(refusal) => json!({ "refused": refusal.to_string() }),
        };
        json!({
            "name": manifest.name,
            "version": manifest.version,
            "summary": manifest.summary,
            "authors": manifest.authors,
            "license": manifest.license,
            "plugin": facts,
            "processes": manifest.processes,
            "capabilities": capabilities(manifest.capabilities),
            "parameters": parameters,
            "assumed": {
                "nav_shape": assumed.nav.axes(),
                "sig_shape": assumed.sig.axes(),
                "dtype": assumed.dtype.name(),
            },
            "gives": gives,
        })
    }
}

fn buffer(buffer: &Declaration) -> Json {
    json!({
        "name": buffer.name,
        "kind": buffer.kind,
        "dtype": buffer.dtype.name(),
        "extra_shape": buffer.extra_shape.axes(),
        "usage": buffer.usage,
        "merge": buffer.merge,
        "unit": buffer.unit,
        "doc": buffer.doc,
    })
}

/// The numbers of an array, if they fit in a line.
fn array_text(array: &Array) -> String {
    match array.to_f64s() {
        Some(numbers) if numbers.len() <= 16 => nested(&numbers, array.shape.axes()),
        _ => format!("an array of {} of shape {}", array.dtype, array.shape),
    }
}

fn nested(numbers: &[f64], axes: &[u64]) -> String {
    let Some((first, rest)) = axes.split_first() else { return numbers[0].to_string() };
    let len = numbers.len() / usize::try_from(*first).unwrap_or(usize::MAX).max(1);
    let rows: Vec<String> = numbers.chunks(len.max(1)).map(|row| nested(row, rest)).collect();
    format!("[{}]", rows.join(", "))
}

/// The axes of a result.
fn axes(buffer: &Declaration) -> String {
    let own = match buffer.kind {
        Kind::Nav => Some("...nav".to_owned()),
        Kind::Sig => Some("...sig".to_owned()),
        Kind::Single => buffer.extra_shape.axes().is_empty().then(|| "1".to_owned()),
    };
    let axes = own.into_iter().chain(buffer.extra_shape.axes().iter().map(u64::to_string));
    format!("({})", axes.collect::<Vec<_>>().join(", "))
}

fn in_brackets(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(" [{unit}]") }
}

fn write_doc(out: &mut String, doc: &str) -> std::fmt::Result {
    if doc.is_empty() { Ok(()) } else { writeln!(out, "      {doc}") }
}

fn parameter(parameter: &Parameter) -> Json {
    json!({
        "name": parameter.name,
        "types": parameter.types.iter().map(ParameterType::describe).collect::<Vec<_>>(),
        "required": parameter.required,
        "default": record_value(&parameter.default),
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "choices": parameter.choices,
        "unit": parameter.unit,
        "doc": parameter.doc,
    })
}

fn range(parameter: &Parameter) -> String {
    match (parameter.minimum, parameter.maximum) {
        (Some(minimum), Some(maximum)) => format!(" from {minimum} to {maximum}"),
        (Some(minimum), None) => format!(" from {minimum}"),
        (None, Some(maximum)) => format!(" up to {maximum}"),
        (None, None) if parameter.choices.is_empty() => String::new(),
        (None, None) => format!(" out of {}", parameter.choices.join(", ")),
    }
}

fn capabilities(capabilities: Capabilities) -> Vec<String> {
    let all = [
        (capabilities.preprocess, "preprocess"),
        (capabilities.merge, "merge"),
        (capabilities.merge_all, "merge-all"),
        (capabilities.results, "results"),
        (capabilities.update, "update"),
    ];
    all.into_iter().filter(|(has, _)| *has).map(|(_, name)| name.to_owned()).collect()
}

fn processes(manifest: &Manifest) -> String {
    manifest.processes.iter().map(|granularity| granularity.describe()).collect::<Vec<_>>().join(" or ")
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
