//! The same as `radius`, with the loop over pixels left to the SDK.

use lthost_guest_sdk::{masks, prelude::*};

export_udf!(Radius);

struct Radius {
    /// Two masks: ones, and the distance of each pixel from the middle.
    masks: Vec<f32>,
    preferences: Preferences,
}

impl Udf for Radius {
    fn manifest() -> Manifest {
        manifest!("radius-fast", "Mean distance of the counts of each frame from the middle")
    }

    fn new(_: &Params, meta: &Meta) -> Result<Self> {
        let &[height, width] = meta.sig_shape.as_slice() else {
            return Err(Error::new(format!("radius needs frames of two dimensions, not {:?}", meta.sig_shape)));
        };
        let middle = [height, width].map(|extent| (extent as f64 - 1.0) / 2.0);
        let polar = masks::polar_map([height, width], middle, masks::Ellipse::default());
        let mut masks = vec![1.0; 2 * meta.sig_size()];
        kernels::convert(&polar.distances, &mut masks[meta.sig_size()..]);
        Ok(Self { masks, preferences: meta.counts_or(Preferences::exactly(Dtype::F32)) })
    }

    fn preferences(&self) -> Preferences {
        self.preferences
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![
            Buffer::nav("sums", Dtype::F32).extra(&[2]).unit("counts").doc("products with both masks"),
            Buffer::nav("radius", Dtype::F32).unit("px").doc("mean distance of the counts from the middle"),
        ])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let stack = kernels::Stack { masks: &self.masks, mask_len: self.masks.len() / 2, start: tile.sig_start() };
        let mut sums = out.nav("sums", tile)?;
        each_pixel!(tile.pixels(), f32, |pixels| kernels::add_dots(&mut sums, pixels, tile.block_len(), stack))
    }

    fn end(&mut self, out: &mut Partial) -> Result<()> {
        let (sums, mut radius) = (out.whole::<f32>("sums")?, out.whole::<f32>("radius")?);
        for (radius, sums) in radius.iter_mut().zip(sums.chunks_exact(2)) {
            *radius = sums[1] / sums[0];
        }
        Ok(())
    }
}

#[test]
fn half_the_counts_are_in_the_middle_and_half_beside_it() {
    use lthost_guest_sdk::testing::Scan;

    let frames = [0_u8, 1, 0, 1, 4, 1, 0, 1, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0];
    let results = Scan::new(&[2], &[3, 3], &frames).tiles(1, 3).run::<Radius>().unwrap();
    assert_eq!(results.get::<f32>("radius"), [0.5, 1.0]);
}
