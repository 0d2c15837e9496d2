//! The folder of this user in which things are kept that can be made again.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;
use lthost::plugin::{CodeCache, OwnError};

use crate::{Usage, terminal};

/// `$LTHOST_CACHE`, else `lthost` in `$XDG_CACHE_HOME` or `~/.cache`; made if it is not there, for its owner alone.
pub(crate) fn folder() -> anyhow::Result<PathBuf> {
    let folder = place("LTHOST_CACHE")
        .or_else(|| Some(place("XDG_CACHE_HOME").or_else(|| Some(place("HOME")?.join(".cache")))?.join("lthost")))
        .filter(|folder| folder.is_absolute());
    let folder = folder.ok_or_else(|| {
        Usage("there is no place for what is built: set LTHOST_CACHE to an absolute path of a folder".to_owned())
    })?;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(&folder).with_context(|| format!("can't make the folder `{}`", folder.display()))?;
    Ok(folder)
}

/// The cache of compiled plugins. Without a place for it, or for the secret that vouches for what is in it (`lthost/secret` in
/// `$XDG_STATE_HOME` or `~/.local/state`), plugins are compiled each time.
pub(crate) fn of_code() -> Option<CodeCache> {
    let state = place("XDG_STATE_HOME").or_else(|| Some(place("HOME")?.join(".local/state")));
    let state = state.filter(|state| state.is_absolute());
    let (folder, state) = (folder().ok()?, state?);
    match CodeCache::open(&folder.join("code"), &state.join("lthost/secret")) {
        Ok(cache) => Some(cache),
        Err(error) => {
            if let OwnError::Unsafe { .. } = error {
                terminal::say_at("warning", &format!("plugins are compiled again each time, as {error}"));
            }
            None
        }
    }
}

/// A folder that the environment names.
pub(crate) fn place(variable: &str) -> Option<PathBuf> {
    env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// Writes a file whole or not at all.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        builder.prefix(".lthost-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let mut file = builder.tempfile_in(dir)?;
        file.write_all(bytes)?;
        file.persist(path)?;
        Ok(())
    };
    write().with_context(|| format!("can't write `{}`", path.display()))
}

/// The first bytes of a hash, hexadecimal: enough to tell what is in one cache apart.
pub(crate) fn short(hash: &[u8]) -> String {
    hash.iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
