//! Products that the host computes for the plugin `masks` are those that the sandbox computes.

use lthost::shape::Dtype;

use crate::program::Folder;

/// Masks in the stack: so many that the host multiplies.
const N_MASKS: u64 = 9;
const SCAN: [u64; 4] = [12, 10, 48, 50];

/// A folder with counts in `data.npy`, as `dtype`, and masks for them with a zero here and there.
fn folder(dtype: Dtype) -> Folder {
    let folder = Folder::new();
    let (n_pixels, sig) = (SCAN.iter().product::<u64>(), SCAN[2] * SCAN[3]);
    let bytes = |count: u8| match dtype {
        Dtype::U8 => vec![count],
        Dtype::U16 => u16::from(count).to_le_bytes().to_vec(),
        Dtype::I32 => i32::from(count).to_le_bytes().to_vec(),
        _ => f32::from(count).to_le_bytes().to_vec(),
    };
    let data = (0..n_pixels).flat_map(|i| bytes(small(i * 7919 + i / 13, 251))).collect();
    folder.array("data.npy", dtype, &SCAN, data);
    let weight = |i: u64| if i.is_multiple_of(7) { 0.0 } else { f32::from(small(i * 31, 17)) / 8.0 };
    let weights = (0..N_MASKS * sig).flat_map(|i| weight(i).to_le_bytes()).collect();
    folder.array("masks.npy", Dtype::F32, &[N_MASKS, SCAN[2], SCAN[3]], weights);
    folder
}

fn small(number: u64, modulus: u64) -> u8 {
    u8::try_from(number % modulus).unwrap()
}

/// The result of `masks`, as it is by `options`.
fn products(folder: &Folder, options: &[&str]) -> Vec<u8> {
    let args = ["run", "--quiet", "--dataset", "data.npy", "--plugin", "masks", "-p", "factors=@masks.npy"];
    folder.lthost(&[&args[..], &["-o", "out"], options].concat()).succeeds();
    folder.result("out/masks/intensity.npy").data
}

/// The result by `options` as the sandbox computes it: all that is not zero is multiplied one by one.
fn in_sandbox(folder: &Folder, options: &[&str]) -> Vec<u8> {
    products(folder, &[&["-p", "use_sparse=true"], options].concat())
}

fn assert_close(host: &[u8], sandbox: &[u8], dtype: Dtype, what: &str) {
    let numbers = |bytes: &[u8]| -> Vec<f64> {
        match dtype {
            Dtype::F32 => bytes.as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes).into()).collect(),
            _ => bytes.as_chunks().0.iter().map(|&bytes| f64::from_le_bytes(bytes)).collect(),
        }
    };
    let (host, sandbox) = (numbers(host), numbers(sandbox));
    assert_eq!(host.len(), sandbox.len());
    assert!(sandbox.iter().any(|&number| number != 0.0), "{what}");
    for (host, sandbox) in host.iter().zip(&sandbox) {
        let same = host.is_nan() && sandbox.is_nan() || (host - sandbox).abs() <= 1e-5 * sandbox.abs();
        assert!(same, "{what}: {host} in the host, {sandbox} in the sandbox");
    }
}

#[test]
fn products_are_those_of_the_sandbox() {
    for (dtype, result) in
        [(Dtype::U8, Dtype::F32), (Dtype::U16, Dtype::F32), (Dtype::F32, Dtype::F32), (Dtype::I32, Dtype::F64)]
    {
        let folder = folder(dtype);
        let mask = (0..120).map(|i| u8::from(i % 3 != 1 || i < 40)).collect();
        folder.array("roi.npy", Dtype::Bool, &SCAN[..2], mask);
        folder.array("dark.npy", Dtype::F32, &SCAN[2..], 0.5_f32.to_le_bytes().repeat(2400));
        for options in [
            &[][..],
            &["--roi", "roi.npy"],
            &["--dark", "dark.npy"],
            &["--tile-bytes", "3K"],
            &["--tile-bytes", "40K", "--roi", "roi.npy"],
            &["--deterministic"],
        ] {
            let (host, sandbox) = (products(&folder, options), in_sandbox(&folder, options));
            assert_close(&host, &sandbox, result, &format!("{dtype} {options:?}"));
            for more in [&["--workers", "1"][..], &["--workers", "3"], &["--partitions", "7"], &["--backwards"]] {
                assert!(
                    products(&folder, &[options, more].concat()) == host,
                    "other bits: {dtype} {options:?} {more:?}"
                );
            }
        }
    }
}

#[test]
fn a_pixel_that_is_no_number_counts_only_where_a_mask_sees_it() {
    // Of the frames a third have one, where some masks have zero.
    let folder = folder(Dtype::F32);
    let mut data = folder.result("data.npy").data;
    for frame in data.chunks_mut(2400 * 4).step_by(3) {
        frame[14 * 4..15 * 4].copy_from_slice(&f32::NAN.to_le_bytes());
    }
    folder.array("data.npy", Dtype::F32, &SCAN, data);
    let (host, sandbox) = (products(&folder, &[]), in_sandbox(&folder, &[]));
    assert_close(&host, &sandbox, Dtype::F32, "with pixels that are no number");
    let is_nan = |bytes: &[u8; 4]| f32::from_le_bytes(*bytes).is_nan();
    let n_nan = host.as_chunks().0.iter().filter(|bytes| is_nan(bytes)).count();
    assert!((1..host.len() / 4).contains(&n_nan), "{n_nan}");
}

#[test]
fn who_has_tiles_does_not_get_larger_ones_for_the_sake_of_masks() {
    let folder = Folder::new();
    let sig = [128_u64, 128];
    let counts = (0..64 * sig[0] * sig[1]).flat_map(|i| u16::from(small(i * 31, 251)).to_le_bytes()).collect();
    folder.array("data.npy", Dtype::U16, &[8, 8, sig[0], sig[1]], counts);
    // So large that `masks` alone would have all frames at once.
    let weights = (0..6 * sig[0] * sig[1]).flat_map(|i| f32::from(small(i * 31, 17)).to_le_bytes()).collect();
    folder.array("masks.npy", Dtype::F32, &[6, sig[0], sig[1]], weights);
    let n_tiles = |label: &str, plugins: &[&str]| {
        let args = ["run", "--dataset", "data.npy", "--partitions", "1", "--profile", "-o", "out"];
        let ended = folder.lthost(&[&args[..], plugins].concat());
        let call = format!("{label}: process");
        let line = ended.stderr.lines().chain(ended.stdout.lines()).find_map(|line| line.trim().strip_prefix(&call));
        let n_calls = line.and_then(|line| line.split_whitespace().next()?.parse::<u32>().ok());
        n_calls.unwrap_or_else(|| panic!("no calls of {label}: {} {}", ended.stdout, ended.stderr))
    };
    let (extrema, masks) = (["--plugin", "extrema"], ["--plugin", "masks", "-p", "factors=@masks.npy"]);
    assert_eq!(n_tiles("masks", &masks), 1);
    let n_alone = n_tiles("extrema", &extrema);
    assert!(n_alone > 1, "{n_alone}");
    assert_eq!(n_tiles("extrema", &[&extrema[..], &masks].concat()), n_alone);
}
