//! `lthost simulate`: a 4D-STEM scan that needs no data of the user's. A [`specimen`] says what the beam meets at each
//! position, [`pattern`] what the detector should then see, [`counts`] draws the electrons, [`output`] writes them.

mod bragg;
mod counts;
mod merlin;
mod optics;
mod opts;
mod output;
mod pattern;
mod specimen;

use std::{
    fmt,
    io::{self, Write as _},
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::{Context as _, bail};
use lthost::shape::{Dtype, npy};
use serde_json::json;

use counts::{Camera, Scan};
use optics::Optics;
pub(crate) use opts::Opts;
use output::{Format, Overwrite, Staged};

/// Frames are made and written in blocks of about this many bytes.
const BLOCK_BYTES: usize = 32 << 20;

/// Simulates and writes, then says on standard output what there is.
///
/// # Errors
///
/// If a file is in the way or can't be written, or on an interrupt; there are no new files then.
pub(crate) fn run(opts: &Opts) -> anyhow::Result<()> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    ctrlc::set_handler(move || flag.store(true, Ordering::Relaxed)).context("can't watch for Ctrl-C")?;
    let report = simulate(opts, &interrupted)?;
    match io::stdout().lock().write_all(report.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error).context("can't write to standard output"),
        _ => Ok(()),
    }
}

/// Does it, and gives the text of the report.
fn simulate(opts: &Opts, interrupted: &AtomicBool) -> anyhow::Result<String> {
    let scan = opts.scan()?;
    let overwrite = if opts.force { Overwrite::Replace } else { Overwrite::Refuse };
    let mut staged = Staged::new(overwrite);
    let beside = |extension: &str| opts.output.with_extension(extension);
    let mut others = vec![beside("masks.npy"), beside("json")];
    let header = merlin::PixelType::of(opts.dtype).filter(|_| scan.layout.format == Format::Mib);
    others.extend(header.map(|_| beside("hdr")));
    for path in others.iter().chain([&opts.output]) {
        staged.check(path)?;
    }

    let camera = Camera::new(&scan);
    let file = staged.start(opts.output.clone())?;
    write_frames(&camera, &scan, interrupted, |bytes| {
        file.write_all(bytes).with_context(|| format!("can't write `{}`", opts.output.display()))
    })?;
    staged.write(&others[0], &masks_file(&scan.optics))?;
    let description = description(opts, &scan, camera.n_saturated());
    staged.write(&others[1], format!("{description:#}\n").as_bytes())?;
    if let Some(pixel_type) = header {
        staged.write(&others[2], &merlin::acquisition_header(scan.nav, pixel_type))?;
    }
    let written = staged.publish()?;
    Ok(report(&written, &scan, camera.n_saturated()))
}

impl Scan {
    fn n_frames(&self) -> u64 {
        self.nav[0] * self.nav[1]
    }

    /// Without the header of the file.
    fn file_size(&self) -> u64 {
        self.n_frames().saturating_mul(self.layout.frame_size() as u64)
    }
}

/// Gives the bytes of the data file to `write`, block after block.
fn write_frames(
    camera: &Camera<'_>,
    scan: &Scan,
    interrupted: &AtomicBool,
    mut write: impl FnMut(&[u8]) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    write(&scan.layout.file_header(scan.nav))?;
    let frame_size = scan.layout.frame_size();
    let per_block = (BLOCK_BYTES / frame_size).max(rayon::current_num_threads());
    let mut block = Vec::new();
    let mut first = 0;
    while first < scan.n_frames() {
        let n_frames = usize::try_from(scan.n_frames() - first).unwrap_or(usize::MAX).min(per_block);
        block.resize(n_frames * frame_size, 0);
        camera.record(first, &mut block);
        if interrupted.load(Ordering::Relaxed) {
            bail!("interrupted: no file was written");
        }
        write(&block)?;
        first += n_frames as u64;
    }
    Ok(())
}

fn masks_file(optics: &Optics) -> Vec<u8> {
    let mut out = npy::header(Dtype::F32, &[3, optics.sig[0] as u64, optics.sig[1] as u64]);
    out.extend(optics.masks().iter().flat_map(|weight| weight.to_le_bytes()));
    out
}

/// What is in the file, for programs and people.
fn description(opts: &Opts, scan: &Scan, n_saturated: u64) -> serde_json::Value {
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().into_owned());
    let masks: Vec<_> = scan
        .optics
        .rings()
        .iter()
        .map(|ring| json!({ "name": ring.name, "inner_radius_px": ring.inner, "outer_radius_px": ring.outer }))
        .collect();
    json!({
        "made_by": concat!("lthost simulate ", env!("CARGO_PKG_VERSION")),
        "data": name(&opts.output),
        "nav_shape": scan.nav,
        "sig_shape": scan.optics.sig,
        "dtype": scan.layout.dtype.name(),
        "byte_order": if scan.layout.format == Format::Mib { "big" } else { "little" },
        "electrons_per_pattern": scan.dose,
        "seed": scan.seed,
        "n_saturated_pixels": n_saturated,
        "centre_px": { "y": scan.optics.centre[0], "x": scan.optics.centre[1] },
        "disc_radius_px": scan.optics.radius,
        "shortest_lattice_vector_px": scan.optics.spacing,
        "masks": { "data": name(&opts.output.with_extension("masks.npy")), "in_order": masks },
        "specimen": specimen::DESCRIPTION,
    })
}

fn report(written: &[PathBuf], scan: &Scan, n_saturated: u64) -> String {
    let ([ny, nx], [sy, sx], dtype) = (scan.nav, scan.optics.sig, scan.layout.dtype);
    let size = Bytes(scan.file_size());
    let mut lines =
        vec![format!("simulated {ny} x {nx} frames of {sy} x {sx} {dtype}, {} electrons each ({size})", scan.dose)];
    if n_saturated > 0 {
        lines.push(format!(
            "  {n_saturated} pixels had more than {dtype} can count: take a larger --dtype or a lower --dose"
        ));
    }
    lines.extend(written.iter().map(|path| format!("  {}", path.display())));
    lines.join("\n") + "\n"
}

/// A number of bytes, for people.
struct Bytes(u64);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(unit) = (self.0.max(1).ilog10() / 3).checked_sub(1) else { return write!(f, "{} B", self.0) };
        #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
        let value = self.0 as f64 / 1000f64.powi(unit.cast_signed() + 1);
        write!(f, "{value:.1} {}B", ["k", "M", "G", "T", "P", "E"][unit as usize])
    }
}

#[cfg(test)]
mod tests;
