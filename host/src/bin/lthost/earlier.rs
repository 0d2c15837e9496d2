//! What the output folder of a run has of earlier ones, by their records.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use lthost::{
    plugin::{Facts, Plugin},
    results::{Output, OutputError},
    run::Taken,
};
use serde_json::Value as Json;

use crate::{cache, failures};

/// The results of earlier runs in an output folder.
#[derive(Default)]
pub(crate) struct Earlier {
    dir: PathBuf,
    /// What `run.json` says of each UDF, in the last run and in those before; plugins that are files with their whole path.
    udfs: Vec<Json>,
    /// Content of `damage.npy`.
    damage: Vec<u8>,
}

impl Earlier {
    /// Reads the record in the folder, if there is one.
    pub(crate) fn read(dir: &Path) -> Self {
        // Not from a pipe, which may never begin.
        let read = |name: &str| {
            let file = dir.join(name);
            if file.is_file() { fs::read(file).unwrap_or_default() } else { Vec::new() }
        };
        let record: Json = serde_json::from_slice(&read("run.json")).unwrap_or_default();
        let of = |list: &str| record[list].as_array().cloned().unwrap_or_default();
        let is_there = |udf: &Json| udf["label"].as_str().is_some_and(|label| dir.join(label).is_dir());
        let folder = Path::new(record["folder"].as_str().unwrap_or_default());
        let with_path = |mut udf: Json| {
            let origin = udf["plugin"].as_str().unwrap_or_default();
            if let Ok(path) = folder.join(origin).canonicalize() {
                udf["plugin"] = path.to_string_lossy().into();
            }
            udf
        };
        let udfs = of("udfs").into_iter().map(with_path).chain(of("earlier")).filter(is_there).collect();
        Self { dir: dir.to_owned(), udfs, damage: read("damage.npy") }
    }

    /// Labels of results in the folder, and which of these plugins they may be of: the same bytes, or the same file, changed since;
    /// or one that `lthost map` has built of a source file of the user's.
    pub(crate) fn taken<'a>(&self, plugins: impl IntoIterator<Item = &'a Plugin>) -> Vec<Taken> {
        let path = |origin: &str| Path::new(origin).canonicalize().ok();
        let plugins: Vec<(&Facts, Option<PathBuf>)> =
            plugins.into_iter().map(|plugin| (plugin.facts(), path(&plugin.facts().origin))).collect();
        let built = cache::folder().ok().and_then(|folder| folder.canonicalize().ok());
        let may_be_of = |label: &str, (facts, path): &(&Facts, Option<PathBuf>)| {
            let is_built = path.as_ref().zip(built.as_ref()).is_some_and(|(path, built)| path.starts_with(built));
            let path = path.as_ref().and_then(|path| path.to_str());
            let mut udfs = self.udfs.iter().filter(|udf| udf["label"] == label);
            is_built || udfs.any(|udf| udf["sha256"] == facts.sha256 || path.is_some_and(|path| udf["plugin"] == path))
        };
        let taken = |label: String| {
            let plugins = plugins.iter().filter(|plugin| may_be_of(&label, plugin));
            Taken { plugins: plugins.map(|(facts, _)| facts.sha256.clone()).collect(), label }
        };
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let folders = entries.filter(|entry| entry.path().is_dir());
        folders.map(|entry| taken(entry.file_name().to_string_lossy().into_owned())).collect()
    }

    /// Files of the results under a label.
    pub(crate) fn files(&self, label: &str) -> impl Iterator<Item = PathBuf> {
        let udfs = self.udfs.iter().filter(move |udf| udf["label"] == label);
        let files = udfs.filter_map(|udf| udf["files"].as_array()).flatten().filter_map(Json::as_str);
        files.map(PathBuf::from).filter(move |file| is_of(file, label))
    }

    /// The record of all UDFs but those with these labels. A label has one entry, and what there is of its damage belongs to it.
    /// `staged` are the files of the run.
    pub(crate) fn but(&self, labels: &[&str], staged: &[PathBuf]) -> Vec<Json> {
        let mut others: Vec<Json> = Vec::new();
        for udf in &self.udfs {
            let Some(label) = udf["label"].as_str().filter(|label| !labels.contains(label)) else { continue };
            if others.iter().any(|other| other["label"] == label) {
                continue;
            }
            let (mut udf, damage) = (udf.clone(), failures::damage_file(label));
            let is_there = self.dir.join(&damage).exists() || staged.contains(&PathBuf::from(&damage));
            if let Some(files) = udf["files"].as_array_mut().filter(|_| is_there)
                && !files.iter().any(|file| *file == damage)
            {
                files.push(damage.into());
            }
            others.push(udf);
        }
        others
    }

    /// Keeps beside the results of all but these labels which frames are in them, where `damage` says so no longer.
    pub(crate) fn keep_damage(&self, output: &mut Output, labels: &[&str], damage: &[u8]) -> Result<(), OutputError> {
        if self.damage.is_empty() || self.damage == damage {
            return Ok(());
        }
        let others = self.udfs.iter().filter_map(|udf| udf["label"].as_str()).filter(|label| !labels.contains(label));
        for file in others.map(failures::damage_file) {
            if !self.dir.join(&file).exists() && !output.staged().contains(&PathBuf::from(&file)) {
                output.stage(file.as_ref(), |out| out.write_all(&self.damage))?;
            }
        }
        Ok(())
    }
}

/// Whether a file in the output folder, a path relative to it, belongs to the results under a label.
pub(crate) fn is_of(file: &Path, label: &str) -> bool {
    let mut parts = file.components();
    match (parts.next(), parts.next(), parts.next()) {
        (Some(Component::Normal(name)), None, None) => name == failures::damage_file(label).as_str(),
        (Some(Component::Normal(folder)), Some(Component::Normal(_)), None) => folder == label,
        _ => false,
    }
}
