//! The folder of this user in which things are kept that can be made again.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
};

use anyhow::Context;

use crate::Usage;

/// `$LTHOST_CACHE`, else `lthost` in `$XDG_CACHE_HOME` or `~/.cache`; made if it is not there, for its owner alone.
pub(super) fn folder() -> anyhow::Result<PathBuf> {
    let set = |key: &str| env::var_os(key).filter(|value| !value.is_empty()).map(PathBuf::from);
    let usual = || Some(set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?.join("lthost"));
    let folder = set("LTHOST_CACHE").or_else(usual).filter(|folder| folder.is_absolute());
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

/// Writes a file whole or not at all.
pub(super) fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
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
pub(super) fn short(hash: &[u8]) -> String {
    hash.iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}
