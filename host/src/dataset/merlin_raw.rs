//! Pixels as a Medipix3 chip sends them (`R64`): counters of 1, 6, 12 or 24 bits in 8-byte words, most significant byte
//! first, whose pixels run from the least significant end; four chips in one row of the file for a 2x2 detector. Pure.

use std::ops::Range;

use crate::shape::Dtype;

/// How the pixels of a frame are packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Packing {
    depth: Depth,
    /// Rows of the image.
    rows: usize,
    /// Columns of the image.
    cols: usize,
    chips: Chips,
}

/// Bits of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Depth {
    One,
    Six,
    Twelve,
    /// All high halves of a frame come before all low halves, each packed as twelve bits are.
    TwentyFour,
}

/// How many chips see the image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Chips {
    Single,
    /// 2x2: a row of the file is a row of the bottom right, bottom left, top right and top left chip; the bottom ones
    /// are mounted upside down.
    Quad,
}

impl Packing {
    /// `width` and `height` are those of the header: of the file's rows, not of the image. The error says what is
    /// wrong with them.
    pub(super) fn new(bits: u64, width: usize, height: usize, chips: Chips) -> Result<Self, String> {
        let depth = match bits {
            1 => Depth::One,
            6 => Depth::Six,
            12 => Depth::Twelve,
            24 => Depth::TwentyFour,
            _ => return Err(format!("raw data with counters of {bits} bits are not supported (known: 1, 6, 12, 24)")),
        };
        // The header counts the two halves of a pixel as two pixels.
        let halves = if depth == Depth::TwentyFour { 2 } else { 1 };
        let across = match chips {
            Chips::Single => 1,
            Chips::Quad => 4,
        };
        let word = depth.pixels_per_word();
        if width == 0 || height == 0 || !width.is_multiple_of(halves * across * word) {
            return Err(format!(
                "{width} x {height} pixels with {bits} bits on {across} chips don't fill whole words of {word} pixels"
            ));
        }
        let (cols, rows) = match chips {
            Chips::Single => (Some(width / halves), Some(height)),
            Chips::Quad => (Some(width / halves / 2), height.checked_mul(2)),
        };
        let (Some(cols), Some(rows)) = (cols, rows) else {
            return Err(format!("{width} x {height} pixels are too many"));
        };
        Ok(Self { depth, rows, cols, chips })
    }

    /// What a pixel becomes.
    pub(super) fn dtype(self) -> Dtype {
        match self.depth {
            Depth::One | Depth::Six => Dtype::U8,
            Depth::Twelve => Dtype::U16,
            Depth::TwentyFour => Dtype::U32,
        }
    }

