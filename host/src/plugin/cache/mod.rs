//! Compiled plugins on disk, so that each is compiled once.
//!
//! What lies there is machine code that runs without being looked at again: whoever can change it can do what this user can. So
//! a folder or file that others can write is not touched, and an entry counts only with the code that a secret of this
//! user makes of its content. Any doubt, and the plugin is compiled as if there were no cache.

use std::{
    fmt::Write as _,
    fs,
    hash::{DefaultHasher, Hash, Hasher},
    io::{self, Read, Write as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};

use super::{
    load::CONTRACT,
    own::{self, OwnError},
};

/// Bytes of a code of authenticity, and of a secret.
const CODE_LEN: usize = 32;
/// Bytes that an entry may have.
const MAX_ENTRY: u64 = 1 << 30;
/// Bytes that all entries may have together; beyond, those go that were not used for longest.
const MAX_TOTAL: u64 = 1 << 30;
/// After this time it is noted that an entry is still in use.
const USED_AGAIN: Duration = Duration::from_hours(1);

/// A folder of compiled plugins, which belongs to this user alone. Cheap to clone.
#[derive(Debug, Clone)]
pub struct CodeCache {
    folder: PathBuf,
    secret: [u8; CODE_LEN],
}

/// What is kept of a plugin.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) struct Kept {
    pub(super) encoding: String,
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
}

impl CodeCache {
    /// The cache in `folder`, with the secret in the file `secret`. Both are made if they are not there.
    ///
    /// # Errors
    ///
    /// [`OwnError`].
    pub fn open(folder: &Path, secret: &Path) -> Result<Self, OwnError> {
        own::folder(folder)?;
        if let Some(parent) = secret.parent() {
            own::folder(parent)?;
        }
        Ok(Self { folder: folder.to_owned(), secret: read_secret(secret)? })
    }

    /// Name of the entry for a plugin, by the hash of its file, compiled by an engine.
    pub(super) fn name(engine: &wasmtime::Engine, sha256: &str) -> String {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let mut digest = Sha256::new();
        for part in [sha256, CONTRACT, env!("CARGO_PKG_VERSION"), &hasher.finish().to_string()] {
            digest.update(part.len().to_le_bytes());
            digest.update(part);
        }
        hexadecimal(&digest.finalize())
    }

    /// What is kept under `name`: what is known of the plugin, and its code.
    pub(super) fn load(&self, name: &str) -> Option<(Kept, Vec<u8>)> {
        let path = self.folder.join(name);
        let file = own::open(&path, 0o022).ok()?;
        let mut entry = Vec::new();
        (&file).take(MAX_ENTRY).read_to_end(&mut entry).ok()?;
        let (code, content) = entry.split_at_checked(CODE_LEN)?;
        self.authenticator(name, content).verify_slice(code).ok()?;
        let (kept, code) = split(content)?;
        let kept: Kept = serde_json::from_slice(kept).ok()?;
        note_use(&file);
        let start = entry.len() - code.len();
        entry.drain(..start);
        Some((kept, entry))
    }

    /// Keeps a plugin under `name`, if that is possible.
    pub(super) fn store(&self, name: &str, kept: &Kept, code: &[u8]) {
        // What can't be kept is compiled again.
        let _kept = self.try_store(name, kept, code);
    }

    fn try_store(&self, name: &str, kept: &Kept, code: &[u8]) -> io::Result<()> {
        let kept = serde_json::to_vec(kept)?;
        let content = [&(kept.len() as u64).to_le_bytes()[..], &kept, code].concat();
        if content.len() as u64 + CODE_LEN as u64 >= MAX_ENTRY {
            return Ok(());
        }
        // Only its owner can read what `tempfile` makes.
        let mut file = tempfile::Builder::new().prefix(".code-").tempfile_in(&self.folder)?;
        file.write_all(&self.authenticator(name, &content).finalize().into_bytes())?;
        file.write_all(&content)?;
        file.persist(self.folder.join(name))?;
        self.prune()
    }

