//! The SDK inside this program.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use anyhow::Context;
use sha2::{Digest, Sha256};

use crate::cache;

include!(concat!(env!("OUT_DIR"), "/sdk.rs"));

/// The SDK in the cache, unpacked if it is not there yet.
pub(super) fn unpacked() -> anyhow::Result<PathBuf> {
    let cache = cache::folder()?;
    let folder = cache.join(format!("sdk-{}", hash()));
    if !folder.is_dir() {
        let unpack = || -> io::Result<()> {
            let staging = tempfile::Builder::new().prefix(".sdk-").tempdir_in(&cache)?;
            unpack(staging.path(), |_| true)?;
            // Somebody else may have been faster.
            if fs::rename(staging.path(), &folder).is_ok() {
                let _moved = staging.keep();
            }
            Ok(())
        };
        unpack().with_context(|| format!("can't unpack the SDK to `{}`", folder.display()))?;
    }
    Ok(folder)
}

/// Writes those files of the SDK to a folder of which `is_wanted` likes the path.
pub(super) fn unpack(folder: &Path, is_wanted: impl Fn(&str) -> bool) -> io::Result<()> {
    for (name, bytes) in SDK.iter().filter(|(name, _)| is_wanted(name)) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))?;
        fs::write(path, bytes)?;
    }
    Ok(())
}

/// All files of the SDK: path and content.
pub(super) fn files() -> &'static [(&'static str, &'static [u8])] {
    SDK
}

/// A file of the SDK.
pub(super) fn file(name: &str) -> &'static [u8] {
    SDK.iter().find(|(other, _)| *other == name).map(|(_, bytes)| *bytes).expect("the SDK has this file")
}

/// Of all that it is.
pub(super) fn hash() -> String {
    let mut digest = Sha256::new();
    for (name, bytes) in SDK {
        digest.update(name.len().to_le_bytes());
        digest.update(name);
        digest.update(bytes.len().to_le_bytes());
        digest.update(bytes);
    }
    cache::short(&digest.finalize())
}
