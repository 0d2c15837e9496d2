//! Memory of buffers that are merged, to be used again for others: memory that is new to a process is cleared by the system, page
//! by page, which takes longer than what is done with a buffer.

use std::sync::{Arc, Mutex, PoisonError};

/// Smaller ones are sooner made anew.
const MIN_BYTES: usize = 64 << 10;
/// What is kept at most, of them all.
const MAX_BYTES: usize = 64 << 20;

/// Memory that is left over. Its clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Spare(Arc<Mutex<Vec<Vec<u8>>>>);

impl Spare {
    /// An empty vector with room for `n_bytes`.
    pub(crate) fn take(&self, n_bytes: usize) -> Vec<u8> {
        let fits = |kept: &Vec<u8>| (n_bytes..=n_bytes.saturating_mul(2)).contains(&kept.capacity());
        if n_bytes >= MIN_BYTES {
            let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(place) = all.iter().position(fits) {
                return all.swap_remove(place);
            }
        }
        Vec::with_capacity(n_bytes)
    }

    /// Keeps the memory of a buffer that nobody needs any more.
    pub(crate) fn give(&self, buffer: Vec<u8>) {
        if buffer.capacity() < MIN_BYTES {
            return;
        }
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let n_bytes: usize = all.iter().map(Vec::capacity).sum();
        if n_bytes.saturating_add(buffer.capacity()) <= MAX_BYTES {
            let mut buffer = buffer;
            buffer.clear();
            all.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_buffers_are_used_again_and_are_empty() {
        let spare = Spare::default();
        let mut buffer = spare.take(100_000);
        buffer.resize(100_000, 7);
        let place = buffer.as_ptr();
        spare.give(buffer);
        let larger = spare.take(10_000_000);
        assert_ne!(larger.as_ptr(), place, "it is too small");
        let again = spare.clone().take(80_000);
        assert_eq!((again.as_ptr(), again.len()), (place, 0));
        let other = spare.take(80_000);
        assert_ne!(other.as_ptr(), place, "it is in use");
    }

    #[test]
    fn little_is_kept() {
        let spare = Spare::default();
        spare.give(vec![0; 100]);
        (0..100).for_each(|_| spare.give(vec![0; 1 << 20]));
        assert_eq!(spare.0.lock().unwrap().len(), 64);
    }
}
