//! Files as data sets, one target for each format, and one for what is found out about a file.

use std::path::Path;

use lthost::{
    dataset::{self, Dataset, DatasetError},
    shape::{self, Dtype},
};

use crate::{
    errors::check_words,
    folder::{lasting, with_files},
    input::{Parts, join, parts, plain},
    read::check,
};

/// The scan in seeds, all axes different.
const NAV: [u64; 2] = [2, 3];
const SIG: [u64; 2] = [4, 5];
const N_FRAMES: usize = 6;
const N_PIXELS: usize = 20;

/// A `.npy` file as a scan.
pub(crate) fn npy(input: &[u8]) {
    hold(input, "scan.npy", Some("npy"));
}

/// Plain numbers, and what is said of them.
pub(crate) fn raw(input: &[u8]) {
    hold(input, "scan.raw", Some("raw"));
}

/// A `.mib` file, with others beside it.
pub(crate) fn mib(input: &[u8]) {
    hold(input, "scan.mib", Some("mib"));
}

/// A `.hdr` file, with the files that it is about.
pub(crate) fn hdr(input: &[u8]) {
    hold(input, "scan.hdr", Some("mib"));
}

/// A sidecar file, and those that it names.
pub(crate) fn raw_csr(input: &[u8]) {
    hold(input, "scan.toml", Some("raw_csr"));
}

/// A file of any name, whose format is to be found out.
pub(crate) fn auto(input: &[u8]) {
    hold(input, "scan", None);
}

/// Opens the files of an input, and reads from them.
fn hold(input: &[u8], first: &str, format: Option<&str>) {
    let parts = named(input, first, format);
    with_files(&parts.files, |folder| match open(&parts, folder, format) {
        Ok(dataset) => check(&dataset),
        Err(error) => check_words(&error),
    });
}

/// Takes an input apart. Where the format is to be found out, the input says what its first file is called.
fn named<'a>(input: &'a [u8], first: &str, format: Option<&str>) -> Parts<'a> {
    let mut parts = parts(input, first);
    let name = parts.option("name").map(|name| plain(name.as_bytes(), 0));
    if let (None, Some(name)) = (format, name) {
        parts.files[0].0 = name;
    }
    parts
}

fn open(parts: &Parts<'_>, folder: &Path, format: Option<&str>) -> Result<Dataset, DatasetError> {
    dataset::open(&folder.join(&parts.files[0].0), &parts.dataset_options(format))
}

/// Some data sets for runs, of every form that makes a difference there.
pub(crate) fn some() -> Vec<Dataset> {
    let large = npy_of(Dtype::U16, &[1, 3, 40, 50], &counts(3 * 2000));
    let inputs = [
        ("scan.npy", "npy", npy_seeds().remove(0)),
        ("scan.npy", "npy", join("sync=-2", &[("", &npy_of(Dtype::F32, &[2, 3, 4, 5], &floats()))])),
        ("scan.toml", "raw_csr", raw_csr_seeds().remove(0)),
        ("scan.mib", "mib", mib_seeds().remove(1)),
        ("scan.npy", "npy", join("", &[("", &npy_of(Dtype::C64, &[2, 3, 4, 5], &[floats(), floats()].concat()))])),
        ("scan.npy", "npy", join("", &[("", &large)])),
    ];
    let written = |(number, (first, format, input)): (usize, (&str, &str, Vec<u8>))| {
        let parts = parts(&input, first);
        let folder = lasting(&number.to_string(), &parts.files);
        open(&parts, &folder, Some(format)).expect("seeds can be opened")
    };
    inputs.into_iter().enumerate().map(written).collect()
}

/// Numbers of 16 bits.
fn counts(n: u16) -> Vec<u8> {
    (0..n).flat_map(|number| (number % 251).to_le_bytes()).collect()
}

fn floats() -> Vec<u8> {
    (0..N_FRAMES * N_PIXELS).flat_map(|number| f32::from(u16::try_from(number).unwrap_or(0)).to_le_bytes()).collect()
}

fn npy_of(dtype: Dtype, shape: &[u64], data: &[u8]) -> Vec<u8> {
    [shape::npy::header(dtype, shape), data.to_vec()].concat()
}

