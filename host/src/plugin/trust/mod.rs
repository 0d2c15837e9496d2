//! Who vouches for a plugin: nobody, the user who named its hash, or a key that the user trusts; and whether that is enough.
//!
//! The sandbox holds back any plugin. What it can't tell is whose a plugin is, and so whether its numbers are worth anything. A
//! [`Judge`] looks at the bytes that are then compiled, before anything else does.

mod keys;
mod pin;

use std::{
    borrow::Cow,
    ffi::OsString,
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use minisign_verify::{Error, Signature};
use serde::{Deserialize, Serialize};

use super::{
    Limits, PluginError,
    error::printable,
    load::{check_start, read, refuse},
};
pub use keys::{KeyError, KeyFolder, KeyId, TrustedKey};
pub use pin::{Pin, PinError};

/// Bytes that a file with a signature may have.
const MAX_SIGNATURE: u64 = 64 << 10;

/// Which plugins run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Policy {
    /// All.
    #[default]
    Any,
    /// Those that are pinned, and those of [`Policy::Signed`].
    Pinned,
    /// Those that a trusted key signed, and those that travel inside the program.
    Signed,
}

/// A plugin before it is loaded, and what speaks for it.
#[derive(Debug, Clone)]
pub struct Offer<'a> {
    /// Where it comes from: a path, or the name of a shipped plugin.
    pub origin: String,
    /// Its file.
    pub bytes: Cow<'a, [u8]>,
    /// Whether it travels inside the program: it is as trusted as that.
    pub is_shipped: bool,
    /// The hash that the user wants it to have.
    pub pin: Option<Pin>,
    /// What is in the file with its signature, in minisign's format.
    pub signature: Option<String>,
}

/// Why a plugin is admitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "level", rename_all = "kebab-case")]
pub enum Trust {
    /// It travels inside the program.
    Shipped,
    /// A trusted key signed it.
    Signed {
        /// What the owner of the key is called here.
        key: String,
        /// The key's ID.
        key_id: KeyId,
        /// What the signer says of the file, escaped: it is signed, too.
        comment: String,
    },
    /// It has the hash that the user named.
    Pinned,
    /// Nobody vouches for it.
    Unknown {
        /// The key that is said to have signed it, if there is a signature: none that is trusted.
        signed_by: Option<KeyId>,
    },
}

/// Says which plugins are admitted. The default one admits all, and knows no keys.
#[derive(Debug, Clone, Default)]
pub struct Judge {
    /// Which plugins run.
    pub policy: Policy,
    /// Keys whose signatures count.
    pub keys: Vec<TrustedKey>,
}

impl Offer<'static> {
    /// Reads a plugin's file, and the signature beside it if there is one.
    ///
    /// # Errors
    ///
    /// [`PluginError::Unreadable`], [`PluginError::NoWebAssembly`], [`PluginError::Refused`].
    pub fn from_file(path: &Path, pin: Option<Pin>, limits: &Limits) -> Result<Self, PluginError> {
        let origin = path.display().to_string();
        let bytes = read(path, limits)?;
        check_start(&origin, &bytes, limits)?;
        let signature = signature_file(path);
        let unreadable = |error: io::Error| {
            let name = printable(&signature.display().to_string(), 1000);
            refuse(&origin, format!("its signature `{name}` can't be read: {error}"))
        };
        let signature = read_signature(&signature).map_err(unreadable)?;
        Ok(Self { origin, bytes: Cow::Owned(bytes), is_shipped: false, pin, signature })
    }
}

impl Judge {
    /// Whether a plugin may run, and why.
    ///
    /// # Errors
    ///
    /// [`PluginError::Refused`], under any policy if a pin does not fit, a signature is damaged, or one by a trusted key is
    /// not of these bytes; else if nobody vouches for it as the policy wants.
    pub fn admit(&self, offer: &Offer<'_>) -> Result<Trust, PluginError> {
        if let Some(pin) = &offer.pin {
            let found = Pin::of(&offer.bytes);
            if found != *pin {
                let what = format!("it is pinned to {pin}, but this file has {found}: get the one that was meant");
                return Err(refuse(&offer.origin, what));
            }
        }
        if offer.is_shipped {
            return Ok(Trust::Shipped);
        }
        let signer = self.signer(offer)?;
        let signed_by = match signer {
            Trust::Unknown { signed_by } => signed_by,
            signed => return Ok(signed),
        };
        match (self.policy, &offer.pin) {
            (Policy::Any | Policy::Pinned, Some(_)) => Ok(Trust::Pinned),
            (Policy::Any, None) => Ok(Trust::Unknown { signed_by }),
            _ => Err(refuse(&offer.origin, self.missing(offer, signed_by))),
        }
    }

