//! What tells a data set from others with the same shape and files of the same size: some of its numbers.

use sha2::{Digest, Sha256};

use super::{Dataset, DatasetError};
use crate::shape::FrameIdx;

/// At most so many frames are looked at, evenly spread: the first and the last one are among them.
const MAX_FRAMES: u64 = 64;
/// At most so many pixels of a frame are looked at: those in the middle, where the beam is.
const MAX_PIXELS: usize = 4096;

impl Dataset {
    /// SHA-256 of a sample of the numbers that [`Dataset::read`] gives, whatever the files are called and wherever they are.
    ///
    /// Other data have another one, and so have the same files read in another way, as with another byte order. Only a
    /// sample is read, a few megabytes at most: a change of few pixels of many goes unnoticed.
    ///
    /// # Errors
    ///
    /// Those of [`Dataset::read`].
    pub fn fingerprint(&self) -> Result<[u8; 32], DatasetError> {
        let n_all = usize::try_from(self.sig().size()).unwrap_or(usize::MAX);
        let n_pixels = n_all.min(MAX_PIXELS);
        let start = (n_all - n_pixels) / 2;
        let mut numbers = vec![0; n_pixels * self.dtype().size()];
        let present = self.present();
        let n_present = present.end.0 - present.start.0;
        let n_frames = n_present.min(MAX_FRAMES);
        let mut hash = Sha256::new();
        for i in 0..n_frames {
            let frame = FrameIdx(present.start.0 + i * (n_present - 1) / (n_frames - 1).max(1));
            self.read(frame, 1, start..start + n_pixels, self.dtype(), &mut numbers)?;
            hash.update(&numbers);
        }
        Ok(hash.finalize().into())
    }
}
