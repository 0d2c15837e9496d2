//! What a plugin emits, staged and checked: nothing of it counts before all of it is there.

use std::ops::Range;

use super::{Declaration, Spare, Usage};
use crate::shape::{FrameIdx, RoiIdx, Shape};

/// A partition in both index spaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartitionRange {
    /// Number of the partition, counted over the whole scan.
    pub index: u64,
    /// Its frames.
    pub frames: Range<FrameIdx>,
    /// Those of its frames that the ROI selects.
    pub roi: Range<RoiIdx>,
}

impl PartitionRange {
    /// Entries of this partition in a nav buffer.
    pub fn n_rows(&self) -> u64 {
        self.roi.end.0 - self.roi.start.0
    }
}

/// Everything that one UDF handed back for one partition.
#[derive(Debug)]
pub struct Partial {
    /// Which partition.
    pub partition: PartitionRange,
    /// For each declared buffer its pieces; none for result-only ones.
    pub(crate) buffers: Vec<Vec<Piece>>,
}

/// A run of elements of a buffer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// First element in the flat buffer.
    pub(crate) offset: u64,
    /// Little-endian elements.
    pub(crate) data: Vec<u8>,
}

/// What was emitted for a buffer: its pieces by offset, and its mask.
pub(crate) type EmittedPieces = (Vec<Piece>, Option<Vec<u8>>);

/// What is wrong with what was emitted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EmissionError {
    #[error("emitted outside of `end`, `merge`, `merge-all`, `preprocess` and `results`")]
    Unexpected,
    #[error("emitted buffer number {number}, but declared {n_buffers} ({names})")]
    NoSuchBuffer { number: u32, n_buffers: usize, names: String },
    #[error("emitted {n_bytes} bytes for buffer `{name}` of dtype {dtype}, which is no whole number of elements")]
    Fraction { name: String, n_bytes: usize, dtype: String },
    #[error("emitted elements {start}..{stop} of buffer `{name}`, which has {n_elements}")]
    OutOfBounds { name: String, start: u64, stop: u64, n_elements: u64 },
    #[error("emitted some elements of buffer `{name}` twice")]
    Twice { name: String },
    #[error(
        "emitted buffer `{name}` so that there are more than {limit} pieces of which none follows on another: emit larger ones, or in order"
    )]
    Scattered { name: String, limit: usize },
    #[error("emitted {n_emitted} of the {n_elements} elements of buffer `{name}`")]
    Missing { name: String, n_emitted: u64, n_elements: u64 },
    #[error("emitted buffer `{name}`, which this function may not emit")]
    NotHere { name: String },
    #[error("emitted a mask outside of `results`")]
    Mask,
    #[error("emitted a mask of {n_bytes} bytes for buffer `{name}`, which has {n_elements} elements")]
    MaskSize { name: String, n_bytes: usize, n_elements: u64 },
}

/// How much of a buffer a function must emit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Nothing,
    Part,
    WholeOrNothing,
    Whole,
}

/// Pieces that do not follow each other, of all buffers. Each takes some bytes besides its data.
const MAX_PIECES: usize = 1 << 17;
/// Elements for which there is room before they come.
const MAX_AHEAD: u64 = 4 << 20;

/// Collects what one call of a plugin's function emits.
#[derive(Debug, Default)]
pub(crate) struct Emission {
    expected: Vec<Expected>,
    /// Only results have masks.
    takes_masks: bool,
    spare: Spare,
    n_pieces: usize,
}

#[derive(Debug)]
struct Expected {
    name: String,
    element_bytes: usize,
    dtype: String,
    n_elements: u64,
    need: Need,
    n_emitted: u64,
    pieces: Vec<Piece>,
    mask: Option<Vec<u8>>,
}

impl Emission {
    /// For `end`: partial buffers of a partition of `n_rows` frames.
    pub(crate) fn of_partial(declarations: &[Declaration], n_rows: u64, sig: &Shape) -> Self {
        Self::new(declarations, n_rows, sig, |declaration| match declaration.usage {
            Usage::ResultOnly => Need::Nothing,
            _ if declaration.is_emitted_by_parts() => Need::Part,
            _ => Need::Whole,
        })
    }

    /// For `merge` and `merge-all`: buffers that merge by `custom`.
    pub(crate) fn of_merge(declarations: &[Declaration], n_rows: u64, sig: &Shape) -> Self {
        Self::new(declarations, n_rows, sig, |declaration| match (declaration.usage, declaration.merge) {
            (Usage::ResultOnly, _) => Need::Nothing,
            (_, super::Merge::Custom) => Need::Whole,
            _ => Need::Nothing,
        })
    }

    /// For `preprocess`: any merged buffers.
    pub(crate) fn of_preprocess(declarations: &[Declaration], n_rows: u64, sig: &Shape) -> Self {
        Self::new(declarations, n_rows, sig, |declaration| match declaration.usage {
            Usage::ResultOnly => Need::Nothing,
            _ => Need::WholeOrNothing,
        })
    }

