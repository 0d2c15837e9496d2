//! Sum of each frame: how much the whole detector saw at each place of the scan.
//!
//! A nav buffer has an entry per frame. A frame may come in several tiles, so each tile adds its part to the entries of
//! its frames. The host puts the entries of all partitions in their places; and it adds up the pixels, which need not come here.

use lthost_guest_sdk::prelude::*;

export_udf!(SumSig);

/// The sum of each frame.
pub struct SumSig {
    is_complex: bool,
}

impl Udf for SumSig {
    fn manifest() -> Manifest {
        manifest!("sumsig", "Sum of each frame")
    }

    fn new(_: &Params, meta: &Meta) -> Result<Self> {
        Ok(Self { is_complex: meta.dataset_dtype.is_complex() })
    }

    fn preferences(&self) -> Preferences {
        if self.is_complex { Preferences::default() } else { Preferences::native().in_host() }
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        let dtype = input.promote(Dtype::F32);
        Ok(vec![Buffer::nav("intensity", dtype).unit("counts").doc("sum over all pixels of the frame")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        match out.dtype("intensity")? {
            Dtype::F32 => add::<f32>(out, tile, frame_sums(tile, Dtype::F32)?),
            Dtype::F64 => add::<f64>(out, tile, frame_sums(tile, Dtype::F64)?),
            _ => each_float!(tile.pixels(), |pixels| add_own(out, tile, pixels)?),
        }
    }
}

fn add_own<T: Element>(out: &Partial, tile: &Tile, pixels: &[T]) -> Result<()> {
    add::<T>(out, tile, tile.rows(pixels).map(kernels::sum))
}

/// Adds in the wide type, and rounds once.
fn add<T: Element>(out: &Partial, tile: &Tile, sums: impl IntoIterator<Item = T::Wide>) -> Result<()> {
    for (intensity, sum) in out.nav::<T>("intensity", tile)?.iter_mut().zip(sums) {
        *intensity = T::narrow(intensity.widen().plus(sum));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use lthost_guest_sdk::testing::Scan;

    #[test]
    fn each_frame_has_its_own_sum() {
        let frames = [1_u16, 2, 3, 10, 20, 30];
        for (depth, block_len) in [(2, 3), (1, 1), (2, 2)] {
            let results = Scan::new(&[2], &[3], &frames).tiles(depth, block_len).run::<SumSig>().unwrap();
            assert_eq!(results.get::<f32>("intensity"), [6.0, 60.0]);
        }
    }

    #[test]
    fn complex_frames_have_complex_sums() {
        let frames = [Complex::new(1.0_f32, -1.0), Complex::new(2.0, 3.0)];
        let results = Scan::new(&[1], &[2], &frames).run::<SumSig>().unwrap();
        assert_eq!(results.get::<Complex<f32>>("intensity"), [Complex::new(3.0, 2.0)]);
    }
}
