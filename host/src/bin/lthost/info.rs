//! `lthost info`: what a data set is.

use std::io::Write;

use lthost::{dataset::Dataset, plugin::printable, run::partition_plan};
use serde_json::json;

use crate::{dataset_args::DatasetArgs, terminal};

/// Show what a data set is: shape, dtype, format, metadata, partitions
///
/// Examples:
///   lthost info --dataset scan.hdr
///   lthost info --dataset scan.raw --dtype u16 --sig-shape 256,256 --json
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Opts {
    #[command(flatten)]
    dataset: DatasetArgs,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(opts: &Opts) -> anyhow::Result<()> {
    let dataset = opts.dataset.open()?;
    if opts.json { print_json(&dataset) } else { print_text(&dataset) }
}

fn print_text(dataset: &Dataset) -> anyhow::Result<()> {
    let present = dataset.present();
    let partitions = partition_plan(dataset, None);
    let n_bytes: u64 = dataset.files().iter().map(|file| file.size).sum();
    let mut out = std::io::stdout().lock();
    writeln!(out, "data set     {}", printable(&dataset.path().display().to_string(), 4000))?;
    writeln!(out, "format       {}", dataset.format())?;
    writeln!(out, "nav shape    {}", dataset.nav())?;
    writeln!(out, "sig shape    {}", dataset.sig())?;
    writeln!(out, "dtype        {}", dataset.dtype())?;
    writeln!(out, "files        {} ({n_bytes} bytes, {} frames)", dataset.files().len(), dataset.n_file_frames())?;
    writeln!(
        out,
        "frames       {} in the scan, of these in the file: {}..{}",
        dataset.nav().size(),
        present.start,
        present.end
    )?;
    writeln!(out, "sync offset  {}", dataset.sync_offset())?;
    let frames = partitions.first().map_or(0, |first| first.end.0 - first.start.0);
    writeln!(out, "partitions   {} of about {frames} frames", partitions.len())?;
    for (key, value) in dataset.metadata() {
        writeln!(out, "  {}: {}", printable(key, 200), printable(value, 2000))?;
    }
    Ok(())
}

fn print_json(dataset: &Dataset) -> anyhow::Result<()> {
    let present = dataset.present();
    let metadata: serde_json::Map<String, serde_json::Value> =
        dataset.metadata().iter().map(|(key, value)| (key.clone(), json!(value))).collect();
    let partitions: Vec<[u64; 2]> =
        partition_plan(dataset, None).iter().map(|range| [range.start.0, range.end.0]).collect();
    let files: Vec<_> = dataset
        .files()
        .iter()
        .map(|file| json!({ "path": file.path.display().to_string(), "bytes": file.size }))
        .collect();
    let info = json!({
        "path": dataset.path().display().to_string(),
        "format": dataset.format(),
        "nav_shape": dataset.nav().axes(),
        "sig_shape": dataset.sig().axes(),
        "dtype": dataset.dtype().name(),
        "n_frames": dataset.nav().size(),
        "n_file_frames": dataset.n_file_frames(),
        "frames_present": [present.start.0, present.end.0],
        "sync_offset": dataset.sync_offset(),
        "files": files,
        "partitions": partitions,
        "metadata": metadata,
    });
    writeln!(std::io::stdout().lock(), "{}", terminal::pretty_json(&info)?)?;
    Ok(())
}
