//! What a run gave, for the user: files in the output folder, a summary, or JSON.

use std::{
    io::Write,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};

use lthost::{
    dataset::Dataset,
    plugin::{CONTRACT, Value, printable},
    results::{Output, ResultBuffer},
    run::{AppliedUpdate, Outcome, RunConfig, UdfOutcome, UdfSpec},
    shape::{Array, Shape, npy},
};
use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};

use crate::{
    earlier::{self, Earlier},
    failures,
    job_args::GivenArray,
    pictures::{self, Scene},
    profile, terminal,
};

/// A run, as far as its results are recorded with it.
pub(crate) struct Run<'a> {
    pub(crate) nav: &'a Shape,
    pub(crate) sig: &'a Shape,
    /// The data set, for the record.
    pub(crate) data: &'a Json,
    pub(crate) config: &'a RunConfig,
    pub(crate) specs: &'a [UdfSpec],
    /// ROI and corrections.
    pub(crate) arrays: &'a [GivenArray],
    /// What the output folder has of earlier runs.
    pub(crate) earlier: &'a Earlier,
}

impl Run<'_> {
    /// Writes all results, pictures if wanted, and `run.json`: all of it or nothing.
    pub(crate) fn write(&self, outcome: &Outcome, output: &mut Output, png: bool) -> anyhow::Result<()> {
        let stage_damage = |output: &mut Output, name: &str, damage: &Array| {
            output.stage(name.as_ref(), |out| npy::write(out, damage.dtype, damage.shape.axes(), &damage.data))
        };
        for udf in &outcome.udfs {
            for result in &udf.results {
                output.stage_result(&udf.label, result)?;
                if png {
                    pictures::stage(output, &udf.label, result, self.scene(outcome, udf))?;
                }
            }
            let damage_file = failures::damage_file(&udf.label);
            match &udf.damage {
                Some(damage) => stage_damage(output, &damage_file, damage)?,
                None => output.leave_out(damage_file.into()),
            }
            self.earlier.files(&udf.label).for_each(|file| output.leave_out(file));
        }
        let labels: Vec<&str> = outcome.udfs.iter().map(|udf| udf.label.as_str()).collect();
        let mut damage = Vec::new();
        npy::write(&mut damage, outcome.damage.dtype, outcome.damage.shape.axes(), &outcome.damage.data)?;
        self.earlier.keep_damage(output, &labels, &damage)?;
        output.stage("damage.npy".as_ref(), |out| out.write_all(&damage))?;
        if let Some(profile) = &outcome.profile {
            profile::stage(output, profile)?;
        }
        let text = terminal::pretty_json(&self.record(outcome, &labels, output.staged()))?;
        output.stage("run.json".as_ref(), |out| writeln!(out, "{text}"))?;
        output.commit()?;
        Ok(())
    }

    fn scene<'b>(&'b self, outcome: &'b Outcome, udf: &'b UdfOutcome) -> Scene<'b> {
        Scene { nav: self.nav, sig: self.sig, damage: outcome.damage_of(udf) }
    }

    /// Everything that it takes to repeat the run; `staged` are its files.
    fn record(&self, outcome: &Outcome, labels: &[&str], staged: &[PathBuf]) -> Json {
        let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        let udfs = outcome.udfs.iter().zip(self.specs);
        let udfs: Vec<Json> = udfs.map(|(udf, spec)| record_udf(udf, spec, staged)).collect();
        let updates: Vec<Json> = outcome.updates.iter().map(record_update).collect();
        let arrays: serde_json::Map<String, Json> = self
            .arrays
            .iter()
            .map(|(option, path, array)| {
                let record = record_value(&Value::Array(array.clone()));
                ((*option).to_owned(), json!({ "path": path.display().to_string(), "array": record }))
            })
            .collect();
        json!({
            "lthost": env!("CARGO_PKG_VERSION"),
            "contract": CONTRACT,
            "finished_unix_s": seconds,
            "command": std::env::args_os().map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>(),
            "folder": std::env::current_dir().ok().map(|folder| folder.display().to_string()),
            "dataset": self.data,
            "arrays": arrays,
            "udfs": udfs,
            "earlier": self.earlier.but(labels, staged),
            "updates": updates,
            "complete": outcome.is_complete && self.config.only_partition.is_none() && outcome.failures.is_empty(),
            "failures": failures::record(&outcome.failures),
            "running": {
                "workers": outcome.stats.n_workers,
                "partitions": self.config.partitions,
                "only_partition": self.config.only_partition,
                "tile_bytes": self.config.tile_bytes,
                "backwards": self.config.backwards,
                "deterministic": self.specs.iter().any(|spec| spec.plugin.is_deterministic()),
                "max_memory_bytes": self.config.limits.max_memory_bytes,
                "timeout_s": self.config.limits.timeout.as_secs_f64(),
            },
            "stats": outcome.stats,
        })
    }

    /// A line per result.
    pub(crate) fn print_summary(&self, outcome: &Outcome, dir: Option<&Path>) -> anyhow::Result<()> {
        let mut out = std::io::stdout().lock();
        for udf in &outcome.udfs {
            writeln!(out, "{} ({} {})", udf.label, udf.manifest.name, udf.manifest.version)?;
            if udf.results.is_empty() {
                writeln!(out, "  no results")?;
            }
            for result in &udf.results {
                let unit = if result.unit.is_empty() { String::new() } else { format!(" {}", result.unit) };
                let what = format!("{:<12} {} {}", result.name, result.dtype, result.shape);
                match Figures::of(result, self.scene(outcome, udf)) {
                    Some(figures) => writeln!(
                        out,
                        "  {what:<36} min {}, mean {}, max {}{unit}",
                        short(figures.min),
                        short(figures.mean),
                        short(figures.max)
                    )?,
                    None => writeln!(out, "  {what:<36} no number in it")?,
                }
            }
        }
        let stats = &outcome.stats;
        let gb = to_f64(stats.n_file_bytes) / 1e9;
        let speed = gb / stats.seconds.max(1e-9);
        let (frames, workers) = (stats.n_frames, stats.n_workers);
        let how = match workers {
            0 => ", merged".to_owned(),
            _ => format!(" in {:.3} s, {speed:.2} GB/s with {workers} workers", stats.seconds),
        };
        writeln!(out, "{frames} frames, {gb:.3} GB{how}")?;
        if stats.n_partitions_resumed > 0 {
            let (n_resumed, n) = (stats.n_partitions_resumed, stats.n_partitions);
            writeln!(out, "{n_resumed} of {n} partitions came from the checkpoint; GB and GB/s are of the others")?;
        }
        let selected = self.config.roi.as_ref().map_or(self.nav.size(), |roi| count(&roi.data));
        // Some plugins may have more than others: where they fail, that is told for each.
        let present = outcome.udfs.iter().map(|udf| count(&outcome.damage_of(udf).data)).max().unwrap_or(0);
        let missing = selected.saturating_sub(present);
        if let Some(partition) = self.config.only_partition {
            writeln!(out, "partition {partition} alone: {missing} of {selected} frames are not in these results")?;
        } else if missing > 0 && outcome.failures.is_empty() {
            writeln!(
                out,
                "{missing} of {selected} frames are not in the file, nor in these figures: damage.npy tells which"
            )?;
        }
        if let Some(dir) = dir {
            writeln!(out, "results are in {}", printable(&dir.display().to_string(), 4000))?;
        }
        Ok(())
    }

    /// Prints what a script needs.
    pub(crate) fn print_json(&self, outcome: &Outcome, dir: Option<&Path>) -> anyhow::Result<()> {
        let of_udf = |udf: &UdfOutcome| {
            let dir = dir.map(|dir| dir.join(&udf.label));
            let results: Vec<Json> =
                udf.results.iter().map(|result| summary(result, dir.as_deref(), self.scene(outcome, udf))).collect();
            json!({ "label": udf.label, "plugin": udf.manifest.name, "version": udf.manifest.version, "results": results })
        };
        let udfs: Vec<Json> = outcome.udfs.iter().map(of_udf).collect();
        let output = dir.map(|dir| dir.display().to_string());
        let failures = failures::record(&outcome.failures);
        let all = json!({ "output": output, "udfs": udfs, "failures": failures, "stats": outcome.stats });
        writeln!(std::io::stdout().lock(), "{}", terminal::pretty_json(&all)?)?;
        Ok(())
    }
}

