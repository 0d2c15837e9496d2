//! One call of a function, between the tile and the code that `export_map!` writes.
#![expect(clippy::missing_errors_doc, reason = "called by generated code only")]

use super::{Argument, Frame, Mapped, Take, argument::argument, frame::Place};
use crate::{Element, Error, Input, Numbers, Params, Result};

/// A frame of any dtype, and the parameters.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    pub(super) params: &'a Params,
    /// Shape `place.sig_shape`.
    pub(super) pixels: Numbers<'a>,
    pub(super) place: Place<'a>,
}

impl<'a> Call<'a> {
    /// The pixels of the frame.
    pub fn pixels(&self) -> Numbers<'a> {
        self.pixels
    }

    /// The value of parameter `name`.
    pub fn argument<A: Argument<'a>>(&self, name: &str) -> Result<A> {
        argument(self.params, name)
    }

    /// Calls `function` with the frame, whose pixels are `pixels`.
    pub fn with<T: Element, M: Mapped>(
        &self,
        pixels: &'a [T],
        function: impl FnOnce(Frame<'a, T>) -> M,
        take: &mut Take<'_>,
    ) -> Result<()> {
        function(Frame::new(pixels, self.place)).give(take)
    }

    /// Calls `function` with the frame, if its pixels are what the function takes.
    pub fn exactly<T: Element, M: Mapped>(
        &self,
        function: impl FnOnce(Frame<'a, T>) -> M,
        take: &mut Take<'_>,
    ) -> Result<()> {
        let pixels = self.pixels.as_slice().ok_or_else(|| {
            Error::new(format!("the function takes frames of {}, and these are {}", T::DTYPE, self.pixels.dtype()))
        })?;
        self.with(pixels, function, take)
    }
}

/// In which dtype `function` wants its frames. It is not called.
pub fn exactly<'a, T: Element, M: Mapped>(_: impl FnOnce(Frame<'a, T>) -> M) -> Input {
    Input::Exactly(T::DTYPE)
}

/// Stands for an argument of a function that is not called.
///
/// # Panics
///
/// Always.
pub fn unbound<A>() -> A {
    unreachable!("a function was called where only its type is asked for")
}
