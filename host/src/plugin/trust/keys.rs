//! Keys whose signatures count: public keys of minisign, one a file, in a folder that nobody else can write.

use std::{
    fmt, fs,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use minisign_verify::PublicKey;
use serde::{Serialize, Serializer};

use super::super::own::{self, OwnError};

/// Bytes that are read of a file with a key.
const MAX_KEY: u64 = 4096;
/// Characters that a key's name has at most.
const MAX_NAME: usize = 64;

/// The ID of a key, 16 hexadecimal digits as minisign shows them. It tells which key to look for, and proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyId(u64);

/// A key whose signatures count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedKey {
    name: String,
    id: KeyId,
    text: String,
    pub(super) key: PublicKey,
}

/// A folder of keys: each in a file of its name, with the extension `pub`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyFolder(pub PathBuf);

/// Why a key is not taken.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A text that is no key.
    #[error("`{origin}` is no public key of minisign: that is a line which begins with `RW`, and a comment above it")]
    NoKey {
        /// Where the text came from.
        origin: String,
    },
    /// A name that is none.
    #[error("a key's name is made of 1 to {max} letters, digits, `_`, `-` and `.`, beginning with one of the first two; \
             `{name}` is not", max = MAX_NAME)]
    Name {
        /// The name.
        name: String,
    },
    /// The key is there.
    #[error("the key {id} is there already, as `{name}`")]
    Known {
        /// Its ID.
        id: KeyId,
        /// Its name.
        name: String,
    },
    /// There is a key of this ID. That is no chance: somebody made one for it.
    #[error(
        "ANOTHER key has the same ID {id}: that of `{name}`. One of the two is not who it seems to be; ask its owner, and remove \
             the wrong one"
    )]
    SameId {
        /// The ID.
        id: KeyId,
        /// The name of the one that is there.
        name: String,
    },
    /// There is a key of this name.
    #[error("another key has the name `{name}`: give this one another, or remove the other first")]
    Taken {
        /// The name.
        name: String,
    },
    /// Others could have changed it, or it can't be read or written.
    #[error(transparent)]
    Own(#[from] OwnError),
}

