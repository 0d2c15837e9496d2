//! A folder for the files of one input, which is used again for the next one; and files that stay.

use std::{
    cell::RefCell,
    fs,
    io::Write as _,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

thread_local! {
    static FOLDER: RefCell<Option<TempDir>> = const { RefCell::new(None) };
}

/// Writes `files` into an otherwise empty folder, and calls `then` with it.
pub(crate) fn with_files<T>(files: &[(String, &[u8])], then: impl FnOnce(&Path) -> T) -> T {
    FOLDER.with_borrow_mut(|folder| {
        let folder = folder.get_or_insert_with(new);
        for entry in fs::read_dir(folder.path()).expect("it is our folder").flatten() {
            fs::remove_file(entry.path()).expect("there is nothing but our files");
        }
        for (name, content) in files {
            fs::write(folder.path().join(name), content).expect("a small file can be written");
        }
        then(folder.path())
    })
}

fn new() -> TempDir {
    let mut builder = tempfile::Builder::new();
    let builder = builder.prefix("lthost-fuzz-");
    // In memory it is several times faster.
    let in_memory = builder.tempdir_in("/dev/shm");
    in_memory.or_else(|_| builder.tempdir()).expect("a temporary folder can be made")
}

/// A folder `name` with `files`, for data sets that stay open. It is the same in each process, and never written twice: another
/// one may have its files open.
pub(crate) fn lasting(name: &str, files: &[(String, &[u8])]) -> PathBuf {
    let folder = crate::root().join("target/fuzz/data").join(name);
    fs::create_dir_all(&folder).expect("the project's own folder can be written");
    for (name, content) in files {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|found| found == *content) {
            continue;
        }
        let mut file = tempfile::NamedTempFile::new_in(&folder).expect("a file can be made there");
        file.write_all(content).expect("a small file can be written");
        file.persist(&path).expect("it can be put in place");
    }
    folder
}
