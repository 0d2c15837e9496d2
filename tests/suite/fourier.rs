//! Fourier transforms by the host are the sums that define them, there and back.

use std::f64::consts::TAU;

use lthost::shape::Dtype;
use lthost_tests::wasm;

use crate::program::Folder;

/// Three frames whose extents are no powers of two.
const SCAN: [u64; 4] = [1, 3, 5, 6];

fn number(i: u64) -> f64 {
    f64::from(u32::try_from(i * 37 % 101).unwrap())
}

/// Real and imaginary parts of a result.
fn parts(folder: &Folder, name: &str, dtype: Dtype) -> Vec<f64> {
    let data = folder.result(&format!("out/fourier/{name}.npy")).data;
    match dtype {
        Dtype::F32 => data.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes).into()).collect(),
        _ => data.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect(),
    }
}

/// The transform of a frame of complex numbers at `(ky, kx)`.
fn defined(frame: &[[f64; 2]], ky: u64, kx: u64) -> [f64; 2] {
    let [_, _, height, width] = SCAN;
    let mut sum = [0.0; 2];
    for (i, [re, im]) in (0_u64..).zip(frame) {
        let turns = small(ky * (i / width) % height) / small(height) + small(kx * (i % width) % width) / small(width);
        let (sin, cos) = (-TAU * turns).sin_cos();
        sum = [sum[0] + re * cos - im * sin, sum[1] + re * sin + im * cos];
    }
    sum
}

fn small(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap())
}

fn assert_close(got: &[f64], expected: &[f64], what: &str) {
    assert_eq!(got.len(), expected.len(), "{what}");
    for (got, expected) in got.iter().zip(expected) {
        assert!((got - expected).abs() < 2e-3, "{what}: {got} is not {expected}");
    }
}

#[test]
fn transforms_are_the_sums_that_define_them() {
    let plugin = wasm("guest_fourier");
    let [_, n_frames, height, width] = SCAN;
    let frame_len = height * width;
    let numbers: Vec<f64> = (0..n_frames * frame_len).map(number).collect();
    for dtype in [Dtype::F32, Dtype::F64] {
        let folder = Folder::new();
        #[expect(clippy::cast_possible_truncation, reason = "small integers")]
        let bytes = |number: &f64| match dtype {
            Dtype::F32 => (*number as f32).to_le_bytes().to_vec(),
            _ => number.to_le_bytes().to_vec(),
        };
        folder.array("data.npy", dtype, &SCAN, numbers.iter().flat_map(bytes).collect());
        for options in [&[][..], &["--deterministic"], &["--tile-bytes", "1"]] {
            let args = ["run", "--quiet", "--dataset", "data.npy", "-o", "out", "--plugin", plugin.to_str().unwrap()];
            folder.lthost(&[&args[..], options].concat()).succeeds();
            let what = format!("{dtype} {options:?}");
            let (mut half, mut whole) = (Vec::new(), Vec::new());
            for frame in numbers.chunks(usize::try_from(frame_len).unwrap()) {
                let real: Vec<_> = frame.iter().map(|&re| [re, 0.0]).collect();
                let complex: Vec<_> = frame.iter().map(|&re| [re, 1.0]).collect();
                for (ky, kx) in (0..height).flat_map(|ky| (0..width).map(move |kx| (ky, kx))) {
                    whole.extend(defined(&complex, ky, kx));
                    if kx <= width / 2 {
                        half.extend(defined(&real, ky, kx));
                    }
                }
            }
            assert_close(&parts(&folder, "half", dtype), &half, &format!("half, {what}"));
            assert_close(&parts(&folder, "whole", dtype), &whole, &format!("whole, {what}"));
            assert_close(&parts(&folder, "back", dtype), &numbers, &format!("back, {what}"));
            let complex: Vec<f64> = numbers.iter().flat_map(|&re| [re, 1.0]).collect();
            assert_close(&parts(&folder, "whole_back", dtype), &complex, &format!("whole back, {what}"));
        }
    }
}

#[test]
fn a_frame_of_any_size_is_transformed() {
    // 18 MB in one call, of a plugin whose results are four bytes.
    let folder = Folder::new();
    let (side, bright) = (1500, 5.0_f64);
    let mut data = vec![0; 8 * side * side];
    data[8 * 1234..8 * 1235].copy_from_slice(&bright.to_le_bytes());
    folder.array("large.npy", Dtype::F64, &[1, 1, side as u64, side as u64], data);
    // One bright pixel is as strong at every frequency; three of them are counted.
    let ring = ["--plugin", "crystallinity", "-p", "rad_in=0.5", "-p", "rad_out=1"];
    folder.lthost(&[&["run", "--quiet", "--dataset", "large.npy", "-o", "out"], &ring[..]].concat()).succeeds();
    let sum = folder.result("out/crystallinity/intensity.npy").data;
    let sum = f32::from_le_bytes(sum.try_into().unwrap());
    assert!((sum - 15.0).abs() < 1e-4, "{sum}");
}
