//! A case: one run of the plugin over synthetic data, and the command line that repeats it.

use std::fmt;

use lthost::shape::{Array, Dtype, Shape};

use super::data::Data;

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Case {
    pub(super) data: Data,
    pub(super) roi: Roi,
    pub(super) partitions: u64,
    /// Of these partitions this one alone.
    pub(super) only: Option<u64>,
    pub(super) tiles: Tiles,
    /// Tiles come from the last to the first.
    pub(super) backwards: bool,
    pub(super) workers: usize,
}

/// How partitions are cut into tiles, as far as the plugin leaves that open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Tiles {
    /// One for each partition.
    Whole,
    /// Whole frames, this many in each.
    Frames(u64),
    /// About this many pixels of a frame in each.
    Pixels(u64),
}

/// Which frames are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Roi {
    /// There is none.
    No,
    /// One of all frames.
    All,
    /// Some, with gaps between them.
    Some,
    /// The last one but one.
    One,
    /// None of them.
    Nothing,
    /// Those of this partition, of so many.
    Partition(u64, u64),
}

impl Case {
    /// One partition, one tile, one worker, all frames.
    pub(super) fn plain(data: Data) -> Self {
        Self { data, roi: Roi::No, partitions: 1, only: None, tiles: Tiles::Whole, backwards: false, workers: 1 }
    }

    /// The ROI as the library takes it.
    pub(super) fn roi_array(&self) -> Option<Array> {
        let data = self.roi.mask(self.data.n_frames())?;
        let shape = Shape::new(self.data.nav.clone()).ok()?;
        Some(Array { dtype: Dtype::Bool, shape, data })
    }
}

impl Roi {
    /// A byte for each frame.
    fn mask(self, n_frames: u64) -> Option<Vec<u8>> {
        let is_chosen = |frame: u64| match self {
            Self::No | Self::All => true,
            Self::Some => matches!(frame % 5, 1 | 2 | 4),
            Self::One => frame == n_frames.saturating_sub(2),
            Self::Nothing => false,
            Self::Partition(index, n) => (index * n_frames / n..(index + 1) * n_frames / n).contains(&frame),
        };
        (self != Self::No).then(|| (0..n_frames).map(|frame| u8::from(is_chosen(frame))).collect())
    }

    /// What its file is called.
    pub(super) fn file_name(self, nav: &[u64]) -> String {
        let name = match self {
            Self::No | Self::All => "all".to_owned(),
            Self::Some => "some".to_owned(),
            Self::One => "one".to_owned(),
            Self::Nothing => "nothing".to_owned(),
            Self::Partition(index, n) => format!("partition_{index}_of_{n}"),
        };
        let shape: Vec<String> = nav.iter().map(u64::to_string).collect();
        format!("roi_{name}_{}.npy", shape.join("x"))
    }
}

impl fmt::Display for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { nav, sig, dtype, stored, missing, .. } = self;
        write!(f, "{}", of(self.n_frames(), "frame"))?;
        if nav.len() > 1 {
            write!(f, " {}", shape(nav))?;
        }
        write!(f, " of {} {stored}", shape(sig))?;
        if stored != dtype {
            write!(f, " (numbers of {dtype})")?;
        }
        if *missing > 0 { write!(f, ", the last {missing} not in the file") } else { Ok(()) }
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.data)?;
        match self.roi {
            Roi::No => {}
            Roi::All => write!(f, ", a ROI of all")?,
            roi => {
                let chosen = roi.mask(self.data.n_frames()).unwrap_or_default();
                let frames: Vec<String> = (0..)
                    .zip(chosen)
                    .filter(|(_, byte)| *byte != 0)
                    .map(|(frame, _): (u64, _)| frame.to_string())
                    .collect();
                match frames.len() {
                    0 => write!(f, ", an empty ROI")?,
                    1 => write!(f, ", a ROI of frame {}", frames[0])?,
                    _ => write!(f, ", a ROI of frames {}", frames.join(", "))?,
                }
            }
        }
        match self.only {
            Some(only) => write!(f, ", partition {only} of {} alone", self.partitions)?,
            None => write!(f, ", {}", of(self.partitions, "partition"))?,
        }
        match self.tiles {
            Tiles::Whole => {}
            Tiles::Frames(n) => write!(f, ", tiles of {}", of(n, "frame"))?,
            Tiles::Pixels(n) => write!(f, ", tiles of about {} of a frame", of(n, "pixel"))?,
        }
        if self.backwards {
            write!(f, ", the last one first")?;
        }
        if self.workers > 1 { write!(f, ", {} workers", self.workers) } else { Ok(()) }
    }
}

/// `1 frame`, `2 frames`.
pub(super) fn of(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

/// As numpy writes it.
pub(super) fn shape(axes: &[u64]) -> String {
    Shape::new(axes).map_or_else(|error| error.to_string(), |shape| shape.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_roi_fits_any_number_of_frames() {
        assert_eq!(Roi::No.mask(3), None);
        assert_eq!(Roi::Some.mask(7).unwrap(), [0, 1, 1, 0, 1, 0, 1]);
        assert_eq!(Roi::One.mask(1).unwrap(), [1]);
        assert_eq!(Roi::One.mask(4).unwrap(), [0, 0, 1, 0]);
        assert_eq!(Roi::Partition(2, 3).mask(4).unwrap(), [0, 0, 1, 1]);
        assert_eq!(Roi::Nothing.mask(2).unwrap(), [0, 0]);
    }

    #[test]
    fn a_case_is_told_in_words() {
        let data = Data::new(&[3, 4], &[7, 5], Dtype::U16);
        let case = Case { partitions: 2, tiles: Tiles::Frames(1), roi: Roi::One, workers: 4, ..Case::plain(data) };
        let expected = "12 frames (3, 4) of (7, 5) u16, a ROI of frame 10, 2 partitions, tiles of 1 frame, 4 workers";
        assert_eq!(case.to_string(), expected);
    }
}
