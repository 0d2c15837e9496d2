//! Counts outside of the direct beam over those within it, where enough are within it.

use lthost_guest_sdk::{
    masks::{self, Edge},
    prelude::*,
};

export_udf!(Ratio);

struct Ratio {
    /// 1 for pixels of the direct beam, 0 for all others.
    beam: Vec<f64>,
    least: f64,
}

impl Udf for Ratio {
    fn manifest() -> Manifest {
        let radius = Parameter::number("r").required().minimum(0.0).unit("px");
        let least = Parameter::number("least").default(1.0).minimum(0.0).unit("counts");
        manifest!("ratio", "Counts outside of the direct beam over those within it")
            .parameter(radius.doc("radius of the direct beam"))
            .parameter(least.doc("with fewer counts in the beam, a ratio means nothing"))
            .with_results()
    }

    fn new(params: &Params, meta: &Meta) -> Result<Self> {
        let &[height, width] = meta.sig_shape.as_slice() else {
            return Err(Error::new(format!("ratio needs frames of two dimensions, not {:?}", meta.sig_shape)));
        };
        let middle = [height, width].map(|extent| (extent as f64 - 1.0) / 2.0);
        let beam = masks::disk([height, width], middle, params.get("r")?, Edge::Sharp);
        Ok(Self { beam, least: params.get("least")? })
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![
            Buffer::nav("inside", Dtype::F64).private(),
            Buffer::nav("outside", Dtype::F64).private(),
            Buffer::nav("ratio", Dtype::F64).result_only().doc("counts outside over counts inside"),
        ])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        each_real!(tile.pixels(), |pixels| {
            let (mut inside, mut outside) = (out.nav::<f64>("inside", tile)?, out.nav::<f64>("outside", tile)?);
            for (frame, block) in tile.rows(pixels).enumerate() {
                for (pixel, weight) in block.iter().zip(&self.beam[tile.sig_start()..]) {
                    inside[frame] += pixel.to_f64() * weight;
                    outside[frame] += pixel.to_f64() * (1.0 - weight);
                }
            }
        })
    }

    fn results(&self, merged: &Buffers, valid: &[bool], out: &mut Output) -> Result<()> {
        let (inside, outside) = (merged.read::<f64>("inside")?, merged.read::<f64>("outside")?);
        let ratio: Vec<f64> = outside.iter().zip(&*inside).map(|(outside, inside)| outside / inside).collect();
        // A frame has to be merged, and to have enough in the beam.
        let is_valid = |(inside, is_merged): (&f64, &bool)| *is_merged && *inside >= self.least;
        out.put_masked("ratio", &ratio, &inside.iter().zip(valid).map(is_valid).collect::<Vec<_>>())
    }
}

#[test]
fn a_frame_with_too_little_in_the_beam_is_marked() {
    use lthost_guest_sdk::testing::Scan;

    let scan = Scan::new(&[2], &[1, 3], &[3_u16, 2, 1, 3, 0, 1]).param("r", 0.5);
    let results = scan.run::<Ratio>().unwrap();
    assert_eq!(results.get::<f64>("ratio")[0], 2.0);
    assert_eq!(results.mask("ratio").unwrap(), [true, false]);
}
