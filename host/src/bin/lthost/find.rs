//! Plugins by name: those that travel inside the program, then those in the plugin folders.

use std::{
    borrow::Cow,
    env, fs,
    path::{Path, PathBuf},
};

use lthost::plugin::{Engine, Limits, Plugin, PluginError};

include!(concat!(env!("OUT_DIR"), "/shipped.rs"));

/// Where a plugin is.
pub(crate) enum Location {
    /// Inside this program: name and bytes.
    Shipped(&'static str, &'static [u8]),
    /// In a file.
    File(PathBuf),
}

/// Finds a plugin: a path if it looks like one, otherwise a name.
pub(crate) fn find(plugin: &str) -> Result<Location, PluginError> {
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
    let known: Vec<String> = known().into_iter().map(|(name, _)| name).collect();
    let hint = if Path::new(&file).is_file() { format!(" (the file here is `./{file}`)") } else { String::new() };
    Err(PluginError::Unknown { name: plugin.to_owned(), known: known.join(", "), hint })
}

/// All plugins that have a name, in the order in which they are found.
pub(crate) fn known() -> Vec<(String, Location)> {
    let mut known: Vec<(String, Location)> =
        SHIPPED.iter().map(|(name, bytes)| ((*name).to_owned(), Location::Shipped(name, bytes))).collect();
    for folder in folders() {
        let mut files: Vec<PathBuf> = fs::read_dir(folder)
            .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
            .unwrap_or_default();
        files.sort();
        for file in files.into_iter().filter(|file| file.extension().is_some_and(|ext| ext == "wasm")) {
            let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
            if !known.iter().any(|(other, _)| *other == name) {
                known.push((name, Location::File(file)));
            }
        }
    }
    known
}

impl Location {
    pub(crate) fn load(&self, engine: &Engine, limits: &Limits) -> Result<Plugin, PluginError> {
        match self {
            Self::Shipped(name, bytes) => Plugin::from_bytes(engine, name, bytes, limits),
            Self::File(path) => Plugin::from_file(engine, path, limits),
        }
    }

    /// What is in its file.
    pub(crate) fn bytes(&self) -> Result<Cow<'static, [u8]>, PluginError> {
        match self {
            Self::Shipped(_, bytes) => Ok(Cow::Borrowed(bytes)),
            Self::File(path) => fs::read(path)
                .map(Cow::Owned)
                .map_err(|source| PluginError::Unreadable { path: path.display().to_string(), source }),
        }
    }

    /// How it is shown to a user.
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Shipped(..) => "shipped with lthost".to_owned(),
            Self::File(path) => path.display().to_string(),
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
