//! The merged buffers of one UDF, and which frames are in them.

use std::ops::Range;

use crate::{
    buffer::{Declaration, Kind, Merge, Partial, Usage},
    plugin::{Emitted, PluginError},
    shape::{Element, RoiIdx, Shape, for_element},
};

/// Merges the buffers that merge by `custom`: from the destination's slices, the frames that are in them (a byte for each
/// frame of the ROI) and a partial to their new content.
type MergeCustom<'a> = dyn FnMut((&[&[u8]], &[u8]), &Partial) -> Result<Emitted, PluginError> + 'a;

/// Merged buffers of one UDF.
pub(crate) struct Merged {
    declarations: Vec<Declaration>,
    /// Little-endian elements of each declared buffer; empty for result-only ones.
    buffers: Vec<Vec<u8>>,
    /// One byte per ROI index: 1 where the frame's data are merged.
    valid: Vec<u8>,
    /// Bytes of one frame's row in each buffer; 0 for buffers that are not nav.
    row_bytes: Vec<usize>,
}

impl Merged {
    /// Buffers with their fill values, for `n_rows` selected frames. The declarations are checked.
    pub(crate) fn new(declarations: Vec<Declaration>, n_rows: u64, sig: &Shape) -> Self {
        let bytes = |declaration: &Declaration| match declaration.usage {
            Usage::ResultOnly => Vec::new(),
            _ => declaration.filled(declaration.n_elements(n_rows, sig)),
        };
        let row_bytes = |declaration: &Declaration| match declaration.kind {
            Kind::Nav => size_of_row(declaration),
            _ => 0,
        };
        Self {
            buffers: declarations.iter().map(bytes).collect(),
            row_bytes: declarations.iter().map(row_bytes).collect(),
            valid: vec![0; usize::try_from(n_rows).expect("checked with the declarations")],
            declarations,
        }
    }

    pub(crate) fn declarations(&self) -> &[Declaration] {
        &self.declarations
    }

    /// Content of each declared buffer; empty for result-only ones.
    pub(crate) fn buffers(&self) -> Vec<&[u8]> {
        self.buffers.iter().map(Vec::as_slice).collect()
    }

    /// Gives away the content of each declared buffer: nothing is merged any more.
    pub(crate) fn take_buffers(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.buffers)
    }

    /// One byte per ROI index: 1 where the frame's data are merged.
    pub(crate) fn valid(&self) -> &[u8] {
        &self.valid
    }

    /// Takes over what `preprocess` or `merge-all` emitted.
    pub(crate) fn replace(&mut self, emitted: Emitted) {
        for (buffer, (data, _)) in self.buffers.iter_mut().zip(emitted) {
            if let Some(data) = data {
                *buffer = data;
            }
        }
    }

    /// Takes over the content of all buffers, with the frames that are in them. False: the sizes do not fit.
    pub(crate) fn restore<'a>(&mut self, buffers: &[&[u8]], merged: impl Iterator<Item = &'a Range<RoiIdx>>) -> bool {
        let lengths = |buffers: &[Vec<u8>]| buffers.iter().map(Vec::len).collect::<Vec<_>>();
        let new: Vec<Vec<u8>> = buffers.iter().map(|buffer| buffer.to_vec()).collect();
        if lengths(&self.buffers) != lengths(&new) {
            return false;
        }
        self.buffers = new;
        for present in merged {
            self.mark(present);
        }
        true
    }

    fn mark(&mut self, present: &Range<RoiIdx>) {
        self.valid[to_usize(present.start.0)..to_usize(present.end.0)].fill(1);
    }

    /// What `custom` makes of a partial and the buffers' slices; nothing is merged yet.
    ///
    /// # Errors
    ///
    /// Those of `custom`.
    pub(crate) fn customized(&self, partial: &Partial, custom: &mut MergeCustom<'_>) -> Result<Emitted, PluginError> {
        let rows = rows(partial);
        let slices: Vec<&[u8]> = (0..self.buffers.len()).map(|i| &self.buffers[i][self.slice(i, &rows)]).collect();
        custom((&slices, &self.valid), partial)
    }

    /// Merges a partial. `present` are those of its frames that were in the file, `made` what there is for the buffers that
    /// merge by `custom`; these stay as they are without it.
    pub(crate) fn merge(&mut self, partial: &Partial, present: &Range<RoiIdx>, made: Option<&Emitted>) {
        let rows = rows(partial);
        for buffer_idx in 0..self.buffers.len() {
            let slice = self.slice(buffer_idx, &rows);
            let declaration = &self.declarations[buffer_idx];
            let dest = &mut self.buffers[buffer_idx][slice];
            if declaration.usage != Usage::ResultOnly && declaration.merge == Merge::Custom {
                if let Some(data) = made.and_then(|made| made[buffer_idx].0.as_deref()) {
                    dest.copy_from_slice(data);
                }
                continue;
            }
            for piece in &partial.buffers[buffer_idx] {
                let start = to_usize(piece.offset) * declaration.dtype.size();
                combine(declaration, &mut dest[start..start + piece.data.len()], &piece.data);
            }
        }
        self.mark(present);
    }

    /// Bytes of buffer `buffer_idx` that belong to some frames.
    fn slice(&self, buffer_idx: usize, rows: &Range<usize>) -> Range<usize> {
        let len = self.buffers[buffer_idx].len();
        match self.row_bytes[buffer_idx] {
            0 => 0..len,
            // Result-only buffers have no content: their slice is empty.
            row_bytes => (rows.start * row_bytes).min(len)..(rows.end * row_bytes).min(len),
        }
    }
}

