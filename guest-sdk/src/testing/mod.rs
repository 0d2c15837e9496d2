//! Runs a UDF natively, in a unit test, over a few hand-made frames: a host in one thread, without a sandbox.
//!
//! ```
//! # use lthost_guest_sdk::prelude::*;
//! # struct Sum;
//! # impl Udf for Sum {
//! #     fn manifest() -> Manifest { manifest!("sum", "") }
//! #     fn new(_: &Params, _: &Meta) -> Result<Self> { Ok(Self) }
//! #     fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
//! #         Ok(vec![Buffer::sig("intensity", input).merge(Merge::Sum)])
//! #     }
//! #     fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
//! #         each_dtype!(tile.pixels(), |pixels| kernels::add_frames(&mut out.sig("intensity", tile)?, pixels));
//! #         Ok(())
//! #     }
//! # }
//! use lthost_guest_sdk::testing::Scan;
//!
//! // Two frames of two pixels.
//! let scan = Scan::new(&[2], &[2], &[1_u16, 2, 10, 20]);
//! assert_eq!(scan.partitions(2).run::<Sum>().unwrap().get::<f32>("intensity"), [11.0, 22.0]);
//! ```
//!
//! [`Scan::run_every_way`] cuts the scan in many ways that must not matter.

mod agree;
pub(crate) mod calls;
mod cut;
mod merge;
mod params;
mod results;
mod worker;

pub use results::Results;
pub use worker::{Emitted, Pixels, TilePlace, Worker};

use crate::{
    Array, Element, Error, Kind, Numbers, Result, Udf, Value,
    adapter::Instance,
    bindings::{
        Values,
        exports::lthost::udf::udf::{GuestUdf, Partial},
        lthost::udf::types as wit,
    },
    convert::count,
    manifest::Has,
};

/// A scan to run a UDF over.
#[derive(Debug, Clone)]
pub struct Scan {
    nav_shape: Vec<usize>,
    sig_shape: Vec<usize>,
    frames: Array,
    roi: Option<Vec<bool>>,
    missing: Vec<usize>,
    params: Vec<(String, Value)>,
    aux: Vec<(String, Array)>,
    n_partitions: usize,
    depth: usize,
    block_len: usize,
    /// Tiles of a partition come from the last to the first.
    backwards: bool,
}

impl Scan {
    /// A scan whose `frames` have shape `(...nav_shape, ...sig_shape)`.
    ///
    /// # Panics
    ///
    /// Where there are more or fewer pixels than the shapes have room for.
    pub fn new<T: Element>(nav_shape: &[usize], sig_shape: &[usize], frames: &[T]) -> Self {
        let shape = [nav_shape, sig_shape].concat();
        Self {
            nav_shape: nav_shape.to_vec(),
            sig_shape: sig_shape.to_vec(),
            frames: Array::new(&shape, frames).expect("frames and shapes belong together"),
            roi: None,
            missing: Vec::new(),
            params: Vec::new(),
            aux: Vec::new(),
            n_partitions: 1,
            depth: usize::MAX,
            block_len: usize::MAX,
            backwards: false,
        }
    }

    /// Sets a parameter.
    #[must_use]
    pub fn param(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.push((name.to_owned(), value.into()));
        self
    }

    /// Sets an AUX parameter: an entry for each frame of the scan.
    ///
    /// # Panics
    ///
    /// Where there are more or fewer entries than `shape` has room for.
    #[must_use]
    pub fn aux<T: Element>(mut self, name: &str, shape: &[usize], entries: &[T]) -> Self {
        let array = Array::new(shape, entries).expect("shape and entries belong together");
        self.aux.push((name.to_owned(), array));
        self
    }

    /// Uses only the frames with `true`.
    #[must_use]
    pub fn roi(mut self, roi: &[bool]) -> Self {
        self.roi = Some(roi.to_vec());
        self
    }

    /// Leaves out these frames, by frame index, as if the file did not have them.
    #[must_use]
    pub fn missing(mut self, frames: &[usize]) -> Self {
        self.missing = frames.to_vec();
        self
    }

    /// Splits the scan into this many partitions.
    #[must_use]
    pub fn partitions(mut self, n_partitions: usize) -> Self {
        self.n_partitions = n_partitions.max(1);
        self
    }

    /// Hands over at most `depth` frames and about `block_len` pixels of each at once.
    #[must_use]
    pub fn tiles(mut self, depth: usize, block_len: usize) -> Self {
        (self.depth, self.block_len) = (depth.max(1), block_len.max(1));
        self
    }

