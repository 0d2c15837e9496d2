//! The frames of the ROI themselves, as the data set has them: to look at a few, or to cut out a part.
//!
//! The result is as big as all these frames, and a partition has only some of them. So the buffer is handed over by
//! parts: the UDF keeps the frames of its partition, and emits them in their place when the partition ends.

use lthost_guest_sdk::{Level, Role, log, prelude::*};

export_udf!(Pick);

/// From this size on the user is told: a forgotten ROI means a copy of the whole scan.
const BIG: usize = 1 << 28;

/// The frames of the ROI.
pub struct Pick {
    n_frames: usize,
    sig_shape: Vec<usize>,
    sig_size: usize,
    /// The frames of the partition at work.
    frames: Array,
}

impl Udf for Pick {
    fn manifest() -> Manifest {
        manifest!("pick", "The frames of the ROI")
    }

    fn new(_: &Params, meta: &Meta) -> Result<Self> {
        let (n_frames, sig_size) = (meta.n_roi_frames, meta.sig_size());
        let n_bytes = n_frames.saturating_mul(sig_size).saturating_mul(meta.dataset_dtype.size());
        if n_bytes > BIG && meta.role == Role::Main {
            log(Level::Warn, format!("pick copies {n_frames} frames, {} MiB: is a ROI missing?", n_bytes >> 20));
        }
        let frames = Array::zeros(&[0], meta.dataset_dtype)?;
        Ok(Self { n_frames, sig_shape: meta.sig_shape.clone(), sig_size, frames })
    }

    fn preferences(&self) -> Preferences {
        Preferences::native()
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        let shape = [&[self.n_frames], self.sig_shape.as_slice()].concat();
        let intensity = Buffer::single("intensity", input).extra(&shape).merge(Merge::Assign).by_parts();
        Ok(vec![intensity.unit("counts").doc("the frames, in the order of the scan")])
    }

    fn begin(&mut self, partition: &Partition, out: &mut Partial) -> Result<()> {
        self.frames.reset(&[partition.n_roi_frames(), self.sig_size], out.dtype("intensity")?)
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let first = tile.roi_start() - out.partition().roi_start;
        each_dtype!(tile.pixels(), |pixels| self.keep(first, tile, pixels))
    }

    fn end(&mut self, out: &mut Partial) -> Result<()> {
        let offset = out.partition().roi_start as u64 * self.sig_size as u64;
        each_dtype!(self.frames.numbers(), |frames| out.emit("intensity", offset, frames))
    }
}

impl Pick {
    /// Copies a tile to its place, `first` frames into the partition.
    fn keep<T: Element>(&mut self, first: usize, tile: &Tile, pixels: &[T]) -> Result<()> {
        let frames = self.frames.as_mut_slice::<T>().ok_or_else(|| Error::new("a tile has another dtype"))?;
        let frames = frames.chunks_exact_mut(self.sig_size.max(1)).skip(first);
        for (frame, block) in frames.zip(tile.rows(pixels)) {
            frame[tile.sig_start()..tile.sig_start() + block.len()].copy_from_slice(block);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lthost_guest_sdk::testing::Scan;

    #[test]
    fn frames_of_the_roi_come_back_untouched() {
        let frames: Vec<u16> = (0..24).collect();
        for n_partitions in 1..5 {
            for (depth, block_len) in [(9, 9), (1, 3), (2, 1)] {
                let scan = Scan::new(&[2, 2], &[2, 3], &frames).roi(&[true, false, true, true]);
                let results = scan.partitions(n_partitions).tiles(depth, block_len).run::<Pick>().unwrap();
                assert_eq!(results.shape("intensity"), [3, 2, 3]);
                assert_eq!(results.get::<u16>("intensity"), [&frames[..6], &frames[12..]].concat());
            }
        }
    }

    #[test]
    fn a_missing_frame_is_zero() {
        let results = Scan::new(&[3], &[1], &[1_u8, 2, 3]).missing(&[1]).run::<Pick>().unwrap();
        assert_eq!(results.get::<u8>("intensity"), [1, 0, 3]);
    }
}
