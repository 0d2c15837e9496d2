//! Makes mistakes that stay hidden in a single run: parameter `mistake` says which. Without one it is honest: `frames` has the
//! sum of each frame, `pixels` that of each pixel over all frames, `places` the coordinates of each frame times its sum.
#![expect(clippy::cast_precision_loss, reason = "a test has few frames")]

use lthost_guest_sdk::prelude::*;

export_udf!(Broken);

/// All mistakes.
const MISTAKES: [&str; 27] = [
    "none",
    // Tiles.
    "tile-mean",
    "tile-peak",
    "first-tile",
    "all-entries",
    "carry",
    // Blocks of the detector.
    "first-block",
    "block-as-frame",
    "last-pixel",
    // Partitions.
    "assign",
    "overwrite",
    "mean-of-means",
    "sum-of-means",
    "fill",
    "outside",
    // What is kept.
    "count-on",
    "not-reset",
    // The ROI.
    "roi-as-place",
    "roi-in-a-row",
    "roi-length",
    // Numbers.
    "not-finite",
    "overflow",
    // Failures.
    "panic-single",
    "panic-odd",
    "panic-empty-roi",
    "panic-no-tiles",
    "error-signed",
];

struct Broken {
    mistake: String,
    nav_shape: Vec<usize>,
    sig_shape: Vec<usize>,
    n_roi_frames: usize,
    /// Sum of the frame before, in this tile or another.
    before: f64,
    /// Tiles of the partition.
    n_tiles: usize,
    /// Frames of this instance, in all partitions.
    n_frames: usize,
    /// Sums of pixels, for mistakes that keep their own.
    sums: Vec<f64>,
}

impl Udf for Broken {
    fn manifest() -> Manifest {
        manifest!("broken", "Makes mistakes on command; otherwise sums")
            .parameter(Parameter::text("mistake").choices(&MISTAKES).default("none").doc("which mistake"))
            .with_merge()
            .with_results()
    }

    fn new(params: &Params, meta: &Meta) -> Result<Self> {
        Ok(Self {
            mistake: params.get("mistake")?,
            nav_shape: meta.nav_shape.clone(),
            sig_shape: meta.sig_shape.clone(),
            n_roi_frames: meta.n_roi_frames,
            before: 0.0,
            n_tiles: 0,
            n_frames: 0,
            sums: vec![0.0; meta.sig_size()],
        })
    }

    fn preferences(&self) -> Preferences {
        if self.makes("overflow") { Preferences::native() } else { Preferences::at_least(Dtype::F32) }
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        if input.is_complex() {
            return Err(Error::new(format!("broken needs real numbers, and these are {input}")));
        }
        let merge = match self.mistake.as_str() {
            "assign" => Merge::Assign,
            "overwrite" | "mean-of-means" => Merge::Custom,
            _ => Merge::Sum,
        };
        let overflow = self.makes("overflow");
        let frames = Buffer::nav("frames", Dtype::F64).doc("sum of each frame");
        let pixels =
            Buffer::sig("pixels", if overflow { input } else { Dtype::F64 }).merge(merge).doc("sum of each pixel");
        Ok(vec![
            if self.makes("outside") { frames.by_parts() } else { frames },
            if self.makes("fill") { pixels.fill(10.0) } else { pixels },
            Buffer::nav("places", Dtype::F64).extra(&[self.nav_shape.len()]).doc("coordinates times sum"),
            Buffer::single("count", Dtype::F64).merge(Merge::Sum).doc("number of frames"),
            // Something must merge by hand, for `merge` to be called.
            Buffer::single("merges", Dtype::F64).merge(Merge::Custom).private().doc("nothing"),
            Buffer::sig("mean", Dtype::F64).result_only().doc("mean of each pixel"),
        ])
    }

    fn begin(&mut self, partition: &Partition, _: &mut Partial) -> Result<()> {
        if self.makes("panic-single") {
            assert!(partition.n_roi_frames() != 1, "each frame has a neighbour");
        }
        self.n_tiles = 0;
        self.before = 0.0;
        if !self.makes("not-reset") {
            self.sums.fill(0.0);
        }
        Ok(())
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        if self.makes("overflow") {
            each_dtype!(tile.pixels(), |pixels| kernels::add_frames(&mut out.sig("pixels", tile)?, pixels));
            return Ok(());
        }
        if self.makes("panic-odd") {
            assert!(self.sig_shape.iter().product::<usize>() % 2 == 0, "the detector has two halves");
        }
        let pixels: Vec<f64> = tile.pixels().to_vec();
        if self.makes("error-signed") && pixels.iter().any(|&pixel| pixel < 0.0) {
            return Err(Error::new("a negative number of counts"));
        }
        self.n_tiles += 1;
        if tile.sig_start() == 0 {
            self.n_frames += tile.n_frames();
        }
        if self.makes("first-tile") && self.n_tiles > 1 {
            return Ok(());
        }
        self.add_pixels(tile, &pixels, out)?;
        self.add_frames(tile, &pixels, out)
    }

