//! A UDF that works natively on tiles that somebody else reads: what a worker thread of the host has, less the sandbox.
//! The benchmark holds the sandbox against it.

use std::{mem, rc::Rc};

use crate::{
    Buffer, Dtype, Element, Granularity, Meta, Numbers, Params, Partial, Partition, Result, Tile, Tiling, Udf, Value,
    bindings::Values,
    cast,
    numbers::{no_values, refill},
    tile::{Content, Frames},
};

use super::calls::{self, Call};

/// A UDF, set up for one partition after the other.
#[derive(Debug)]
pub struct Worker<U> {
    udf: U,
    meta: Rc<Meta>,
    partial: Partial,
}

/// Where a tile of consecutive frames lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TilePlace {
    /// First frame, as frame index.
    pub frame_start: usize,
    /// First frame, as ROI index.
    pub roi_start: usize,
    /// Number of frames.
    pub n_frames: usize,
    /// First pixel in the flat frame.
    pub sig_start: usize,
    /// Where it starts on each sig axis.
    pub sig_origin: Vec<usize>,
    /// Extent on each sig axis.
    pub sig_shape: Vec<usize>,
    /// Number of the block: the same number, the same pixels, in all tiles of a run.
    pub sig_index: usize,
}

/// Memory for the pixels of one tile after the other.
#[derive(Debug)]
pub struct Pixels(Values);

/// Part of a buffer, as a UDF hands it to the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    /// Number of the buffer, in the order of declaration.
    pub buffer: usize,
    /// First element.
    pub offset: u64,
    /// The elements, little-endian.
    pub bytes: Vec<u8>,
}

impl<U: Udf> Worker<U> {
    /// Sets up `U` with the parameters that are given; the others have their defaults.
    ///
    /// # Errors
    ///
    /// What the UDF returns.
    pub fn new(given: &[(String, Value)], meta: Meta) -> Result<Self> {
        let value = |name: &str| given.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        let declared = U::manifest().parameters.into_iter();
        let values = declared.map(|parameter| (value(&parameter.name).unwrap_or(parameter.default), parameter.name));
        let params = Params { values: values.map(|(value, name)| (name, value)).collect() };
        let udf = U::new(&params, &meta)?;
        let declared: Rc<Vec<Buffer>> = Rc::new(udf.buffers(meta.input_dtype(&udf.preferences()))?);
        let meta = Rc::new(meta);
        let partial = Partial::new(&declared, &meta);
        Ok(Self { udf, meta, partial })
    }

    /// The dtype that tiles must have.
    pub fn input_dtype(&self) -> Dtype {
        self.meta.input_dtype(&self.udf.preferences())
    }

    /// What a tile must have of a partition.
    pub fn granularity(&self) -> Granularity {
        U::manifest().granularity(&self.udf.preferences())
    }

    /// Frames that a tile has at most.
    pub fn depth(&self) -> Option<u64> {
        self.udf.preferences().depth
    }

    /// Bytes that a tile should have.
    pub fn total_size(&self) -> Option<u64> {
        self.udf.preferences().total_size
    }

    /// Starts a partition.
    ///
    /// # Errors
    ///
    /// What the UDF returns.
    pub fn begin(&mut self, partition: Partition, tiling: &Tiling) -> Result<()> {
        self.partial.restart(partition, tiling.clone())?;
        self.udf.begin(&partition, &mut self.partial)
    }

    /// Processes a tile. Its pixels are lent, not copied.
    ///
    /// # Errors
    ///
    /// What the UDF returns, and where there are more or fewer pixels than `block` has room for.
    pub fn process(&mut self, block: &TilePlace, pixels: &mut Pixels) -> Result<()> {
        let tile = Tile {
            meta: Rc::clone(&self.meta),
            roi_start: block.roi_start,
            n_frames: block.n_frames,
            frames: Frames::Consecutive(block.frame_start),
            sig_start: block.sig_start,
            sig_origin: block.sig_origin.clone(),
            sig_shape: block.sig_shape.clone(),
            sig_index: block.sig_index,
            aux: Vec::new(),
            pixels: Content::Dense(mem::replace(&mut pixels.0, no_values(Dtype::U8))),
        };
        let tile = tile.checked()?;
        let processed = self.udf.process(&tile, &mut self.partial);
        if let Content::Dense(lent) = tile.pixels {
            pixels.0 = lent;
        }
        processed
    }

