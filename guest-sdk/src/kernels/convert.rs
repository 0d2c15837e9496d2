//! From one dtype to another.

use super::CHUNK;
use crate::Real;

/// Writes `from` into `to` as another type, up to the shorter one's length. Integers saturate; digits of 64-bit
/// integers after the 53rd bit are lost.
pub fn convert<T: Real, U: Real>(from: &[T], to: &mut [U]) {
    let len = from.len().min(to.len());
    let (from, from_rest) = from[..len].as_chunks::<CHUNK>();
    let (to, to_rest) = to[..len].as_chunks_mut::<CHUNK>();
    for (from, to) in from.iter().zip(to) {
        for i in 0..CHUNK {
            to[i] = U::from_f64(from[i].to_f64());
        }
    }
    for (from, to) in from_rest.iter().zip(to_rest) {
        *to = U::from_f64(from.to_f64());
    }
}

#[cfg(test)]
#[expect(clippy::float_cmp, reason = "these numbers are exact")]
mod tests {
    use super::*;

    #[test]
    fn conversion_saturates_and_rounds() {
        let mut small = [0_u8; 40];
        convert(&[300.7_f32; 39], &mut small);
        assert_eq!((small[0], small[38], small[39]), (255, 255, 0));
        let mut single = [0.0_f32];
        convert(&[0.1_f64], &mut single);
        assert_eq!(single, [0.1]);
    }
}
