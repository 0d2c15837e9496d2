//! What the shipped plugins should give, as plain loops over a scan of u16. Never optimised: to be read, and believed.

use lthost::shape::Array;

/// A scan of `(ny, nx)` frames of `(sy, sx)` pixels, of which some frames count.
pub(crate) struct Scan {
    frames: Vec<Vec<f64>>,
    /// For each frame of the scan whether it counts.
    chosen: Vec<bool>,
    /// Whether frames are left out by a ROI; otherwise those that do not count are missing in the file.
    pub(crate) is_roi: bool,
    sx: usize,
}

impl Scan {
    pub(crate) fn new(array: &Array) -> Self {
        let axes: Vec<usize> = array.shape.axes().iter().map(|&extent| usize::try_from(extent).unwrap()).collect();
        let [ny, nx, sy, sx] = axes[..] else { panic!("a scan has four axes") };
        let mut frames = Vec::new();
        for frame in 0..ny * nx {
            let mut pixels = Vec::new();
            for pixel in 0..sy * sx {
                let at = 2 * (frame * sy * sx + pixel);
                pixels.push(f64::from(u16::from_le_bytes([array.data[at], array.data[at + 1]])));
            }
            frames.push(pixels);
        }
        Self { frames, chosen: vec![true; ny * nx], is_roi: false, sx }
    }

    /// The same scan, where only some frames count.
    pub(crate) fn only(mut self, chosen: &[bool]) -> Self {
        self.chosen = chosen.to_vec();
        self.is_roi = true;
        self
    }

    /// The same frames in a scan of `n_frames`, which starts at frame `sync_offset` of this one.
    pub(crate) fn shifted(self, sync_offset: i64, n_frames: usize) -> Self {
        let mut frames = Vec::new();
        let mut chosen = Vec::new();
        for frame in 0..n_frames {
            let at = i64::try_from(frame).unwrap() + sync_offset;
            let pixels = usize::try_from(at).ok().and_then(|at| self.frames.get(at));
            chosen.push(pixels.is_some());
            frames.push(pixels.cloned().unwrap_or_default());
        }
        Self { frames, chosen, is_roi: self.is_roi, sx: self.sx }
    }

    fn n_pixels(&self) -> usize {
        self.frames.iter().map(Vec::len).max().unwrap()
    }

    /// A number for each pixel, made of its values in the frames that count.
    fn over_frames(&self, make: impl Fn(&[f64]) -> f64) -> Vec<f64> {
        let mut results = Vec::new();
        for pixel in 0..self.n_pixels() {
            let mut values = Vec::new();
            for (frame, &is_chosen) in self.frames.iter().zip(&self.chosen) {
                if is_chosen {
                    values.push(frame[pixel]);
                }
            }
            results.push(make(&values));
        }
        results
    }

    pub(crate) fn sum(&self) -> Vec<f64> {
        self.over_frames(|values| values.iter().sum())
    }

    pub(crate) fn mean(&self) -> Vec<f64> {
        self.over_frames(mean)
    }

    pub(crate) fn var(&self) -> Vec<f64> {
        self.over_frames(|values| {
            let mut squares = 0.0;
            for value in values {
                squares += (value - mean(values)) * (value - mean(values));
            }
            squares / count(values)
        })
    }

    pub(crate) fn min(&self) -> Vec<f64> {
        self.over_frames(|values| values.iter().copied().fold(f64::INFINITY, f64::min))
    }

    pub(crate) fn max(&self) -> Vec<f64> {
        self.over_frames(|values| values.iter().copied().fold(f64::NEG_INFINITY, f64::max))
    }

    pub(crate) fn logsum(&self) -> Vec<f64> {
        let mut sum = vec![0.0; self.n_pixels()];
        for (frame, &is_chosen) in self.frames.iter().zip(&self.chosen) {
            if is_chosen {
                let smallest = frame.iter().copied().fold(f64::INFINITY, f64::min);
                for (sum, pixel) in sum.iter_mut().zip(frame) {
                    *sum += (pixel - smallest + 1.0).ln();
                }
            }
        }
        sum
    }

    /// The frames that count, one after the other.
    pub(crate) fn pick(&self) -> Vec<f64> {
        let mut picked = Vec::new();
        for (frame, &is_chosen) in self.frames.iter().zip(&self.chosen) {
            if is_chosen {
                picked.extend(frame);
            }
        }
        picked
    }

    /// Numbers for each frame; where it does not count, `otherwise`.
    fn over_pixels(&self, otherwise: &[f64], make: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
        let mut results = Vec::new();
        for (frame, &is_chosen) in self.frames.iter().zip(&self.chosen) {
            results.extend(if is_chosen { make(frame) } else { otherwise.to_vec() });
        }
        results
    }

    pub(crate) fn sumsig(&self, otherwise: f64) -> Vec<f64> {
        self.over_pixels(&[otherwise], |frame| vec![frame.iter().sum()])
    }

    /// `masks` one after the other, each of the shape of a frame.
    pub(crate) fn masks(&self, masks: &[f64], otherwise: f64) -> Vec<f64> {
        let n_pixels = self.n_pixels();
        let n_masks = masks.len() / n_pixels;
        self.over_pixels(&vec![otherwise; n_masks], |frame| {
            let mut products = Vec::new();
            for mask in 0..n_masks {
                let mut product = 0.0;
                for pixel in 0..n_pixels {
                    product += frame[pixel] * masks[mask * n_pixels + pixel];
                }
                products.push(product);
            }
            products
        })
    }

    /// Centre of mass `(y, x)` of all pixels.
    pub(crate) fn centre_of_mass(&self) -> Vec<f64> {
        self.over_pixels(&[f64::NAN, f64::NAN], |frame| {
            let (mut sum, mut sum_y, mut sum_x) = (0.0, 0.0, 0.0);
            for (pixel, value) in frame.iter().enumerate() {
                sum += value;
                sum_y += value * number(pixel / self.sx);
                sum_x += value * number(pixel % self.sx);
            }
            vec![sum_y / sum, sum_x / sum]
        })
    }
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values)
}

fn count(values: &[f64]) -> f64 {
    number(values.len())
}

fn number(n: usize) -> f64 {
    f64::from(u32::try_from(n).unwrap())
}