    /// Ends the partition. Gives what the UDF emits, in its order.
    ///
    /// # Errors
    ///
    /// What the UDF returns.
    pub fn end(&mut self) -> Result<Vec<Emitted>> {
        drop(calls::take());
        self.partial.start_ending();
        self.udf.end(&mut self.partial)?;
        self.partial.finish()?;
        let emitted = calls::take().into_iter().filter_map(|call| match call {
            Call::Emit { buffer, offset, bytes } => Some(Emitted { buffer, offset, bytes }),
            Call::EmitMask { .. } | Call::Log { .. } => None,
        });
        Ok(emitted.collect())
    }
}

impl Pixels {
    /// For tiles of `dtype`.
    pub fn new(dtype: Dtype) -> Self {
        Self(no_values(dtype))
    }

    /// Room for `len` pixels, to be written as little-endian bytes. It has whatever was there before.
    pub fn room(&mut self, len: usize) -> &mut [u8] {
        fn bytes<'a, T: Element>(_: &[T], values: &'a mut Values) -> &'a mut [u8] {
            T::of_mut(values).map_or(&mut [], cast::bytes_mut)
        }
        if Numbers::of(&self.0).len() != len {
            refill(&mut self.0, len, 0.0);
        }
        let dtype = Numbers::of(&self.0).dtype();
        crate::each_dtype!(Numbers::none(dtype), |none| bytes(none, &mut self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Manifest, Merge, Role, manifest};

    struct Sum;

    impl Udf for Sum {
        fn manifest() -> Manifest {
            manifest!("sum", "Sum of all frames")
        }

        fn new(_: &Params, _: &Meta) -> Result<Self> {
            Ok(Self)
        }

        fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
            Ok(vec![Buffer::sig("intensity", input).merge(Merge::Sum)])
        }

        fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
            crate::each_dtype!(tile.pixels(), |pixels| crate::kernels::add_frames(
                &mut out.sig("intensity", tile)?,
                pixels
            ));
            Ok(())
        }
    }

    #[test]
    fn tiles_of_any_size_reach_the_udf_and_partitions_start_afresh() {
        let meta = Meta {
            role: Role::Worker,
            nav_shape: vec![6],
            sig_shape: vec![2],
            n_roi_frames: 6,
            roi: None,
            dataset_dtype: Dtype::U16,
            corrections: None,
            metadata: Vec::new(),
        };
        let mut worker = Worker::<Sum>::new(&[], meta).unwrap();
        let mut pixels = Pixels::new(worker.input_dtype());
        let frames: [[f32; 2]; 3] = [[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]];
        for frame_start in [0, 3] {
            let frame_stop = frame_start + 3;
            let partition =
                Partition { index: 0, frame_start, frame_stop, roi_start: frame_start, roi_stop: frame_stop };
            worker.begin(partition, &Tiling::default()).unwrap();
            for (start, stop) in [(0, 2), (2, 3)] {
                let n_frames = stop - start;
                pixels.room(n_frames * 2).copy_from_slice(cast::bytes(frames[start..stop].as_flattened()));
                let start = frame_start + start;
                let block = TilePlace { frame_start: start, roi_start: start, n_frames, ..TilePlace::default() };
                worker.process(&TilePlace { sig_shape: vec![2], sig_origin: vec![0], ..block }, &mut pixels).unwrap();
            }
            let bytes = cast::bytes(&[111.0_f32, 222.0]).to_vec();
            assert_eq!(worker.end().unwrap(), [Emitted { buffer: 0, offset: 0, bytes }]);
        }
    }

    #[test]
    fn room_for_every_dtype() {
        for dtype in Dtype::ALL {
            let mut pixels = Pixels::new(dtype);
            assert_eq!(pixels.room(3).len(), 3 * dtype.size());
            assert_eq!(pixels.room(2).len(), 2 * dtype.size());
        }
    }
}
