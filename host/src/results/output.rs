//! Writing results: everything appears whole, or nothing does.

use std::{
    fs,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use super::ResultBuffer;
use crate::shape::{Dtype, npy};

/// What the names of hidden folders begin with, and how many letters follow.
const PREFIX: &str = ".lthost-";
const N_RANDOM: usize = 6;

/// An output folder. Files are staged in a hidden folder beside their places, and moved there by [`Output::commit`].
pub struct Output {
    dir: PathBuf,
    // None only while it is dropped.
    staging: Option<tempfile::TempDir>,
    /// Of the hidden folder: another run leaves it alone as long as it is held. None where the file system has no locks.
    lock: Option<fs::File>,
    /// Folders that were made for this run, outermost first; removed again unless it commits.
    made: Vec<PathBuf>,
    /// Files that the run reads, canonical: none of them is replaced.
    inputs: Vec<PathBuf>,
    /// Files that are staged, relative to the folder.
    staged: Vec<PathBuf>,
    /// Files that an earlier run may have left and this one has none of, relative to the folder.
    absent: Vec<PathBuf>,
}

/// What an [`Output`] has put into its folder before it commits.
#[derive(Debug, Clone)]
pub struct Leftovers {
    staging: PathBuf,
    made: Vec<PathBuf>,
}

impl Leftovers {
    /// Removes it, as far as nobody has put something there.
    pub fn remove(&self) {
        // The program ends: nobody is there to be told.
        let _gone_or_not = fs::remove_dir_all(&self.staging);
        remove_made(&self.made);
    }
}

/// The output can't be written.
#[derive(Debug, thiserror::Error)]
#[error("output folder `{}`: can't {action}; nothing of this run was left there", dir.display())]
pub struct OutputError {
    /// The folder.
    pub dir: PathBuf,
    /// What failed.
    pub action: String,
    /// Why.
    pub source: io::Error,
}

impl Output {
    /// Makes the folder if need be, and sees that it can be written: before a long run, not after it.
    ///
    /// `inputs` are the files that the run reads: none of them will be replaced by a result.
    ///
    /// # Errors
    ///
    /// [`OutputError`].
    pub fn create(dir: &Path, inputs: &[PathBuf]) -> Result<Self, OutputError> {
        let failed = |action: &str, source| OutputError { dir: dir.to_owned(), action: action.to_owned(), source };
        let mut missing: Vec<PathBuf> = dir.ancestors().take_while(|dir| !dir.exists()).map(Path::to_owned).collect();
        missing.reverse();
        let inputs = inputs.iter().filter_map(|input| input.canonicalize().ok()).collect();
        let (staged, absent) = (Vec::new(), Vec::new());
        let mut output = Self { dir: dir.to_owned(), staging: None, lock: None, made: missing, inputs, staged, absent };
        fs::create_dir_all(dir).map_err(|source| failed("make it", source))?;
        remove_abandoned(dir);
        let staging = tempfile::Builder::new().prefix(PREFIX).rand_bytes(N_RANDOM).tempdir_in(dir);
        let staging = staging.map_err(|source| failed("write to it", source))?;
        // Held as long as the run lives.
        let lock = fs::File::open(staging.path()).and_then(|lock| lock.lock().map(|()| lock));
        output.staging = Some(staging);
        output.lock = lock.ok();
        Ok(output)
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What has to go if the program ends without it.
    pub fn leftovers(&self) -> Leftovers {
        Leftovers { staging: self.staging_dir().to_owned(), made: self.made.clone() }
    }

    /// Whether the run reads a file, a path relative to the folder.
    pub fn is_input(&self, path: &Path) -> bool {
        self.dir.join(path).canonicalize().is_ok_and(|place| self.inputs.contains(&place))
    }

    /// The folders that were made for it, outermost first.
    pub fn made(&self) -> &[PathBuf] {
        &self.made
    }

    /// Stages a file: `path` is relative to the folder, `write` gives its content.
    ///
    /// # Errors
    ///
    /// [`OutputError`].
    pub fn stage(
        &mut self,
        path: &Path,
        write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), OutputError> {
        let write_file = || {
            let staged = self.staging_dir().join(path);
            if let Some(parent) = staged.parent() {
                fs::create_dir_all(parent)?;
            }
            let mut file = BufWriter::new(fs::File::create(staged)?);
            write(&mut file)?;
            file.flush()
        };
        write_file().map_err(|source| self.failed(&format!("write `{}`", path.display()), source))?;
        self.staged.push(path.to_owned());
        Ok(())
    }

    /// The files that are staged, relative to the folder.
    pub fn staged(&self) -> &[PathBuf] {
        &self.staged
    }

    /// Stages a result as `LABEL/NAME.npy`, with `LABEL/NAME.mask.npy` beside it if it has a mask.
    ///
    /// # Errors
    ///
    /// [`OutputError`].
    pub fn stage_result(&mut self, label: &str, result: &ResultBuffer) -> Result<(), OutputError> {
        let axes = result.shape.axes();
        let path = Path::new(label).join(format!("{}.npy", result.name));
        self.stage(&path, |out| npy::write(out, result.dtype, axes, &result.data))?;
        let path = Path::new(label).join(format!("{}.mask.npy", result.name));
        match &result.mask {
            Some(mask) => self.stage(&path, |out| npy::write(out, Dtype::Bool, axes, mask))?,
            None => self.leave_out(path),
        }
        Ok(())
    }

    /// Says that there is no such file, a path relative to the folder: beside what is new, that of an earlier run would mislead.
    /// With the next [`Output::commit`] it goes, unless the run reads it, or has one after all.
    pub fn leave_out(&mut self, path: PathBuf) {
        self.absent.push(path);
    }

    /// Moves all staged files to their places, each in one go. Files with the same names are replaced, those of an earlier
    /// commit as well as those of an earlier run.
    ///
    /// # Errors
    ///
    /// [`OutputError`].
    pub fn commit(&mut self) -> Result<(), OutputError> {
        let files = self.make_room()?;
        for file in &files {
            fs::rename(self.staging_dir().join(file), self.dir.join(file))
                .map_err(|source| self.failed(&format!("make `{}`", file.display()), source))?;
        }
        self.staged.clear();
        let mut absent = std::mem::take(&mut self.absent);
        absent.retain(|path| !files.contains(path));
        absent.retain(|path| !self.is_input(path));
        for place in absent.iter().map(|path| self.dir.join(path)) {
            let is_elsewhere = place.parent().is_some_and(|folder| folder != self.dir && folder.is_symlink());
            if !is_elsewhere && place.is_file() {
                // If it can't be removed, the record of the run still says what there is.
                let _gone_or_not = fs::remove_file(&place);
                if let Some(folder) = place.parent().filter(|folder| *folder != self.dir) {
                    // Only if nothing else is in it.
                    let _gone_or_not = fs::remove_dir(folder);
                }
            }
        }
        self.made.clear();
        Ok(())
    }

    /// Makes the folders for all staged files and sees that no file's place is taken: before the first one is moved.
    fn make_room(&mut self) -> Result<Vec<PathBuf>, OutputError> {
        let (mut files, mut todo) = (Vec::new(), vec![PathBuf::new()]);
        while let Some(relative) = todo.pop() {
            let (staged, place) = (self.staging_dir().join(&relative), self.dir.join(&relative));
            let step = || -> io::Result<Vec<PathBuf>> {
                if staged.is_dir() {
                    let is_link = place.symlink_metadata().is_ok_and(|there| there.is_symlink());
                    if is_link && relative != Path::new("") {
                        return Err(io::Error::other("it is a link, which may lead anywhere"));
                    }
                    match fs::create_dir(&place) {
                        Ok(()) => self.made.push(place),
                        // Another run may make it at the same moment.
                        Err(error) if error.kind() != io::ErrorKind::AlreadyExists || !place.is_dir() => {
                            return Err(error);
                        }
                        Err(_) => {}
                    }
                    return fs::read_dir(&staged)?.map(|entry| Ok(relative.join(entry?.file_name()))).collect();
                }
                if place.is_dir() {
                    return Err(io::ErrorKind::IsADirectory.into());
                }
                if place.metadata().is_ok_and(|there| !there.is_file()) {
                    return Err(io::Error::other("it is a device or a pipe, which would be replaced by a file"));
                }
                if self.is_input(&relative) {
                    return Err(io::Error::other("it is an input of this run"));
                }
                files.push(relative.clone());
                Ok(Vec::new())
            };
            let found = step().map_err(|source| self.failed(&format!("make `{}`", relative.display()), source))?;
            todo.extend(found);
        }
        Ok(files)
    }

    fn staging_dir(&self) -> &Path {
        self.staging.as_ref().expect("it is there until it is dropped").path()
    }

    fn failed(&self, action: &str, source: io::Error) -> OutputError {
        OutputError { dir: self.dir.clone(), action: action.to_owned(), source }
    }
}

/// Removes hidden folders that runs have left that were killed: those that nobody holds.
fn remove_abandoned(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let random = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).unwrap_or_default();
        let is_ours = random.len() == N_RANDOM && random.chars().all(|c| c.is_ascii_alphanumeric());
        if is_ours && entry.file_type().is_ok_and(|file_type| file_type.is_dir()) {
            let path = entry.path();
            if fs::File::open(&path).is_ok_and(|lock| lock.try_lock().is_ok()) {
                // If it can't be removed, it stays: it does no harm.
                let _left = fs::remove_dir_all(&path);
            }
        }
    }
}