pub(crate) fn npy_seeds() -> Vec<Vec<u8>> {
    let (plain, numbers) = (npy_of(Dtype::U16, &[NAV, SIG].concat(), &counts(120)), counts(120));
    let fortran = {
        let text = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3, 4, 5), }\n";
        let len = u16::try_from(text.len()).unwrap_or(0).to_le_bytes();
        [&b"\x93NUMPY\x01\x00"[..], &len, text.as_bytes(), &numbers].concat()
    };
    vec![
        join("", &[("", &plain)]),
        join("nav=4 sync=-1", &[("", &plain)]),
        join("sig=20 sync=2", &[("", &plain)]),
        join("nav=3 sig=5,5", &[("", &plain)]),
        join("dims=1", &[("", &fortran)]),
        join("", &[("", &fortran)]),
        join("", &[("", &npy_of(Dtype::Bool, &[6, 4, 5], &counts(60)))]),
        join("", &[("", &npy_of(Dtype::C128, &[3, 2, 2], &counts(96)))]),
    ]
}

pub(crate) fn raw_seeds() -> Vec<Vec<u8>> {
    let options = [
        "dtype=u16 sig=4,5",
        "dtype=>u2 sig=4,5 nav=2,3",
        "dtype=f32 sig=3 order=big offset=5",
        "dtype=u8 sig=4,5 nav=10 sync=-3",
        "dtype=c64 sig=2,2 frame-header=3 frame-footer=1",
        "dtype=bool sig=7 nav=100000,100000",
    ];
    options.iter().map(|options| join(options, &[("", &counts(120))])).collect()
}

/// A frame of Merlin's: number, file's width and height, pixel type, layout, bits of a counter, bytes of pixels.
fn frame(number: usize, (width, height): (usize, usize), kind: (&str, &str, u32), n_bytes: usize) -> Vec<u8> {
    let (pixels, layout, bits) = kind;
    let text = format!(
        "MQ1,{number:06},00384,01,{width:04},{height:04},{pixels},{layout:>6},01,2024-01-01 12:00:00,0.001,0,0,0,4.0E+1,\
         5.1E+2,3RX,068,MQ1A,2024-01-01T12:00:00Z,1000ns,{bits},"
    );
    let mut bytes = text.into_bytes();
    bytes.resize(384, 0);
    bytes.extend(counts(u16::try_from(n_bytes / 2).unwrap_or(0)));
    bytes.resize(384 + n_bytes, 7);
    bytes
}

fn frames(numbers: std::ops::Range<usize>, size: (usize, usize), kind: (&str, &str, u32), n_bytes: usize) -> Vec<u8> {
    numbers.flat_map(|number| frame(number, size, kind, n_bytes)).collect()
}

pub(crate) fn mib_seeds() -> Vec<Vec<u8>> {
    let plain = |numbers| frames(numbers, (5, 4), ("U16", "1x1", 12), 40);
    let raw = |bits: u32, layout: &str, size: (usize, usize), n_bytes: usize| {
        join("", &[("", &frames(1..4, size, ("R64", layout, bits), n_bytes))])
    };
    let mut cut = plain(1..4);
    cut.truncate(cut.len() - 9);
    vec![
        join("", &[("", &frames(1..7, (5, 4), ("U08", "1x1", 6), 20))]),
        join("nav=2,3", &[("", &plain(1..7))]),
        join("nav=5 sync=-1", &[("", &frames(1..4, (5, 4), ("U32", "1x1", 24), 80))]),
        join("", &[("", &plain(1..4)), ("scan2.mib", &plain(4..6)), ("scan.hdr", &header("5", "1"))]),
        join("disable-glob=true", &[("", &plain(1..4)), ("scan2.mib", &plain(7..9))]),
        join("", &[("", &plain(1..4)), ("scan2.mib", &plain(7..9))]),
        join("nav=2", &[("", &cut)]),
        raw(1, "1x1", (64, 2), 16),
        raw(6, "1x1", (8, 3), 24),
        raw(12, "1x1", (4, 3), 24),
        raw(24, "1x1", (8, 3), 48),
        raw(1, "2x2", (256, 1), 32),
        raw(6, "2x2", (32, 2), 64),
        raw(12, "2x2", (16, 2), 64),
        raw(24, "2x2", (32, 2), 128),
    ]
}

/// A `.hdr` file of so many frames.
fn header(n_frames: &str, per_trigger: &str) -> Vec<u8> {
    let text = format!(
        "HDR,\t\r\nTime and Date Stamp (day, mnth, yr, hr, min, s):\t1/1/2024 12:00:00\r\nFrames in Acquisition \
         (Number):\t{n_frames}\r\nFrames per Trigger (Number):\t{per_trigger}\r\nEnd\t"
    );
    text.into_bytes()
}

