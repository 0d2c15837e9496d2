//! Sums of frames and of pixels, and moments of pixels, as the host adds up and as the SDK does.

use lthost_guest_sdk::prelude::*;

export_udf!(Both);

/// Adds up each tile twice.
pub struct Both {
    preferences: Preferences,
    sums: PixelSums,
    moments: PixelMoments,
    in_sdk: kernels::Moments,
    /// Of the block that has seen least of them.
    n_frames: u64,
    sig_size: usize,
}

impl Udf for Both {
    fn manifest() -> Manifest {
        manifest!("sums", "Sums twice").real_only()
    }

    fn new(_: &Params, meta: &Meta) -> Result<Self> {
        let preferences = meta.counts_or(Preferences::default());
        let dtype = meta.input_dtype(&preferences).promote(Dtype::F32);
        let (n, native) = (meta.sig_size(), meta.input_dtype(&Preferences::native()));
        let in_sdk = kernels::Moments::new(meta.input_dtype(&preferences), n);
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
        self.in_sdk.add(tile.sig_start()..tile.sig_start() + tile.block_len(), tile.pixels())?;
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
        let (sums, spreads) = self.in_sdk.read(0..self.sig_size, self.n_frames);
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
