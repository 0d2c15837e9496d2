//! Plugins by name: those that travel inside the program, then those in the plugin folders.

use std::{
    borrow::Cow,
    env, fs,
    path::{Path, PathBuf},
};

use lthost::plugin::{
    Engine, Limits, Plugin, PluginError,
    trust::{Judge, Offer, Pin},
};

use crate::{Usage, limit_args};

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// A plugin that was found: where it is, and the hash that it must have.
pub(crate) struct Found {
    location: Location,
    pin: Option<Pin>,
}

/// Where a plugin is.
enum Location {
    /// Inside this program: name and bytes.
    Shipped(&'static str, &'static [u8]),
    /// In a file.
    File(PathBuf),
}

/// Finds a plugin that the user asks for, by name or path, pinned to a hash if `@sha256:` and the hash follow; or by
/// `sha256:` and the hash alone.
pub(crate) fn find(plugin: &str) -> anyhow::Result<Found> {
    let (name, pin) = Pin::split(plugin);
    let parse = |pin: &str| pin.parse::<Pin>().map_err(|error| Usage(format!("plugin `{plugin}`: {error}")));
    let pin = pin.map(parse).transpose()?;
    let location = match &pin {
        Some(pin) if name.is_empty() => locate_by_hash(pin)?,
        _ => locate(name)?,
    };
    Ok(Found { location, pin })
}

/// Finds a plugin that a file names. What a file says is no pin: that is a matter of the user's.
pub(crate) fn find_recorded(plugin: &str) -> Result<Found, PluginError> {
    Ok(Found { location: locate(plugin)?, pin: None })
}

/// A path if it looks like one, otherwise a name.
fn locate(plugin: &str) -> Result<Location, PluginError> {
    let looks_like_path = plugin.contains('/') || Path::new(plugin).extension().is_some_and(|ext| ext == "wasm");
    if looks_like_path {
        return Ok(Location::File(PathBuf::from(plugin)));
    }
    if let Some((name, bytes)) = SHIPPED.iter().find(|(name, _)| *name == plugin) {
        return Ok(Location::Shipped(name, bytes));
    }
    let file = format!("{plugin}.wasm");
    if let Some(path) = folders().into_iter().map(|folder| folder.join(&file)).find(|path| path.is_file()) {
        return Ok(Location::File(path));
    }
    if Path::new(plugin).is_file() {
        return Ok(Location::File(PathBuf::from(plugin)));
    }
    let known: Vec<String> = all().into_iter().map(|(name, _)| name).collect();
    let hint = if Path::new(&file).is_file() { format!(" (the file here is `./{file}`)") } else { String::new() };
    Err(PluginError::Unknown { name: plugin.to_owned(), known: known.join(", "), hint })
}

/// The first plugin with this hash, whatever its name. Of a file it holds when this is read anew, too: it is pinned.
fn locate_by_hash(pin: &Pin) -> anyhow::Result<Location> {
    if let Some((name, bytes)) = SHIPPED.iter().find(|(_, bytes)| Pin::of(bytes) == *pin) {
        return Ok(Location::Shipped(name, bytes));
    }
    let folders = folders();
    let max_bytes = limit_args::limits()?.max_plugin_bytes;
    let is_small = |file: &PathBuf| file.metadata().is_ok_and(|file| file.is_file() && file.len() <= max_bytes);
    let fits = |file: &PathBuf| is_small(file) && Pin::of_file(file).is_ok_and(|found| found == *pin);
    if let Some(file) = folders.iter().flat_map(|folder| files(folder)).find(fits) {
        return Ok(Location::File(file));
    }
    let folders = folders.iter().map(|folder| format!("`{}`", folder.display()));
    let searched: Vec<String> = ["those shipped with lthost".to_owned()].into_iter().chain(folders).collect();
    Err(Usage(format!("no plugin has the hash `{pin}`: searched were {}", searched.join(", "))).into())
}

/// All plugins that have a name, in the order in which they are found.
pub(crate) fn known() -> Vec<(String, Found)> {
    all().into_iter().map(|(name, location)| (name, Found { location, pin: None })).collect()
}

fn all() -> Vec<(String, Location)> {
    let mut known: Vec<(String, Location)> =
        SHIPPED.iter().map(|(name, bytes)| ((*name).to_owned(), Location::Shipped(name, bytes))).collect();
    for file in folders().iter().flat_map(|folder| files(folder)) {
        let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if !known.iter().any(|(other, _)| *other == name) {
            known.push((name, Location::File(file)));
        }
    }
    known
}

/// What may be plugins in a folder, by name.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<PathBuf> = entries.filter(|file| file.extension().is_some_and(|ext| ext == "wasm")).collect();
    files.sort();
    files
}

impl Found {
    /// The plugin in a file that was built just now.
    pub(crate) fn built(path: PathBuf, pin: Pin) -> Self {
        Self { location: Location::File(path), pin: Some(pin) }
    }

    pub(crate) fn is_shipped(&self) -> bool {
        matches!(self.location, Location::Shipped(..))
    }

    /// Compiles it, if it is admitted.
    pub(crate) fn load(&self, judge: &Judge, engine: &Engine, limits: &Limits) -> Result<Plugin, PluginError> {
        Plugin::admitted(engine, judge, &self.offer(limits)?, limits)
    }

    /// What is in its file, and what speaks for it.
    pub(crate) fn offer(&self, limits: &Limits) -> Result<Offer<'static>, PluginError> {
        let pin = self.pin.clone();
        match &self.location {
            Location::Shipped(name, bytes) => {
                let (origin, bytes) = ((*name).to_owned(), Cow::Borrowed(*bytes));
                Ok(Offer { origin, bytes, is_shipped: true, pin, signature: None })
            }
            Location::File(path) => Offer::from_file(path, pin, limits),
        }
    }

    /// How it is shown to a user.
    pub(crate) fn describe(&self) -> String {
        match &self.location {
            Location::Shipped(..) => "shipped with lthost".to_owned(),
            Location::File(path) => path.display().to_string(),
        }
    }
}

/// The plugin folders: those in `LTHOST_PLUGINS` (separated like `PATH`), then the user's own.
fn folders() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> =
        env::var_os("LTHOST_PLUGINS").map(|paths| env::split_paths(&paths).collect()).unwrap_or_default();
    let data = env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let home = || env::var_os("HOME").map(|home| Path::new(&home).join(".local/share"));
    if let Some(data) = data.or_else(home) {
        folders.push(data.join("lthost/plugins"));
    }
    folders
}
