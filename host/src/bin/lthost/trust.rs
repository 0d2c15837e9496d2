//! `lthost trust`: the keys whose signatures count; and the judge of all plugins that are loaded.

use std::{
    ffi::OsString,
    fs::File,
    io::{Read, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};
use lthost::plugin::{
    printable,
    trust::{Judge, KeyError, KeyFolder, Pin, Policy, Trust, TrustedKey},
};
use serde_json::json;

use crate::{Usage, cache, config::Config, find, limit_args, terminal};

/// Keys of all users of this machine.
const SYSTEM_KEYS: &str = "/etc/lthost/keys";
/// Bytes that are read of a file with a key.
const MAX_KEY: u64 = 4096;

/// Say whose plugins you trust, and see whether a plugin is among them
///
/// A plugin may have a signature beside its file, FILE.minisig, as `minisign -S` makes it. Keys that you trust are in
/// lthost/keys in `$XDG_CONFIG_HOME` or ~/.config, and in /etc/lthost/keys for all users of a machine. Which plugins run is set
/// in the configuration file, under `[trust]`: `policy = "any"`, "pinned" or "signed".
///
/// Examples:
///   lthost trust add alice.pub
///   lthost trust check ./udf.wasm
#[derive(clap::Args)]
#[command(verbatim_doc_comment)]
pub(crate) struct Opts {
    #[command(subcommand)]
    action: Action,
}

#[derive(clap::Subcommand)]
enum Action {
    /// Trust a key: what it signs is admitted
    Add {
        /// A public key of minisign: its file, or the line in it that begins with RW
        #[arg(value_name = "FILE.pub|KEY")]
        key: String,
        /// What its owner is called here [default: the name of the file, or the key's ID]
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
    /// List the trusted keys, and which plugins run
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Trust a key no longer
    Remove {
        /// The key's name, or its ID
        #[arg(value_name = "NAME|ID")]
        key: String,
    },
    /// Say whether a plugin is admitted, and why, without looking into it; and its hash
    Check {
        /// A plugin's name or a .wasm file, with @sha256:HASH if it is to be pinned
        #[arg(value_name = "NAME|FILE")]
        plugin: String,
    },
}

pub(crate) fn run(opts: &Opts) -> anyhow::Result<()> {
    match &opts.action {
        Action::Add { key, name } => add(key, name.as_deref()),
        Action::List { json } => list(*json),
        Action::Remove { key } => remove(key),
        Action::Check { plugin } => check(plugin),
    }
}

/// What decides about each plugin: the policy of the configuration file, and the keys of this user and of all users. Keys that
/// others could have changed do not count, with a warning.
pub(crate) fn judge() -> anyhow::Result<Judge> {
    let keys = keys().into_iter().map(|(key, _)| key).collect();
    Ok(Judge { policy: policy()?, keys })
}

/// Which plugins run.
pub(crate) fn policy() -> anyhow::Result<Policy> {
    Ok(Config::load()?.trust.policy)
}

/// How a command line names a plugin that was built just now: where plugins must be pinned, it is.
pub(crate) fn word(path: &Path, pin: &Pin) -> anyhow::Result<OsString> {
    let mut word = path.as_os_str().to_owned();
    if policy()? == Policy::Pinned {
        word.push(format!("@{pin}"));
    }
    Ok(word)
}

/// All trusted keys, with the folder that each is in.
fn keys() -> Vec<(TrustedKey, KeyFolder)> {
    let mut all = Vec::new();
    for folder in user_folder().into_iter().chain([system_folder()]) {
        let (keys, errors) = folder.keys();
        all.extend(keys.into_iter().map(|key| (key, folder.clone())));
        for error in errors {
            terminal::say_at("warning", &format!("keys do not count: {:#}", anyhow::Error::from(error)));
        }
    }
    all
}

fn user_folder() -> Option<KeyFolder> {
    let config = cache::place("XDG_CONFIG_HOME").or_else(|| Some(cache::place("HOME")?.join(".config")))?;
    config.is_absolute().then(|| KeyFolder(config.join("lthost/keys")))
}

fn system_folder() -> KeyFolder {
    KeyFolder(PathBuf::from(SYSTEM_KEYS))
}

/// As [`user_folder`], where one is needed.
fn own_folder() -> Result<KeyFolder, Usage> {
    user_folder().ok_or_else(|| {
        Usage("there is no place for keys: set XDG_CONFIG_HOME to an absolute path of a folder".to_owned())
    })
}

fn add(given: &str, name: Option<&str>) -> anyhow::Result<()> {
    let (folder, key) = (own_folder()?, read(given, name)?);
    folder.add(&key)?;
    terminal::say(&format!("the key `{}` ({}) is trusted from now on", key.name(), key.id()));
    Ok(())
}

/// The key in a file, or in the text itself: what has the form of a key is one, whatever files there are.
fn read(given: &str, name: Option<&str>) -> anyhow::Result<TrustedKey> {
    let named = |key: TrustedKey, name: &str| {
        key.named(name).map_err(|error: KeyError| Usage(format!("{error}: choose one with --name")))
    };
    if let Ok(key) = TrustedKey::parse(given, given) {
        return Ok(match name {
            Some(name) => named(key, name)?,
            None => key,
        });
    }
    let mut text = String::new();
    if Path::new(given).metadata().is_ok_and(|there| !there.is_file()) {
        bail!("`{given}` is no public key of minisign, and not a regular file with one");
    }
    let read = File::open(given).and_then(|file| file.take(MAX_KEY).read_to_string(&mut text));
    read.with_context(|| format!("`{given}` is no public key of minisign, and no file with one that can be read"))?;
    let stem = Path::new(given).file_stem().unwrap_or_default().to_string_lossy();
    Ok(named(TrustedKey::parse(given, &text)?, name.unwrap_or(&stem))?)
}

fn list(as_json: bool) -> anyhow::Result<()> {
    let (policy, keys) = (policy()?, keys());
    let mut out = std::io::stdout().lock();
    if as_json {
        let key = |(key, folder): &(TrustedKey, KeyFolder)| {
            let file = folder.file(key.name()).display().to_string();
            json!({ "name": key.name(), "key_id": key.id(), "key": key.text(), "file": file })
        };
        let keys: Vec<_> = keys.iter().map(key).collect();
        writeln!(out, "{}", terminal::pretty_json(&json!({ "policy": policy, "keys": keys }))?)?;
        return Ok(());
    }
    let who_runs = match policy {
        Policy::Any => "all plugins run",
        Policy::Pinned => "plugins run that are pinned, signed with one of these keys, or shipped with lthost",
        Policy::Signed => "plugins run that are signed with one of these keys, or shipped with lthost",
    };
    writeln!(out, "policy `{policy}`: {who_runs}")?;
    for (key, folder) in &keys {
        let file = printable(&folder.file(key.name()).display().to_string(), 1000);
        writeln!(out, "{:<16} {}  {file}", key.name(), key.id())?;
    }
    if keys.is_empty() {
        writeln!(out, "no keys are trusted: `lthost trust add` takes one")?;
    }
    Ok(())
}

fn remove(wanted: &str) -> anyhow::Result<()> {
    let folder = own_folder()?;
    let is_wanted = |key: &TrustedKey| key.name() == wanted || key.id().to_string().eq_ignore_ascii_case(wanted);
    let gone = |name: &str| terminal::say(&format!("the key `{name}` is gone from `{}`", folder.0.display()));
    // By name also one that does not count.
    if folder.remove(wanted)? {
        gone(wanted);
        return Ok(());
    }
    if let Some(key) = folder.keys().0.into_iter().find(is_wanted) {
        folder.remove(key.name())?;
        gone(key.name());
        return Ok(());
    }
    if system_folder().keys().0.iter().any(is_wanted) {
        bail!("the key `{wanted}` is in `{SYSTEM_KEYS}`: only who administers this machine can remove it");
    }
    Err(Usage(format!("there is no key `{wanted}`: `lthost trust list` shows those that there are")).into())
}

fn check(plugin: &str) -> anyhow::Result<()> {
    let (judge, offer) = (judge()?, find::find(plugin)?.offer(&limit_args::limits()?)?);
    let trust = judge.admit(&offer)?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "plugin   {}", printable(&offer.origin, 1000))?;
    writeln!(out, "hash     {}", Pin::of(&offer.bytes))?;
    writeln!(out, "trust    {trust}")?;
    if let Trust::Signed { comment, .. } = &trust {
        writeln!(out, "comment  {comment}")?;
    }
    Ok(writeln!(out, "policy   {}", judge.policy)?)
}
