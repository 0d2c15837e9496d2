//! `lthost inspect`: what a plugin is, wants and imports.

use std::io::Write;

use lthost::{
    plugin::{Capabilities, Engine, Facts, Manifest, Parameter, ParameterType, Value},
    run::describe,
};
use serde_json::{Value as Json, json};

use crate::{find, limit_args::LimitArgs, outcome::record_value};

/// Show what a plugin is, takes and imports; only its `describe` is run, in the sandbox and without data
///
/// Examples:
///   lthost inspect com
///   lthost inspect ./udf.wasm --json
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Opts {
    /// A plugin's name (see `lthost plugins`) or a .wasm file
    #[arg(value_name = "NAME|FILE")]
    plugin: String,
    /// Print JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    limits: LimitArgs,
}

pub(crate) fn run(opts: &Opts) -> anyhow::Result<()> {
    let limits = opts.limits.limits()?;
    let location = find::find(&opts.plugin)?;
    let facts = location.inspect(&limits)?;
    let manifest = describe(&location.load(&Engine::new(false)?, &limits)?, &limits)?;
    if opts.json { print_json(&facts, &manifest) } else { print_text(&mut std::io::stdout().lock(), &facts, &manifest) }
}

/// Prints all that is known of a plugin.
pub(crate) fn print_text(out: &mut dyn Write, facts: &Facts, manifest: &Manifest) -> anyhow::Result<()> {
    writeln!(out, "{} {}: {}", manifest.name, manifest.version, manifest.summary)?;
    writeln!(out, "authors       {}", list(&manifest.authors))?;
    writeln!(out, "licence       {}", if manifest.license.is_empty() { "none" } else { &manifest.license })?;
    writeln!(out, "plugin        {} ({}, {} bytes)", facts.origin, facts.encoding, facts.n_bytes)?;
    writeln!(out, "sha256        {}", facts.sha256)?;
    writeln!(out, "contract      {}", facts.contract)?;
    writeln!(out, "imports       {}", list(&facts.imports))?;
    writeln!(out, "exports       {}", list(&facts.exports))?;
    writeln!(out, "processes     {}", processes(manifest))?;
    writeln!(out, "capabilities  {}", list(&capabilities(manifest.capabilities)))?;
    writeln!(out, "parameters    {}", if manifest.parameters.is_empty() { "none" } else { "" })?;
    for parameter in &manifest.parameters {
        let types: Vec<String> = parameter.types.iter().map(ParameterType::describe).collect();
        let default = match (&parameter.default, parameter.required) {
            (_, true) => ", required".to_owned(),
            (Value::Absent, false) => String::new(),
            (default, false) => format!(", default {}", record_value(default)),
        };
        let unit = if parameter.unit.is_empty() { String::new() } else { format!(" [{}]", parameter.unit) };
        writeln!(out, "  {}: {}{unit}{}{default}", parameter.name, types.join(" or "), range(parameter))?;
        writeln!(out, "      {}", parameter.doc)?;
    }
    Ok(())
}

fn print_json(facts: &Facts, manifest: &Manifest) -> anyhow::Result<()> {
    let parameters: Vec<Json> = manifest.parameters.iter().map(parameter).collect();
    let all = json!({
        "name": manifest.name,
        "version": manifest.version,
        "summary": manifest.summary,
        "authors": manifest.authors,
        "license": manifest.license,
        "plugin": facts,
        "processes": manifest.processes,
        "capabilities": capabilities(manifest.capabilities),
        "parameters": parameters,
    });
    writeln!(std::io::stdout().lock(), "{}", serde_json::to_string_pretty(&all)?)?;
    Ok(())
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
