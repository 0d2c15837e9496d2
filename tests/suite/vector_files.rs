//! The reference vectors as files, and how numbers are compared with them. Shared by `vectors`, `analyses` and
//! `functions`.

use std::{
    collections::HashMap,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
    sync::Arc,
};

use lthost::{
    correction::Corrections,
    dataset::{self, Dataset, DatasetOptions},
    plugin::{Argument, Plugin},
    run::{Outcome, Pool, RunConfig, RunError, UdfSpec},
    shape::{Array, Dtype, npy},
};
use serde_json::Value as Json;

/// The folder with the vectors.
pub(crate) struct Vectors {
    dir: PathBuf,
    pub(crate) index: Json,
    /// Members of the `.npz` files, by file and key.
    arrays: HashMap<(String, String), Array>,
}

impl Vectors {
    pub(crate) fn open() -> Self {
        let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
        let index = serde_json::from_reader(File::open(dir.join("index.json")).unwrap()).unwrap();
        let mut arrays = HashMap::new();
        for entry in dir.join("expected").read_dir().unwrap() {
            let path = entry.unwrap().path();
            let file = format!("expected/{}", path.file_name().unwrap().to_string_lossy());
            let mut archive = zip::ZipArchive::new(File::open(path).unwrap()).unwrap();
            for i in 0..archive.len() {
                let mut member = archive.by_index(i).unwrap();
                let key = member.name().trim_end_matches(".npy").to_owned();
                let mut bytes = Vec::new();
                member.read_to_end(&mut bytes).unwrap();
                arrays.insert((file.clone(), key), npy::parse(&bytes).unwrap());
            }
        }
        Self { dir, index, arrays }
    }

    pub(crate) fn dataset(&self, case: &Json) -> Result<Arc<Dataset>, String> {
        let data = &self.index["data"][case["data"].as_str().unwrap()];
        let options = DatasetOptions {
            format: Some("raw".to_owned()),
            nav_shape: Some(extents(&case["nav_shape"])),
            sig_shape: Some(extents(&case["sig_shape"])),
            dtype: Some(Dtype::parse_with_order(data["dtype"].as_str().unwrap()).unwrap()),
            sync_offset: case["sync_offset"].as_i64().unwrap(),
            ..DatasetOptions::default()
        };
        let dataset = dataset::open(&self.dir.join(data["file"].as_str().unwrap()), &options);
        dataset.map(Arc::new).map_err(|error| error.to_string())
    }

    pub(crate) fn aux(&self, name: &str) -> Array {
        npy::read(&self.dir.join(self.index["aux"][name]["file"].as_str().unwrap())).unwrap()
    }

    pub(crate) fn corrections(&self, json: &Json, dataset: &Dataset) -> Result<Corrections, String> {
        let array = |key: &str| json[key].as_str().map(|name| self.aux(name));
        let (dark, gain, excluded) = (array("dark"), array("gain"), array("excluded_pixels"));
        Corrections::new(dataset.sig(), dark.as_ref(), gain.as_ref(), excluded.as_ref())
            .map_err(|error| error.to_string())
    }

    pub(crate) fn expected(&self, output: &Json) -> Array {
        let key = |name: &str| output[name].as_str().unwrap().to_owned();
        self.arrays[&(key("file"), key("key"))].clone()
    }
}

fn extents(json: &Json) -> Vec<u64> {
    json.as_array().unwrap().iter().map(|extent| extent.as_u64().unwrap()).collect()
}

/// How one case is run: all of it but plan and workers.
pub(crate) struct Job<'a> {
    pub(crate) dataset: &'a Arc<Dataset>,
    pub(crate) plugin: &'a Plugin,
    pub(crate) arguments: Vec<(String, Argument)>,
    pub(crate) roi: Option<Array>,
    pub(crate) corrections: Corrections,
}