/// Removes folders, outermost first in the list.
fn remove_made(made: &[PathBuf]) {
    for dir in made.iter().rev() {
        // Fails if somebody has put something there: then it stays.
        let _kept_if_used = fs::remove_dir(dir);
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        self.staging = None;
        remove_made(&self.made);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_there_before_commit() {
        let dir = tempfile::tempdir().unwrap();
        let mut output = Output::create(&dir.path().join("out"), &[]).unwrap();
        output.stage(Path::new("a/b.txt"), |out| out.write_all(b"x")).unwrap();
        assert!(!dir.path().join("out/a").exists());
        output.commit().unwrap();
        assert_eq!(fs::read(dir.path().join("out/a/b.txt")).unwrap(), b"x");
        // Again, in place.
        output.stage(Path::new("a/b.txt"), |out| out.write_all(b"y")).unwrap();
        output.commit().unwrap();
        assert_eq!(fs::read(dir.path().join("out/a/b.txt")).unwrap(), b"y");
        drop(output);
        assert_eq!(fs::read_dir(dir.path().join("out")).unwrap().count(), 1);
    }

    #[test]
    fn what_an_earlier_run_left_and_this_one_has_none_of_goes() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for name in ["old", "input", "other"] {
            fs::write(at(name), name).unwrap();
        }
        let mut output = Output::create(dir.path(), &[at("input")]).unwrap();
        for name in ["old", "input", "never", "a/b", "new"] {
            output.leave_out(name.into());
        }
        output.stage("new".as_ref(), |out| out.write_all(b"x")).unwrap();
        assert!(at("old").exists());
        output.commit().unwrap();
        let left = [at("old"), at("input"), at("other"), at("new")].map(|path| path.exists());
        assert_eq!(left, [false, true, true, true]);
    }

    #[test]
    fn a_failed_run_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut output = Output::create(dir.path(), &[]).unwrap();
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        assert!(output.stage(Path::new("a.npy"), |_| Err(full())).is_err());
        drop(output);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        drop(Output::create(&dir.path().join("a/b/c"), &[]).unwrap());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        fs::write(dir.path().join("file"), "").unwrap();
        assert!(Output::create(&dir.path().join("file/x"), &[]).is_err());
    }

    #[test]
    fn what_a_killed_run_left_is_removed_and_what_another_one_holds_is_not() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join(".lthost-gone42")).unwrap();
        let other = Output::create(dir.path(), &[]).unwrap();
        let output = Output::create(dir.path(), &[]).unwrap();
        assert!(!dir.path().join(".lthost-gone42").exists());
        assert!(other.staging_dir().exists() && output.staging_dir().exists());
    }

    #[cfg(unix)]
    #[test]
    fn no_link_leads_out_of_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let (out, elsewhere) = (dir.path().join("out"), dir.path().join("elsewhere"));
        fs::create_dir(&elsewhere).unwrap();
        fs::create_dir(&out).unwrap();
        std::os::unix::fs::symlink(&elsewhere, out.join("a")).unwrap();
        let mut output = Output::create(&out, &[]).unwrap();
        output.stage(Path::new("a/b"), |out| out.write_all(b"x")).unwrap();
        assert!(output.commit().unwrap_err().source.to_string().contains("it is a link"));
        assert_eq!(fs::read_dir(&elsewhere).unwrap().count(), 0);
        // The folder itself may be one.
        std::os::unix::fs::symlink(&elsewhere, dir.path().join("link")).unwrap();
        let mut output = Output::create(&dir.path().join("link"), &[]).unwrap();
        output.stage(Path::new("a/b"), |out| out.write_all(b"x")).unwrap();
        output.commit().unwrap();
        assert!(elsewhere.join("a/b").is_file());
    }

    #[cfg(unix)]
    #[test]
    fn a_pipe_is_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let made = std::process::Command::new("mkfifo").arg(dir.path().join("pipe")).status().unwrap();
        assert!(made.success());
        let mut output = Output::create(dir.path(), &[]).unwrap();
        output.stage(Path::new("pipe"), |out| out.write_all(b"x")).unwrap();
        assert!(output.commit().unwrap_err().source.to_string().contains("device or a pipe"));
    }

    #[test]
    fn nothing_is_moved_if_something_is_in_the_way() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("b"), "mine").unwrap();
        let mut output = Output::create(dir.path(), &[]).unwrap();
        for name in ["a/x", "b/x", "c/x"] {
            output.stage(Path::new(name), |out| out.write_all(b"x")).unwrap();
        }
        assert!(output.commit().is_err());
        drop(output);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn an_input_is_not_replaced_by_a_result() {
        let dir = tempfile::tempdir().unwrap();
        let input = dir.path().join("scan.npy");
        fs::write(&input, "precious").unwrap();
        let mut output = Output::create(dir.path(), std::slice::from_ref(&input)).unwrap();
        output.stage(Path::new("scan.npy"), |out| out.write_all(b"x")).unwrap();
        assert!(output.commit().unwrap_err().source.to_string().contains("input"));
        assert_eq!(fs::read(&input).unwrap(), b"precious");
    }
}
