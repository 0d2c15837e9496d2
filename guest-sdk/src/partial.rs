//! The buffers of a partition while its tiles come in.

use std::{cell::RefMut, ops::Range, rc::Rc};

use crate::{
    Buffer, Buffers, Dtype, Element, Error, Kind, Meta, Partition, Result, Tile, Tiling, host,
    numbers::refill,
    store::{emit, in_use, position, wrong_dtype},
};

/// The buffers of the partition at work.
#[derive(Debug)]
pub struct Partial {
    buffers: Buffers,
    meta: Rc<Meta>,
    partition: Partition,
    tiling: Tiling,
    /// True within `end`, where alone the host takes what is emitted.
    is_ending: bool,
}

impl Partial {
    /// The entries of nav buffer `name` for the frames of `tile`: shape `(n_frames, ...extra)`.
    ///
    /// # Errors
    ///
    /// Where there is no such nav buffer, its dtype is not `T`, or a view of it is still alive.
    pub fn nav<T: Element>(&self, name: &str, tile: &Tile) -> Result<RefMut<'_, [T]>> {
        let range = self.nav_range(name, tile)?;
        cut(self.buffers.write(name)?, range)
    }

    /// Like [`Partial::nav`]; if `T` is `f32` or `f64` and the buffer complex, as its real and imaginary parts in turn.
    ///
    /// # Errors
    ///
    /// As [`Partial::nav`].
    pub fn nav_parts<T: Element>(&self, name: &str, tile: &Tile) -> Result<RefMut<'_, [T]>> {
        let range = self.nav_range(name, tile)?;
        let n_parts = if self.dtype(name)?.is_complex() && !T::DTYPE.is_complex() { 2 } else { 1 };
        let values = self.buffers.slot(name)?.try_borrow_mut().map_err(|_| in_use(name))?;
        let parts = RefMut::filter_map(values, T::parts_of_mut).map_err(|values| wrong_dtype::<T>(name, &values))?;
        cut(parts, range.start * n_parts..range.end * n_parts)
    }

    /// The part of sig buffer `name` that belongs to the block of `tile`: shape `(...tile.sig_shape(), ...extra)`.
    ///
    /// # Errors
    ///
    /// Where there is no such sig buffer, its dtype is not `T`, or a view of it is still alive.
    pub fn sig<T: Element>(&self, name: &str, tile: &Tile) -> Result<RefMut<'_, [T]>> {
        let range = self.range(name, Kind::Sig, tile.sig_start(), tile.block_len())?;
        cut(self.buffers.write(name)?, range)
    }

    /// All of buffer `name`; of a nav buffer, the entries of the partition.
    ///
    /// # Errors
    ///
    /// Where there is no such buffer, its dtype is not `T`, or a view of it is still alive.
    pub fn whole<T: Element>(&self, name: &str) -> Result<RefMut<'_, [T]>> {
        self.buffers.write(name)
    }

    /// Hands over part of buffer `name`, which is declared [`by_parts`](Buffer::by_parts): `numbers`, converted to its
    /// dtype, are its elements from `offset` on, counted over the whole buffer (of a nav buffer, over the partition's
    /// entries).
    ///
    /// # Errors
    ///
    /// Outside of [`Udf::end`](crate::Udf::end), and where there is no such buffer.
    pub fn emit<T: Element>(&self, name: &str, offset: u64, numbers: &[T]) -> Result<()> {
        let idx = self.emitted(name)?;
        if !numbers.is_empty() {
            emit(self.buffers.declared[idx].dtype, idx, offset, numbers);
        }
        Ok(())
    }

    /// As [`Partial::emit`], of numbers that are those of the buffer, little-endian.
    pub(crate) fn emit_bytes(&self, name: &str, offset: u64, bytes: &[u8]) -> Result<()> {
        host::emit(self.emitted(name)?, offset, bytes);
        Ok(())
    }

    /// Place of buffer `name`, if now is the time to emit it.
    fn emitted(&self, name: &str) -> Result<usize> {
        let idx = position(&self.buffers.declared, name)?;
        if !self.is_ending || !self.buffers.declared[idx].by_parts {
            return Err(Error::new(format!("buffer `{name}` can be emitted only in `end`, and if it is `by_parts`")));
        }
        Ok(idx)
    }

    /// The partition.
    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// The tiles that will come.
    pub fn tiling(&self) -> &Tiling {
        &self.tiling
    }

    /// What [`Udf::buffers`](crate::Udf::buffers) said the elements of buffer `name` are.
    ///
    /// # Errors
    ///
    /// Where there is no such buffer.
    pub fn dtype(&self, name: &str) -> Result<Dtype> {
        self.buffers.dtype(name)
    }

    #[cfg(feature = "ndarray")]
    pub(crate) fn declared(&self) -> &[Buffer] {
        &self.buffers.declared
    }

    pub(crate) fn new(declared: &Rc<Vec<Buffer>>, meta: &Rc<Meta>) -> Self {
        let partition = Partition { index: 0, frame_start: 0, frame_stop: 0, roi_start: 0, roi_stop: 0 };
        let tiling = Tiling::default();
        Self { buffers: Buffers::held(declared), meta: Rc::clone(meta), partition, tiling, is_ending: false }
    }

    /// Fresh buffers for `partition`, in the memory of those before.
    pub(crate) fn restart(&mut self, partition: Partition, tiling: Tiling) -> Result<()> {
        self.partition = partition;
        self.tiling = tiling;
        self.is_ending = false;
        for (buffer, slot) in self.buffers.declared.iter().zip(&mut self.buffers.slots) {
            if let Some(values) = slot {
                refill(values.get_mut(), buffer.len(partition.n_roi_frames(), &self.meta)?, buffer.fill);
            }
        }
        Ok(())
    }

    /// From now on the UDF may emit.
    pub(crate) fn start_ending(&mut self) {
        self.is_ending = true;
    }

    /// Emits all that the SDK holds.
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.is_ending = false;
        (0..self.buffers.declared.len()).try_for_each(|idx| self.buffers.emit(idx))
    }

    fn nav_range(&self, name: &str, tile: &Tile) -> Result<Range<usize>> {
        let first = tile.roi_start().checked_sub(self.partition.roi_start).ok_or_else(outside)?;
        self.range(name, Kind::Nav, first, tile.n_frames())
    }

    /// Elements of `n_entries` entries from `first` on.
    fn range(&self, name: &str, kind: Kind, first: usize, n_entries: usize) -> Result<Range<usize>> {
        let buffer = &self.buffers.declared[position(&self.buffers.declared, name)?];
        if buffer.kind != kind {
            return Err(Error::new(format!("buffer `{name}` is of kind {:?}, not {kind:?}", buffer.kind)));
        }
        let len = buffer.entry_len()?;
        let stop = first.checked_add(n_entries).and_then(|stop| stop.checked_mul(len)).ok_or_else(outside)?;
        Ok(first * len..stop)
    }
}

fn cut<T>(numbers: RefMut<'_, [T]>, range: Range<usize>) -> Result<RefMut<'_, [T]>> {
    RefMut::filter_map(numbers, |numbers| numbers.get_mut(range)).map_err(|_| outside())
}

fn outside() -> Error {
    host::fault("a tile reaches out of its partition or its frame")
}
