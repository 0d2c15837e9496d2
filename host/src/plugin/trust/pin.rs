//! Pins: a plugin named together with the hash that its file must have.

use std::{fmt, fs::File, io, path::Path, str::FromStr};

use sha2::{Digest, Sha256};

use super::super::{cache::hexadecimal, load::sha256};

/// What stands in front of the digits.
const PREFIX: &str = "sha256:";

/// The SHA-256 that a plugin's file must have, in text `sha256:` and 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pin(String);

/// A text that is no pin.
#[derive(Debug, thiserror::Error)]
#[error("a pin is `@sha256:` and 64 hexadecimal digits, not `@{0}`")]
pub struct PinError(String);

impl Pin {
    /// The one that fits `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(sha256(bytes))
    }

    /// The one that fits a file, of which only a piece at a time is in memory.
    ///
    /// # Errors
    ///
    /// If it can't be read.
    pub fn of_file(path: &Path) -> io::Result<Self> {
        let mut digest = Sha256::new();
        io::copy(&mut File::open(path)?, &mut digest)?;
        Ok(Self(hexadecimal(&digest.finalize())))
    }

    /// Takes `NAME@sha256:DIGITS` apart: the name of a plugin, which is empty for `sha256:DIGITS` alone, and the text of its pin.
    /// What stands behind the last `@sha256:` is a pin whatever files there are: nobody takes a pin away by making a file of the
    /// whole name.
    pub fn split(plugin: &str) -> (&str, Option<&str>) {
        let lower = plugin.to_ascii_lowercase();
        match lower.rfind("@sha256:") {
            Some(at) => (&plugin[..at], Some(&plugin[at + 1..])),
            None if lower.starts_with(PREFIX) => ("", Some(plugin)),
            None => (plugin, None),
        }
    }
}

impl FromStr for Pin {
    type Err = PinError;

    fn from_str(text: &str) -> Result<Self, PinError> {
        let lower = text.to_ascii_lowercase();
        match lower.strip_prefix(PREFIX) {
            Some(digits) if digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit()) => {
                Ok(Self(digits.to_owned()))
            }
            _ => Err(PinError(text.to_owned())),
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EMPTY: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    #[test]
    fn a_pin_is_a_hash_in_any_case() {
        assert_eq!(Pin::of(b"").to_string(), EMPTY);
        assert_eq!(EMPTY.parse::<Pin>().unwrap(), Pin::of(b""));
        assert_eq!(EMPTY.to_ascii_uppercase().parse::<Pin>().unwrap(), Pin::of(b""));
        assert_ne!(EMPTY.parse::<Pin>().unwrap(), Pin::of(b"x"));
    }

    #[test]
    fn what_is_no_hash_is_no_pin() {
        let long = format!("{EMPTY}0");
        for text in ["", "sha256:", &EMPTY[..70], &long, &EMPTY[7..], "sha256:é", &EMPTY.replace('e', "g")] {
            assert!(text.parse::<Pin>().is_err(), "{text}");
        }
        let error = "sha256:12".parse::<Pin>().unwrap_err().to_string();
        assert_eq!(error, "a pin is `@sha256:` and 64 hexadecimal digits, not `@sha256:12`");
    }

    #[test]
    fn a_pin_stands_behind_the_last_mark() {
        assert_eq!(Pin::split("a.wasm"), ("a.wasm", None));
        assert_eq!(Pin::split("./a@b.wasm@sha256:12"), ("./a@b.wasm", Some("sha256:12")));
        assert_eq!(Pin::split("sum@SHA256:"), ("sum", Some("SHA256:")));
        assert_eq!(Pin::split("é@sha256:1@sha256:2"), ("é@sha256:1", Some("sha256:2")));
        assert_eq!(Pin::split("Sha256:12"), ("", Some("Sha256:12")));
        assert_eq!(Pin::split("./sha256:12"), ("./sha256:12", None));
    }

    #[test]
    fn a_file_has_the_pin_of_its_bytes() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let bytes = vec![7; 100_000];
        io::Write::write_all(&mut file, &bytes).unwrap();
        assert_eq!(Pin::of_file(file.path()).unwrap(), Pin::of(&bytes));
        assert!(Pin::of_file(Path::new("/nonexistent")).is_err());
    }
}
