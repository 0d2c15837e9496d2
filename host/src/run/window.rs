//! Where tiles lie in a plugin's window: decoded into it, or, where the file has them as they are wanted, as pages of the
//! file, many tiles at a time.

use std::ops::Range;

use crate::dataset::{Stored, page_size};

/// Of a file at most so many bytes are in a window at once, unless a tile has more: enough that mapping costs little.
const MAX_MAPPED: usize = 16 << 20;
/// Fewer bytes are sooner copied than mapped.
const MIN_MAPPED: usize = 256 << 10;
/// Where a decoded tile begins: no number of it lies across two lines of a cache.
const ALIGNMENT: usize = 64;

/// How large a window is: it has room for a decoded tile, and after that for pages of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WindowSize {
    tile: usize,
    mapped: usize,
}

/// What a window has of the file.
#[derive(Debug, Default)]
pub(super) struct Window {
    mapped: Option<(Stored, usize)>,
}

/// How a tile gets to its place.
#[derive(Debug, Default)]
pub(super) struct Placed {
    /// Where it begins in the window.
    pub(super) position: usize,
    pub(super) step: Step,
}

/// What is to be done for a tile.
#[derive(Debug, Default)]
pub(super) enum Step {
    /// Nothing: it is there.
    #[default]
    None,
    /// This part of the file is to be mapped over this part of the window.
    Map(Stored, Range<usize>),
    /// It is to be decoded into this part of the window.
    Decode(Range<usize>),
}

impl WindowSize {
    /// Room for tiles of `tile` bytes, and for pages of a file if partitions have `stored` bytes there that need no decoding.
    /// The window takes no more than half of `limit` for the sake of those.
    pub(super) fn new(tile: usize, stored: Option<usize>, limit: usize) -> Self {
        let wanted = stored.filter(|&stored| stored >= MIN_MAPPED).map_or(0, |stored| stored.min(MAX_MAPPED.max(tile)));
        let size = Self { tile, mapped: wanted };
        if size.n_bytes() <= limit / 2 { size } else { Self { mapped: 0, ..size } }
    }

    /// Bytes of the window.
    pub(super) fn n_bytes(self) -> usize {
        let pages = if self.mapped > 0 { self.mapped.saturating_add(2 * page_size()) } else { 0 };
        self.tile.saturating_add(ALIGNMENT).saturating_add(pages)
    }
}

impl Window {
    /// Where to put a tile of `n_bytes` in a window that begins at byte `address` of the plugin's memory.
    ///
    /// `tile` are its bytes in the file, if they need no decoding; `stretch` gives those of it and of the frames that follow.
    pub(super) fn place(
        &mut self,
        (size, address): (WindowSize, usize),
        n_bytes: usize,
        tile: Option<&Stored>,
        stretch: impl FnOnce() -> Option<Stored>,
    ) -> Placed {
        if let (Some((mapped, start)), Some(tile)) = (&self.mapped, tile)
            && let Some(offset) = mapped.find(tile)
        {
            return Placed { position: start + offset, step: Step::None };
        }
        let stretch = tile.and_then(|_| stretch()).map(|stretch| stretch.first(size.mapped));
        if let Some(stretch) = stretch.filter(|stretch| stretch.n_bytes() >= n_bytes.max(MIN_MAPPED)) {
            let page = page_size();
            let first_page = (address + ALIGNMENT + size.tile).next_multiple_of(page) - address;
            let position = first_page + stretch.start_in_page(page);
            self.mapped = Some((stretch.clone(), position));
            let memory = position..position + stretch.n_bytes();
            return Placed { position, step: Step::Map(stretch, memory) };
        }
        let position = address.next_multiple_of(ALIGNMENT) - address;
        Placed { position, step: Step::Decode(position..position + n_bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_has_room_for_all_that_is_put_there() {
        let (tile, stored, page) = (300 << 10, 1 << 20, page_size());
        let size = WindowSize::new(tile, Some(stored), 1 << 30);
        for address in [16, page - 8, page, 3 * page + 24] {
            for start in [0, 128, page - 2, 5 * page] {
                let whole = Stored::new(0, start..start + stored);
                let part = whole.clone().first(tile);
                let placed = Window::default().place((size, address), tile, Some(&part), || Some(whole.clone()));
                let Step::Map(_, memory) = placed.step else { panic!("not mapped") };
                assert!(memory.start >= ALIGNMENT + tile && memory.end <= size.n_bytes(), "{memory:?}");
                assert_eq!((address + placed.position) % page, start % page);
                let decoded = Window::default().place((size, address), tile, None, || None);
                let Step::Decode(memory) = decoded.step else { panic!("not decoded") };
                assert!(memory.end <= ALIGNMENT + tile && (address + memory.start).is_multiple_of(ALIGNMENT));
            }
        }
    }

    #[test]
    fn what_is_mapped_is_found_again() {
        let (frame, size) = (1 << 19, WindowSize::new(1 << 19, Some(4 << 20), 1 << 30));
        let frames = |range: Range<usize>| Stored::new(0, range.start * frame..range.end * frame);
        let mut window = Window::default();
        let first = window.place((size, 16), frame, Some(&frames(2..3)), || Some(frames(2..10)));
        let again = window.place((size, 16), frame, Some(&frames(5..6)), || panic!("it is there"));
        assert!(matches!(again.step, Step::None));
        assert_eq!(again.position, first.position + 3 * frame);
        let before = window.place((size, 16), frame, Some(&frames(1..2)), || Some(frames(1..10)));
        assert!(matches!(before.step, Step::Map(..)));
        // Little is copied, and a tile that is nowhere as it is wanted has to be.
        let last =
            window.place((size, 16), 1000, Some(&frames(20..21).first(1000)), || Some(frames(20..21).first(1000)));
        assert!(matches!(last.step, Step::Decode(_)));
    }

    #[test]
    fn half_of_the_memory_is_enough_for_pages() {
        assert!(WindowSize::new(1 << 20, Some(16 << 20), 64 << 20).n_bytes() > 16 << 20);
        assert!(WindowSize::new(1 << 20, Some(16 << 20), 32 << 20).n_bytes() < 2 << 20);
    }
}
