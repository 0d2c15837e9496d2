//! Pixels of each frame that were hit at all, from sparse tiles.

use lthost_guest_sdk::prelude::*;

export_udf!(Hits);

struct Hits;

impl Udf for Hits {
    fn manifest() -> Manifest {
        manifest!("hits", "Pixels of each frame that are not zero, and their mean")
    }

    fn new(_: &Params, _: &Meta) -> Result<Self> {
        Ok(Self)
    }

    fn preferences(&self) -> Preferences {
        Preferences::default().csr()
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![
            Buffer::nav("hits", Dtype::U64).unit("px").doc("pixels that are not zero"),
            Buffer::nav("counts", Dtype::F64).unit("counts").doc("sum of the frame"),
        ])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let csr = tile.csr()?;
        each_real!(csr.values(), |values| {
            let (mut hits, mut counts) = (out.nav::<u64>("hits", tile)?, out.nav::<f64>("counts", tile)?);
            for (frame, (pixels, values)) in csr.rows(values).enumerate() {
                hits[frame] += pixels.len() as u64;
                counts[frame] += values.iter().map(|value| value.to_f64()).sum::<f64>();
            }
        })
    }
}

#[test]
fn zeros_are_not_there() {
    use lthost_guest_sdk::testing::Scan;

    let results = Scan::new(&[2], &[3], &[1_u16, 0, 2, 0, 0, 0]).tiles(2, 2).run::<Hits>().unwrap();
    assert_eq!(results.get::<u64>("hits"), [2, 0]);
    assert_eq!(results.get::<f64>("counts"), [3.0, 0.0]);
}