    /// For `results`: all results.
    pub(crate) fn of_results(declarations: &[Declaration], n_rows: u64, sig: &Shape) -> Self {
        let results = Self::new(declarations, n_rows, sig, |declaration| match declaration.usage {
            Usage::ResultOnly => Need::Whole,
            Usage::Result => Need::WholeOrNothing,
            Usage::Private => Need::Nothing,
        });
        Self { takes_masks: true, ..results }
    }

    fn new(declarations: &[Declaration], n_rows: u64, sig: &Shape, need: impl Fn(&Declaration) -> Need) -> Self {
        let expected = declarations
            .iter()
            .map(|declaration| Expected {
                name: declaration.name.clone(),
                element_bytes: declaration.dtype.size(),
                dtype: declaration.dtype.to_string(),
                n_elements: declaration.n_elements(n_rows, sig),
                need: need(declaration),
                n_emitted: 0,
                pieces: Vec::new(),
                mask: None,
            })
            .collect();
        Self { expected, takes_masks: false, spare: Spare::default(), n_pieces: 0 }
    }

    /// Puts pieces into memory that is left over.
    pub(crate) fn with_spare(self, spare: &Spare) -> Self {
        Self { spare: spare.clone(), ..self }
    }

    /// Takes a piece of a buffer.
    pub(crate) fn emit(&mut self, number: u32, offset: u64, data: &[u8]) -> Result<(), EmissionError> {
        let (spare, is_scattered) = (self.spare.clone(), self.n_pieces == MAX_PIECES);
        let buffer = self.expected(number)?;
        let name = || buffer.name.clone();
        if buffer.need == Need::Nothing {
            return Err(EmissionError::NotHere { name: name() });
        }
        if !data.len().is_multiple_of(buffer.element_bytes) {
            return Err(EmissionError::Fraction { name: name(), n_bytes: data.len(), dtype: buffer.dtype.clone() });
        }
        let n_elements = (data.len() / buffer.element_bytes) as u64;
        let stop = offset.saturating_add(n_elements);
        if stop > buffer.n_elements {
            let n_elements = buffer.n_elements;
            return Err(EmissionError::OutOfBounds { name: name(), start: offset, stop, n_elements });
        }
        // Bounds what can be staged: more than the whole is an overlap, whatever its place.
        if buffer.n_emitted + n_elements > buffer.n_elements {
            return Err(EmissionError::Twice { name: name() });
        }
        buffer.n_emitted += n_elements;
        match buffer.pieces.last_mut() {
            _ if n_elements == 0 => {}
            // Small steps become one piece.
            Some(last) if last.offset + (last.data.len() / buffer.element_bytes) as u64 == offset => {
                last.data.extend_from_slice(data);
            }
            _ if is_scattered => {
                return Err(EmissionError::Scattered { name: name(), limit: MAX_PIECES });
            }
            _ => {
                // A buffer that has to be whole mostly comes from its beginning on; a liar gets such memory once.
                let is_begun = buffer.need == Need::Whole && offset == 0 && buffer.pieces.is_empty();
                let n_elements = if is_begun { buffer.n_elements.min(MAX_AHEAD) } else { n_elements };
                let n_bytes = usize::try_from(n_elements).unwrap_or(0).saturating_mul(buffer.element_bytes);
                let mut memory = spare.take(n_bytes.max(data.len()));
                memory.extend_from_slice(data);
                buffer.pieces.push(Piece { offset, data: memory });
                self.n_pieces += 1;
            }
        }
        Ok(())
    }

    /// Takes the mask of a buffer.
    pub(crate) fn emit_mask(&mut self, number: u32, mask: &[u8]) -> Result<(), EmissionError> {
        if !self.takes_masks {
            return Err(EmissionError::Mask);
        }
        let buffer = self.expected(number)?;
        if mask.len() as u64 != buffer.n_elements {
            let (name, n_elements) = (buffer.name.clone(), buffer.n_elements);
            return Err(EmissionError::MaskSize { name, n_bytes: mask.len(), n_elements });
        }
        buffer.mask = Some(mask.iter().map(|&byte| u8::from(byte != 0)).collect());
        Ok(())
    }

    /// Checks that everything is there, and gives it: for each buffer its pieces, by offset, and its mask.
    pub(crate) fn finish(self) -> Result<Vec<EmittedPieces>, EmissionError> {
        self.expected.into_iter().map(Expected::finish).collect()
    }

    fn expected(&mut self, number: u32) -> Result<&mut Expected, EmissionError> {
        if self.expected.is_empty() {
            return Err(EmissionError::Unexpected);
        }
        let n_buffers = self.expected.len();
        let index = usize::try_from(number).unwrap_or(usize::MAX);
        if index >= n_buffers {
            let names = self.expected.iter().map(|buffer| buffer.name.as_str()).collect::<Vec<_>>().join(", ");
            return Err(EmissionError::NoSuchBuffer { number, n_buffers, names });
        }
        Ok(&mut self.expected[index])
    }
}