    /// Removes what was not used for longest, until the rest is small enough.
    fn prune(&self) -> io::Result<()> {
        let entries = fs::read_dir(&self.folder)?.flatten().filter_map(|entry| {
            let metadata = entry.metadata().ok()?;
            metadata.is_file().then(|| (metadata.modified().ok(), metadata.len(), entry.path()))
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by_key(|(modified, ..)| *modified);
        let mut total: u64 = entries.iter().map(|(_, len, _)| len).sum();
        for (_, len, path) in entries {
            if total <= MAX_TOTAL {
                break;
            }
            fs::remove_file(path)?;
            total -= len;
        }
        Ok(())
    }

    fn authenticator(&self, name: &str, content: &[u8]) -> Hmac<Sha256> {
        let mut authenticator = Hmac::<Sha256>::new_from_slice(&self.secret).expect("any length will do");
        authenticator.update(name.as_bytes());
        authenticator.update(content);
        authenticator
    }
}

/// What is known of a plugin, and its code.
fn split(content: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = content.split_first_chunk()?;
    rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)
}

/// Reads the secret, or makes one.
fn read_secret(path: &Path) -> Result<[u8; CODE_LEN], OwnError> {
    let io = |source| OwnError::Io { path: path.to_owned(), source };
    if !fs::exists(path).map_err(io)? {
        let mut secret = [0; CODE_LEN];
        getrandom::fill(&mut secret).map_err(|error| io(io::Error::other(error.to_string())))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::Builder::new().prefix(".secret-").tempfile_in(folder).map_err(io)?;
        file.write_all(&secret).map_err(io)?;
        match file.persist_noclobber(path) {
            // Somebody else was faster: then that one is the secret.
            Err(error) if error.error.kind() != io::ErrorKind::AlreadyExists => return Err(io(error.error)),
            _ => {}
        }
    }
    let mut file = own::open(path, 0o077)?;
    let mut secret = [0; CODE_LEN];
    file.read_exact(&mut secret).map_err(io)?;
    Ok(secret)
}

/// Makes an entry the youngest, if it has not been that for a while.
fn note_use(file: &fs::File) {
    let age = file.metadata().and_then(|metadata| metadata.modified()).map(|modified| modified.elapsed());
    if matches!(age, Ok(Ok(age)) if age > USED_AGAIN) {
        let _noted = file.set_modified(SystemTime::now());
    }
}

/// Bytes in hexadecimal.
pub(super) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("memory takes it");
        text
    })
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

    use super::*;

    struct Home(tempfile::TempDir);

    impl Home {
        fn new() -> Self {
            Self(tempfile::tempdir().unwrap())
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn open(&self) -> Result<CodeCache, OwnError> {
            CodeCache::open(&self.path("code"), &self.path("state/secret"))
        }
    }

    fn kept() -> Kept {
        Kept { encoding: "component".to_owned(), imports: vec!["a".to_owned()], exports: Vec::new() }
    }

    fn set_mode(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn what_is_kept_comes_back_also_to_another_process() {
        let home = Home::new();
        home.open().unwrap().store("one", &kept(), b"code");
        let cache = home.open().unwrap();
        assert_eq!(cache.load("one"), Some((kept(), b"code".to_vec())));
        assert_eq!(cache.load("two"), None);
        assert_eq!(fs::metadata(home.path("state/secret")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(home.path("code/one")).unwrap().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(home.path("code")).unwrap().mode() & 0o777, 0o700);
    }

    #[test]
    fn an_entry_that_was_tampered_with_does_not_count() {
        let home = Home::new();
        let cache = home.open().unwrap();
        cache.store("one", &kept(), b"code");
        let path = home.path("code/one");
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, bad).unwrap();
            assert_eq!(cache.load("one"), None, "byte {at}");
        }
        for len in 0..good.len() {
            fs::write(&path, &good[..len]).unwrap();
            assert_eq!(cache.load("one"), None, "{len} bytes");
        }
        fs::write(&path, &good).unwrap();
        assert!(cache.load("one").is_some());
        fs::copy(&path, home.path("code/two")).unwrap();
        assert_eq!(cache.load("two"), None, "under another name");
        fs::remove_file(home.path("state/secret")).unwrap();
        assert_eq!(home.open().unwrap().load("one"), None, "under another secret");
    }

    #[test]
    fn what_others_can_write_is_not_touched() {
        let home = Home::new();
        let cache = home.open().unwrap();
        cache.store("one", &kept(), b"code");
        set_mode(&home.path("code/one"), 0o660);
        assert_eq!(cache.load("one"), None);
        set_mode(&home.path("code/one"), 0o600);
        fs::rename(home.path("code/one"), home.path("elsewhere")).unwrap();
        symlink(home.path("elsewhere"), home.path("code/one")).unwrap();
        assert_eq!(cache.load("one"), None, "a link");
        for (path, mode) in [("code", 0o770), ("state", 0o702), ("state/secret", 0o640)] {
            let before = fs::metadata(home.path(path)).unwrap().permissions();
            set_mode(&home.path(path), mode);
            let error = home.open().unwrap_err().to_string();
            assert!(error.contains("is open to others: take their rights with `chmod go"), "{error}");
            fs::set_permissions(home.path(path), before).unwrap();
        }
        fs::write(home.path("state/secret"), b"short").unwrap();
        assert!(home.open().unwrap_err().to_string().contains("can't be used"));
    }

    #[test]
    fn what_was_not_used_for_longest_goes_first() {
        let home = Home::new();
        let cache = home.open().unwrap();
        let mut files = Vec::new();
        for (age, name) in [(3, "c"), (1, "a"), (2, "b")] {
            cache.store(name, &kept(), b"code");
            let file = fs::OpenOptions::new().write(true).open(home.path("code").join(name)).unwrap();
            // Big, without taking room.
            file.set_len(MAX_TOTAL / 2 - 1).unwrap();
            file.set_modified(SystemTime::now() - Duration::from_hours(age)).unwrap();
            files.push(file);
        }
        cache.prune().unwrap();
        let left = ["a", "b", "c"].map(|name| home.path("code").join(name).exists());
        assert_eq!(left, [true, true, false]);
    }
}
