//! How a scan is cut: into partitions, and these into tiles.
#![expect(clippy::cast_possible_truncation, reason = "tests are small")]

use std::ops::Range;

use crate::{
    Array, Complex, Element, Numbers,
    bindings::{Values, lthost::udf::types as wit},
};

use super::{Scan, extents};

/// A block of the detector.
struct Block {
    /// Its number.
    index: usize,
    /// Where it starts on each sig axis.
    origin: Vec<usize>,
    /// Its extent on each sig axis.
    shape: Vec<usize>,
}

impl Scan {
    pub(super) fn partition(&self, idx: usize) -> wit::Partition {
        let selected = self.selected();
        let bound = |idx: usize| idx * self.n_frames() / self.n_partitions;
        let before = |frame: usize| selected.iter().filter(|&&one| one < frame).count() as u64;
        let (start, stop) = (bound(idx), bound(idx + 1));
        wit::Partition {
            index: idx as u64,
            frame_start: start as u64,
            frame_stop: stop as u64,
            roi_start: before(start),
            roi_stop: before(stop),
        }
    }

    /// Frames of a tile, and the blocks.
    fn cut(&self, granularity: wit::Granularity, preferences: &wit::Preferences) -> (usize, Vec<Block>) {
        let (depth, block_len) = match granularity {
            wit::Granularity::Tile => (self.depth, self.block_len),
            wit::Granularity::Frame => (self.depth, usize::MAX),
            wit::Granularity::Partition => (usize::MAX, usize::MAX),
        };
        let depth = depth.min(preferences.depth.map_or(usize::MAX, |depth| depth as usize));
        // Whole rows, as many as asked for.
        let rows = preferences.split_rows.map_or(0, |n_rows| n_rows as usize);
        let rows_len = rows * self.sig_shape[1..].iter().product::<usize>();
        let n_multiples = block_len.checked_div(rows_len);
        let block_len = n_multiples.map_or(block_len, |n| n.max(1).saturating_mul(rows_len));
        (depth, blocks(&self.sig_shape, block_len))
    }

    /// What `begin` is told of the tiles.
    pub(super) fn tiling(&self, granularity: wit::Granularity, preferences: &wit::Preferences) -> wit::Tiling {
        let (depth, blocks) = self.cut(granularity, preferences);
        let stated = |block: &Block| wit::Block {
            start: self.start_of(block) as u64,
            origin: extents(&block.origin),
            shape: extents(&block.shape),
        };
        wit::Tiling { depth: depth as u64, blocks: blocks.iter().map(stated).collect() }
    }

    /// First pixel of a block in the flat frame.
    fn start_of(&self, block: &Block) -> usize {
        block.origin.iter().zip(&self.sig_shape).fold(0, |flat, (at, extent)| flat * extent + at)
    }

    /// The tiles of the frames `roi`, by ROI index, as the UDF prefers them.
    pub(super) fn tiles_of(
        &self,
        (granularity, preferences): (wit::Granularity, &wit::Preferences),
        roi: Range<usize>,
        pixels: &Values,
    ) -> Vec<wit::Tile> {
        let (depth, blocks) = self.cut(granularity, preferences);
        let mut tiles = Vec::new();
        for run in self.runs(roi, depth) {
            for block in &blocks {
                let mut tile = self.tile(run.clone(), block, pixels);
                if preferences.form == wit::TileForm::Csr {
                    tile.data = sparse(&tile.data, run.len());
                }
                tiles.push(tile);
            }
        }
        if self.backwards {
            tiles.reverse();
        }
        tiles
    }

    /// Runs of ROI indices without missing frames, none longer than `depth`.
    fn runs(&self, roi: Range<usize>, depth: usize) -> Vec<Range<usize>> {
        let selected = self.selected();
        let mut runs: Vec<Range<usize>> = Vec::new();
        for one in roi.filter(|&one| !self.missing.contains(&selected[one])) {
            match runs.last_mut() {
                Some(run) if run.end == one && run.len() < depth => run.end += 1,
                _ => runs.push(one..one + 1),
            }
        }
        runs
    }

