//! Sums of frames and of pixels, and moments of pixels, as the host adds up and as the SDK does.

use lthost_guest_sdk::prelude::*;

export_udf!(Both);

/// Adds up each tile twice.
pub struct Both {
    preferences: Preferences,
    sums: PixelSums,
    moments: PixelMoments,
    in_sdk: Moments,
    /// Of the block that has seen least of them.
    n_frames: u64,
    sig_size: usize,
}

/// As in the host, but in the sandbox.
enum Moments {
    Counts { sums: Vec<i64>, squares: Vec<u64> },
    Distances { origins: Vec<f64>, sums: Vec<f64>, squares: Vec<f64> },
}

impl Udf for Both {
    fn manifest() -> Manifest {
        manifest!("sums", "Sums twice").real_only()
    }

    fn new(_: &Params, meta: &Meta) -> Result<Self> {
        let preferences = meta.counts_or(Preferences::default());
        let dtype = meta.input_dtype(&preferences).promote(Dtype::F32);
        let (n, native) = (meta.sig_size(), meta.input_dtype(&Preferences::native()));
        let in_sdk = if meta.has_counts() {
            Moments::Counts { sums: vec![0; n], squares: vec![0; n] }
        } else {
            Moments::Distances { origins: vec![f64::NAN; n], sums: vec![0.0; n], squares: vec![0.0; n] }
        };
        let (sums, moments) = (PixelSums::new(dtype, n)?, PixelMoments::new(native, n)?);
        Ok(Self { preferences, sums, moments, in_sdk, n_frames: 0, sig_size: n })
    }

    fn preferences(&self) -> Preferences {
        self.preferences
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        let dtype = input.promote(Dtype::F32);
        let pixels = |name| Buffer::sig(name, dtype).merge(Merge::Sum);
        let frames = |name| Buffer::nav(name, Dtype::F64);
        Ok(vec![
            pixels("pixels_host").by_parts(),
            pixels("pixels_sdk"),
            frames("frames_host"),
            frames("frames_sdk"),
            Buffer::single("moments_host", Dtype::F64).extra(&[2, self.sig_size]).merge(Merge::Sum).by_parts(),
            Buffer::single("moments_sdk", Dtype::F64).extra(&[2, self.sig_size]).merge(Merge::Sum).by_parts(),
        ])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        self.sums.add(tile)?;
        self.moments.add(tile)?;
        self.in_sdk.add(tile)?;
        if tile.sig_start() == 0 {
            self.n_frames += tile.n_frames() as u64;
        }
        match out.dtype("pixels_sdk")? {
            Dtype::F32 => each_pixel!(tile.pixels(), f32, |pixels| add::<f32, _>(tile, out, pixels)?),
            _ => each_pixel!(tile.pixels(), f64, |pixels| add::<f64, _>(tile, out, pixels)?),
        }
    }

    fn end(&mut self, out: &mut Partial) -> Result<()> {
        self.sums.emit("pixels_host", out)?;
        // In parts that end anywhere.
        for start in (0..self.sig_size).step_by(1000) {
            let pixels = start..self.sig_size.min(start + 1000);
            let (sums, spreads) = self.moments.read(pixels, self.n_frames);
            out.emit("moments_host", start as u64, &sums)?;
            out.emit("moments_host", (self.sig_size + start) as u64, &spreads)?;
        }
        let (sums, spreads) = self.in_sdk.read(self.n_frames);
        out.emit("moments_sdk", 0, &sums)?;
        out.emit("moments_sdk", self.sig_size as u64, &spreads)?;
        self.n_frames = 0;
        self.moments.clear();
        self.in_sdk.clear();
        Ok(())
    }
}

fn add<T: Part, P: Pixel<T>>(tile: &Tile, out: &Partial, pixels: &[P]) -> Result<()> {
    kernels::add_frames_as(&mut out.sig::<T>("pixels_sdk", tile)?, pixels);
    let in_sdk: Vec<_> = tile.rows(pixels).map(|frame| kernels::sum_as::<T, P>(frame).to_complex().re).collect();
    for (name, sums) in [("frames_host", frame_sums(tile, T::DTYPE)?), ("frames_sdk", in_sdk)] {
        out.nav::<f64>(name, tile)?.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
    }
    Ok(())
}

impl Moments {
    fn add(&mut self, tile: &Tile) -> Result<()> {
        let block = tile.sig_start()..tile.sig_start() + tile.block_len();
        match self {
            Self::Counts { sums, squares } => {
                let (sums, squares) = (&mut sums[block.clone()], &mut squares[block]);
                each_count!(tile.pixels(), |pixels| kernels::add_squares(sums, squares, pixels))
            }
            Self::Distances { origins, sums, squares } => {
                let (origins, sums) = (&mut origins[block.clone()], &mut sums[block.clone()]);
                let squares = &mut squares[block];
                match tile.pixels() {
                    Numbers::F32(pixels) => add_distances(origins, sums, squares, pixels),
                    Numbers::F64(pixels) => add_distances(origins, sums, squares, pixels),
                    other => return Err(Error::new(format!("did not expect {}", other.dtype()))),
                }
                Ok(())
            }
        }
    }

    /// Sums and spreads of all pixels.
    #[expect(clippy::cast_precision_loss, reason = "as the SDK does it")]
    fn read(&self, n_frames: u64) -> (Vec<f64>, Vec<f64>) {
        match self {
            Self::Counts { sums, squares } => {
                let mut spreads = vec![0.0; sums.len()];
                kernels::spreads_of_counts(n_frames, sums, squares, &mut spreads);
                (sums.iter().map(|&sum| sum as f64).collect(), spreads)
            }
            Self::Distances { origins, sums, squares } => {
                let mut spreads = vec![0.0; sums.len()];
                kernels::spreads(n_frames, sums, squares, &mut spreads);
                let sums = sums.iter().zip(origins);
                (sums.map(|(sum, origin)| sum + *origin * n_frames as f64).collect(), spreads)
            }
        }
    }

    fn clear(&mut self) {
        match self {
            Self::Counts { sums, squares } => {
                sums.fill(0);
                squares.fill(0);
            }
            Self::Distances { origins, sums, squares } => {
                origins.fill(f64::NAN);
                sums.fill(0.0);
                squares.fill(0.0);
            }
        }
    }
}

fn add_distances<T: Part>(origins: &mut [f64], sums: &mut [f64], squares: &mut [f64], pixels: &[T]) {
    if origins[0].is_nan() {
        for (origin, pixel) in origins.iter_mut().zip(pixels) {
            let pixel = pixel.to_f64();
            *origin = if pixel.is_finite() { pixel } else { 0.0 };
        }
    }
    kernels::add_distances(origins, sums, squares, pixels);
}
