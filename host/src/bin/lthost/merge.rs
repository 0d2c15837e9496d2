//! `lthost merge`: the partials of all partitions, to the results of one run.

use std::path::PathBuf;

use anyhow::Context;
use lthost::{
    plugin::{Plugin, printable},
    results::Output,
    run::{
        Observer, Taken,
        partial::{Made, PartialUdf, facts, merge, read_file},
    },
};
use serde_json::json;

use crate::{
    Usage, confine,
    earlier::Earlier,
    failures,
    find::{self, Found},
    interrupt,
    job_args::{GivenArray, split_label},
    limit_args::LimitArgs,
    logs::{self, LogArgs},
    outcome, trust,
};

/// Merge the partials of all partitions of a run, which `lthost partial` made
///
/// The data set is not needed, the plugins are: they are found as the run found them, and must be the same. Results are the
/// same bits as those of one run.
///
/// Examples:
///   lthost merge *.partial -o out
///   lthost merge --plugin my-udf=./new/place/my_udf.wasm *.partial -o out --png
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Opts {
    /// Files with partials, in any order
    #[arg(required = true, value_name = "FILE")]
    partials: Vec<PathBuf>,
    /// Where a plugin is now, LABEL=NAME or LABEL=FILE, with @sha256:HASH as in `lthost run`; it must be the same one; may be
    /// repeated
    #[arg(long, value_name = "LABEL=NAME|FILE")]
    plugin: Vec<String>,
    /// Folder for the results, as of `lthost run`; without it a summary is printed
    #[arg(short = 'o', long = "output", value_name = "DIR")]
    output: Option<PathBuf>,
    /// Also write pictures of the results, DIR/LABEL/BUFFER.png
    #[arg(long, requires = "output")]
    png: bool,
    /// Print a summary of the results as JSON on stdout
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    logs: LogArgs,
    #[command(flatten)]
    limits: LimitArgs,
}

pub(crate) fn run(opts: &Opts) -> anyhow::Result<()> {
    let limits = opts.limits.limits()?;
    let read = |path: &PathBuf| {
        let bytes = read_file(path).with_context(|| format!("`{}` can't be read", path.display()))?;
        anyhow::Ok((path.display().to_string(), bytes))
    };
    let files = opts.partials.iter().map(read).collect::<anyhow::Result<Vec<_>>>()?;
    let partials: Vec<Made<'_>> = files.iter().map(|(name, bytes)| Made { name, bytes }).collect();
    let first = facts(partials[0])?;
    let engine = opts.limits.engine(first.deterministic)?;
    let plugins = opts.plugins(&first.udfs)?;
    let judge = trust::judge()?;
    let plugins = plugins.iter().map(|found| found.load(&judge, &engine, &limits)).collect::<Result<Vec<_>, _>>()?;
    let earlier = opts.earlier(&first.udfs, &plugins)?;
    let origins = plugins.iter().map(|plugin| PathBuf::from(&plugin.facts().origin));
    let inputs: Vec<PathBuf> = opts.partials.iter().cloned().chain(origins).collect();
    let signals = interrupt::hold()?;
    let mut output = opts.output.as_deref().map(|dir| Output::create(dir, &inputs)).transpose()?;
    opts.limits.confine(&confine::needs(None, output.as_ref()))?;
    signals.end(output.as_ref())?;
    let (logger, held_back) = logs::logger(opts.logs);
    let merged = merge(&partials, &plugins, &limits, &Observer { logger, ..Observer::default() });
    let merged = merged.map_err(anyhow::Error::from);
    logs::print_held_back(&held_back, &failures::texts(merged.as_ref().err(), &[]));
    let merged = merged?;
    let files: Vec<_> = first.files.iter().map(|(name, bytes)| json!({ "name": name, "bytes": bytes })).collect();
    let data = json!({
        "format": first.format,
        "nav_shape": merged.nav.axes(),
        "sig_shape": merged.sig.axes(),
        "dtype": first.dtype,
        "sync_offset": first.sync_offset,
        "frames_present": first.frames_present,
        "files": files,
        "partials": opts.partials.iter().map(|path| path.display().to_string()).collect::<Vec<_>>(),
    });
    // Each partial has them; the first one stands for all.
    let place = |(name, array)| (name, opts.partials[0].clone(), array);
    let arrays: Vec<GivenArray> = merged.arrays.into_iter().map(place).collect();
    let run = outcome::Run {
        nav: &merged.nav,
        sig: &merged.sig,
        data: &data,
        config: &merged.config,
        specs: &merged.udfs,
        arrays: &arrays,
        earlier: &earlier,
    };
    if let Some(output) = &mut output {
        run.write(&merged.outcome, output, opts.png)?;
    }
    let dir = opts.output.as_deref();
    if opts.json { run.print_json(&merged.outcome, dir) } else { run.print_summary(&merged.outcome, dir) }
}

impl Opts {
    /// What the output folder has of earlier runs, if no plugin replaces results of another one. Partials do not tell who gave a
    /// label: it may have been the plugin.
    fn earlier(&self, udfs: &[PartialUdf], plugins: &[Plugin]) -> anyhow::Result<Earlier> {
        let earlier = self.output.as_deref().map(Earlier::read).unwrap_or_default();
        let taken = earlier.taken(plugins);
        let is_meant = |udf: &PartialUdf| {
            self.plugin.iter().any(|given| split_label(given).0.is_some_and(|label| label == udf.label))
        };
        for (udf, plugin) in udfs.iter().zip(plugins).filter(|(udf, _)| !is_meant(udf)) {
            let label = &udf.label;
            Taken::check(&taken, plugin, label).map_err(|_| {
                Usage(format!(
                    "the output folder has results of another plugin under the label `{label}`: `--plugin {label}={}` \
                     replaces them; or give another folder",
                    printable(&plugin.facts().origin, 4000)
                ))
            })?;
        }
        Ok(earlier)
    }

    /// Each plugin, from where the command line says, else from where the run had it.
    fn plugins(&self, udfs: &[PartialUdf]) -> anyhow::Result<Vec<Found>> {
        let mut places: Vec<Option<&str>> = vec![None; udfs.len()];
        for given in &self.plugin {
            let (label, place) = split_label(given);
            let label = label.ok_or_else(|| Usage(format!("--plugin {given}: expected LABEL=NAME or LABEL=FILE")))?;
            let udf = udfs.iter().position(|udf| udf.label == label);
            let udf = udf.ok_or_else(|| {
                let known: Vec<&str> = udfs.iter().map(|udf| udf.label.as_str()).collect();
                Usage(format!("--plugin {given}: there is no `{label}` in the partials, but {}", known.join(", ")))
            })?;
            places[udf] = Some(place);
        }
        let locate = |(place, udf): (Option<&str>, &PartialUdf)| match place {
            Some(place) => find::find(place),
            None => Ok(find::find_recorded(&udf.plugin)?),
        };
        places.into_iter().zip(udfs).map(locate).collect()
    }
}
