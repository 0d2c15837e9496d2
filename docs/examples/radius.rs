//! Mean distance of the counts of each frame from the middle of the detector.

use lthost_guest_sdk::{masks, prelude::*};

export_udf!(Radius);

struct Radius {
    /// Distance of each pixel of a frame from the middle, in pixels.
    distance: Vec<f64>,
}

impl Udf for Radius {
    fn manifest() -> Manifest {
        manifest!("radius", "Mean distance of the counts of each frame from the middle")
    }

    fn new(_: &Params, meta: &Meta) -> Result<Self> {
        let &[height, width] = meta.sig_shape.as_slice() else {
            return Err(Error::new(format!("radius needs frames of two dimensions, not {:?}", meta.sig_shape)));
        };
        let middle = [height, width].map(|extent| (extent as f64 - 1.0) / 2.0);
        let polar = masks::polar_map([height, width], middle, masks::Ellipse::default());
        Ok(Self { distance: polar.distances })
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![
            Buffer::nav("counts", Dtype::F64).unit("counts").doc("sum of the frame"),
            Buffer::nav("radius", Dtype::F64).unit("px").doc("mean distance of its counts from the middle"),
        ])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        each_real!(tile.pixels(), |pixels| {
            let (mut counts, mut radius) = (out.nav::<f64>("counts", tile)?, out.nav::<f64>("radius", tile)?);
            // Pixel `i` of the block is pixel `sig_start + i` of the frame.
            let distance = &self.distance[tile.sig_start()..];
            for (frame, block) in tile.rows(pixels).enumerate() {
                for (pixel, distance) in block.iter().zip(distance) {
                    counts[frame] += pixel.to_f64();
                    radius[frame] += pixel.to_f64() * distance;
                }
            }
        })
    }

    fn end(&mut self, out: &mut Partial) -> Result<()> {
        let (counts, mut radius) = (out.whole::<f64>("counts")?, out.whole::<f64>("radius")?);
        for (radius, counts) in radius.iter_mut().zip(&*counts) {
            *radius /= counts;
        }
        Ok(())
    }
}

#[test]
fn tiles_of_any_size_give_the_same() {
    use lthost_guest_sdk::testing::Scan;

    // The middle of 3 x 3 pixels is pixel 4. Half the counts of the first frame are there, half a pixel away from it.
    let frames = [0_u8, 1, 0, 1, 4, 1, 0, 1, 0, 0, 0, 0, 7, 0, 0, 0, 0, 0];
    let results = Scan::new(&[2], &[3, 3], &frames).run_every_way::<Radius>().unwrap();
    assert_eq!(results.get::<f64>("radius"), [0.5, 1.0]);
}
