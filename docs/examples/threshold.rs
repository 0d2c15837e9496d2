//! Counts above a level, in each frame; the level may change while the run goes on.

use lthost_guest_sdk::prelude::*;

export_udf!(Threshold);

struct Threshold {
    level: f64,
}

impl Udf for Threshold {
    fn manifest() -> Manifest {
        manifest!("threshold", "Counts above a level in each frame")
            .parameter(Parameter::number("level").default(10.0).unit("counts").doc("pixels above it count"))
            .with_update()
    }

    fn new(params: &Params, _: &Meta) -> Result<Self> {
        Ok(Self { level: params.get("level")? })
    }

    fn update(&mut self, params: &Params) -> Result<()> {
        self.level = params.get("level")?;
        Ok(())
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![
            Buffer::nav("counts", Dtype::F64).unit("counts").doc("counts of the pixels above the level"),
            Buffer::nav("level", Dtype::F64).unit("counts").doc("the level that held for this frame"),
        ])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        out.nav::<f64>("level", tile)?.fill(self.level);
        each_real!(tile.pixels(), |pixels| {
            for (counts, frame) in out.nav::<f64>("counts", tile)?.iter_mut().zip(tile.rows(pixels)) {
                *counts += frame.iter().map(|pixel| pixel.to_f64()).filter(|&count| count > self.level).sum::<f64>();
            }
        })
    }
}