pub(crate) fn hdr_seeds() -> Vec<Vec<u8>> {
    let plain = |numbers| frames(numbers, (5, 4), ("U08", "1x1", 6), 20);
    let scan = b"HDR,\nScanX:\t3\nScanY:\t2\nFrames in Acquisition:\t6\nEnd";
    vec![
        join("", &[("", &header("6", "3")), ("scan.mib", &plain(1..7))]),
        join("", &[("", &header("6", "3")), ("scan1.mib", &plain(1..4)), ("scan2.mib", &plain(4..7))]),
        join("nav=7 sync=-2", &[("", &header("9", "3")), ("scan01.mib", &plain(1..4)), ("scan02.MIB", &plain(4..7))]),
        join("disable_glob=true", &[("", &header("7", "2")), ("scan.mib", &plain(1..8))]),
        join("sig=20", &[("", scan), ("scan.mib", &plain(1..7))]),
        join("", &[("", &header("0", "0")), ("scan.mib", &plain(1..7))]),
    ]
}

/// A sidecar file for these dtypes.
fn sidecar(indptr: &str, indices: &str, data: &str) -> Vec<u8> {
    let text = format!(
        "[params]\nfiletype = \"raw_csr\"\nnav_shape = [2, 3]\nsig_shape = [4, 5]\n[raw_csr]\nindptr_file = \"rows\"\n\
         indptr_dtype = \"{indptr}\"\nindices_file = \"coords\"\nindices_dtype = \"{indices}\"\ndata_file = \"values\"\n\
         data_dtype = \"{data}\"\n"
    );
    text.into_bytes()
}

pub(crate) fn raw_csr_seeds() -> Vec<Vec<u8>> {
    let rows = [0_u8, 2, 2, 5, 6, 6, 9];
    let values = counts(9);
    let ascending = [1_u8, 3, 0, 7, 19, 5, 2, 3, 4];
    let mixed = [3_u8, 1, 0, 0, 19, 5, 4, 3, 4];
    let wide = |bytes: &[u8]| -> Vec<u8> { bytes.iter().flat_map(|&byte| u64::from(byte).to_be_bytes()).collect() };
    let seed = |options: &str, toml: &[u8], files: [&[u8]; 3]| {
        let [rows, coords, values] = files;
        join(options, &[("", toml), ("rows", rows), ("coords", coords), ("values", values)])
    };
    vec![
        seed("", &sidecar("u8", "u8", "<u2"), [&rows, &ascending, &values]),
        seed("", &sidecar("u8", "i1", ">i2"), [&rows, &mixed, &values]),
        seed("sync=-1 nav=9", &sidecar(">i8", ">u8", "u16"), [&wide(&rows), &wide(&ascending), &values]),
        seed("sig=20", &sidecar("u8", "u8", "c8"), [&rows, &ascending, &counts(36)]),
        seed("", &sidecar("u8", "u8", "f16"), [&rows, &ascending, &values]),
        seed("", &sidecar("u8", "u8", "bool"), [&[0, 0], &[], &[]]),
        seed("", &sidecar("u8", "u8", "<u2"), [&rows, &[1, 3, 0, 7, 20, 5, 2, 3, 4], &values]),
    ]
}

pub(crate) fn auto_seeds() -> Vec<Vec<u8>> {
    let as_named = |name: &str, seeds: Vec<Vec<u8>>| -> Vec<Vec<u8>> {
        seeds.into_iter().map(|seed| [format!("name={name} ").as_bytes(), &seed].concat()).collect()
    };
    let of_each = [
        as_named("scan.npy", npy_seeds()),
        as_named("scan", npy_seeds()),
        as_named("scan.raw", raw_seeds()),
        as_named("scan.mib", mib_seeds()),
        as_named("scan", mib_seeds()),
        as_named("scan.hdr", hdr_seeds()),
        as_named("scan.toml", raw_csr_seeds()),
    ];
    of_each.into_iter().flat_map(|seeds| seeds.into_iter().take(3)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_can_be_opened_but_for_those_that_are_wrong() {
        let formats: [(&str, &str, Vec<Vec<u8>>, usize); 5] = [
            ("scan.npy", "npy", npy_seeds(), 0),
            ("scan.raw", "raw", raw_seeds(), 0),
            ("scan.mib", "mib", mib_seeds(), 1),
            ("scan.hdr", "mib", hdr_seeds(), 1),
            ("scan.toml", "raw_csr", raw_csr_seeds(), 1),
        ];
        for (first, format, seeds, n_wrong) in formats {
            let errors: Vec<String> = seeds
                .iter()
                .filter_map(|seed| {
                    let parts = parts(seed, first);
                    with_files(&parts.files, |folder| open(&parts, folder, Some(format)).err())
                })
                .map(|error| error.to_string())
                .collect();
            assert_eq!(errors.len(), n_wrong, "{first}: {errors:?}");
        }
    }
}
