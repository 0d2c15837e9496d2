//! A virtual annular detector: the counts of each frame within a ring.

use lthost_guest_sdk::{
    masks::{self, Edge},
    prelude::*,
};

export_udf!(Ring);

#[derive(Parameters)]
struct Radii {
    /// inner radius
    #[param(minimum = 0, unit = "px")]
    ri: f64,
    /// outer radius
    #[param(minimum = 0, unit = "px")]
    ro: f64,
}

struct Ring {
    /// What lasts for the run: the weight of each pixel of a frame.
    mask: Vec<f32>,
}

impl Udf for Ring {
    fn manifest() -> Manifest {
        manifest!("ring", "Counts of each frame within a ring").parameters::<Radii>()
    }

    fn new(params: &Params, meta: &Meta) -> Result<Self> {
        let &[height, width] = meta.sig_shape.as_slice() else {
            return Err(Error::new(format!("ring needs frames of two dimensions, not {:?}", meta.sig_shape)));
        };
        let Radii { ri, ro } = params.read()?;
        if ri >= ro {
            return Err(Error::parameter("ro", format!("more than `ri`, {ri}"), ro));
        }
        let middle = [height, width].map(|extent| (extent as f64 - 1.0) / 2.0);
        let ring = masks::ring([height, width], middle, [ri, ro], Edge::Smooth);
        let mut mask = vec![0.0; ring.len()];
        kernels::convert(&ring, &mut mask);
        Ok(Self { mask })
    }

    fn preferences(&self) -> Preferences {
        Preferences::exactly(Dtype::F32)
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![Buffer::nav("intensity", Dtype::F32).unit("counts").doc("counts within the ring")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let pixels = tile.pixels_as::<f32>()?;
        let stack = kernels::Stack { masks: &self.mask, mask_len: self.mask.len(), start: tile.sig_start() };
        kernels::add_dots(&mut out.nav("intensity", tile)?, pixels, tile.block_len(), stack);
        Ok(())
    }
}

#[test]
fn the_ring_is_around_the_middle() {
    use lthost_guest_sdk::testing::Scan;

    let run = |ri: f64| {
        let scan = Scan::new(&[1], &[3, 3], &[0_u16, 1, 0, 2, 50, 3, 0, 4, 0]);
        scan.param("ri", ri).param("ro", 1.5).run::<Ring>()
    };
    assert_eq!(run(0.5).unwrap().get::<f32>("intensity"), [10.0]);
    assert_eq!(run(2.0).unwrap_err().message(), "parameter `ro`: expected more than `ri`, 2, given 1.5");
}