impl Expected {
    fn finish(mut self) -> Result<EmittedPieces, EmissionError> {
        self.pieces.sort_by_key(|piece| piece.offset);
        let mut stop = 0;
        for piece in &self.pieces {
            if piece.offset < stop {
                return Err(EmissionError::Twice { name: self.name });
            }
            stop = piece.offset + (piece.data.len() / self.element_bytes) as u64;
        }
        let complete = match self.need {
            Need::Nothing | Need::Part => true,
            Need::WholeOrNothing => self.n_emitted == 0 || self.n_emitted == self.n_elements,
            Need::Whole => self.n_emitted == self.n_elements,
        };
        if complete {
            Ok((self.pieces, self.mask))
        } else {
            Err(EmissionError::Missing { name: self.name, n_emitted: self.n_emitted, n_elements: self.n_elements })
        }
    }
}

impl Partial {
    /// The pieces of a buffer that was emitted whole, as one.
    pub(crate) fn whole(&self, buffer_idx: usize) -> std::borrow::Cow<'_, [u8]> {
        match self.buffers[buffer_idx].as_slice() {
            [piece] => (&piece.data).into(),
            pieces => pieces.iter().flat_map(|piece| piece.data.iter().copied()).collect::<Vec<_>>().into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        buffer::{Kind, Merge},
        shape::Dtype,
    };

    fn emission(kind: Kind, merge: Merge) -> Emission {
        let declaration = Declaration {
            name: "a".to_owned(),
            kind,
            dtype: Dtype::U16,
            extra_shape: Shape::new([]).unwrap(),
            usage: Usage::Result,
            merge,
            fill: 0.0,
            unit: String::new(),
            doc: String::new(),
        };
        Emission::of_partial(&[declaration], 3, &Shape::new([2, 2]).unwrap())
    }

    #[test]
    fn pieces_in_any_order_make_a_whole() {
        let mut e = emission(Kind::Nav, Merge::Assign);
        e.emit(0, 2, &[5, 0]).unwrap();
        e.emit(0, 0, &[3, 0, 4, 0]).unwrap();
        let pieces = &e.finish().unwrap()[0].0;
        assert_eq!(pieces.iter().map(|piece| piece.offset).collect::<Vec<_>>(), [0, 2]);
    }

    #[test]
    fn lies_are_refused() {
        let fresh = || emission(Kind::Nav, Merge::Assign);
        assert!(matches!(fresh().emit(1, 0, &[0, 0]), Err(EmissionError::NoSuchBuffer { .. })));
        assert!(matches!(fresh().emit(0, 0, &[0]), Err(EmissionError::Fraction { .. })));
        assert!(matches!(fresh().emit(0, u64::MAX, &[0, 0]), Err(EmissionError::OutOfBounds { .. })));
        assert!(matches!(fresh().emit(0, 1, &[0; 6]), Err(EmissionError::OutOfBounds { .. })));
        let mut overlap = fresh();
        overlap.emit(0, 0, &[0; 4]).unwrap();
        overlap.emit(0, 1, &[0; 2]).unwrap();
        assert!(matches!(overlap.finish(), Err(EmissionError::Twice { .. })));
        let mut short = fresh();
        short.emit(0, 0, &[0; 4]).unwrap();
        assert!(matches!(short.finish(), Err(EmissionError::Missing { .. })));
        assert!(matches!(Emission::default().emit(0, 0, &[]), Err(EmissionError::Unexpected)));
    }

    #[test]
    fn who_begins_again_and_again_gets_room_for_a_whole_buffer_once() {
        let mut emission = emission(Kind::Sig, Merge::Sum);
        emission.expected[0].n_elements = 1 << 20;
        (0..1000).for_each(|_| emission.emit(0, 0, &[0; 2]).unwrap());
        let n_bytes: usize = emission.expected[0].pieces.iter().map(|piece| piece.data.capacity()).sum();
        assert!(n_bytes < 3 << 20, "{n_bytes}");
        assert!(matches!(emission.finish(), Err(EmissionError::Twice { .. })));
    }

    #[test]
    fn only_results_have_masks() {
        assert!(matches!(emission(Kind::Nav, Merge::Assign).emit_mask(0, &[1; 3]), Err(EmissionError::Mask)));
    }

    #[test]
    fn parts_are_enough_where_they_are_assigned() {
        let mut part = emission(Kind::Sig, Merge::Assign);
        part.emit(0, 1, &[7, 0]).unwrap();
        assert!(part.finish().is_ok());
        let mut sum = emission(Kind::Sig, Merge::Sum);
        sum.emit(0, 1, &[7, 0]).unwrap();
        assert!(matches!(sum.finish(), Err(EmissionError::Missing { .. })));
    }
}
