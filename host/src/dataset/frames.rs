//! The frames of the files of a data set, and how a run of them is decoded.

use std::{cell::RefCell, ops::Range};

use super::{DatasetError, fortran::FortranOrder, map::MappedFile, merlin_raw::Packing};
use crate::shape::{Dtype, Kernel};

/// Elements of a Fortran-order array that are gathered at a time.
const GATHERED: usize = 4096;

thread_local! {
    /// Room for what lies between the bytes of a file and the caller's numbers: a row, or some gathered elements.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Frames that follow each other in one file.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) file: MappedFile,
    /// Index of its first frame among the frames of all files.
    pub(super) first: u64,
    pub(super) n_frames: usize,
    /// Where the pixels of its first frame start, in bytes.
    pub(super) start: usize,
    /// Bytes from frame to frame.
    pub(super) pitch: usize,
}

/// How the bytes of a frame become numbers.
#[derive(Debug)]
pub(super) enum Coding {
    /// One after the other.
    Plain,
    /// One after the other, but in an order that mixes the frames.
    Fortran(FortranOrder),
    /// Packed by the detector.
    Packed(Packing),
}

/// All frames of a data set.
#[derive(Debug)]
pub(super) struct Frames {
    pub(super) pieces: Vec<Piece>,
    pub(super) coding: Coding,
    /// Pixels of a frame.
    pub(super) n_pixels: usize,
    /// Bytes of a number in the files, once it is unpacked.
    pub(super) item: usize,
    /// Bytes of the pixels of a frame in the file.
    pub(super) frame_bytes: usize,
}

/// What is asked for of each frame.
pub(super) struct Wanted {
    /// Pixels, flat.
    pub(super) sig: Range<usize>,
    /// From the numbers of the files to numbers of `dtype`.
    pub(super) kernel: Kernel,
    /// Whether that leaves them as they are.
    pub(super) is_copy: bool,
    pub(super) dtype: Dtype,
}

impl Frames {
    /// Decodes the frames from `first` on into `out`, as many as it has room for. They must exist.
    pub(super) fn read(&self, first: u64, wanted: &Wanted, mut out: &mut [u8]) -> Result<(), DatasetError> {
        let frame_out = wanted.sig.len() * wanted.dtype.size();
        let mut next = first;
        let start = self.pieces.partition_point(|piece| piece.first <= first).saturating_sub(1);
        for piece in &self.pieces[start..] {
            if out.is_empty() {
                break;
            }
            let skip = usize::try_from(next - piece.first).expect("a frame of this file");
            let n_frames = (out.len() / frame_out).min(piece.n_frames - skip);
            let (here, rest) = out.split_at_mut(n_frames * frame_out);
            piece.file.check()?;
            self.read_piece(piece, skip, wanted, here)?;
            next += n_frames as u64;
            out = rest;
        }
        Ok(())
    }

    /// Where some frames lie: in which files, and there from the first to the last byte. They must exist, and not be mixed.
    pub(super) fn extents(&self, frames: Range<u64>) -> impl Iterator<Item = (&MappedFile, Range<usize>)> {
        let start = self.pieces.partition_point(|piece| piece.first <= frames.start).saturating_sub(1);
        self.pieces[start..].iter().take_while(move |piece| piece.first < frames.end).map(move |piece| {
            let index = |frame: u64| {
                usize::try_from(frame.saturating_sub(piece.first)).map_or(piece.n_frames, |n| n.min(piece.n_frames))
            };
            let last = index(frames.end) - 1;
            let bytes =
                piece.start + index(frames.start) * piece.pitch..piece.start + last * piece.pitch + self.frame_bytes;
            (&piece.file, bytes)
        })
    }

    /// Decodes the frames of one file, from the `skip`th on.
    fn read_piece(&self, piece: &Piece, skip: usize, wanted: &Wanted, out: &mut [u8]) -> Result<(), DatasetError> {
        let Wanted { sig, kernel, is_copy, dtype } = wanted;
        let size = dtype.size();
        let bytes = &piece.file.bytes()[piece.start..];
        let frame_out = sig.len() * size;
        // Bytes from the first frame's pixels on.
        let convert = |part: Range<usize>, out: &mut [u8]| {
            if *is_copy {
                return piece.file.copy(piece.start + part.start..piece.start + part.end, out);
            }
            kernel(&bytes[part], out);
            Ok(())
        };
        match &self.coding {
            Coding::Plain if sig.len() == self.n_pixels && piece.pitch == self.frame_bytes => {
                let n_frames = out.len() / frame_out;
                convert(skip * piece.pitch..(skip + n_frames) * piece.pitch, out)?;
            }
            Coding::Plain => {
                for (frame, out) in (skip..).zip(out.chunks_exact_mut(frame_out)) {
                    let pixels = frame * piece.pitch + sig.start * self.item;
                    convert(pixels..pixels + sig.len() * self.item, out)?;
                }
            }
            Coding::Fortran(order) => SCRATCH.with_borrow_mut(|scratch| {
                scratch.resize(GATHERED * self.item, 0);
                for (frame, out) in (skip..).zip(out.chunks_exact_mut(frame_out)) {
                    let mut next = frame * self.n_pixels + sig.start;
                    for out in out.chunks_mut(GATHERED * size) {
                        let gathered = &mut scratch[..out.len() / size * self.item];
                        order.gather(bytes, next, self.item, gathered);
                        kernel(gathered, out);
                        next += GATHERED;
                    }
                }
            }),
            Coding::Packed(packing) => SCRATCH.with_borrow_mut(|scratch| {
                for (frame, out) in (skip..).zip(out.chunks_exact_mut(frame_out)) {
                    let packed = &bytes[frame * piece.pitch..][..self.frame_bytes];
                    packing.decode(packed, sig.clone(), scratch, |start, numbers| {
                        let len = numbers.len() / self.item * size;
                        kernel(numbers, &mut out[start * size..][..len]);
                    });
                }
            }),
        }
        Ok(())
    }
}