impl Job<'_> {
    /// Runs for each plan (partitions, bytes of a tile) with the first number of workers, which `check` then sees, and
    /// with the others, which have to give the same bits.
    pub(crate) fn check_plans(
        &self,
        plans: &[(Option<u64>, u64)],
        workers: &[usize],
        check: impl Fn(&Result<Outcome, RunError>) -> Result<(), String>,
    ) -> Result<(), String> {
        for &(partitions, tile_bytes) in plans {
            let plan = format!("{partitions:?} partitions, {tile_bytes} byte tiles");
            let first = self.run(workers[0], partitions, tile_bytes);
            check(&first).map_err(|what| format!("{plan}: {what}"))?;
            let Ok(first) = first else { continue };
            for &more in &workers[1..] {
                let other = self.run(more, partitions, tile_bytes);
                let other = other.map_err(|error| format!("{plan}, {more} workers: {error}"))?;
                if !same_bits(&first, &other) {
                    return Err(format!("{plan}: {more} workers give other bits than {}", workers[0]));
                }
            }
        }
        Ok(())
    }

    fn run(&self, workers: usize, partitions: Option<u64>, tile_bytes: u64) -> Result<Outcome, RunError> {
        let config = RunConfig {
            partitions,
            tile_bytes: Some(tile_bytes),
            roi: self.roi.clone(),
            corrections: self.corrections.clone(),
            ..RunConfig::default()
        };
        let spec = UdfSpec { label: None, plugin: self.plugin.clone(), arguments: self.arguments.clone() };
        Pool::new(workers)?.run(self.dataset, &[spec], &config)
    }
}

fn same_bits(a: &Outcome, b: &Outcome) -> bool {
    let results = |outcome: &Outcome| -> Vec<_> {
        outcome.udfs[0]
            .results
            .iter()
            .map(|result| (result.name.clone(), result.data.clone(), result.mask.clone()))
            .collect()
    };
    results(a) == results(b) && a.damage == b.damage
}

/// Real numbers of 4 and 8 bytes; of complex ones real and imaginary parts in turn.
pub(crate) fn parts(dtype: Dtype, data: &[u8]) -> Box<dyn Iterator<Item = f64> + '_> {
    match dtype {
        Dtype::F32 | Dtype::C64 => {
            Box::new(data.chunks_exact(4).map(|bytes| f64::from(f32::from_le_bytes(bytes.try_into().unwrap()))))
        }
        Dtype::F64 | Dtype::C128 => {
            Box::new(data.chunks_exact(8).map(|bytes| f64::from_le_bytes(bytes.try_into().unwrap())))
        }
        other => panic!("{other} is not compared like this"),
    }
}

/// The numbers of an array as the vectors have them, real and imaginary parts in turn.
pub(crate) fn numbers(array: &Array) -> Vec<f64> {
    match array.dtype {
        Dtype::Bool => array.data.iter().map(|&byte| f64::from(byte)).collect(),
        Dtype::I64 => {
            let numbers = array.data.chunks_exact(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap()));
            numbers.map(|number| f64::from(i32::try_from(number).unwrap())).collect()
        }
        float => parts(float, &array.data).collect(),
    }
}

/// Whether numbers are the same within `atol + rtol * |want|`; NaN is equal to NaN.
pub(crate) fn check_numbers(
    got: impl IntoIterator<Item = f64>,
    want: impl IntoIterator<Item = f64>,
    (rtol, atol): (f64, f64),
) -> Result<(), String> {
    let (mut got, mut want) = (got.into_iter(), want.into_iter());
    for i in 0.. {
        let (got, want) = match (got.next(), want.next()) {
            (Some(got), Some(want)) => (got, want),
            (None, None) => break,
            _ => return Err(format!("one has {i} elements, the other more")),
        };
        #[expect(clippy::float_cmp, reason = "infinities are equal, and have no distance")]
        let close = got == want || (got.is_nan() && want.is_nan()) || (got - want).abs() <= atol + rtol * want.abs();
        if !close {
            return Err(format!("element {i} is {got}, expected {want} within {rtol} and {atol}"));
        }
    }
    Ok(())
}

/// The tolerances of an output, relative and absolute.
pub(crate) fn tolerance(output: &Json) -> (f64, f64) {
    (output["rtol"].as_f64().unwrap(), output["atol"].as_f64().unwrap())
}
