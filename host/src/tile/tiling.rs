//! Choosing the tiles of a run: how many frames deep, and which blocks of pixels.

use crate::shape::Shape;

/// A block of pixels that is contiguous in a frame: axes left of some axis have extent 1, axes right of it are whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigBlock {
    /// First pixel in the flat frame.
    pub start: u64,
    /// Number of pixels.
    pub size: u64,
    /// Where it starts on each sig axis.
    pub origin: Vec<u64>,
    /// Extent on each sig axis.
    pub shape: Vec<u64>,
}

impl SigBlock {
    /// All pixels of a frame.
    pub fn whole(sig: &Shape) -> Self {
        Self { start: 0, size: sig.size(), origin: vec![0; sig.n_axes()], shape: sig.axes().to_vec() }
    }
}

/// The tiles of a run: every block, for every `depth` frames. Together they hold each pixel of a frame once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tiling {
    /// Frames per tile, at most.
    pub depth: u64,
    /// Blocks of pixels, in the order of the flat frame.
    pub blocks: Vec<SigBlock>,
}

/// What the UDFs of a pass ask of their common tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TileDemand {
    /// Bytes of a pixel as the UDF sees it; the largest of all UDFs.
    pub pixel_bytes: u64,
    /// Whether some UDF needs whole frames.
    pub whole_frames: bool,
    /// Frames per tile, never more than this.
    pub max_depth: Option<u64>,
    /// Bytes that a tile should have, if somebody cares.
    pub tile_bytes: Option<u64>,
    /// Whether nobody gets the pixels of tiles: a large one costs no more than a small one.
    pub in_host: bool,
    /// Where frames are split, blocks have a multiple of this many rows of the first sig axis; any pixels if it is 0.
    pub split_rows: u64,
}

/// Frames that a tile of a large frame, split or not, should have, so that a buffer of its size is used more than once.
const LARGE_DEPTH: u64 = 8;
/// Bytes of a tile of large frames that stay in the host, unless one frame has more.
const MAX_IN_HOST_BYTES: u64 = 64 << 20;

impl Tiling {
    /// Bytes of a tile where nobody cares: small enough for a core's cache, large enough that a call does not count.
    pub const BYTES: u64 = 1 << 20;

    /// Chooses tiles of about `demand.tile_bytes`: whole frames where they fit, otherwise blocks of them. Frames that
    /// stay in the host are only split if somebody cares.
    ///
    /// Depends on nothing but its arguments, so that a run repeats to the same bits.
    pub fn choose(sig: &Shape, demand: &TileDemand) -> Self {
        let max_depth = demand.max_depth.unwrap_or(u64::MAX).max(1);
        let pixels = |n_bytes: u64| (n_bytes / demand.pixel_bytes.max(1)).max(1);
        let budget_px = pixels(demand.tile_bytes.unwrap_or(Self::BYTES));
        if demand.in_host && demand.tile_bytes.is_none() {
            let frames = |px: u64| px / sig.size().max(1);
            let depth = frames(budget_px).max(frames(pixels(MAX_IN_HOST_BYTES)).min(LARGE_DEPTH));
            return Self { depth: depth.clamp(1, max_depth), blocks: split(sig, sig.size()) };
        }
        if demand.whole_frames || sig.size() <= budget_px {
            let depth = (budget_px / sig.size().max(1)).clamp(1, max_depth);
            return Self { depth, blocks: split(sig, sig.size()) };
        }
        let depth = LARGE_DEPTH.min(max_depth);
        let rows_px = demand.split_rows.saturating_mul(sig.axes()[1..].iter().product());
        let max_px = budget_px / depth;
        let max_px = max_px.checked_div(rows_px).map_or(max_px, |n| n.max(1).saturating_mul(rows_px));
        let max_px = max_px.clamp(1, sig.size());
        // Where so many rows are more than a tile should have, one frame of them has to do.
        let depth = if max_px > budget_px { 1 } else { depth };
        Self { depth, blocks: split(sig, max_px) }
    }
}

