//! Arithmetic on measured times. Pure.

/// Repetitions of one measurement.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series {
    /// Wall clock, in seconds.
    pub(crate) wall: Vec<f64>,
    /// Processor time of all threads, in seconds.
    pub(crate) cpu: Vec<f64>,
}

/// A ratio, and how much it varies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Ratio {
    pub(crate) median: f64,
    /// First and third quartile.
    pub(crate) quartiles: [f64; 2],
}

impl Series {
    /// Median of the wall clock.
    pub(crate) fn median(&self) -> f64 {
        quantile(&self.wall, 0.5)
    }

    /// The shortest time.
    pub(crate) fn best(&self) -> f64 {
        quantile(&self.wall, 0.0)
    }

    /// How many times as fast as `other` this is, round by round: other conditions, other times, but for both.
    pub(crate) fn speed_against(&self, other: &Self) -> Ratio {
        let ratios: Vec<f64> = self.wall.iter().zip(&other.wall).map(|(mine, others)| others / mine).collect();
        Ratio { median: quantile(&ratios, 0.5), quartiles: [quantile(&ratios, 0.25), quantile(&ratios, 0.75)] }
    }

    /// Processor time of all rounds, over that of `other`. None where there is too little to tell.
    pub(crate) fn cpu_against(&self, other: &Self) -> Option<f64> {
        let (mine, others): (f64, f64) = (self.cpu.iter().sum(), other.cpu.iter().sum());
        (others >= LEAST_CPU).then(|| mine / others)
    }
}

impl Ratio {
    /// A ratio of two times as one of times per byte.
    #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
    pub(crate) fn per_byte(self, n_bytes: u64, n_other_bytes: u64) -> Self {
        let scale = n_other_bytes as f64 / n_bytes as f64;
        Self { median: self.median * scale, quartiles: self.quartiles.map(|quartile| quartile * scale) }
    }
}

/// Processor time comes in steps of a hundredth of a second.
const LEAST_CPU: f64 = 0.2;

/// The number below which a share `at` of `numbers` lies, between neighbours by the straight line. NaN without numbers.
#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "few numbers")]
pub(crate) fn quantile(numbers: &[f64], at: f64) -> f64 {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = at.clamp(0.0, 1.0) * last as f64;
    let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    low + (high - low) * place.fract()
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(quantile(&[3.0, 1.0, 2.0], 0.5), 2.0);
        assert_eq!(quantile(&[4.0, 1.0, 2.0, 3.0], 0.5), 2.5);
        assert_eq!(quantile(&[7.0], 0.5), 7.0);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn quantiles_reach_from_smallest_to_largest() {
        let numbers = [5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!([0.0, 0.25, 0.75, 1.0].map(|at| quantile(&numbers, at)), [1.0, 2.0, 4.0, 5.0]);
    }

    #[test]
    fn ratios_pair_the_rounds() {
        let series = |wall: &[f64]| Series { wall: wall.to_vec(), cpu: wall.to_vec() };
        // Everything takes three times as long in the second round: the ratio does not care.
        let (mine, other) = (series(&[2.0, 6.0, 2.0]), series(&[1.0, 3.0, 1.0]));
        assert_eq!(mine.speed_against(&other), Ratio { median: 0.5, quartiles: [0.5, 0.5] });
        assert_eq!(mine.cpu_against(&other), Some(2.0));
        assert_eq!(mine.cpu_against(&series(&[0.01])), None);
        // Three times as long for twice the bytes.
        let per_byte = series(&[1.0]).speed_against(&series(&[3.0])).per_byte(200, 100);
        assert_eq!(per_byte.median, 1.5);
    }
}