    /// What a signature is worth by itself: [`Trust::Signed`] or [`Trust::Unknown`].
    fn signer(&self, offer: &Offer<'_>) -> Result<Trust, PluginError> {
        let Some(text) = &offer.signature else { return Ok(Trust::Unknown { signed_by: None }) };
        let refused = |what: String| refuse(&offer.origin, what);
        let id = text.lines().nth(1).and_then(KeyId::in_text);
        let (Ok(signature), Some(id)) = (Signature::decode(text), id) else {
            let what = "the file with its signature is damaged, or none of minisign's: get it again, or remove it";
            return Err(refused(what.to_owned()));
        };
        // Two keys may have the same ID.
        let mut fault = None;
        for key in self.keys.iter().filter(|key| key.id() == id) {
            match key.key.verify(&offer.bytes, &signature, false) {
                Ok(()) => {
                    let comment = printable(signature.trusted_comment(), 1000);
                    return Ok(Trust::Signed { key: key.name().to_owned(), key_id: id, comment });
                }
                Err(error) => fault = Some((key.name(), error)),
            }
        }
        match fault {
            None => Ok(Trust::Unknown { signed_by: Some(id) }),
            // Which form a signature has is not signed. With two forms, one of a text could pass for one of a plugin.
            Some((name, Error::UnexpectedAlgorithm)) => Err(refused(format!(
                "its signature by the trusted key `{name}` ({id}) has the form from before minisign 0.10, which does not count: \
                 have it signed by a newer one"
            ))),
            Some((name, _)) => Err(refused(format!(
                "its signature names the trusted key `{name}` ({id}), but is not of this file: the file or the signature was \
                 changed, or they do not belong together"
            ))),
        }
    }

    /// What a plugin lacks, and what to do about it.
    fn missing(&self, offer: &Offer<'_>, signed_by: Option<KeyId>) -> String {
        let (who, instead) = match signed_by {
            None => ("nobody vouches for it".to_owned(), "get it signed by a key that you trust"),
            Some(id) => (
                format!("it is signed by the key {id}, which you don't trust"),
                "trust its public key with `lthost trust add`",
            ),
        };
        let pin = match self.policy {
            Policy::Pinned => format!("pin it with `@{}` if that is the hash you know, or ", Pin::of(&offer.bytes)),
            Policy::Any | Policy::Signed => String::new(),
        };
        format!("{who}, and the trust policy is `{}`: {pin}{instead}", self.policy)
    }
}

/// The file beside a plugin's that has its signature: `x.wasm.minisig` for `x.wasm`.
pub fn signature_file(plugin: &Path) -> PathBuf {
    let mut name = OsString::from(plugin);
    name.push(".minisig");
    PathBuf::from(name)
}

/// What is in a file with a signature. None if there is none.
fn read_signature(path: &Path) -> io::Result<Option<String>> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => {}
        Ok(_) => return Err(io::Error::other("it is no file")),
        // A name that is too long is none of a file either.
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidFilename) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    }
    let mut text = String::new();
    let n_bytes = fs::File::open(path)?.take(MAX_SIGNATURE + 1).read_to_string(&mut text)?;
    if n_bytes as u64 > MAX_SIGNATURE {
        return Err(io::Error::other("it is too long for one"));
    }
    Ok(Some(text))
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Any => "any",
            Self::Pinned => "pinned",
            Self::Signed => "signed",
        })
    }
}

impl fmt::Display for Trust {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Shipped => write!(f, "shipped with lthost"),
            Self::Signed { key, key_id, .. } => write!(f, "signed by {key} ({key_id})"),
            Self::Pinned => write!(f, "pinned"),
            Self::Unknown { signed_by: None } => write!(f, "unknown: nobody vouches for it"),
            Self::Unknown { signed_by: Some(id) } => write!(f, "unknown: signed by {id}, a key that is not trusted"),
        }
    }
}

#[cfg(test)]
mod tests;