/// `dest = dest (+ * min max) src`, element by element.
fn combine(declaration: &Declaration, dest: &mut [u8], src: &[u8]) {
    fn each<T: Element>(dest: &mut [u8], src: &[u8], op: impl Fn(T, T) -> T) {
        for (dest, src) in dest.chunks_exact_mut(T::SIZE).zip(src.chunks_exact(T::SIZE)) {
            op(T::read(dest), T::read(src)).write(dest);
        }
    }
    match declaration.merge {
        // `custom` is not merged here.
        Merge::Assign | Merge::Custom => dest.copy_from_slice(src),
        Merge::Sum => for_element!(declaration.dtype, T => each::<T>(dest, src, T::add)),
        Merge::Product => for_element!(declaration.dtype, T => each::<T>(dest, src, T::mul)),
        Merge::Min => for_element!(declaration.dtype, T => each::<T>(dest, src, Element::min)),
        Merge::Max => for_element!(declaration.dtype, T => each::<T>(dest, src, Element::max)),
    }
}

/// The rows of a partial's frames.
fn rows(partial: &Partial) -> Range<usize> {
    to_usize(partial.partition.roi.start.0)..to_usize(partial.partition.roi.end.0)
}

fn size_of_row(declaration: &Declaration) -> usize {
    to_usize(declaration.extra_shape.size()) * declaration.dtype.size()
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).expect("within a buffer that is in memory")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        buffer::{PartitionRange, Piece},
        shape::{Dtype, FrameIdx},
    };

    fn declaration(kind: Kind, dtype: Dtype, merge: Merge) -> Declaration {
        Declaration {
            name: "a".to_owned(),
            kind,
            dtype,
            extra_shape: Shape::new([]).unwrap(),
            usage: Usage::Result,
            merge,
            fill: 0.0,
            unit: String::new(),
            doc: String::new(),
        }
    }

    fn partial(rows: Range<u64>, offset: u64, data: &[u8]) -> Partial {
        let partition = PartitionRange {
            index: 0,
            frames: FrameIdx(rows.start)..FrameIdx(rows.end),
            roi: RoiIdx(rows.start)..RoiIdx(rows.end),
        };
        Partial { partition, buffers: vec![vec![Piece { offset, data: data.to_vec() }]] }
    }

    #[test]
    fn nav_parts_go_to_their_frames() {
        let sig = Shape::new([1]).unwrap();
        let mut merged = Merged::new(vec![declaration(Kind::Nav, Dtype::U16, Merge::Assign)], 4, &sig);
        merged.merge(&partial(1..3, 0, &[7, 0, 8, 1]), &(RoiIdx(2)..RoiIdx(3)), None);
        assert_eq!(merged.buffers()[0], [0, 0, 7, 0, 8, 1, 0, 0]);
        assert_eq!(merged.valid(), [0, 0, 1, 0]);
    }

    #[test]
    fn integers_wrap_and_nan_wins() {
        let sig = Shape::new([2]).unwrap();
        let mut sum = Merged::new(vec![declaration(Kind::Sig, Dtype::U8, Merge::Sum)], 2, &sig);
        for _ in 0..2 {
            sum.merge(&partial(0..1, 0, &[200, 3]), &(RoiIdx(0)..RoiIdx(1)), None);
        }
        assert_eq!(sum.buffers()[0], [144, 6]);
        let mut max = Merged::new(vec![declaration(Kind::Sig, Dtype::F32, Merge::Max)], 2, &sig);
        for value in [1.0, f32::NAN, 5.0] {
            let data = [value.to_le_bytes(), (-value).to_le_bytes()].concat();
            max.merge(&partial(0..1, 0, &data), &(RoiIdx(0)..RoiIdx(1)), None);
        }
        assert!(f32::from_le_bytes(max.buffers()[0][..4].try_into().unwrap()).is_nan());
    }

    #[test]
    fn parts_of_a_sig_buffer_are_assigned() {
        let sig = Shape::new([3]).unwrap();
        let mut merged = Merged::new(vec![declaration(Kind::Sig, Dtype::U8, Merge::Assign)], 2, &sig);
        merged.merge(&partial(0..1, 1, &[5]), &(RoiIdx(0)..RoiIdx(1)), None);
        assert_eq!(merged.buffers()[0], [0, 5, 0]);
    }
}