    /// Rows and columns of the image.
    pub(super) fn image(self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// Bytes of a frame in the file, if they can be counted.
    pub(super) fn frame_bytes(self) -> Option<usize> {
        let n_pixels = self.rows.checked_mul(self.cols)?;
        Some(match self.depth {
            Depth::One => n_pixels / 8,
            Depth::Six => n_pixels,
            Depth::Twelve => n_pixels.checked_mul(2)?,
            Depth::TwentyFour => n_pixels.checked_mul(4)?,
        })
    }

    /// Gives `sink` the pixels `sig` of `frame` in parts of at most a row, as little-endian numbers: where the part starts
    /// in `sig`, and its numbers. Parts come in no particular order.
    ///
    /// `row` is room for a row of the image; what it holds doesn't matter.
    pub(super) fn decode(self, frame: &[u8], sig: Range<usize>, row: &mut Vec<u8>, mut sink: impl FnMut(usize, &[u8])) {
        let size = self.dtype().size();
        row.resize(self.cols * size, 0);
        let mut decode = |y: usize| {
            let start = sig.start.max(y * self.cols);
            let end = sig.end.min((y + 1) * self.cols);
            if start < end {
                self.decode_row(frame, y, row);
                let begin = start - y * self.cols;
                sink(start - sig.start, &row[begin * size..][..(end - start) * size]);
            }
        };
        match self.chips {
            Chips::Single => (sig.start / self.cols..sig.end.div_ceil(self.cols)).for_each(decode),
            // In the order of the file, where a row holds two rows of the image: memory is several times faster so.
            Chips::Quad => (0..self.rows / 2).for_each(|y| {
                decode(self.rows - 1 - y);
                decode(y);
            }),
        }
    }

    fn decode_row(self, frame: &[u8], y: usize, row: &mut [u8]) {
        match self.chips {
            Chips::Single => self.unpack(frame, y * self.cols, Way::Forward, row),
            Chips::Quad => {
                let chip = self.cols / 2;
                let (left, right) = row.split_at_mut(chip * self.dtype().size());
                if y < self.rows / 2 {
                    let start = y * 4 * chip;
                    self.unpack(frame, start + 2 * chip, Way::Forward, right);
                    self.unpack(frame, start + 3 * chip, Way::Forward, left);
                } else {
                    let start = (self.rows - 1 - y) * 4 * chip;
                    self.unpack(frame, start, Way::Backward, right);
                    self.unpack(frame, start + chip, Way::Backward, left);
                }
            }
        }
    }

    /// Fills `out` with the pixels of `frame` from the `start`th in the file's order. Both ends are ends of words.
    fn unpack(self, frame: &[u8], start: usize, way: Way, out: &mut [u8]) {
        #[cfg(target_arch = "x86_64")]
        if std::is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "the compiler can't see what the processor has")]
            // SAFETY: it has AVX2.
            unsafe {
                self.unpack_with_avx2(frame, start, way, out);
            }
            return;
        }
        self.unpack_with_any(frame, start, way, out);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn unpack_with_avx2(self, frame: &[u8], start: usize, way: Way, out: &mut [u8]) {
        self.unpack_with_any(frame, start, way, out);
    }

    #[expect(clippy::inline_always, reason = "only what is inlined is compiled for more than any processor has")]
    #[inline(always)]
    fn unpack_with_any(self, frame: &[u8], start: usize, way: Way, out: &mut [u8]) {
        let per_word = self.depth.pixels_per_word();
        let range = start / per_word..start / per_word + out.len() / self.dtype().size() / per_word;
        let (words, _) = frame.as_chunks::<8>();
        match self.depth {
            Depth::One => each(words[range].iter(), way, out, |word| bits(swapped(*word)), |word| bits(turned(*word))),
            Depth::Six => each(words[range].iter(), way, out, |word| swapped(*word), |word| *word),
            Depth::Twelve => each(words[range].iter(), way, out, |word| swapped(*word), |word| pairs_swapped(*word)),
            Depth::TwentyFour => {
                let (high, low) = words.split_at(words.len() / 2);
                let halves = high[range.clone()].iter().zip(&low[range]);
                let forward = |(high, low): (&Word, &Word)| joined(swapped(*high), swapped(*low));
                let backward = |(high, low): (&Word, &Word)| joined(pairs_swapped(*high), pairs_swapped(*low));
                each(halves, way, out, forward, backward);
            }
        }
    }
}

/// Eight bytes of a file: 64, 8 or 4 pixels, the last one first.
type Word = [u8; 8];

/// In which order the pixels of a row are wanted.
#[derive(Clone, Copy)]
enum Way {
    /// As in the file.
    Forward,
    /// From the last to the first.
    Backward,
}

/// Fills `out` with the pixels of each of the `words`, from the last one to the first if they are wanted backwards.
#[expect(clippy::inline_always, reason = "see `unpack_with_any`")]
#[inline(always)]
fn each<W, const N: usize>(
    words: impl Iterator<Item = W>,
    way: Way,
    out: &mut [u8],
    forward: impl Fn(W) -> [u8; N],
    backward: impl Fn(W) -> [u8; N],
) {
    let (out, _) = out.as_chunks_mut::<N>();
    match way {
        Way::Forward => words.zip(out).for_each(|(word, out)| *out = forward(word)),
        Way::Backward => {
            // Two loops that vectorise are faster than one that doesn't.
            words.zip(out.iter_mut()).for_each(|(word, out)| *out = backward(word));
            out.reverse();
        }
    }
}

impl Depth {
    fn pixels_per_word(self) -> usize {
        match self {
            Self::One => 64,
            Self::Six => 8,
            Self::Twelve | Self::TwentyFour => 4,
        }
    }
}

