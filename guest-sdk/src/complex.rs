//! Complex numbers, as they are in memory.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::Part;

/// Complex number, real part first.
#[repr(C)]
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Complex<T> {
    /// Real part.
    pub re: T,
    /// Imaginary part.
    pub im: T,
}

impl<T: Part> Complex<T> {
    /// `re + i * im`.
    pub fn new(re: T, im: T) -> Self {
        Self { re, im }
    }

    /// The number with the other sign of the imaginary part.
    #[must_use]
    pub fn conj(self) -> Self {
        Self { re: self.re, im: -self.im }
    }

    /// The square of the absolute value.
    pub fn norm_sqr(self) -> T {
        self.re * self.re + self.im * self.im
    }
}

impl Complex<f64> {
    /// The square root with a real part that is not negative.
    #[must_use]
    pub fn sqrt(self) -> Self {
        let abs = self.re.hypot(self.im);
        if abs == 0.0 {
            return Self::new(0.0, self.im);
        }
        // The larger of the two parts first: the other one would lose its digits to cancellation.
        let larger = f64::midpoint(abs, self.re.abs()).sqrt();
        let smaller = self.im.abs() / (2.0 * larger);
        let (re, im) = if self.re >= 0.0 { (larger, smaller) } else { (smaller, larger) };
        Self::new(re, im.copysign(self.im))
    }
}

impl<T: Part> Add for Complex<T> {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::new(self.re + other.re, self.im + other.im)
    }
}

impl<T: Part> Sub for Complex<T> {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self::new(self.re - other.re, self.im - other.im)
    }
}

impl<T: Part> Mul for Complex<T> {
    type Output = Self;

    fn mul(self, other: Self) -> Self {
        Self::new(self.re * other.re - self.im * other.im, self.re * other.im + self.im * other.re)
    }
}

impl<T: Part> Mul<T> for Complex<T> {
    type Output = Self;

    fn mul(self, factor: T) -> Self {
        Self::new(self.re * factor, self.im * factor)
    }
}

impl<T: Part> Div<T> for Complex<T> {
    type Output = Self;

    fn div(self, divisor: T) -> Self {
        Self::new(self.re / divisor, self.im / divisor)
    }
}

impl<T: Part> Neg for Complex<T> {
    type Output = Self;

    fn neg(self) -> Self {
        Self::new(-self.re, -self.im)
    }
}

impl<T: Part> Div for Complex<T> {
    type Output = Self;

    /// Divides through by the larger part of the divisor, so that squares neither overflow nor vanish.
    fn div(self, other: Self) -> Self {
        let (a, b) = (other.re.to_f64().abs(), other.im.to_f64().abs());
        if a >= b {
            let ratio = other.im / other.re;
            let scale = other.re + other.im * ratio;
            Self::new((self.re + self.im * ratio) / scale, (self.im - self.re * ratio) / scale)
        } else {
            let ratio = other.re / other.im;
            let scale = other.re * ratio + other.im;
            Self::new((self.re * ratio + self.im) / scale, (self.im * ratio - self.re) / scale)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complex_division_and_root_undo_their_inverses() {
        for (re, im) in [(3.0, -4.0), (-3.0, 4.0), (1e200, 1e-200), (0.0, 2.0), (-5.0, 0.0)] {
            let number = Complex::<f64>::new(re, im);
            let one = number / number;
            assert!((one.re - 1.0).abs() < 1e-15 && one.im.abs() < 1e-15, "{number:?}");
            let root = number.sqrt();
            let square = root * root;
            assert!(root.re >= 0.0);
            assert!((square.re - re).abs() <= 1e-14 * re.hypot(im), "{number:?}");
            assert!((square.im - im).abs() <= 1e-14 * re.hypot(im), "{number:?}");
        }
    }
}
