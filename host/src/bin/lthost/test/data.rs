//! Synthetic data: numbers that any machine draws the same, with bright and dark frames and pixels.
//!
//! Unsigned numbers use most of their range, signed and real ones are negative here and there, real ones have fractions, and
//! none is NaN. Their mean is well above zero, so that nobody divides by chance.

use std::{io, path::Path};

use lthost::{
    dataset::DatasetOptions,
    shape::{Dtype, DtypeKind, npy},
};

/// A data set.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Data {
    pub(super) nav: Vec<u64>,
    pub(super) sig: Vec<u64>,
    /// Which numbers: those that suit this dtype.
    pub(super) dtype: Dtype,
    /// In which dtype they are stored; one that holds them all.
    pub(super) stored: Dtype,
    /// Frames at the end of the scan that are not in the file.
    pub(super) missing: u64,
    /// A frame that has other numbers than usual.
    pub(super) bumped: Option<u64>,
}

impl Data {
    pub(super) fn new(nav: &[u64], sig: &[u64], dtype: Dtype) -> Self {
        Self { nav: nav.to_vec(), sig: sig.to_vec(), dtype, stored: dtype, missing: 0, bumped: None }
    }

    /// The same numbers in the largest dtype of their kind; none if that is the one they are for.
    pub(super) fn widened(&self) -> Option<Self> {
        let is_complex = self.dtype.kind() == DtypeKind::Complex;
        let stored = if is_complex { Dtype::C128 } else { Dtype::F64 };
        (stored != self.dtype).then(|| Self { stored, ..self.clone() })
    }

    pub(super) fn n_frames(&self) -> u64 {
        self.nav.iter().product()
    }

    pub(super) fn n_pixels(&self) -> u64 {
        self.sig.iter().product()
    }

    /// What it is called in a folder with others.
    pub(super) fn file_name(&self) -> String {
        let shape = |axes: &[u64]| axes.iter().map(u64::to_string).collect::<Vec<_>>().join("x");
        let like = if self.stored == self.dtype { String::new() } else { format!("_of_{}", self.dtype) };
        let missing = if self.missing == 0 { String::new() } else { format!("_without_{}", self.missing) };
        let bumped = self.bumped.map(|frame| format!("_bumped_{frame}")).unwrap_or_default();
        format!("{}{like}_{}_{}{missing}{bumped}.npy", self.stored, shape(&self.nav), shape(&self.sig))
    }

    /// How the file is opened.
    pub(super) fn options(&self) -> DatasetOptions {
        DatasetOptions {
            nav_shape: (self.missing > 0).then(|| self.nav.clone()),
            sig_dims: Some(self.sig.len()),
            ..DatasetOptions::default()
        }
    }

    /// The same for the command line.
    pub(super) fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        if self.missing > 0 {
            let nav: Vec<String> = self.nav.iter().map(u64::to_string).collect();
            words.extend(["--nav-shape".to_owned(), nav.join(",")]);
        }
        if self.sig.len() != 2 {
            words.extend(["--sig-dims".to_owned(), self.sig.len().to_string()]);
        }
        words
    }

    /// Writes the file.
    pub(super) fn write(&self, path: &Path) -> io::Result<()> {
        let n_present = self.n_frames() - self.missing;
        let nav = if self.missing > 0 { &[n_present][..] } else { &self.nav };
        let mut bytes = npy::header(self.stored, &[nav, &self.sig].concat());
        for frame in 0..n_present {
            for pixel in 0..self.n_pixels() {
                self.push(frame, pixel, &mut bytes);
            }
        }
        std::fs::write(path, bytes)
    }

    fn push(&self, frame: u64, pixel: u64, out: &mut Vec<u8>) {
        let seed = u64::from(self.bumped == Some(frame));
        let draw = |part: u64| number(self.dtype, level(2 * seed + part, frame, pixel));
        encode(draw(0), self.stored, out);
        if self.stored.kind() == DtypeKind::Complex {
            encode(draw(1), self.stored, out);
        }
    }
}

/// From 0 to less than 1: even noise, times how bright the frame is, times how bright the pixel is.
fn level(seed: u64, frame: u64, pixel: u64) -> f64 {
    // A step of splitmix64, which spreads neighbours far apart.
    let mut hash = (seed << 48) ^ (frame << 24) ^ pixel;
    hash = hash.wrapping_add(0x9e37_79b9_7f4a_7c15);
    hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^= hash >> 31;
    let noise = f64::from(u32::try_from(hash >> 32).unwrap_or(0)) / f64::from(u32::MAX).next_up();
    let share =
        |n: u64, of: u64| f64::from(u32::try_from(n % of + 1).unwrap_or(1)) / f64::from(u32::try_from(of).unwrap_or(1));
    let (frame_level, pixel_level) = (0.6 + 0.4 * share(5 * frame + 2, 7), 0.5 + 0.5 * share(3 * pixel + 2, 5));
    (0.2 + 0.8 * noise) * frame_level * pixel_level
}

