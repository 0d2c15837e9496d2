//! Sparse frames as LiberTEM's `raw_csr` has them: a TOML file that names three files of plain numbers.

mod rows;

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::{
    Content, DatasetError, DatasetOptions, Found,
    map::{MappedFile, failed, stat},
    warn,
};
use crate::shape::{ByteOrder, Dtype, DtypeKind, Shape};
pub(super) use rows::SparseFrames;

/// A sidecar file has a few lines; nothing larger is read.
const MAX_SIDECAR_BYTES: u64 = 1 << 20;

/// The TOML file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sidecar {
    params: Params,
    raw_csr: Files,
}

/// What the data set is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Params {
    filetype: String,
    nav_shape: Vec<u64>,
    sig_shape: Vec<u64>,
}

/// The files, relative to the folder of the TOML file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Files {
    indptr_file: PathBuf,
    indptr_dtype: String,
    indices_file: PathBuf,
    indices_dtype: String,
    data_file: PathBuf,
    data_dtype: String,
}

/// A file of plain numbers.
#[derive(Debug)]
struct Numbers {
    file: MappedFile,
    dtype: Dtype,
    order: ByteOrder,
}

pub(super) fn open(path: &Path, options: &DatasetOptions) -> Result<Found, DatasetError> {
    let Sidecar { params, raw_csr } = sidecar(path)?;
    let shape = |key: &str, axes: &[u64]| {
        Shape::non_empty(axes).map_err(|error| sidecar_error(path, None, format!("`{key}`: {error}")))
    };
    let (own_nav, own_sig) = (shape("nav_shape", &params.nav_shape)?, shape("sig_shape", &params.sig_shape)?);
    let sig = options.sig()?.unwrap_or_else(|| own_sig.clone());
    if sig.size() != own_sig.size() {
        return Err(DatasetError::SigShape { path: path.to_owned(), given: sig, native: own_sig });
    }
    let folder = path.parent().unwrap_or(Path::new(""));
    let indptr = numbers(path, ("indptr_dtype", &raw_csr.indptr_dtype), &folder.join(&raw_csr.indptr_file))?;
    let indices = numbers(path, ("indices_dtype", &raw_csr.indices_dtype), &folder.join(&raw_csr.indices_file))?;
    let data = numbers(path, ("data_dtype", &raw_csr.data_dtype), &folder.join(&raw_csr.data_file))?;
    for (key, numbers) in [("indptr_dtype", &indptr), ("indices_dtype", &indices)] {
        if !matches!(numbers.dtype.kind(), DtypeKind::Unsigned | DtypeKind::Signed) {
            return Err(sidecar_error(path, None, format!("`{key}` is {}, expected whole numbers", numbers.dtype)));
        }
    }
    let (dtype, byte_order) = (data.dtype, data.order);
    if sig.size().checked_mul(dtype.size() as u64).is_none_or(|n| usize::try_from(n).is_err()) {
        return Err(DatasetError::FrameTooLarge { path: path.to_owned(), dtype, sig });
    }
    let mut metadata: Vec<(String, String)> =
        [("indptr dtype", indptr.dtype), ("indices dtype", indices.dtype), ("data dtype", data.dtype)]
            .map(|(key, dtype)| (key.to_owned(), dtype.to_string()))
            .into();
    let frames = SparseFrames::new(indptr, indices, data, sig.size())?;
    metadata.push(("stored pixels".to_owned(), frames.n_entries().to_string()));
    if options.nav_shape.is_none() && own_nav.size() != frames.n_frames() {
        let (n_nav, n_frames) = (own_nav.size(), frames.n_frames());
        warn(&mut metadata, format!("the scan {own_nav} has {n_nav} frames, but the files hold {n_frames}"));
    }
    let nav = options.nav()?.unwrap_or(own_nav);
    let other_files = vec![stat(path)?];
    Ok(Found { nav, sig, dtype, byte_order, metadata, other_files, content: Content::Sparse(frames) })
}

/// Reads the TOML file.
fn sidecar(path: &Path) -> Result<Sidecar, DatasetError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|source| failed(path, source))?;
    file.take(MAX_SIDECAR_BYTES).read_to_end(&mut bytes).map_err(|source| failed(path, source))?;
    let text = String::from_utf8(bytes).map_err(|_| sidecar_error(path, None, "it is no text".to_owned()))?;
    let sidecar: Sidecar = toml::from_str(&text).map_err(|error| {
        let line = error.span().and_then(|span| Some(text.get(..span.start)?.matches('\n').count() + 1));
        let words: Vec<&str> = error.message().split_whitespace().collect();
        sidecar_error(path, line, words.join(" "))
    })?;
    let filetype = &sidecar.params.filetype;
    if !filetype.eq_ignore_ascii_case("raw_csr") {
        return Err(sidecar_error(path, None, format!("`filetype` is {filetype:?}, expected \"raw_csr\"")));
    }
    Ok(sidecar)
}

fn sidecar_error(path: &Path, line: Option<usize>, problem: String) -> DatasetError {
    DatasetError::Sidecar { path: path.to_owned(), line, problem }
}

/// Opens a file that holds a whole number of numbers. There may be none.
fn numbers(sidecar: &Path, (key, dtype): (&str, &str), path: &Path) -> Result<Numbers, DatasetError> {
    let (dtype, order) =
        Dtype::parse_with_order(dtype).map_err(|error| sidecar_error(sidecar, None, format!("`{key}`: {error}")))?;
    let file = MappedFile::open_even_empty(path)?;
    let n_bytes = file.info().size;
    if !n_bytes.is_multiple_of(dtype.size() as u64) {
        let problem = format!("its {n_bytes} bytes are no whole number of {dtype}");
        return Err(DatasetError::Sparse { path: path.to_owned(), problem });
    }
    Ok(Numbers { file, dtype, order: order.unwrap_or(ByteOrder::Little) })
}