/// What is recorded of a data set.
pub(crate) fn record_dataset(dataset: &Dataset) -> Json {
    let present = dataset.present();
    json!({
        "path": dataset.path().display().to_string(),
        "format": dataset.format(),
        "nav_shape": dataset.nav().axes(),
        "sig_shape": dataset.sig().axes(),
        "dtype": dataset.dtype().name(),
        "sync_offset": dataset.sync_offset(),
        "frames_present": [present.start.0, present.end.0],
        "files": dataset.files().iter().map(|file| json!({
            "path": file.path.display().to_string(),
            "bytes": file.size,
            "modified_unix_s": file.mtime,
        })).collect::<Vec<_>>(),
    })
}

/// How many are true.
fn count(mask: &[u8]) -> u64 {
    mask.iter().filter(|&&byte| byte != 0).count() as u64
}

fn record_update(update: &AppliedUpdate) -> Json {
    let parameters: serde_json::Map<String, Json> =
        update.parameters.iter().map(|(name, value)| (name.clone(), record_value(value))).collect();
    json!({ "from_partition": update.from_partition, "label": update.label, "parameters": parameters })
}

/// `staged` are the files of the run.
fn record_udf(udf: &UdfOutcome, spec: &UdfSpec, staged: &[PathBuf]) -> Json {
    let facts = spec.plugin.facts();
    let files: Vec<String> =
        staged.iter().filter(|file| earlier::is_of(file, &udf.label)).map(|file| file.display().to_string()).collect();
    let parameters: serde_json::Map<String, Json> =
        udf.parameters.iter().map(|(name, value)| (name.clone(), record_value(value))).collect();
    let results: Vec<Json> = udf
        .results
        .iter()
        .map(|result| {
            json!({
                "name": result.name,
                "kind": result.kind,
                "dtype": result.dtype.name(),
                "shape": result.shape.axes(),
                "unit": result.unit,
                "doc": result.doc,
            })
        })
        .collect();
    json!({
        "label": udf.label,
        "name": udf.manifest.name,
        "version": udf.manifest.version,
        "plugin": facts.origin,
        "sha256": facts.sha256,
        "trust": facts.trust,
        "contract": facts.contract,
        "parameters": parameters,
        "input_dtype": udf.input_dtype.name(),
        "results": results,
        "files": files,
    })
}

