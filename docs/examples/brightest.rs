//! For each pixel of the detector its largest number, and the frame where that was.

use lthost_guest_sdk::prelude::*;

export_udf!(Brightest);

struct Brightest;

impl Udf for Brightest {
    fn manifest() -> Manifest {
        manifest!("brightest", "Largest number of each pixel, and its frame").with_merge()
    }

    fn new(_: &Params, _: &Meta) -> Result<Self> {
        Ok(Self)
    }

    fn preferences(&self) -> Preferences {
        Preferences::exactly(Dtype::F64)
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![
            Buffer::sig("largest", Dtype::F64).merge(Merge::Custom).fill(f64::NEG_INFINITY).unit("counts"),
            Buffer::sig("frame", Dtype::I64).merge(Merge::Custom).fill(-1.0).doc("frame index; -1 where there is none"),
        ])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let Numbers::F64(pixels) = tile.pixels() else { return Err(Error::new("expected float64")) };
        let (mut largest, mut frame) = (out.sig::<f64>("largest", tile)?, out.sig::<i64>("frame", tile)?);
        for (index, block) in tile.frame_indices().zip(tile.rows(pixels)) {
            keep_larger(&mut largest, &mut frame, block, |_| index as i64);
        }
        Ok(())
    }

    fn merge(&self, _: &Partition, dest: &Buffers, src: &Buffers, _: &[bool]) -> Result<()> {
        let from = src.read::<i64>("frame")?;
        let (mut largest, mut frame) = (dest.write::<f64>("largest")?, dest.write::<i64>("frame")?);
        keep_larger(&mut largest, &mut frame, &src.read::<f64>("largest")?, |pixel| from[pixel]);
        Ok(())
    }
}

/// Takes over each of `numbers` that is larger, and where it is from.
fn keep_larger(largest: &mut [f64], frame: &mut [i64], numbers: &[f64], from: impl Fn(usize) -> i64) {
    for (pixel, &number) in numbers.iter().enumerate() {
        if number > largest[pixel] {
            (largest[pixel], frame[pixel]) = (number, from(pixel));
        }
    }
}

#[test]
fn the_first_of_equal_numbers_counts_in_any_cut() {
    use lthost_guest_sdk::testing::Scan;

    for n_partitions in 1..4 {
        let scan = Scan::new(&[3], &[2], &[1_u16, 7, 5, 7, 3, 2]).partitions(n_partitions);
        let results = scan.run::<Brightest>().unwrap();
        assert_eq!(results.get::<f64>("largest"), [5.0, 7.0]);
        assert_eq!(results.get::<i64>("frame"), [1, 0]);
    }
}
