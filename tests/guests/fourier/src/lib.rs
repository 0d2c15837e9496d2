//! Frames, their Fourier transforms by the host, and what these are the transforms of, as real numbers and as complex ones.

use lthost_guest_sdk::{Fourier, prelude::*};

export_udf!(There);

/// Transforms all frames of a tile in one call.
pub struct There {
    sig_shape: Vec<usize>,
}

impl Udf for There {
    fn manifest() -> Manifest {
        manifest!("fourier", "There and back again").by_frame().real_only()
    }

    fn new(_: &Params, meta: &Meta) -> Result<Self> {
        Ok(Self { sig_shape: meta.sig_shape.clone() })
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        let complex = if input == Dtype::F64 { Dtype::C128 } else { Dtype::C64 };
        let half = Fourier::<f32>::new(&self.sig_shape)?.transformed_shape();
        let real = if input == Dtype::F64 { Dtype::F64 } else { Dtype::F32 };
        Ok(vec![
            Buffer::nav("half", complex).extra(&half),
            Buffer::nav("back", real).extra(&self.sig_shape),
            Buffer::nav("whole", complex).extra(&self.sig_shape),
            Buffer::nav("whole_back", complex).extra(&self.sig_shape),
        ])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        match tile.pixels() {
            Numbers::F64(frames) => self.both(frames, tile, out),
            Numbers::F32(frames) => self.both(frames, tile, out),
            other => Err(Error::new(format!("did not expect {}", other.dtype()))),
        }
    }
}

impl There {
    fn both<T: Part>(&self, frames: &[T], tile: &Tile, out: &mut Partial) -> Result<()> {
        let real = Fourier::<T>::new(&self.sig_shape)?;
        let half = real.forward(frames)?;
        out.nav("half", tile)?.copy_from_slice(&half);
        out.nav("back", tile)?.copy_from_slice(&real.inverse(&half)?);
        // Shifted in the imaginary part, so that there is one.
        let complex = |number: &T| T::Complex::from_complex(Complex::new(number.to_f64(), 1.0));
        let numbers: Vec<T::Complex> = frames.iter().map(complex).collect();
        let fourier = Fourier::<T::Complex>::new(&self.sig_shape)?;
        let whole = fourier.forward(&numbers)?;
        out.nav("whole", tile)?.copy_from_slice(&whole);
        out.nav("whole_back", tile)?.copy_from_slice(&fourier.inverse(&whole)?);
        Ok(())
    }
}
