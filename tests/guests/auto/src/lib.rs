//! Functions of a frame, as numpy has them: one plugin for all that the reference vectors ask of an Auto UDF.
//!
//! Complex numbers are ordered by real part, then by imaginary part. Where the vectors leave a choice, as for the level of
//! `is_bright`, which is somewhere between 85 and 217, it is a round number.

use lthost_guest_sdk::{Bool, prelude::*};

export_map!(
    auto<T: Float>(
        frame,
        /// name of the function
        f: &str
    ),
    "A function of each frame, by name"
);

/// What function `f` gives for a frame.
fn auto<T: Float>(frame: Frame<'_, T>, f: &str) -> Result<Array> {
    match f {
        "sum_axis-1" => vector(&frame.rows().map(sum).collect::<Vec<_>>()),
        "sum_axis0" => vector(&sum_of_rows(frame)),
        "frame_row3" => vector(frame.rows().nth(3).ok_or_else(|| Error::new("the frame has no row 3"))?),
        "max" => number(frame.pixels()[argmax(frame.pixels())]),
        "argmax" => number(i64::try_from(argmax(frame.pixels()))?),
        "mean" => number(T::from_complex(mean(frame.pixels()))),
        "std" => number(T::Part::from_f64(standard_deviation(frame.pixels()))),
        "is_bright" => number(Bool::from(frame.pixels().iter().any(|&pixel| key(pixel) > (100.0, 0.0)))),
        "histogram" => vector(&histogram(frame.pixels())),
        _ => Err(Error::parameter("f", "the name of a function", f)),
    }
}

fn number<T: Element>(number: T) -> Result<Array> {
    Array::new(&[], &[number])
}

fn vector<T: Element>(numbers: &[T]) -> Result<Array> {
    Array::new(&[numbers.len()], numbers)
}

fn sum<T: Element>(numbers: &[T]) -> T {
    T::narrow(kernels::sum(numbers))
}

fn sum_of_rows<T: Float>(frame: Frame<'_, T>) -> Vec<T> {
    let mut sums = vec![T::ZERO; frame.sig_shape().last().copied().unwrap_or(1)];
    kernels::add_frames(&mut sums, frame.pixels());
    sums
}

#[expect(clippy::cast_precision_loss, reason = "no detector has 2^53 pixels")]
fn mean<T: Float>(pixels: &[T]) -> Complex<f64> {
    kernels::sum(pixels).to_complex() / pixels.len() as f64
}

#[expect(clippy::cast_precision_loss, reason = "no detector has 2^53 pixels")]
fn standard_deviation<T: Float>(pixels: &[T]) -> f64 {
    let mean = mean(pixels);
    let squares: f64 = pixels.iter().map(|pixel| (pixel.to_complex() - mean).norm_sqr()).sum();
    (squares / pixels.len() as f64).sqrt()
}

/// The first of the largest pixels.
fn argmax<T: Float>(pixels: &[T]) -> usize {
    (1..pixels.len()).fold(0, |largest, i| if key(pixels[i]) > key(pixels[largest]) { i } else { largest })
}

/// Four bins between 0 and 200, of which the last one has its upper edge, too.
fn histogram<T: Float>(pixels: &[T]) -> [i64; 4] {
    let mut counts = [0; 4];
    for &pixel in pixels {
        let edges_below = [0.0, 50.0, 100.0, 150.0].iter().filter(|&&edge| key(pixel) >= (edge, 0.0)).count();
        if edges_below > 0 && key(pixel) <= (200.0, 0.0) {
            counts[edges_below - 1] += 1;
        }
    }
    counts
}

/// What pixels are ordered by.
fn key<T: Float>(pixel: T) -> (f64, f64) {
    let Complex { re, im } = pixel.to_complex();
    (re, im)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lthost_guest_sdk::testing::{Results, Scan};

    fn run<T: Element>(f: &str, pixels: &[T]) -> Result<Results> {
        Scan::new(&[1], &[2, 3], pixels).param("f", f).run::<Auto<auto>>()
    }

    #[test]
    fn complex_numbers_are_ordered_by_real_part_first() {
        let numbers = [(1.0, 5.0), (2.0, -3.0), (2.0, -1.0), (-9.0, 90.0), (2.0, -1.0), (0.0, -1.0)];
        let pixels = numbers.map(|(re, im)| Complex::<f32>::new(re, im));
        assert_eq!(run("max", &pixels).unwrap().get::<Complex<f32>>("result"), [Complex::new(2.0, -1.0)]);
        assert_eq!(run("argmax", &pixels).unwrap().get::<i64>("result"), [2]);
        assert_eq!(run("histogram", &pixels).unwrap().get::<i64>("result"), [4, 0, 0, 0], "-9 and -i are below 0");
    }

    #[test]
    fn the_last_bin_has_its_upper_edge() {
        let results = run("histogram", &[0_u16, 50, 99, 150, 200, 201]).unwrap();
        assert_eq!(results.get::<i64>("result"), [1, 2, 0, 2]);
        assert_eq!(results.shape("result"), [1, 4]);
    }

    #[test]
    fn an_unknown_function_is_named() {
        let error = run("median", &[1_u8; 6]).unwrap_err();
        assert_eq!(error.causes(), ["parameter `f`: expected the name of a function, given median"]);
    }
}
