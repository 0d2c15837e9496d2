//! Number of pixels above a level, in each frame.

use lthost_guest_sdk::prelude::*;

export_udf!(Events);

#[derive(Parameters)]
struct Events {
    /// pixels with more than this count
    #[param(default = 10.0, minimum = 0, unit = "counts")]
    level: f64,
}

impl Udf for Events {
    fn manifest() -> Manifest {
        manifest!("events", "Number of pixels above a level in each frame").real_only().parameters::<Self>()
    }

    fn new(params: &Params, _: &Meta) -> Result<Self> {
        params.read()
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![Buffer::nav("events", Dtype::U64).unit("px").doc("pixels above the level")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        each_real!(tile.pixels(), |pixels| {
            let mut events = out.nav::<u64>("events", tile)?;
            for (n_events, frame) in events.iter_mut().zip(tile.rows(pixels)) {
                *n_events += frame.iter().filter(|pixel| pixel.to_f64() > self.level).count() as u64;
            }
        })
    }
}

#[test]
fn pixels_above_the_level_are_counted() {
    use lthost_guest_sdk::testing::Scan;

    // A scan of two frames with three pixels each.
    let scan = Scan::new(&[2], &[3], &[0_u16, 5, 6, 9, 9, 5]).param("level", 5.0);
    assert_eq!(scan.run_every_way::<Events>().unwrap().get::<u64>("events"), [1, 2]);
}
