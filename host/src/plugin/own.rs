//! Files and folders that nobody else can change: not without being this user, or root.

use std::{io, path::PathBuf};

/// Why a file or folder is left alone.
#[derive(Debug, thiserror::Error)]
pub enum OwnError {
    /// Others could have changed it.
    #[error("`{path}` {what}", path = path.display())]
    Unsafe {
        /// Folder or file.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        what: &'static str,
    },
    /// It can't be made or read.
    #[error("`{path}` can't be used", path = path.display())]
    Io {
        /// Folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

#[cfg(unix)]
mod unix {
    use std::{
        fs, io,
        os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
        path::Path,
    };

    use rustix::fs::OFlags;

    use super::OwnError;

    /// Makes a folder for this user alone, and sees that nobody else can write one that is there.
    pub(crate) fn folder(path: &Path) -> Result<(), OwnError> {
        let io = |source| OwnError::Io { path: path.to_owned(), source };
        fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(io)?;
        look_at(path)
    }

    /// Sees that nobody else can write a folder.
    pub(crate) fn look_at(path: &Path) -> Result<(), OwnError> {
        let io = |source| OwnError::Io { path: path.to_owned(), source };
        check(path, &fs::metadata(path).map_err(io)?, 0o022)
    }

    /// Sees that nobody else can change a file that was opened, nor put another in its place in its folder, or in that of a link
    /// that leads to it. Folders further up are taken as they are.
    ///
    /// # Errors
    ///
    /// [`OwnError`].
    pub fn nobody_else_can_change(path: &Path, file: &fs::File) -> Result<(), OwnError> {
        let io = |source| OwnError::Io { path: path.to_owned(), source };
        check(path, &file.metadata().map_err(io)?, 0o022)?;
        for path in [path, &path.canonicalize().map_err(io)?] {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            let metadata = fs::metadata(folder).map_err(io)?;
            // In a sticky folder only who owns a file can replace it.
            let is_sticky = metadata.mode() & 0o1000 != 0;
            check(folder, &metadata, if is_sticky { 0 } else { 0o022 })?;
        }
        Ok(())
    }

    /// Opens a file for reading, if others have none of the rights `forbidden`, bits of its mode.
    pub(crate) fn open(path: &Path, forbidden: u32) -> Result<fs::File, OwnError> {
        let io = |source| OwnError::Io { path: path.to_owned(), source };
        // A pipe that nobody writes to would be waited for.
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = fs::OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(io)?;
        let metadata = file.metadata().map_err(io)?;
        if !metadata.is_file() {
            return Err(io(io::Error::other("it is no file")));
        }
        check(path, &metadata, forbidden)?;
        Ok(file)
    }

    fn check(path: &Path, metadata: &fs::Metadata, forbidden: u32) -> Result<(), OwnError> {
        let is_ours = [0, rustix::process::geteuid().as_raw()].contains(&metadata.uid());
        let what = match metadata.mode() & forbidden {
            0 if is_ours => return Ok(()),
            _ if !is_ours => "belongs to another user",
            // What may be read by all stays so.
            _ if forbidden == 0o022 => "is open to others: take their rights with `chmod go-w`",
            _ => "is open to others: take their rights with `chmod go=`",
        };
        Err(OwnError::Unsafe { path: path.to_owned(), what })
    }

    #[cfg(test)]
    mod tests {
        use std::os::unix::fs::{PermissionsExt, symlink};

        use super::*;

        #[test]
        fn only_what_nobody_else_can_write_is_opened() {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join("file");
            fs::write(&path, b"x").unwrap();
            for (mode, forbidden, is_fine) in [
                (0o644, 0o022, true),
                (0o664, 0o022, false),
                (0o646, 0o022, false),
                (0o644, 0o077, false),
                (0o600, 0o077, true),
            ] {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                assert_eq!(open(&path, forbidden).is_ok(), is_fine, "{mode:o} {forbidden:o}");
            }
            symlink(&path, dir.path().join("link")).unwrap();
            assert!(matches!(open(&dir.path().join("link"), 0o022), Err(OwnError::Io { .. })));
            assert!(matches!(open(dir.path(), 0o022), Err(OwnError::Io { .. })), "a folder");
        }

        #[test]
        fn a_file_in_a_folder_of_others_can_be_replaced() {
            let dir = tempfile::tempdir().unwrap();
            let (folder, link) = (dir.path().join("folder"), dir.path().join("link"));
            let path = folder.join("file");
            fs::create_dir(&folder).unwrap();
            fs::write(&path, b"x").unwrap();
            symlink(&path, &link).unwrap();
            let file = fs::File::open(&path).unwrap();
            for (mode, of_folder, is_fine) in [
                (0o644, 0o755, true),
                (0o664, 0o755, false),
                (0o644, 0o775, false),
                (0o644, 0o757, false),
                (0o644, 0o1777, true),
                (0o666, 0o1777, false),
            ] {
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
                fs::set_permissions(&folder, fs::Permissions::from_mode(of_folder)).unwrap();
                for path in [&path, &link] {
                    let is_ok = nobody_else_can_change(path, &file).is_ok();
                    assert_eq!(is_ok, is_fine, "{mode:o} {of_folder:o} {}", path.display());
                }
            }
        }

        #[test]
        fn what_belongs_to_another_user_is_left_alone() {
            let dir = tempfile::tempdir().unwrap();
            // Only root gives something away.
            if std::os::unix::fs::chown(dir.path(), Some(12345), None).is_err() {
                return;
            }
            assert_eq!(
                look_at(dir.path()).unwrap_err().to_string(),
                format!("`{}` belongs to another user", dir.path().display())
            );
        }
    }
}

#[cfg(not(unix))]
mod other {
    use std::{fs, path::Path};

    use super::OwnError;

    /// Refuses: whose a folder is can't be seen.
    pub(crate) fn folder(path: &Path) -> Result<(), OwnError> {
        Err(OwnError::Unsafe { path: path.to_owned(), what: "can't be seen to belong to this user on this system" })
    }

    /// Refuses, as [`folder`], what is there.
    pub(crate) fn look_at(path: &Path) -> Result<(), OwnError> {
        fs::metadata(path).map_err(|source| OwnError::Io { path: path.to_owned(), source })?;
        folder(path)
    }

    /// Takes that for granted: here it can't be seen.
    ///
    /// # Errors
    ///
    /// None.
    pub fn nobody_else_can_change(_: &Path, _: &fs::File) -> Result<(), OwnError> {
        Ok(())
    }

    /// Refuses, as [`folder`].
    pub(crate) fn open(path: &Path, _: u32) -> Result<fs::File, OwnError> {
        folder(path).and_then(|()| unreachable!("it always refuses"))
    }
}

#[cfg(not(unix))]
pub use other::nobody_else_can_change;
#[cfg(not(unix))]
pub(super) use other::{folder, look_at, open};
#[cfg(unix)]
pub use unix::nobody_else_can_change;
#[cfg(unix)]
pub(super) use unix::{folder, look_at, open};