    fn tile(&self, run: Range<usize>, block: &Block, pixels: &Values) -> wit::Tile {
        let frames = &self.selected()[run.clone()];
        let start = self.start_of(block);
        let len: usize = block.shape.iter().product();
        let sig_size: usize = self.sig_shape.iter().product();
        let dense =
            crate::each_dtype!(Numbers::of(pixels), |pixels| rows(pixels, sig_size, frames, start..start + len));
        let entries = |array: &Array| {
            let entry_len = array.numbers().len() / self.n_frames();
            let data = crate::each_dtype!(array.numbers(), |entries| rows(entries, entry_len, frames, 0..entry_len));
            wit::Array { shape: vec![frames.len() as u64, entry_len as u64], data }
        };
        let frames: Vec<u64> = extents(frames);
        wit::Tile {
            roi_start: run.start as u64,
            n_frames: run.len() as u64,
            frames: if frames.len() == 1 { wit::Frames::Consecutive(frames[0]) } else { wit::Frames::Listed(frames) },
            sig_start: start as u64,
            sig_origin: extents(&block.origin),
            sig_shape: extents(&block.shape),
            sig_index: block.index as u64,
            aux: self.aux.iter().map(|(_, array)| entries(array)).collect(),
            data: wit::TileData::Dense(dense),
        }
    }
}

/// Dense pixels of `n_rows` frames, without their zeros.
fn sparse(data: &wit::TileData, n_rows: usize) -> wit::TileData {
    let wit::TileData::Dense(values) = data else { return wit::TileData::InHost };
    crate::each_dtype!(Numbers::of(values), |pixels| {
        let (mut indptr, mut indices, mut kept) = (vec![0], Vec::new(), Vec::new());
        for row in pixels.chunks_exact(pixels.len() / n_rows) {
            for (idx, &value) in (0..).zip(row).filter(|(_, value)| value.to_complex() != Complex::default()) {
                indices.push(idx);
                kept.push(value);
            }
            indptr.push(indices.len() as u32);
        }
        wit::TileData::Csr(wit::CsrData { indptr, indices, values: Element::values(&kept) })
    })
}

/// Elements `range` of each of the rows `which`, one after the other.
fn rows<T: Element>(numbers: &[T], row_len: usize, which: &[usize], range: Range<usize>) -> Values {
    let row = |&idx: &usize| &numbers[idx * row_len..][range.clone()];
    T::values(&which.iter().map(row).collect::<Vec<_>>().concat())
}

/// Blocks of about `len` pixels that are contiguous in a frame.
fn blocks(sig_shape: &[usize], len: usize) -> Vec<Block> {
    let n_axes = sig_shape.len();
    let rest = |axis: usize| sig_shape[axis + 1..].iter().product::<usize>();
    // The axis that is cut: those to its right are whole, of those to its left a block has one.
    let cut = (0..n_axes).find(|&axis| rest(axis) <= len).unwrap_or(n_axes - 1);
    let step = (len / rest(cut)).clamp(1, sig_shape[cut]);
    let mut found: Vec<Block> = Vec::new();
    for outer in 0..sig_shape[..cut].iter().product() {
        for start in (0..sig_shape[cut]).step_by(step) {
            let mut origin = vec![0; n_axes];
            let mut shape = vec![1; n_axes];
            shape[cut + 1..].copy_from_slice(&sig_shape[cut + 1..]);
            shape[cut] = step.min(sig_shape[cut] - start);
            origin[cut] = start;
            let mut left = outer;
            for axis in (0..cut).rev() {
                origin[axis] = left % sig_shape[axis];
                left /= sig_shape[axis];
            }
            found.push(Block { index: found.len(), origin, shape });
        }
    }
    found
}