/// Cuts a frame into contiguous blocks of at most `max_px` pixels (at least one row of the innermost axes that fit).
fn split(sig: &Shape, max_px: u64) -> Vec<SigBlock> {
    let axes = sig.axes();
    // The split axis is the first one whose rows fit; everything right of it stays whole.
    let row_px = |axis: usize| axes[axis + 1..].iter().product::<u64>();
    let axis = (0..axes.len()).find(|&axis| row_px(axis) <= max_px).unwrap_or(axes.len() - 1);
    let rows_per_block = (max_px / row_px(axis)).clamp(1, axes[axis]);
    let n_outer: u64 = axes[..axis].iter().product();
    let mut blocks = Vec::new();
    for outer in 0..n_outer {
        let mut first = 0;
        while first < axes[axis] {
            let n_rows = rows_per_block.min(axes[axis] - first);
            let mut origin = vec![0; axes.len()];
            let mut rest = outer;
            for left in (0..axis).rev() {
                origin[left] = rest % axes[left];
                rest /= axes[left];
            }
            origin[axis] = first;
            let mut shape = axes.to_vec();
            shape[..axis].fill(1);
            shape[axis] = n_rows;
            let start = (outer * axes[axis] + first) * row_px(axis);
            blocks.push(SigBlock { start, size: n_rows * row_px(axis), origin, shape });
            first += n_rows;
        }
    }
    blocks
}

#[cfg(test)]
mod tests {
    use super::*;

    fn demand(tile_bytes: u64) -> TileDemand {
        let tile_bytes = Some(tile_bytes);
        TileDemand { pixel_bytes: 4, whole_frames: false, max_depth: None, tile_bytes, in_host: false, split_rows: 0 }
    }

    #[test]
    fn small_frames_stay_whole() {
        let sig = Shape::new([6, 7]).unwrap();
        let tiling = Tiling::choose(&sig, &demand(4 * 42 * 5));
        assert_eq!(tiling.depth, 5);
        assert_eq!(tiling.blocks.len(), 1);
        let shallow = Tiling::choose(&sig, &TileDemand { max_depth: Some(2), ..demand(1 << 20) });
        assert_eq!(shallow.depth, 2);
    }

    #[test]
    fn blocks_cover_every_pixel_once() {
        for (axes, tile_bytes) in [
            (vec![6, 7], 4 * 4 * 7),
            (vec![4, 5, 6], 4 * 8 * 12),
            (vec![4, 5, 6], 4),
            (vec![100], 4 * 8 * 9),
            (vec![6, 7], 4),
        ] {
            let sig = Shape::new(axes).unwrap();
            let tiling = Tiling::choose(&sig, &demand(tile_bytes));
            assert!(tiling.blocks.len() > 1, "{sig} in {tile_bytes} bytes");
            let mut next = 0;
            for block in &tiling.blocks {
                assert_eq!(block.start, next);
                assert_eq!(block.shape.iter().product::<u64>(), block.size);
                let strides: Vec<u64> = (0..sig.n_axes()).map(|i| sig.axes()[i + 1..].iter().product()).collect();
                let flat: u64 = block.origin.iter().zip(&strides).map(|(o, s)| o * s).sum();
                assert_eq!(flat, block.start);
                next += block.size;
            }
            assert_eq!(next, sig.size());
        }
    }

    #[test]
    fn frames_are_split_at_multiples_of_the_rows_asked_for() {
        let sig = Shape::new([30, 7]).unwrap();
        let rows = |tile_bytes, split_rows| {
            let tiling = Tiling::choose(&sig, &TileDemand { split_rows, ..demand(tile_bytes) });
            tiling.blocks.iter().map(|block| block.shape[0]).collect::<Vec<_>>()
        };
        assert_eq!(rows(4 * 8 * 7 * 3, 0), [3; 10]);
        assert_eq!(rows(4 * 8 * 7 * 3, 2), [2; 15]);
        assert_eq!(rows(4, 8), [8, 8, 8, 6]);
        assert_eq!(rows(4, 30), [30]);
        assert_eq!(rows(4, u64::MAX), [30]);
    }

    #[test]
    fn large_frames_that_stay_in_the_host_stay_whole() {
        let in_host = TileDemand { tile_bytes: None, in_host: true, ..demand(0) };
        let of = |side, demand: TileDemand| {
            let tiling = Tiling::choose(&Shape::new([side, side]).unwrap(), &demand);
            (tiling.depth, tiling.blocks.len())
        };
        assert_eq!(
            [of(128, in_host), of(512, in_host), of(2048, in_host), of(8192, in_host)],
            [(16, 1), (8, 1), (4, 1), (1, 1)]
        );
        assert!(of(1024, TileDemand { in_host: false, ..in_host }).1 > 1);
        assert!(of(1024, TileDemand { tile_bytes: Some(Tiling::BYTES), ..in_host }).1 > 1);
    }

    #[test]
    fn whole_frames_are_never_split() {
        let sig = Shape::new([6, 7]).unwrap();
        let tiling = Tiling::choose(&sig, &TileDemand { whole_frames: true, ..demand(1) });
        assert_eq!((tiling.depth, tiling.blocks.len()), (1, 1));
    }
}