impl KeyId {
    /// That in the base64 text of a public key or of a signature: in both, two letters and the ID come first.
    pub(super) fn in_text(text: &str) -> Option<Self> {
        const DIGITS: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let digit = |c: char| DIGITS.find(c).map(|digit| digit as u128);
        // 12 bytes, of which two follow the ID.
        let bits = text.get(..16)?.chars().try_fold(0, |bits: u128, c| Some((bits << 6) | digit(c)?))?;
        let id = bits.to_be_bytes()[6..14].try_into().ok()?;
        Some(Self(u64::from_le_bytes(id)))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl TrustedKey {
    /// The key in `text`, which is that of a file, or its second line alone. Its name is its ID. `origin` says in errors where
    /// the text came from.
    ///
    /// # Errors
    ///
    /// [`KeyError::NoKey`].
    pub fn parse(origin: &str, text: &str) -> Result<Self, KeyError> {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        let (&[line] | &[_, line]) = &lines[..] else { return Err(KeyError::NoKey { origin: origin.to_owned() }) };
        match (PublicKey::from_base64(line), KeyId::in_text(line)) {
            (Ok(key), Some(id)) => Ok(Self { name: id.to_string(), id, text: line.to_owned(), key }),
            _ => Err(KeyError::NoKey { origin: origin.to_owned() }),
        }
    }

    /// The same key under another name.
    ///
    /// # Errors
    ///
    /// [`KeyError::Name`].
    pub fn named(self, name: &str) -> Result<Self, KeyError> {
        check_name(name)?;
        Ok(Self { name: name.to_owned(), ..self })
    }

    /// What its owner is called here.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its ID.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The key itself, as text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl KeyFolder {
    /// The keys in it, by name, and why others do not count. A folder that is not there has none.
    pub fn keys(&self) -> (Vec<TrustedKey>, Vec<KeyError>) {
        let (mut keys, mut errors) = (Vec::new(), Vec::new());
        match self.files() {
            Ok(files) => {
                for file in files {
                    match read(&file) {
                        Ok(key) => keys.push(key),
                        Err(error) => errors.push(error),
                    }
                }
            }
            Err(OwnError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            Err(error) => errors.push(error.into()),
        }
        (keys, errors)
    }

    /// The file of a key.
    pub fn file(&self, name: &str) -> PathBuf {
        self.0.join(format!("{name}.pub"))
    }

    /// Takes a key into it. Made if it is not there, and no key in it is replaced.
    ///
    /// # Errors
    ///
    /// [`KeyError::Known`], [`KeyError::SameId`], [`KeyError::Taken`], [`KeyError::Own`].
    pub fn add(&self, key: &TrustedKey) -> Result<(), KeyError> {
        for folder in self.with_parent() {
            own::folder(folder)?;
        }
        if let Some(known) = self.keys().0.into_iter().find(|known| known.id == key.id) {
            let (id, name) = (key.id, known.name);
            return Err(if known.key == key.key {
                KeyError::Known { id, name }
            } else {
                KeyError::SameId { id, name }
            });
        }
        let path = self.file(&key.name);
        let io = |source| OwnError::Io { path: path.clone(), source };
        // Only its owner can read and write what `tempfile` makes.
        let mut file = tempfile::Builder::new().prefix(".key-").tempfile_in(&self.0).map_err(io)?;
        write!(file, "untrusted comment: minisign public key {}\n{}\n", key.id, key.text).map_err(io)?;
        match file.persist_noclobber(&path) {
            Ok(_) => Ok(()),
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => {
                Err(KeyError::Taken { name: key.name.clone() })
            }
            Err(error) => Err(io(error.error).into()),
        }
    }

    /// Takes the key of this name out of it. False if there is none.
    ///
    /// # Errors
    ///
    /// [`KeyError::Own`].
    pub fn remove(&self, name: &str) -> Result<bool, KeyError> {
        if check_name(name).is_err() {
            return Ok(false);
        }
        let path = self.file(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(source) => Err(OwnError::Io { path, source }.into()),
        }
    }

    /// The files in it that may be keys, by name.
    fn files(&self) -> Result<Vec<PathBuf>, OwnError> {
        let io = |source| OwnError::Io { path: self.0.clone(), source };
        for folder in self.with_parent() {
            own::look_at(folder)?;
        }
        let entries = fs::read_dir(&self.0).map_err(io)?;
        let files: io::Result<Vec<PathBuf>> = entries.map(|entry| Ok(entry?.path())).collect();
        let mut files = files.map_err(io)?;
        files.retain(|file| file.extension().is_some_and(|extension| extension == "pub"));
        files.sort();
        Ok(files)
    }

    /// Who can write the folder that it is in could put another one in its place.
    fn with_parent(&self) -> impl Iterator<Item = &Path> {
        self.0.parent().into_iter().chain([self.0.as_path()])
    }
}

/// Reads the key in a file.
fn read(path: &Path) -> Result<TrustedKey, KeyError> {
    let mut text = String::new();
    let file = own::open(path, 0o022)?;
    let read = file.take(MAX_KEY).read_to_string(&mut text);
    read.map_err(|source| OwnError::Io { path: path.to_owned(), source })?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    TrustedKey::parse(&path.display().to_string(), &text)?.named(&name)
}

/// A name is that of a file.
fn check_name(name: &str) -> Result<(), KeyError> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
    if !begins_well || name.len() > MAX_NAME || !name.chars().all(is_plain) {
        return Err(KeyError::Name { name: name.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key with which minisign itself is signed.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    #[test]
    fn a_key_is_a_file_of_minisign_or_a_line_of_it() {
        let file = format!("untrusted comment: minisign public key E7620F1842B4E81F\r\n{KEY}\r\n");
        let key = TrustedKey::parse("x", &file).unwrap();
        assert_eq!(key, TrustedKey::parse("y", KEY).unwrap());
        assert_eq!((key.id().to_string().as_str(), key.name()), ("E7620F1842B4E81F", "E7620F1842B4E81F"));
        assert_eq!(key.named("minisign").unwrap().name(), "minisign");
    }

    #[test]
    fn what_is_no_key_is_not_taken() {
        let three = format!("a\n{KEY}\nb\n");
        let flipped = KEY.replacen('W', "w", 1);
        for text in ["", "RWQf6LRCGA9i", "\n\n", &KEY[..54], &three, &flipped, "é\né", &KEY.replace('Q', "*")] {
            let error = TrustedKey::parse("a.pub", text).unwrap_err();
            assert!(error.to_string().starts_with("`a.pub` is no public key of minisign"), "{text}");
        }
    }

    #[test]
    fn a_name_is_that_of_a_file() {
        for name in ["a", "Alice_B-2.x", &"n".repeat(64)] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in ["", ".", ".a", "-a", "a/b", "..", "a b", "ä", "a\n", &"n".repeat(65)] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_folder_takes_each_key_once() {
        let dir = tempfile::tempdir().unwrap();
        let folder = KeyFolder(dir.path().join("lthost/keys"));
        assert!(matches!(folder.keys(), (keys, errors) if keys.is_empty() && errors.is_empty()), "not there yet");
        let key = TrustedKey::parse("x", KEY).unwrap().named("a").unwrap();
        folder.add(&key).unwrap();
        assert_eq!(folder.keys().0, std::slice::from_ref(&key));
        assert!(
            matches!(folder.add(&key.clone().named("b").unwrap()), Err(KeyError::Known { name, .. }) if name == "a")
        );
        // Another key, of the same name.
        let other = TrustedKey::parse("x", &KEY.replacen("RWQf", "RWQg", 1)).unwrap().named("a").unwrap();
        assert!(matches!(folder.add(&other), Err(KeyError::Taken { name }) if name == "a"));
        assert!(folder.remove("a").unwrap());
        assert!(!folder.remove("a").unwrap() && !folder.remove("../a").unwrap());
        assert!(folder.keys().0.is_empty());
    }
}