/// The pixels of a word in order, and little-endian; or 64 of them as bits, least significant first.
fn swapped(word: Word) -> Word {
    u64::from_be_bytes(word).to_le_bytes()
}

/// As [`swapped`], for 64 pixels from the last to the first.
fn turned(word: Word) -> Word {
    u64::from_be_bytes(word).reverse_bits().to_le_bytes()
}

/// As [`swapped`], for four pixels from the last to the first: that is how the file has them, but big-endian.
fn pairs_swapped(word: Word) -> Word {
    let word = u64::from_le_bytes(word);
    let even = 0x00FF_00FF_00FF_00FF;
    (((word & even) << 8) | ((word >> 8) & even)).to_le_bytes()
}

/// One byte per bit, the least significant bit of the first byte first.
fn bits(bytes: Word) -> [u8; 64] {
    let mut out = [0; 64];
    for (byte, out) in bytes.into_iter().zip(out.as_chunks_mut::<8>().0) {
        // Eight copies of the byte, of which each keeps another bit; adding 127 carries any bit into the highest one.
        let spread = (u64::from(byte) * 0x0101_0101_0101_0101) & 0x8040_2010_0804_0201;
        *out = (((spread + 0x7F7F_7F7F_7F7F_7F7F) >> 7) & 0x0101_0101_0101_0101).to_le_bytes();
    }
    out
}

