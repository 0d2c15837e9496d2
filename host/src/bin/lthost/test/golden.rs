//! Golden cases: data and parameters of the author's, and the results that he expects of them.
//!
//! A case is a folder with `case.json` and `expected/BUFFER.npy` (and `expected/BUFFER.mask.npy` for a mask). In `case.json`
//! paths are relative to the folder:
//!
//! ```json
//! { "dataset": "scan.npy", "options": { "nav_shape": [4, 5] }, "params": { "r": 3, "factors": "@masks.npy" },
//!   "roi": "roi.npy", "rtol": 1e-5, "atol": 0.0 }
//! ```

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::Context;
use lthost::{
    dataset::{self, DatasetOptions},
    plugin::Argument,
    results::{Output, ResultBuffer},
    run::{RunConfig, RunError, UdfOutcome, UdfSpec},
    shape::{ByteOrder, Dtype, npy},
};
use serde_json::Value as Json;

use super::{
    compare::{Agreement, Difference, Tolerance, compare},
    lab::{Lab, Ran, judge},
};
use crate::{Usage, job_args::argument};

/// `case.json`.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    dataset: PathBuf,
    #[serde(default)]
    options: Options,
    #[serde(default)]
    params: BTreeMap<String, Json>,
    roi: Option<PathBuf>,
    rtol: Option<f64>,
    #[serde(default)]
    atol: f64,
}

/// Options of the data set, as on the command line.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Options {
    format: Option<String>,
    nav_shape: Option<Vec<u64>>,
    sig_shape: Option<Vec<u64>>,
    sig_dims: Option<usize>,
    dtype: Option<String>,
    byte_order: Option<String>,
    offset: Option<u64>,
    sync_offset: i64,
    ds: BTreeMap<String, String>,
}

/// What came of a golden case.
#[derive(Debug)]
pub(super) enum Golden {
    Passed,
    /// It had no expected results, and now has these.
    Accepted,
    /// What is wrong, in words, and where.
    Broken(String, Option<Difference>),
}

/// Runs all cases in `dir`, in the order of their names. With `accept`, those without expected results get what comes out.
pub(super) fn run(
    lab: &mut Lab<'_>,
    dir: &Path,
    accept: bool,
    tolerance: Tolerance,
) -> anyhow::Result<Vec<(String, Golden)>> {
    let unreadable = |error| Usage(format!("can't read the golden cases in `{}`: {error}", dir.display()));
    let entries = fs::read_dir(dir).map_err(unreadable)?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.retain(|folder| folder.join("case.json").is_file());
    folders.sort();
    if folders.is_empty() {
        let what = "there is no golden case";
        return Err(Usage(format!("{what} `{}/CASE/case.json`: write one, or remove the folder", dir.display())).into());
    }
    let mut all = Vec::new();
    for folder in folders {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let golden = run_one(lab, &folder, accept, tolerance).with_context(|| format!("golden case `{name}`"))?;
        all.push((name, golden));
    }
    Ok(all)
}

fn run_one(lab: &mut Lab<'_>, folder: &Path, accept: bool, tolerance: Tolerance) -> anyhow::Result<Golden> {
    let file = folder.join("case.json");
    let senseless = |error| Usage(format!("`{}` makes no sense: {error}", file.display()));
    let settings: Settings = serde_json::from_slice(&fs::read(&file)?).map_err(senseless)?;
    let found = match compute(lab, folder, &settings)? {
        Ran::Done(found) => found,
        Ran::Refused(reason) => return Ok(Golden::Broken(format!("refused: {reason}"), None)),
        Ran::Failed(failure) => return Ok(Golden::Broken(failure.message, None)),
    };
    let expected = folder.join("expected");
    if !expected.exists() {
        if !accept {
            let what = "there are no expected results: --accept takes those that come out, which are yours to look at";
            return Ok(Golden::Broken(what.to_owned(), None));
        }
        write(folder, &found)?;
        return Ok(Golden::Accepted);
    }
    let rtol = settings.rtol.or(tolerance.rtol);
    let agreement = Agreement::Close(Tolerance { rtol, atol: settings.atol });
    Ok(match difference(&expected, &found, agreement)? {
        Some(difference) => Golden::Broken("results are not those expected".to_owned(), Some(difference)),
        None => Golden::Passed,
    })
}

