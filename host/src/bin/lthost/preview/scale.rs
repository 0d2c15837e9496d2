//! Pictures as large as there is room for: whole factors up, area means down.

use crate::picture::{Picture, Rgb};

/// Width and height that a picture of `width` x `height` gets in a box: a whole factor larger, or as much smaller as it takes.
pub(super) fn fit((width, height): (usize, usize), (box_width, box_height): (usize, usize)) -> (usize, usize) {
    let factor = (box_width / width).min(box_height / height);
    if factor > 0 {
        return (factor * width, factor * height);
    }
    let part = |extent: usize, of: usize, to: usize| ((extent * to + of / 2) / of).max(1);
    if width * box_height >= height * box_width {
        (box_width, part(height, width, box_width).min(box_height))
    } else {
        (part(width, height, box_height).min(box_width), box_height)
    }
}

/// The picture in another size: each pixel is the mean of the area that it covers. By a whole factor up, that repeats pixels.
pub(super) fn resize(picture: &Picture, width: usize, height: usize) -> Picture {
    let (columns, rows) = (covered(picture.width, width), covered(picture.height, height));
    let total = picture.width as u64 * picture.height as u64;
    let mean = |row: &[(usize, u64)], column: &[(usize, u64)]| -> Rgb {
        let mut sums = [total / 2; 3];
        for &(y, weight_y) in row {
            for &(x, weight_x) in column {
                let pixel = picture.pixels[y * picture.width + x];
                for (sum, part) in sums.iter_mut().zip(pixel) {
                    *sum += weight_y * weight_x * u64::from(part);
                }
            }
        }
        sums.map(|sum| u8::try_from(sum / total).expect("a mean of bytes is a byte"))
    };
    let pixels = rows.iter().flat_map(|row| columns.iter().map(|column| mean(row, column))).collect();
    Picture { height, width, pixels }
}

/// For each of `n` pixels along an axis: which of `n_before` it covers, and how much of each; all weights of one sum up to
/// `n_before`.
fn covered(n_before: usize, n: usize) -> Vec<Vec<(usize, u64)>> {
    let covered_by = |i: usize| {
        let (start, end) = (i * n_before, (i + 1) * n_before);
        let weight = |j: usize| (end.min((j + 1) * n) - start.max(j * n)) as u64;
        (start / n..end.div_ceil(n)).map(|j| (j, weight(j))).collect()
    };
    (0..n).map(covered_by).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(width: usize, greys: &[u8]) -> Picture {
        Picture { height: greys.len() / width, width, pixels: greys.iter().map(|&grey| [grey; 3]).collect() }
    }

    #[test]
    fn whole_factors_up_and_the_aspect_ratio_kept_down() {
        assert_eq!(fit((5, 4), (80, 48)), (60, 48));
        assert_eq!(fit((50, 40), (80, 48)), (50, 40));
        assert_eq!(fit((256, 128), (80, 48)), (80, 40));
        assert_eq!(fit((100, 400), (80, 40)), (10, 40));
        assert_eq!(fit((1000, 1), (80, 40)), (80, 1));
        assert_eq!(fit((1, 1000), (80, 40)), (1, 40));
    }

    #[test]
    fn a_larger_picture_repeats_pixels() {
        let large = resize(&picture(2, &[1, 2, 3, 4]), 4, 4);
        assert_eq!(large, picture(4, &[1, 1, 2, 2, 1, 1, 2, 2, 3, 3, 4, 4, 3, 3, 4, 4]));
    }

    #[test]
    fn a_smaller_picture_has_means() {
        assert_eq!(resize(&picture(4, &[0, 10, 20, 30, 40, 50, 60, 70]), 2, 1), picture(2, &[25, 45]));
        // Half of the middle pixel goes to either side.
        assert_eq!(resize(&picture(3, &[0, 90, 255]), 2, 1), picture(2, &[30, 200]));
        assert!(resize(&picture(7, &[255; 35]), 3, 2).pixels.iter().all(|pixel| *pixel == [255; 3]));
    }
}
