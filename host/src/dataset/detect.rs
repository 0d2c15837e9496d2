//! Which format a file has: by what the user says, by its name, or by its first bytes.

use std::{fs::File, io::Read, path::Path};

use super::{
    DatasetError, DatasetOptions, formats,
    map::failed,
    options::{FormatInfo, MIB, NPY, RAW, RAW_CSR, known_formats},
};

pub(super) fn format(path: &Path, options: &DatasetOptions) -> Result<FormatInfo, DatasetError> {
    if let Some(name) = options.format.as_deref().filter(|name| *name != "auto") {
        let found = formats().iter().find(|format| format.name == name);
        let unknown = || DatasetError::UnknownFormat { name: name.to_owned(), known: known_formats() };
        return found.copied().ok_or_else(unknown);
    }
    let start = first_bytes(path).map_err(|source| failed(path, source))?;
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_lowercase();
    if extension == "npy" || start.starts_with(b"\x93NUMPY") {
        Ok(NPY)
    } else if extension == "mib" || start.starts_with(b"MQ1,") || start.starts_with(b"HDR,") {
        Ok(MIB)
    } else if extension == "toml" {
        // One that describes something else is refused with its own words.
        Ok(RAW_CSR)
    } else if options.dtype.is_some() && options.sig_shape.is_some() {
        // All that `raw` needs, and nothing else takes it.
        Ok(RAW)
    } else {
        Err(DatasetError::Undetected { path: path.to_owned(), known: known_formats() })
    }
}

fn first_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut start = Vec::new();
    File::open(path)?.take(8).read_to_end(&mut start)?;
    Ok(start)
}