    fn end(&mut self, out: &mut Partial) -> Result<()> {
        if self.makes("outside") {
            let offset = out.partition().roi_start as u64;
            let zeros = vec![0.0; out.partition().n_roi_frames()];
            return out.emit("frames", offset, &zeros);
        }
        if self.makes("panic-no-tiles") {
            assert!(self.n_tiles > 0, "no tile came");
        }
        let count = out.whole::<f64>("count")?.iter().sum::<f64>();
        if matches!(self.mistake.as_str(), "sum-of-means" | "mean-of-means") && count > 0.0 {
            out.whole::<f64>("pixels")?.iter_mut().for_each(|sum| *sum /= count);
        }
        if self.makes("not-reset") {
            out.whole::<f64>("pixels")?.copy_from_slice(&self.sums);
        }
        if self.makes("count-on") {
            out.whole::<f64>("count")?.fill(self.n_frames as f64);
        }
        Ok(())
    }

    fn merge(&self, _: &Partition, dest: &Buffers, src: &Buffers, valid: &[bool]) -> Result<()> {
        if self.makes("overwrite") {
            dest.write::<f64>("pixels")?.copy_from_slice(&src.read::<f64>("pixels")?);
        }
        if self.makes("mean-of-means") {
            let weight = if valid.contains(&true) { 0.5 } else { 1.0 };
            let (mut dest, src) = (dest.write::<f64>("pixels")?, src.read::<f64>("pixels")?);
            dest.iter_mut().zip(src.iter()).for_each(|(dest, src)| *dest = *dest * (1.0 - weight) + src * weight);
        }
        Ok(())
    }

    fn results(&self, merged: &Buffers, valid: &[bool], out: &mut Output) -> Result<()> {
        if self.makes("panic-empty-roi") {
            assert!(!valid.is_empty(), "a scan has a first frame");
        }
        let pixels = merged.to_vec::<f64>("pixels")?;
        let count = match self.mistake.as_str() {
            "roi-length" => self.n_roi_frames,
            "not-finite" => valid.iter().filter(|is_valid| !**is_valid).count(),
            _ => valid.iter().filter(|is_valid| **is_valid).count(),
        };
        out.put("mean", &pixels.iter().map(|sum| sum / count as f64).collect::<Vec<_>>())
    }
}

impl Broken {
    fn makes(&self, mistake: &str) -> bool {
        self.mistake == mistake
    }

    fn add_pixels(&mut self, tile: &Tile, pixels: &[f64], out: &mut Partial) -> Result<()> {
        let first = if self.makes("first-block") { 0 } else { tile.sig_start() };
        let weight = match self.mistake.as_str() {
            "tile-mean" => 1.0 / tile.n_frames() as f64,
            "tile-peak" => 1.0 / kernels::largest(pixels).unwrap_or(1.0),
            _ => 1.0,
        };
        let mut whole = out.whole::<f64>("pixels")?;
        for frame in tile.rows(pixels) {
            for (i, pixel) in frame.iter().enumerate() {
                whole[first + i] += weight * pixel;
                self.sums[first + i] += pixel;
            }
        }
        drop(whole);
        if tile.sig_start() == 0 {
            out.whole::<f64>("count")?[0] += tile.n_frames() as f64;
        }
        Ok(())
    }

    fn add_frames(&mut self, tile: &Tile, pixels: &[f64], out: &mut Partial) -> Result<()> {
        if self.makes("outside") {
            return Ok(());
        }
        let sums: Vec<f64> = tile.rows(pixels).map(|frame| frame.iter().sum()).collect();
        if self.makes("all-entries") {
            out.whole::<f64>("frames")?.fill(sums[0]);
            return Ok(());
        }
        if self.makes("last-pixel") {
            for (to, frame) in out.nav::<f64>("frames", tile)?.iter_mut().zip(tile.rows(pixels)) {
                *to = frame[frame.len() - 1];
            }
            return Ok(());
        }
        for (i, (to, sum)) in out.nav::<f64>("frames", tile)?.iter_mut().zip(&sums).enumerate() {
            match self.mistake.as_str() {
                "block-as-frame" => *to = *sum,
                "carry" if i == 0 => *to += self.before + sum,
                _ => *to += sum,
            }
            self.before = *sum;
        }
        let first = tile.frame_indices().next().unwrap_or(0);
        let places: Vec<usize> = match self.mistake.as_str() {
            "roi-as-place" => (tile.roi_start()..tile.roi_start() + tile.n_frames()).collect(),
            "roi-in-a-row" => (first..first + tile.n_frames()).collect(),
            _ => tile.frame_indices().collect(),
        };
        let mut to = out.nav::<f64>("places", tile)?;
        for ((to, place), sum) in to.chunks_exact_mut(self.nav_shape.len()).zip(places).zip(&sums) {
            let mut rest = place;
            for (to, extent) in to.iter_mut().zip(&self.nav_shape).rev() {
                *to += (rest % extent) as f64 * sum;
                rest /= extent;
            }
        }
        Ok(())
    }
}
