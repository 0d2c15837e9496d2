//! Counts of each line of the scan, and what the run is told of the data.

use lthost_guest_sdk::{Level, Role, log, prelude::*};

export_udf!(Lines);

struct Lines {
    n_lines: usize,
}

impl Udf for Lines {
    fn manifest() -> Manifest {
        manifest!("lines", "Counts of each line of the scan")
    }

    fn new(_: &Params, meta: &Meta) -> Result<Self> {
        // There is an instance for each worker, and one more on the main thread: that one speaks.
        if meta.role == Role::Main {
            let (nav, sig, dtype) = (&meta.nav_shape, &meta.sig_shape, meta.dataset_dtype);
            log(Level::Info, format!("scan {nav:?} of frames {sig:?}, stored as {dtype}"));
            for (key, text) in &meta.metadata {
                log(Level::Info, format!("{key}: {text}"));
            }
        }
        Ok(Self { n_lines: meta.nav_shape[0] })
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![Buffer::single("line", Dtype::F64).extra(&[self.n_lines]).merge(Merge::Sum).unit("counts")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        each_real!(tile.pixels(), |pixels| {
            let mut line = out.whole::<f64>("line")?;
            for (at, frame) in tile.coordinates().zip(tile.rows(pixels)) {
                line[at[0]] += frame.iter().map(|pixel| pixel.to_f64()).sum::<f64>();
            }
        })
    }
}

#[test]
fn each_line_has_the_counts_of_its_frames() {
    use lthost_guest_sdk::testing::Scan;

    let scan = Scan::new(&[2, 2], &[2], &[1_u8, 1, 2, 2, 10, 10, 20, 20]).partitions(3);
    assert_eq!(scan.run::<Lines>().unwrap().get::<f64>("line"), [6.0, 60.0]);
}