/// A number that suits a dtype.
fn number(dtype: Dtype, level: f64) -> f64 {
    match dtype {
        Dtype::Bool => f64::from(u8::from(level > 0.4)),
        Dtype::U8 => (level * 256.0).floor(),
        Dtype::U16 => (level * 65536.0).floor(),
        Dtype::U32 => (level * 4_294_967_296.0).floor(),
        // Exact as `f64`, too.
        Dtype::U64 => (level * 1e15).floor(),
        Dtype::I8 => (level.mul_add(160.0, -32.0)).floor(),
        Dtype::I16 => (level.mul_add(40_000.0, -8000.0)).floor(),
        Dtype::I32 => (level.mul_add(2.5e9, -5e8)).floor(),
        Dtype::I64 => (level.mul_add(1e15, -2e14)).floor(),
        Dtype::F32 | Dtype::C64 => (level.mul_add(64_000.0, -12_800.0)).floor() / 64.0,
        Dtype::F64 | Dtype::C128 => level.mul_add(1000.0, -200.0),
    }
}

/// Adds a number as one of `dtype`, of complex ones a part.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number suits the dtype")]
fn encode(number: f64, dtype: Dtype, out: &mut Vec<u8>) {
    match dtype {
        Dtype::Bool => out.push(u8::from(number != 0.0)),
        Dtype::U8 => out.push(number as u8),
        Dtype::U16 => out.extend((number as u16).to_le_bytes()),
        Dtype::U32 => out.extend((number as u32).to_le_bytes()),
        Dtype::U64 => out.extend((number as u64).to_le_bytes()),
        Dtype::I8 => out.extend((number as i8).to_le_bytes()),
        Dtype::I16 => out.extend((number as i16).to_le_bytes()),
        Dtype::I32 => out.extend((number as i32).to_le_bytes()),
        Dtype::I64 => out.extend((number as i64).to_le_bytes()),
        Dtype::F32 | Dtype::C64 => out.extend((number as f32).to_le_bytes()),
        Dtype::F64 | Dtype::C128 => out.extend(number.to_le_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(data: &Data) -> Vec<f64> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(data.file_name());
        data.write(&path).unwrap();
        let array = npy::read(&path).unwrap();
        assert_eq!(array.dtype, data.stored);
        let words = array.data.chunks_exact(array.dtype.word_size());
        words
            .map(|word| match data.stored {
                Dtype::U8 => f64::from(word[0]),
                Dtype::I8 => f64::from(word[0].cast_signed()),
                Dtype::F32 | Dtype::C64 => f64::from(f32::from_le_bytes(word.try_into().unwrap())),
                Dtype::F64 | Dtype::C128 => f64::from_le_bytes(word.try_into().unwrap()),
                other => panic!("{other} is not looked at"),
            })
            .collect()
    }

    #[test]
    fn the_widest_dtype_holds_the_same_numbers() {
        for dtype in [Dtype::U8, Dtype::I8, Dtype::F32, Dtype::C64] {
            let data = Data::new(&[3, 4], &[7, 5], dtype);
            assert_eq!(numbers(&data), numbers(&data.widened().unwrap()), "{dtype}");
        }
        assert_eq!(Data::new(&[1], &[1], Dtype::F64).widened(), None);
    }

    #[test]
    fn numbers_have_what_their_dtype_can_have() {
        let of = |dtype| numbers(&Data::new(&[3, 4], &[7, 5], dtype));
        assert!(of(Dtype::U8).iter().any(|&number| number > 200.0));
        assert!(of(Dtype::I8).iter().any(|&number| number < 0.0));
        assert!(of(Dtype::F32).iter().any(|&number| number < 0.0 && number.fract() != 0.0));
        let numbers = of(Dtype::F64);
        assert!(numbers.iter().all(|number| number.is_finite()));
        assert!(numbers.iter().sum::<f64>() > 0.0);
    }

    #[test]
    fn a_bumped_frame_alone_differs() {
        let data = Data::new(&[3], &[2, 2], Dtype::F64);
        let bumped = numbers(&Data { bumped: Some(1), ..data.clone() });
        let differs: Vec<bool> = numbers(&data).iter().zip(&bumped).map(|(a, b)| a.to_bits() != b.to_bits()).collect();
        assert_eq!(differs, [[false; 4], [true; 4], [false; 4]].concat());
    }
}