/// A parameter's value; an array by its hash.
pub(crate) fn record_value(value: &Value) -> Json {
    match value {
        Value::Absent => Json::Null,
        Value::Flag(flag) => json!(flag),
        Value::Integer(number) => json!(number),
        // JSON has no infinity.
        Value::Number(number) if !number.is_finite() => json!(number.to_string()),
        Value::Number(number) => json!(number),
        Value::Text(text) => json!(text),
        Value::Dtype(dtype) => json!(dtype.name()),
        Value::Array(array) => {
            json!({ "dtype": array.dtype.name(), "shape": array.shape.axes(), "sha256": sha256(&array.data) })
        }
    }
}

fn summary(result: &ResultBuffer, dir: Option<&Path>, scene: Scene<'_>) -> Json {
    let file = dir.map(|dir| dir.join(format!("{}.npy", result.name)).display().to_string());
    let figures = Figures::of(result, scene);
    let finite = |pick: fn(&Figures) -> f64| figures.as_ref().map(pick).filter(|number| number.is_finite());
    json!({
        "name": result.name,
        "kind": result.kind,
        "dtype": result.dtype.name(),
        "shape": result.shape.axes(),
        "unit": result.unit,
        "doc": result.doc,
        "file": file,
        "min": finite(|figures| figures.min),
        "max": finite(|figures| figures.max),
        "mean": finite(|figures| figures.mean),
        "sum": finite(|figures| figures.sum),
        "n_nan": figures.as_ref().map_or(result.shape.size(), |figures| figures.n_nan),
    })
}

/// Figures of a result; of complex numbers their magnitude. NaN is left out, and so are frames whose data are not in it.
struct Figures {
    min: f64,
    max: f64,
    mean: f64,
    sum: f64,
    n_nan: u64,
}

impl Figures {
    /// None if there is no number in it.
    fn of(result: &ResultBuffer, scene: Scene<'_>) -> Option<Self> {
        let (mut min, mut max, mut sum) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
        let mut n = 0_u64;
        for value in scene.values(result).filter(|value| !value.is_nan()) {
            n += 1;
            min = min.min(value);
            max = max.max(value);
            sum += value;
        }
        let n_nan = result.magnitudes().filter(|value| value.is_nan()).count() as u64;
        (n > 0).then(|| Self { min, max, mean: sum / to_f64(n), sum, n_nan })
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with few digits")]
fn to_f64(n: u64) -> f64 {
    n as f64
}

/// A number in few characters.
fn short(number: f64) -> String {
    let magnitude = number.abs();
    if number == 0.0 || (1e-3..1e7).contains(&magnitude) {
        let text = format!("{number:.4}");
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    format!("{number:.4e}")
}

fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}