    /// Runs `U`.
    ///
    /// # Errors
    ///
    /// What the UDF returns, and where it does what the host would refuse.
    pub fn run<U: Udf>(&self) -> Result<Results> {
        drop(calls::take());
        let arguments = self.arguments::<U>()?;
        let start = |role| Instance::<U>::start(arguments.clone(), self.meta(role));
        let (worker, main) = (start(wit::Role::Worker)?, start(wit::Role::Main)?);
        let input = main.input_dtype();
        let declared = guest(main.buffers(input.into()))?;
        let mut results = Results::new(declared, self.selected().len(), &self.sig_shape);
        guest(worker.buffers(input.into()))?;
        let has = U::manifest().has;
        if has.preprocess {
            guest(main.preprocess())?;
            results.take_whole(|_| true)?;
        }
        self.process_all(&worker, &main, has, &mut results)?;
        if has.results {
            guest(main.results(results.merged(|_| None), self.valid()))?;
            results.take_whole(|_| true)?;
        }
        Ok(results)
    }

    /// Every partition, and the merge of each.
    fn process_all<U: Udf>(
        &self,
        worker: &Instance<U>,
        main: &Instance<U>,
        has: Has,
        results: &mut Results,
    ) -> Result<()> {
        let pixels = crate::each_dtype!(Numbers::none(main.input_dtype()), |none| self.pixels_as(none));
        let preferences = guest(main.preferences())?;
        let granularity = granularity_of::<U>(&preferences)?;
        let (mut partials, mut valid) = (Vec::new(), vec![0; self.selected().len()]);
        for idx in 0..self.n_partitions {
            let partition = self.partition(idx);
            let roi = count(partition.roi_start)?..count(partition.roi_stop)?;
            if roi.is_empty() {
                continue;
            }
            guest(worker.begin(partition, self.tiling(granularity, &preferences)))?;
            for tile in self.tiles_of((granularity, &preferences), roi.clone(), &pixels) {
                guest(worker.process(tile))?;
            }
            guest(worker.end())?;
            let (partial, covered) = results.take_partial(roi.len())?;
            if has.merge {
                let dest = results.merged(|outcome| (outcome.kind == Kind::Nav).then_some(roi.clone()));
                guest(main.merge(partition, dest, partial.clone(), valid.clone()))?;
                results.take_merged(&roi)?;
            }
            results.merge(&partial, &covered, &roi)?;
            valid[roi].fill(1);
            partials.push(Partial { partition, buffers: partial });
        }
        if has.merge_all {
            guest(main.merge_all(partials))?;
            results.take_whole(|outcome| outcome.merge == wit::Merge::Custom)?;
        }
        Ok(())
    }

    fn arguments<U: Udf>(&self) -> Result<Vec<wit::Argument>> {
        let declared = U::manifest().parameters;
        for (name, _) in &self.params {
            if !declared.iter().any(|parameter| parameter.name == *name) {
                return Err(Error::new(format!("the UDF has no parameter `{name}`")));
            }
        }
        let given = |name: &str| self.params.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let is_aux = |name: &str| self.aux.iter().any(|(known, _)| known == name);
        let arguments = declared.into_iter().filter(|parameter| !is_aux(&parameter.name));
        arguments
            .map(|parameter| {
                let value = given(&parameter.name).unwrap_or_else(|| parameter.default.clone());
                if parameter.required && value == Value::Absent {
                    return Err(Error::new(format!("parameter `{}` is missing", parameter.name)));
                }
                let value = self.fitted(&parameter, value)?;
                Ok(wit::Argument { name: parameter.name, value: value.into() })
            })
            .collect()
    }

    fn meta(&self, role: wit::Role) -> wit::Meta {
        wit::Meta {
            role,
            nav_shape: extents(&self.nav_shape),
            sig_shape: extents(&self.sig_shape),
            n_frames: self.n_frames() as u64,
            n_roi_frames: self.selected().len() as u64,
            roi: self.roi.as_ref().map(|roi| roi.iter().copied().map(u8::from).collect()),
            dataset_dtype: self.frames.dtype().into(),
            corrections: None,
            metadata: Vec::new(),
        }
    }

    fn n_frames(&self) -> usize {
        self.nav_shape.iter().product()
    }

    /// Frame index for each ROI index.
    fn selected(&self) -> Vec<usize> {
        let is_selected = |frame: &usize| self.roi.as_ref().is_none_or(|roi| roi[*frame]);
        (0..self.n_frames()).filter(is_selected).collect()
    }

    fn valid(&self) -> Vec<u8> {
        vec![1; self.selected().len()]
    }

    fn pixels_as<T: Element>(&self, _: &[T]) -> Values {
        T::values(&self.frames.to_vec::<T>())
    }
}

/// What a tile has, if the UDF says that it can process that.
fn granularity_of<U: Udf>(preferences: &wit::Preferences) -> Result<wit::Granularity> {
    let finest = U::manifest().finest;
    let granularity = preferences.granularity.map_or(finest, Into::into);
    if granularity < finest {
        return Err(Error::new(format!("the UDF asks for {granularity:?}, and its manifest says `by_{finest:?}`")));
    }
    Ok(granularity.into())
}

fn guest<T>(result: Result<T, wit::Error>) -> Result<T> {
    result.map_err(|error| Error { message: error.message, causes: error.causes })
}

fn extents(shape: &[usize]) -> Vec<u64> {
    shape.iter().map(|&extent| extent as u64).collect()
}
