//! Pixels of each frame that have the largest number which the detector's integers can hold.

use lthost_guest_sdk::prelude::*;

export_udf!(Saturated);

struct Saturated;

impl Udf for Saturated {
    fn manifest() -> Manifest {
        manifest!("saturated", "Number of saturated pixels of each frame")
    }

    fn new(_: &Params, _: &Meta) -> Result<Self> {
        Ok(Self)
    }

    fn preferences(&self) -> Preferences {
        // Only in the dtype of the file is its largest number known.
        Preferences::native()
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        if matches!(input, Dtype::F32 | Dtype::F64 | Dtype::C64 | Dtype::C128) {
            return Err(Error::new(format!("saturated needs data in integers: {input} has no largest number")));
        }
        Ok(vec![Buffer::nav("saturated", Dtype::U64).unit("px").doc("saturated pixels")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        each_real!(tile.pixels(), |pixels| {
            for (saturated, frame) in out.nav::<u64>("saturated", tile)?.iter_mut().zip(tile.rows(pixels)) {
                *saturated += frame.iter().filter(|&&pixel| pixel == largest_of(pixels)).count() as u64;
            }
        })
    }
}

/// The largest number of the dtype of `_pixels`.
fn largest_of<T: Real>(_pixels: &[T]) -> T {
    T::from_f64(f64::INFINITY)
}

#[test]
fn every_dtype_has_its_own_largest_number() {
    use lthost_guest_sdk::testing::Scan;

    let results = Scan::new(&[2], &[2], &[255_u8, 255, 254, 0]).run::<Saturated>().unwrap();
    assert_eq!(results.get::<u64>("saturated"), [2, 0]);
    let results = Scan::new(&[2], &[1], &[255_i16, 32767]).run::<Saturated>().unwrap();
    assert_eq!(results.get::<u64>("saturated"), [0, 1]);
}
