//! What many pixels are made into few numbers with: what sums and moments have in common.

use super::{
    super::FillFailed,
    pixels::{HostTile, Step, parts},
};
use crate::shape::Dtype;

/// Frames that are added at a time.
pub(super) const FRAMES: usize = 8;

/// Why there are no sums and no moments.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReduceError {
    #[error("asked for sums of {dtype}, and the host adds in f32 and f64 only")]
    Dtype { dtype: Dtype },
    #[error("adds up complex pixels in the host")]
    Complex,
    #[error("adds pixels of {dtype} where those of {expected} were announced")]
    OtherPixels { dtype: Dtype, expected: Dtype },
    #[error("adds frames of {n_pixels} pixels where {n_kept} were announced")]
    Shape { n_pixels: usize, n_kept: usize },
    #[error("reads what was added up of {len} pixels from number {start} on, and there are {n_kept}")]
    Range { start: u64, len: u64, n_kept: usize },
    #[error("asks for {n_bytes} bytes of sums or moments, at most {limit} are left in the host (raise --max-memory)")]
    TooMany { n_bytes: usize, limit: usize },
    #[error("asks for {n_bytes} bytes of sums or moments, and the machine has no more memory")]
    NoMemory { n_bytes: usize },
    #[error(transparent)]
    Unread(#[from] FillFailed),
    #[error("stopped")]
    Stopped,
}

/// What a plugin keeps in the host for each pixel of a frame, and adds frames to.
pub(super) trait PerPixel: Sized + Send + 'static {
    /// As the contract calls it.
    const NAME: &'static str;

    /// For `n_pixels`, in at most `limit` bytes.
    fn new(dtype: Dtype, n_pixels: u64, limit: usize) -> Result<Self, ReduceError>;

    /// Bytes that it has in memory.
    fn n_bytes(&self) -> usize;

    /// Adds each frame of a tile. `goes_on` is asked every few milliseconds.
    fn add(&mut self, tile: &dyn HostTile, goes_on: &mut dyn FnMut() -> bool) -> Result<(), ReduceError>;

    /// What is kept for `len` pixels from the `start`th on, little-endian, in at most `limit` bytes.
    fn read(&self, start: u64, len: u64, limit: usize) -> Result<Vec<u8>, ReduceError>;

    /// As if there had been no frame.
    fn clear(&mut self);
}

/// `len` from the `start`th on of what is kept for `n_kept` pixels, `size` bytes for each, if these are at most `limit` bytes.
pub(super) fn range(
    [start, len]: [u64; 2],
    n_kept: usize,
    size: usize,
    limit: usize,
) -> Result<std::ops::Range<usize>, ReduceError> {
    let range = || {
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        (end <= n_kept).then_some(start..end)
    };
    let range = range().ok_or(ReduceError::Range { start, len, n_kept })?;
    fitting(range.len(), size, limit)?;
    Ok(range)
}

/// `n` times `size` bytes, if these are at most `limit`.
pub(super) fn fitting(n: usize, size: usize, limit: usize) -> Result<(), ReduceError> {
    match n.checked_mul(size) {
        Some(n_bytes) if n_bytes <= limit => Ok(()),
        n_bytes => Err(ReduceError::TooMany { n_bytes: n_bytes.unwrap_or(usize::MAX), limit }),
    }
}

/// The same number for each of `n` pixels.
pub(super) fn filled<T: Copy>(n: usize, number: T) -> Result<Vec<T>, ReduceError> {
    let mut numbers = Vec::new();
    // The limit may be more than the machine has.
    let too_many = |_| ReduceError::NoMemory { n_bytes: n.saturating_mul(size_of::<T>()) };
    numbers.try_reserve_exact(n).map_err(too_many)?;
    numbers.resize(n, number);
    Ok(numbers)
}

/// All of a tile, for kernels that keep numbers for each pixel: some pixels, and of these all frames in turn; as many at a time as
/// is a power of two, and at most `N`.
pub(super) fn by_pixels<const N: usize>(tile: &dyn HostTile, n_columns: usize) -> impl Iterator<Item = Step> {
    let n_frames = tile.n_frames();
    parts(tile.block(), n_columns).flat_map(move |columns| {
        let mut first = 0;
        std::iter::from_fn(move || {
            let left = n_frames - first;
            let n = N.min(1 << left.checked_ilog2()?);
            first += n;
            Some(Step { kept: columns.clone(), frames: first - n..first, columns: columns.clone() })
        })
    })
}

/// Asks from time to time whether it goes on.
pub(super) struct Clock<F> {
    goes_on: F,
    n_pixels: usize,
}

impl<F: FnMut() -> bool> Clock<F> {
    /// Pixels that are looked at between two questions: some milliseconds' worth.
    const PIXELS: usize = 1 << 22;
    /// So many more could be looked at while a step begins.
    const BEGINNING: usize = 1 << 12;

    pub(super) fn new(goes_on: F) -> Self {
        Self { goes_on, n_pixels: Self::PIXELS }
    }

    /// Before a step.
    pub(super) fn look(&mut self, step: &Step) -> Result<(), ReduceError> {
        if self.n_pixels >= Self::PIXELS {
            self.n_pixels = 0;
            if !(self.goes_on)() {
                return Err(ReduceError::Stopped);
            }
        }
        self.n_pixels += step.frames.len() * step.columns.len() + Self::BEGINNING;
        Ok(())
    }
}