/// Four pixels from their high and low twelve bits.
fn joined(high: Word, low: Word) -> [u8; 16] {
    let mut out = [0; 16];
    let halves = high.as_chunks::<2>().0.iter().zip(low.as_chunks::<2>().0);
    for ((high, low), out) in halves.zip(out.as_chunks_mut::<4>().0) {
        let high = u32::from(u16::from_le_bytes(*high)) << 12;
        *out = (high | u32::from(u16::from_le_bytes(*low))).to_le_bytes();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Packs an image pixel by pixel, straight from the description of the format.
    fn pack(packing: Packing, image: &[u32]) -> Vec<u8> {
        let (rows, cols) = packing.image();
        let mut in_file_order = image.to_vec();
        if packing.chips == Chips::Quad {
            let chip = cols / 2;
            for (at, pixel) in in_file_order.iter_mut().enumerate() {
                let (y, x) = (at / (4 * chip), at % chip);
                *pixel = match at % (4 * chip) / chip {
                    3 => image[y * cols + x],
                    2 => image[y * cols + chip + x],
                    1 => image[(rows - 1 - y) * cols + chip - 1 - x],
                    _ => image[(rows - 1 - y) * cols + cols - 1 - x],
                };
            }
        }
        let halves = |shift: u32| -> Vec<u8> {
            let words = in_file_order.chunks_exact(4);
            words
                .flat_map(|w| {
                    w.iter().rev().flat_map(move |p| u16::try_from(p >> shift & 0xFFF).unwrap().to_be_bytes())
                })
                .collect()
        };
        match packing.depth {
            Depth::One => {
                let words = in_file_order.chunks_exact(64);
                words.flat_map(|w| (0..64).fold(0_u64, |word, i| word | u64::from(w[i]) << i).to_be_bytes()).collect()
            }
            Depth::Six => {
                in_file_order.chunks_exact(8).flat_map(|w| w.iter().rev().map(|p| u8::try_from(*p).unwrap())).collect()
            }
            Depth::Twelve => halves(0),
            Depth::TwentyFour => [halves(12), halves(0)].concat(),
        }
    }

    #[test]
    fn every_depth_and_layout_is_unpacked() {
        for (bits, halves) in [(1, 1), (6, 1), (12, 1), (24, 2)] {
            for (chips, width, height) in [(Chips::Single, 128, 5), (Chips::Quad, 256, 3)] {
                let packing = Packing::new(bits, width * halves, height, chips).unwrap();
                let mut state = 1_u32;
                let n_pixels = packing.rows * packing.cols;
                let image: Vec<u32> = (0..n_pixels)
                    .map(|_| {
                        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                        state >> (32 - bits)
                    })
                    .collect();
                let frame = pack(packing, &image);
                assert_eq!(Some(frame.len()), packing.frame_bytes());
                for sig in [0..n_pixels, 1..n_pixels - 1, 130..131, 127..129, 7..7] {
                    let mut decoded = vec![0; sig.len()];
                    packing.decode(&frame, sig.clone(), &mut Vec::new(), |start, row| {
                        let pixels = row.chunks_exact(packing.dtype().size());
                        for (decoded, bytes) in decoded[start..].iter_mut().zip(pixels) {
                            *decoded = bytes.iter().rev().fold(0, |value, byte| value << 8 | u32::from(*byte));
                        }
                    });
                    assert_eq!(decoded, image[sig.clone()], "{bits} bits, {chips:?}, {sig:?}");
                }
            }
        }
    }

    /// The image that `frame` holds, pixel by pixel.
    fn unpack_slowly(packing: Packing, frame: &[u8]) -> Vec<u32> {
        let (rows, cols) = packing.image();
        let per_word = packing.depth.pixels_per_word();
        let (words, _) = frame.as_chunks::<8>();
        let counter = |words: &[Word], at: usize| {
            let bits = 64 / per_word;
            let word = u64::from_be_bytes(words[at / per_word]) >> (at % per_word * bits);
            u32::try_from(word & ((1 << bits) - 1)).unwrap()
        };
        let chip = cols / 2;
        let position = |y: usize, x: usize| match (packing.chips, y < rows / 2, x < chip) {
            (Chips::Single, ..) => y * cols + x,
            (Chips::Quad, true, true) => (4 * y + 3) * chip + x,
            (Chips::Quad, true, false) => (4 * y + 2) * chip + x - chip,
            (Chips::Quad, false, true) => (4 * (rows - 1 - y) + 1) * chip + chip - 1 - x,
            (Chips::Quad, false, false) => 4 * (rows - 1 - y) * chip + cols - 1 - x,
        };
        let pixel = |at: usize| {
            let at = position(at / cols, at % cols);
            match packing.depth {
                Depth::TwentyFour => {
                    let (high, low) = words.split_at(words.len() / 2);
                    counter(high, at) << 12 | counter(low, at)
                }
                _ => counter(words, at),
            }
        };
        (0..rows * cols).map(pixel).collect()
    }

    #[test]
    fn any_bytes_are_unpacked_as_one_pixel_after_the_other() {
        let mut state = 3_u64;
        for (bits, halves, per_word) in [(1, 1, 64), (6, 1, 8), (12, 1, 4), (24, 2, 4)] {
            for (chips, across) in [(Chips::Single, 1), (Chips::Quad, 4)] {
                // Rows of few and of odd numbers of words: vectors have ends.
                for (n_words, step) in [(1, 1), (3, 5), (37, 211)] {
                    let packing = Packing::new(bits, n_words * per_word * halves * across, 2, chips).unwrap();
                    let random = |_| {
                        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                        (state >> 56) as u8
                    };
                    let frame: Vec<u8> = (0..packing.frame_bytes().unwrap()).map(random).collect();
                    let image = unpack_slowly(packing, &frame);
                    let size = packing.dtype().size();
                    let numbers: Vec<u8> =
                        image.iter().flat_map(|pixel| pixel.to_le_bytes()[..size].to_vec()).collect();
                    let mut row = Vec::new();
                    for start in (0..=image.len()).step_by(step) {
                        for end in (start..=image.len()).rev().step_by(step) {
                            let mut decoded = vec![0; (end - start) * size];
                            packing.decode(&frame, start..end, &mut row, |at, part| {
                                decoded[at * size..][..part.len()].copy_from_slice(part);
                            });
                            assert!(
                                decoded == numbers[start * size..end * size],
                                "{bits} bits, {chips:?}, {start}..{end}"
                            );
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn sizes_that_are_no_whole_words_are_refused() {
        assert!(Packing::new(1, 96, 4, Chips::Single).is_err());
        assert!(Packing::new(1, 128, 4, Chips::Quad).is_err());
        assert!(Packing::new(24, 4, 4, Chips::Single).is_err());
        assert!(Packing::new(8, 64, 4, Chips::Single).is_err());
        assert!(Packing::new(6, 0, 4, Chips::Single).is_err());
        assert!(Packing::new(6, 64, usize::MAX, Chips::Quad).is_err());
    }
}
