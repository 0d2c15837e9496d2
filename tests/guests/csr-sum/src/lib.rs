//! Sums of frames and of pixels from sparse tiles: what `sumsig` and `sum` do with dense ones.

use lthost_guest_sdk::prelude::*;

export_udf!(CsrSum);

/// The sum of each frame, and of all frames.
pub struct CsrSum {
    form: Preferences,
}

impl Udf for CsrSum {
    fn manifest() -> Manifest {
        manifest!("csr-sum", "Sums of frames and pixels from sparse tiles").parameter(
            Parameter::text("by").choices(&["tile", "frame", "partition"]).default("tile").doc("granularity"),
        )
    }

    fn new(params: &Params, _: &Meta) -> Result<Self> {
        let form = Preferences::at_least(Dtype::F32).csr();
        let by: String = params.get("by")?;
        Ok(Self {
            form: match by.as_str() {
                "frame" => form.by_frame(),
                "partition" => form.by_partition(),
                _ => form,
            },
        })
    }

    fn preferences(&self) -> Preferences {
        self.form
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![
            Buffer::nav("frames", input).doc("sum over all pixels of the frame"),
            Buffer::sig("pixels", input).merge(Merge::Sum).doc("sum of each pixel"),
            Buffer::nav("stored", Dtype::U32).doc("entries of the frame"),
        ])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let csr = tile.csr()?;
        let mut stored = out.nav::<u32>("stored", tile)?;
        each_float!(csr.values(), |values| {
            let (mut frames, mut pixels) = (out.nav("frames", tile)?, out.sig("pixels", tile)?);
            for (frame, (row, values)) in csr.rows(values).enumerate() {
                if !row.is_sorted_by(|a, b| a < b) {
                    return Err(Error::new("the pixels of a row do not ascend"));
                }
                stored[frame] += u32::try_from(row.len()).map_err(|_| Error::new("too many entries"))?;
                add(&mut frames[frame], &mut pixels, (row, values));
            }
        })
    }
}

fn add<T: Element>(frame: &mut T, pixels: &mut [T], (row, values): (&[u32], &[T])) {
    for (&pixel, &value) in row.iter().zip(values) {
        *frame = frame.plus(value);
        pixels[pixel as usize] = pixels[pixel as usize].plus(value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use lthost_guest_sdk::testing::Scan;

    #[test]
    fn only_what_is_not_zero_is_stored() {
        for block_len in 1..4 {
            let scan = Scan::new(&[2], &[3], &[1_u16, 0, 2, 0, 0, 30]).tiles(2, block_len);
            let results = scan.run::<CsrSum>().unwrap();
            assert_eq!(results.get::<f32>("frames"), [3.0, 30.0]);
            assert_eq!(results.get::<f32>("pixels"), [1.0, 0.0, 32.0]);
            assert_eq!(results.get::<u32>("stored"), [2, 1]);
        }
    }
}
