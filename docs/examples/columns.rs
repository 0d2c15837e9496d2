//! What each column of the detector sees, frame by frame.

use lthost_guest_sdk::{ndarray, prelude::*};

export_udf!(Columns);

struct Columns {
    width: usize,
}

impl Udf for Columns {
    fn manifest() -> Manifest {
        manifest!("columns", "Sum over the rows of each frame")
    }

    fn new(_: &Params, meta: &Meta) -> Result<Self> {
        let &[_, width] = meta.sig_shape.as_slice() else {
            return Err(Error::new(format!("columns needs frames of two dimensions, not {:?}", meta.sig_shape)));
        };
        Ok(Self { width })
    }

    fn preferences(&self) -> Preferences {
        Preferences::exactly(Dtype::F32)
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![Buffer::nav("columns", Dtype::F32).extra(&[self.width]).unit("counts")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let mut columns = out.nav_array::<f32>("columns", tile)?;
        // Shape (n_frames, height, width) of a block of the frames, which starts at `sig_origin`.
        let block = tile.view::<f32>()?;
        let first = tile.sig_origin()[1];
        let mut seen = columns.view_mut();
        let mut seen = seen.slice_mut(ndarray::s![.., first..first + tile.sig_shape()[1]]);
        seen += &block.sum_axis(ndarray::Axis(1));
        Ok(())
    }
}

#[test]
fn columns_are_summed() {
    use lthost_guest_sdk::testing::Scan;

    let scan = Scan::new(&[2], &[2, 3], &[1_u16, 2, 3, 10, 20, 30, 4, 5, 6, 0, 0, 0]);
    let results = scan.run_every_way::<Columns>().unwrap();
    assert_eq!(results.get::<f32>("columns"), [11.0, 22.0, 33.0, 4.0, 5.0, 6.0]);
}
