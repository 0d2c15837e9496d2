//! Pixels of each frame above a level, which may be a share of the frame's largest pixel.

use lthost_guest_sdk::prelude::*;

export_udf!(Above);

#[derive(Parameters)]
struct Above {
    /// pixels above it count
    #[param(minimum = 0)]
    level: f64,
    /// whether it is a share of the largest pixel, from 0 to 1
    #[param(default = false)]
    relative: bool,
}

impl Udf for Above {
    fn manifest() -> Manifest {
        manifest!("above", "Number of pixels above a level in each frame").parameters::<Self>()
    }

    fn new(params: &Params, _: &Meta) -> Result<Self> {
        params.read()
    }

    fn preferences(&self) -> Preferences {
        // The largest pixel of a frame is known only where the frame is there as a whole.
        if self.relative { Preferences::default().by_frame() } else { Preferences::default() }
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![Buffer::nav("above", Dtype::U64).unit("px")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        each_real!(tile.pixels(), |pixels| {
            for (above, frame) in out.nav::<u64>("above", tile)?.iter_mut().zip(tile.rows(pixels)) {
                let largest = if self.relative { kernels::largest(frame) } else { None };
                let level = largest.map_or(self.level, |largest| self.level * largest.to_f64());
                *above += frame.iter().filter(|pixel| pixel.to_f64() > level).count() as u64;
            }
        })
    }
}

#[test]
fn the_share_is_that_of_the_whole_frame() {
    use lthost_guest_sdk::testing::Scan;

    // In tiles of one pixel, if they were taken, each would be the largest.
    let scan = Scan::new(&[2], &[3], &[1_u16, 4, 8, 3, 3, 3]).tiles(1, 1).param("level", 0.5);
    assert_eq!(scan.run::<Above>().unwrap().get::<u64>("above"), [3, 3]);
    assert_eq!(scan.param("relative", true).run::<Above>().unwrap().get::<u64>("above"), [1, 3]);
}
