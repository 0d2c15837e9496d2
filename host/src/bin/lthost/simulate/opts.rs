//! Options of `lthost simulate`, and the scan that they ask for.

use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use clap::builder::{PossibleValuesParser, TypedValueParser};
use lthost::shape::Dtype;

use super::{
    Bytes,
    counts::Scan,
    optics::Optics,
    output::{Format, Layout},
};

const MAX_SCAN_SIDE: u64 = 65_536;
const MIN_DETECTOR_SIDE: u64 = 8;
const MAX_DETECTOR_SIDE: u64 = 4096;
const MAX_FILE_BYTES: u64 = 1 << 40;
const MAX_DOSE: f64 = 1e9;

const EXAMPLES: &str = "\
Examples:
  lthost simulate -o scan.npy
  lthost simulate -o scan.mib --nav-shape 128,128 --sig-shape 256,256 --dose 50000
  lthost simulate -o small.npy --nav-shape 16,24 --sig-shape 64,64 --dtype f32 --seed 7";

/// Simulate a scan of a crystalline specimen, to try things without data of your own
///
/// The specimen has two grains with a curved boundary, a thickness wedge, a dislocation, bend contours, an amorphous
/// film, heavy nanoparticles, electric fields and a hole. Patterns are convergent-beam patterns with Poisson counts. The
/// same options give the same files, whatever the number of threads.
///
/// Beside the data it writes STEM.masks.npy (bright field, annular dark field and high-angle annular dark field as
/// weights, shape (3, sy, sx)) and STEM.json (parameters, geometry, what there is to see). For .mib there is also
/// STEM.hdr, which has the scan's shape.
#[derive(Debug, clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Opts {
    /// File to write; its extension says how: .npy, .mib (Merlin) or .raw (pixels only, little-endian)
    #[arg(short, long, value_name = "FILE")]
    pub(super) output: PathBuf,

    /// Scan shape, slow axis first
    #[arg(long, value_name = "NY,NX", default_value = "64,64", value_parser = scan_shape)]
    pub(super) nav_shape: [u64; 2],

    /// Detector shape, rows first
    #[arg(long, value_name = "SY,SX", default_value = "128,128", value_parser = detector_shape)]
    pub(super) sig_shape: [u64; 2],

    /// Electrons per pattern
    #[arg(long, value_name = "ELECTRONS", default_value = "20000", value_parser = dose)]
    pub(super) dose: f64,

    /// Seed of the counts; the specimen is always the same
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub(super) seed: u64,

    /// Type of the counts; more than it can hold is cut at its maximum
    #[arg(long, default_value = "u16", value_parser = dtype_parser())]
    pub(super) dtype: Dtype,

    /// Replace files that are already there
    #[arg(long)]
    pub(super) force: bool,
}

impl Opts {
    /// Checks what the parsers of single options can't.
    pub(super) fn scan(&self) -> anyhow::Result<Scan> {
        let format = Format::of(&self.output)?;
        let sig = [as_extent(self.sig_shape[0])?, as_extent(self.sig_shape[1])?];
        let layout = Layout::new(format, self.dtype, sig)?;
        let scan = Scan { nav: self.nav_shape, optics: Optics::new(sig), dose: self.dose, seed: self.seed, layout };
        let (size, [ny, nx], [sy, sx]) = (scan.file_size(), self.nav_shape, self.sig_shape);
        ensure!(
            size <= MAX_FILE_BYTES,
            "a scan of {ny} x {nx} frames of {sy} x {sx} {} would take {}: at most {} are simulated",
            self.dtype,
            Bytes(size),
            Bytes(MAX_FILE_BYTES),
        );
        Ok(scan)
    }
}

fn scan_shape(text: &str) -> Result<[u64; 2], String> {
    shape(text, 1..=MAX_SCAN_SIDE)
}

fn detector_shape(text: &str) -> Result<[u64; 2], String> {
    shape(text, MIN_DETECTOR_SIDE..=MAX_DETECTOR_SIDE)
}

fn shape(text: &str, allowed: std::ops::RangeInclusive<u64>) -> Result<[u64; 2], String> {
    let (slow, fast) = text.split_once(',').ok_or("expected two numbers with a comma between, such as 64,64")?;
    let extent = |text: &str| -> Result<u64, String> {
        let extent = text.trim().parse().map_err(|error: std::num::ParseIntError| format!("`{text}`: {error}"))?;
        let range = format!("{extent} is not from {} to {}", allowed.start(), allowed.end());
        allowed.contains(&extent).then_some(extent).ok_or(range)
    };
    Ok([extent(slow)?, extent(fast)?])
}

fn dose(text: &str) -> Result<f64, String> {
    let dose: f64 = text.parse().map_err(|error: std::num::ParseFloatError| error.to_string())?;
    if dose > 0.0 && dose <= MAX_DOSE {
        Ok(dose)
    } else {
        Err(format!("expected more than 0 and at most {MAX_DOSE:e}"))
    }
}

fn dtype_parser() -> impl TypedValueParser<Value = Dtype> {
    PossibleValuesParser::new(["u8", "u16", "u32", "f32"]).try_map(|name| name.parse::<Dtype>())
}

fn as_extent(value: u64) -> anyhow::Result<usize> {
    usize::try_from(value).with_context(|| format!("{value} is too large for this machine"))
}
