//! The files: what a frame looks like in each format, and files that appear whole or not at all.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail, ensure};
use lthost::shape::{ByteOrder, Dtype, npy};
use tempfile::NamedTempFile;

use super::merlin;

/// Format of the data, by the extension of the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// With a header that numpy reads, little-endian.
    Npy,
    /// Merlin, with a `.hdr` beside it.
    Mib,
    /// Pixels and nothing else, little-endian.
    Raw,
}

/// How a frame stands in the file.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    pub(super) format: Format,
    pub(super) dtype: Dtype,
    pub(super) order: ByteOrder,
    /// Detector shape.
    pub(super) sig: [usize; 2],
}

/// Files in the making. Those that were not published vanish with it.
#[derive(Debug)]
pub(super) struct Staged {
    overwrite: Overwrite,
    files: Vec<(NamedTempFile, PathBuf)>,
}

/// What happens to a file that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overwrite {
    Refuse,
    Replace,
}

impl Format {
    /// By the extension.
    pub(super) fn of(path: &Path) -> anyhow::Result<Self> {
        let extension = path.extension().and_then(|extension| extension.to_str()).map(str::to_ascii_lowercase);
        match extension.as_deref() {
            Some("npy") => Ok(Self::Npy),
            Some("mib") => Ok(Self::Mib),
            Some("raw") => Ok(Self::Raw),
            _ => bail!("can't tell the format of `{}`: name it .npy, .mib or .raw", path.display()),
        }
    }
}

impl Layout {
    /// Checks that the format has the dtype.
    pub(super) fn new(format: Format, dtype: Dtype, sig: [usize; 2]) -> anyhow::Result<Self> {
        let has_it = format != Format::Mib || merlin::PixelType::of(dtype).is_some();
        ensure!(has_it, "Merlin files have u8, u16 or u32, not {dtype}: choose one of them, or write .npy");
        let order = if format == Format::Mib { ByteOrder::Big } else { ByteOrder::Little };
        Ok(Self { format, dtype, order, sig })
    }

    /// Bytes of a frame with its header.
    pub(super) fn frame_size(&self) -> usize {
        self.header_size() + self.sig[0] * self.sig[1] * self.dtype.size()
    }

    /// Bytes before the pixels of each frame.
    pub(super) fn header_size(&self) -> usize {
        if self.format == Format::Mib { merlin::HEADER_SIZE } else { 0 }
    }

    /// Fills the bytes before the pixels of a frame.
    pub(super) fn write_header(&self, frame_idx: u64, out: &mut [u8]) {
        if let (Format::Mib, Some(pixel_type)) = (self.format, merlin::PixelType::of(self.dtype)) {
            out.copy_from_slice(&merlin::frame_header(frame_idx + 1, self.sig, pixel_type));
        }
    }

    /// Bytes before the first frame.
    pub(super) fn file_header(&self, nav: [u64; 2]) -> Vec<u8> {
        match self.format {
            Format::Npy => npy::header(self.dtype, &[nav[0], nav[1], self.sig[0] as u64, self.sig[1] as u64]),
            Format::Mib | Format::Raw => Vec::new(),
        }
    }
}

impl Staged {
    pub(super) fn new(overwrite: Overwrite) -> Self {
        Self { overwrite, files: Vec::new() }
    }

    /// Refuses now what would be refused in the end.
    pub(super) fn check(&self, path: &Path) -> anyhow::Result<()> {
        ensure!(!path.is_dir(), "`{}` is a folder: name a file", path.display());
        let folder = folder(path);
        ensure!(folder.is_dir(), "there is no folder `{}`: make it first, or name another file", folder.display());
        let free = self.overwrite == Overwrite::Replace || path.symlink_metadata().is_err();
        ensure!(free, "`{}` exists: choose another name, or add --force to replace it", path.display());
        Ok(())
    }

    /// Begins a file that will be called `path`.
    pub(super) fn start(&mut self, path: PathBuf) -> anyhow::Result<&mut fs::File> {
        self.check(&path)?;
        let folder = folder(&path);
        let mut builder = tempfile::Builder::new();
        builder.prefix(".lthost-");
        #[cfg(unix)]
        builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o666));
        let file = builder.tempfile_in(folder).with_context(|| format!("can't write into `{}`", folder.display()))?;
        self.files.push((file, path));
        Ok(self.files.last_mut().expect("just added").0.as_file_mut())
    }

    /// Writes a small file at once.
    pub(super) fn write(&mut self, path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
        let file = self.start(path.to_owned())?;
        file.write_all(bytes).with_context(|| format!("can't write `{}`", path.display()))
    }

    /// Gives all files their names; if one can't have its name, those that came before lose theirs again.
    pub(super) fn publish(self) -> anyhow::Result<Vec<PathBuf>> {
        let mut published = Vec::new();
        for (file, path) in self.files {
            if let Err(error) = name_it(file, &path, self.overwrite) {
                for earlier in &published {
                    fs::remove_file(earlier).ok();
                }
                return Err(error).with_context(|| format!("can't write `{}`", path.display()));
            }
            published.push(path);
        }
        Ok(published)
    }
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn name_it(file: NamedTempFile, path: &Path, overwrite: Overwrite) -> io::Result<()> {
    // A full disk may show only here.
    file.as_file().sync_data()?;
    let named = match overwrite {
        Overwrite::Refuse => file.persist_noclobber(path),
        Overwrite::Replace => file.persist(path),
    };
    named.map(drop).map_err(|error| error.error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_published_is_not_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.raw");
        let mut staged = Staged::new(Overwrite::Refuse);
        staged.write(&path, b"text").unwrap();
        drop(staged);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_file_in_the_way_stays_as_it_is_and_nothing_is_added() {
        let folder = tempfile::tempdir().unwrap();
        let (first, second) = (folder.path().join("a"), folder.path().join("b"));
        let mut staged = Staged::new(Overwrite::Refuse);
        staged.write(&first, b"1").unwrap();
        staged.write(&second, b"2").unwrap();
        fs::write(&second, b"mine").unwrap();
        assert!(staged.publish().is_err());
        assert!(!first.exists());
        assert_eq!(fs::read(&second).unwrap(), b"mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let mut staged = Staged::new(Overwrite::Replace);
        staged.write(&second, b"2").unwrap();
        staged.publish().unwrap();
        assert_eq!(fs::read(&second).unwrap(), b"2");
    }
}
