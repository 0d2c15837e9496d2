//! The options that describe a data set, shared by subcommands: what was typed, and what was meant.

use std::path::PathBuf;

use lthost::{
    dataset::{self, Dataset, DatasetOptions},
    shape::{ByteOrder, Dtype},
};

use crate::Usage;

/// Which data, and how to read them.
#[derive(clap::Args)]
#[command(next_help_heading = "Data set")]
pub(crate) struct DatasetArgs {
    /// The data set: a file, or the header file of several
    #[arg(long, value_name = "PATH")]
    dataset: PathBuf,
    /// Format of the data: `auto`, `npy`, `raw`, `mib` or `raw_csr`
    #[arg(long, value_name = "FORMAT", default_value = "auto")]
    format: String,
    /// Shape of the scan, slow axis first, like 64,64; may have fewer or more frames than the file
    #[arg(long, value_name = "NY,NX", value_parser = extents)]
    nav_shape: Option<Extents>,
    /// Shape of a frame, slow axis first, like 256,256
    #[arg(long, value_name = "SY,SX", value_parser = extents)]
    sig_shape: Option<Extents>,
    /// How many of the last axes of an array make a frame [default: 2]
    #[arg(long, value_name = "N")]
    sig_dims: Option<usize>,
    /// Element type, like u16, uint16 or <u2
    #[arg(long, value_name = "DTYPE", value_parser = dtype)]
    dtype: Option<(Dtype, Option<ByteOrder>)>,
    /// Byte order of the elements: little or big
    #[arg(long, value_name = "ORDER", value_parser = byte_order)]
    byte_order: Option<ByteOrder>,
    /// Where the first frame starts in the file, in bytes
    #[arg(long, value_name = "BYTES")]
    offset: Option<u64>,
    /// Frames to skip at the start of the file; negative: blank frames to insert before it
    #[arg(long, value_name = "N", default_value_t = 0)]
    sync_offset: i64,
    /// An option that only this format has; may be repeated
    #[arg(long = "ds", value_name = "KEY=VALUE", value_parser = key_value)]
    extra: Vec<(String, String)>,
}

/// Extents of axes. (A plain `Vec` would mean a repeated option to clap.)
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Extents(pub(crate) Vec<u64>);

impl DatasetArgs {
    pub(crate) fn open(&self) -> anyhow::Result<Dataset> {
        let options = DatasetOptions {
            format: (self.format != "auto").then(|| self.format.clone()),
            nav_shape: self.nav_shape.clone().map(|extents| extents.0),
            sig_shape: self.sig_shape.clone().map(|extents| extents.0),
            sig_dims: self.sig_dims,
            dtype: self.dtype,
            byte_order: self.byte_order,
            offset: self.offset,
            sync_offset: self.sync_offset,
            extra: self.extra.clone(),
        };
        Ok(dataset::open(&self.dataset, &options)?)
    }
}

/// Splits `KEY=VALUE`.
pub(crate) fn key_value(text: &str) -> Result<(String, String), Usage> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err(Usage(format!("{text:?} is not of the form KEY=VALUE"))),
    }
}

/// A shape.
pub(crate) fn extents(text: &str) -> Result<Extents, Usage> {
    let extent = |word: &str| match word.trim().parse() {
        Ok(0) => Err(Usage("an extent of 0: every axis needs at least 1".to_owned())),
        Ok(extent) => Ok(extent),
        Err(_) => Err(Usage(format!("{word:?} is no extent: write a shape like 64,64"))),
    };
    text.split(',').map(extent).collect::<Result<_, _>>().map(Extents)
}

pub(crate) fn dtype(text: &str) -> Result<(Dtype, Option<ByteOrder>), String> {
    Dtype::parse_with_order(text).map_err(|error| error.to_string())
}

fn byte_order(text: &str) -> Result<ByteOrder, Usage> {
    match text {
        "little" => Ok(ByteOrder::Little),
        "big" => Ok(ByteOrder::Big),
        _ => Err(Usage(format!("{text:?} is neither `little` nor `big`"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_lists_of_extents() {
        assert_eq!(extents("64,32").unwrap(), Extents(vec![64, 32]));
        for bad in ["", "64x64", "0,4", "-1", "4,,4"] {
            assert!(extents(bad).is_err(), "{bad}");
        }
    }
}
