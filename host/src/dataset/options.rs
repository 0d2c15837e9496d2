//! What a user may say about a data set, and which format listens to what.

use super::DatasetError;
use crate::shape::{ByteOrder, Dtype, Shape};

/// What the user says about a data set; everything else is found in its files.
#[derive(Debug, Clone, Default)]
pub struct DatasetOptions {
    /// Name of the format; none or `auto`: found out.
    pub format: Option<String>,
    /// Shape of the scan. May have fewer or more frames than the files.
    pub nav_shape: Option<Vec<u64>>,
    /// Shape of a frame.
    pub sig_shape: Option<Vec<u64>>,
    /// How many of the last axes of an array make a frame.
    pub sig_dims: Option<usize>,
    /// Element type, with the byte order if it was written with one.
    pub dtype: Option<(Dtype, Option<ByteOrder>)>,
    /// Byte order of the elements.
    pub byte_order: Option<ByteOrder>,
    /// Where the first frame starts, in bytes.
    pub offset: Option<u64>,
    /// Positive: frames of the files to skip at the start. Negative: blank frames to insert before them.
    pub sync_offset: i64,
    /// Options that only one format has, as key and value.
    pub extra: Vec<(String, String)>,
}

/// A format that can be opened, for help texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FormatInfo {
    /// As `--format` takes it.
    pub name: &'static str,
    /// What it is, in a line.
    pub summary: &'static str,
    /// The options that it takes, as on the command line but without the dashes.
    pub options: &'static [&'static str],
    /// Its own options, as in `--ds KEY=VALUE`: key, and what the value means.
    pub extra: &'static [(&'static str, &'static str)],
}

pub(super) const NPY: FormatInfo = FormatInfo {
    name: "npy",
    summary: "numpy array, scan axes first (.npy)",
    options: &["nav-shape", "sig-shape", "sig-dims", "sync-offset"],
    extra: &[],
};

pub(super) const RAW: FormatInfo = FormatInfo {
    name: "raw",
    summary: "plain numbers, frame after frame; needs --dtype and --sig-shape",
    options: &["dtype", "sig-shape", "nav-shape", "byte-order", "offset", "sync-offset"],
    extra: &[("frame-header", "bytes before each frame"), ("frame-footer", "bytes after each frame")],
};

pub(super) const MIB: FormatInfo = FormatInfo {
    name: "mib",
    summary: "Quantum Detectors Merlin (.mib, or its .hdr)",
    options: &["nav-shape", "sig-shape", "sync-offset"],
    extra: &[("disable-glob", "true: only the .mib file that was named, not those that continue it")],
};

pub(super) const RAW_CSR: FormatInfo = FormatInfo {
    name: "raw_csr",
    summary: "sparse frames as LiberTEM has them: a .toml file beside three files of numbers",
    options: &["nav-shape", "sig-shape", "sync-offset"],
    extra: &[],
};

/// All formats.
pub fn formats() -> &'static [FormatInfo] {
    const { &[NPY, RAW, MIB, RAW_CSR] }
}

/// The names of all formats, for an error.
pub(super) fn known_formats() -> String {
    formats().iter().map(|format| format.name).collect::<Vec<_>>().join(", ")
}

impl DatasetOptions {
    /// Refuses options that `format` does not take.
    pub(super) fn check(&self, format: &FormatInfo) -> Result<(), DatasetError> {
        let given = [
            ("nav-shape", self.nav_shape.is_some()),
            ("sig-shape", self.sig_shape.is_some()),
            ("sig-dims", self.sig_dims.is_some()),
            ("dtype", self.dtype.is_some()),
            ("byte-order", self.byte_order.is_some()),
            ("offset", self.offset.is_some()),
        ];
        for (option, is_given) in given {
            if is_given && !format.options.contains(&option) {
                let takes = format.options.iter().map(|name| format!("--{name}")).collect::<Vec<_>>().join(", ");
                return Err(DatasetError::OptionNotTaken { format: format.name, option, takes });
            }
        }
        let own = |key: &str| format.extra.iter().any(|(known, _)| *known == plain(key));
        if let Some((key, _)) = self.extra.iter().find(|(key, _)| !own(key)) {
            let known = match format.extra {
                [] => "none".to_owned(),
                keys => keys.iter().map(|(key, _)| *key).collect::<Vec<_>>().join(", "),
            };
            return Err(DatasetError::UnknownKey { format: format.name, key: key.clone(), known });
        }
        Ok(())
    }

    /// The shape of the scan, if it was given.
    pub(super) fn nav(&self) -> Result<Option<Shape>, DatasetError> {
        shape("nav-shape", self.nav_shape.as_deref())
    }

    /// The shape of a frame, if it was given.
    pub(super) fn sig(&self) -> Result<Option<Shape>, DatasetError> {
        shape("sig-shape", self.sig_shape.as_deref())
    }

    /// The value of one of the format's own options, parsed; the last one counts.
    pub(super) fn own<T: std::str::FromStr>(&self, key: &str, expected: &str) -> Result<Option<T>, DatasetError> {
        let Some((_, value)) = self.extra.iter().rev().find(|(given, _)| plain(given) == key) else {
            return Ok(None);
        };
        let bad = |_| DatasetError::BadValue {
            option: format!("--ds {key}"),
            value: value.clone(),
            expected: expected.to_owned(),
        };
        value.trim().parse().map(Some).map_err(bad)
    }
}

fn shape(option: &'static str, axes: Option<&[u64]>) -> Result<Option<Shape>, DatasetError> {
    axes.map(Shape::non_empty).transpose().map_err(|source| DatasetError::BadShape { option, source })
}

/// A key as in the table, also if it was written as in Python.
fn plain(key: &str) -> String {
    key.trim().replace('_', "-")
}
