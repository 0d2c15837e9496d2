//! The way out for whole buffers.

use std::rc::Rc;

use crate::{
    Buffer, Element, Error, Meta, Result, host,
    store::{emit, position, wrong_len},
};

/// Takes whole buffers: results, or what a merge of all partitions gave.
#[derive(Debug)]
pub struct Output {
    declared: Rc<Vec<Buffer>>,
    meta: Rc<Meta>,
    /// True within `results`, where alone masks are taken.
    takes_masks: bool,
}

impl Output {
    /// Hands over buffer `name`, whole; a nav buffer has an entry for each frame that the ROI selects. `numbers` are
    /// converted to its dtype.
    ///
    /// # Errors
    ///
    /// Where there is no such buffer, or it is of another size.
    pub fn put<T: Element>(&mut self, name: &str, numbers: &[T]) -> Result<()> {
        let idx = position(&self.declared, name)?;
        let buffer = &self.declared[idx];
        let len = buffer.len(self.meta.n_roi_frames, &self.meta)?;
        if numbers.len() != len {
            return Err(wrong_len(name, len, numbers.len()));
        }
        emit(buffer.dtype, idx, 0, numbers);
        Ok(())
    }

    /// Like [`Output::put`]; `valid` says of each element whether it means something. Within
    /// [`Udf::results`](crate::Udf::results) only.
    ///
    /// # Errors
    ///
    /// As [`Output::put`], and where there is not one truth value per element.
    pub fn put_masked<T: Element>(&mut self, name: &str, numbers: &[T], valid: &[bool]) -> Result<()> {
        if valid.len() != numbers.len() {
            return Err(wrong_len(&format!("{name}` (its mask of valid elements)"), numbers.len(), valid.len()));
        }
        if !self.takes_masks {
            return Err(Error::new(format!("buffer `{name}`: only `results` can say which elements are valid")));
        }
        self.put(name, numbers)?;
        let mask: Vec<u8> = valid.iter().copied().map(u8::from).collect();
        host::emit_mask(position(&self.declared, name)?, &mask);
        Ok(())
    }

    pub(crate) fn new(declared: &Rc<Vec<Buffer>>, meta: &Rc<Meta>, takes_masks: bool) -> Self {
        Self { declared: Rc::clone(declared), meta: Rc::clone(meta), takes_masks }
    }
}