fn compute(lab: &mut Lab<'_>, folder: &Path, settings: &Settings) -> anyhow::Result<Ran> {
    let dataset = Arc::new(dataset::open(&folder.join(&settings.dataset), &settings.options.open()?)?);
    let roi = settings.roi.as_ref().map(|roi| npy::read(&folder.join(roi))).transpose()?;
    let arguments = settings.params.iter().map(|(name, value)| {
        let value = match value.as_str().and_then(|text| text.strip_prefix('@')) {
            Some(path) => argument(&format!("@{}", folder.join(path).display()))?,
            None => Argument::Json(value.clone()),
        };
        Ok((name.clone(), value))
    });
    let spec = UdfSpec { arguments: arguments.collect::<anyhow::Result<_>>()?, ..lab.spec().clone() };
    let config = RunConfig { roi, limits: lab.limits().clone(), ..RunConfig::default() };
    let ended = lab.run_with(&dataset, &spec, 1, &config)?;
    // The data and the ROI are the author's: what is wrong with them is his to know.
    if let Err(error @ (RunError::Roi(_) | RunError::Dataset(_))) = ended {
        return Err(error.into());
    }
    judge(ended)
}

impl Options {
    fn open(&self) -> anyhow::Result<DatasetOptions> {
        let byte_order = match self.byte_order.as_deref() {
            None => None,
            Some("little") => Some(ByteOrder::Little),
            Some("big") => Some(ByteOrder::Big),
            Some(other) => anyhow::bail!("byte_order {other:?} is neither `little` nor `big`"),
        };
        Ok(DatasetOptions {
            format: self.format.clone().filter(|format| format != "auto"),
            nav_shape: self.nav_shape.clone(),
            sig_shape: self.sig_shape.clone(),
            sig_dims: self.sig_dims,
            dtype: self.dtype.as_deref().map(Dtype::parse_with_order).transpose()?,
            byte_order,
            offset: self.offset,
            sync_offset: self.sync_offset,
            extra: self.ds.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        })
    }
}

/// Where what was found is not what is in the folder.
fn difference(folder: &Path, found: &UdfOutcome, agreement: Agreement) -> anyhow::Result<Option<Difference>> {
    let mut files: Vec<String> = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.push(entry?.file_name().to_string_lossy().into_owned());
    }
    for result in &found.results {
        let Some(expected) = read(folder, result)? else {
            let found = format!("{} {}", result.dtype, result.shape);
            return Ok(Some(Difference::whole(&result.name, "no such buffer".to_owned(), found)));
        };
        files.retain(|file| *file != format!("{}.npy", result.name) && *file != format!("{}.mask.npy", result.name));
        if expected.dtype != result.dtype || expected.mask.is_some() != result.mask.is_some() {
            let what = |result: &ResultBuffer| {
                format!("{}{}", result.dtype, if result.mask.is_some() { " with a mask" } else { "" })
            };
            return Ok(Some(Difference::whole(&result.name, what(&expected), what(result))));
        }
        if let Some(difference) = compare(&expected, result, agreement, ([found.input_dtype; 2], None)) {
            return Ok(Some(difference));
        }
    }
    let other = files.iter().find_map(|file| file.strip_suffix(".npy"));
    Ok(other.map(|name| Difference::whole(name, "a buffer".to_owned(), "none of this name".to_owned())))
}

/// What is expected of a result; none if there is no such file.
fn read(folder: &Path, like: &ResultBuffer) -> anyhow::Result<Option<ResultBuffer>> {
    let path = folder.join(format!("{}.npy", like.name));
    if !path.exists() {
        return Ok(None);
    }
    let array = npy::read(&path)?;
    let mask = folder.join(format!("{}.mask.npy", like.name));
    let mask = mask.exists().then(|| npy::read(&mask)).transpose()?;
    let mask = mask.map(|mask| mask.data).filter(|mask| mask.len() as u64 == array.shape.size());
    Ok(Some(ResultBuffer { dtype: array.dtype, shape: array.shape, data: array.data, mask, ..like.clone() }))
}

/// Makes what was found the expected results: all files or none.
fn write(folder: &Path, found: &UdfOutcome) -> anyhow::Result<()> {
    let mut output = Output::create(folder, &[])?;
    for result in &found.results {
        output.stage_result("expected", result)?;
    }
    Ok(output.commit()?)
}
