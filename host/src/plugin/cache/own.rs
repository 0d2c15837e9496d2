//! Files and folders that belong to this user alone.

#[cfg(unix)]
mod unix {
    use std::{
        fs, io,
        os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
        path::Path,
    };

    use super::super::CacheError;

    /// Makes a folder for this user alone, and sees that one that is there is this user's, and no one else's to write.
    pub(crate) fn folder(path: &Path) -> Result<(), CacheError> {
        let io = |source| CacheError::Io { path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        check(path, &fs::metadata(path).map_err(io)?, 0o022)
    }

    /// Opens a file of this user for reading, if others have none of the rights `forbidden`, bits of its mode.
    pub(crate) fn open(path: &Path, forbidden: u32) -> Result<fs::File, CacheError> {
        let io = |source| CacheError::Io { path: path.to_owned(), source };
        let flags = rustix::fs::OFlags::NOFOLLOW.bits().cast_signed();
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(io(io::Error::other("it is no file")));
        }
        check(path, &metadata, forbidden)?;
        Ok(file)
    }

    fn check(path: &Path, metadata: &fs::Metadata, forbidden: u32) -> Result<(), CacheError> {
        let is_ours = metadata.uid() == rustix::process::geteuid().as_raw();
        let what = match metadata.mode() & forbidden {
            0 if is_ours => return Ok(()),
            _ if !is_ours => "belongs to another user",
            _ => "is open to others: take their rights with `chmod go=`",
        };
        Err(CacheError::Unsafe { path: path.to_owned(), what })
    }
}

#[cfg(not(unix))]
mod other {
    use std::{fs, path::Path};

    use super::super::CacheError;

    /// Refuses: whose a folder is can't be seen.
    pub(crate) fn folder(path: &Path) -> Result<(), CacheError> {
        Err(CacheError::Unsafe { path: path.to_owned(), what: "can't be seen to belong to this user on this system" })
    }

    /// Refuses, as [`folder`].
    pub(crate) fn open(path: &Path, _: u32) -> Result<fs::File, CacheError> {
        folder(path).and_then(|()| unreachable!("it always refuses"))
    }
}

#[cfg(not(unix))]
pub(super) use other::{folder, open};
#[cfg(unix)]
pub(super) use unix::{folder, open};
