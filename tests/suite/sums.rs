//! Sums and moments that the host computes have the bits of those that the SDK computes in the sandbox.

use lthost::shape::Dtype;
use lthost_tests::wasm;

use crate::program::Folder;

const SCAN: [u64; 4] = [5, 7, 60, 71];

/// Numbers of which sums are rounded, in any order to other bits.
fn pixels(dtype: Dtype) -> Vec<u8> {
    let (mut state, mut bytes) = (1_u32, Vec::new());
    for _ in 0..SCAN.iter().product() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [a, b, c, d] = state.to_le_bytes();
        let number = f32::from(i16::from_le_bytes([c, d])) * f32::from(b) / 77.0;
        match dtype {
            Dtype::F32 => bytes.extend(number.to_le_bytes()),
            Dtype::F64 => bytes.extend((f64::from(number) / 3.0).to_le_bytes()),
            Dtype::Bool => bytes.push(d & 1),
            _ => bytes.extend(&[d, c, b, a, a, b, c, d][..dtype.size()]),
        }
    }
    bytes
}

/// Equal, or both no number.
fn is_same(host: &[u8], sdk: &[u8], dtype: Dtype) -> bool {
    let is_nan = |bytes: &[u8]| match dtype {
        Dtype::F32 => f32::from_le_bytes(bytes.try_into().unwrap()).is_nan(),
        _ => f64::from_le_bytes(bytes.try_into().unwrap()).is_nan(),
    };
    let mut pairs = host.chunks(dtype.size()).zip(sdk.chunks(dtype.size()));
    host.len() == sdk.len() && pairs.all(|(host, sdk)| host == sdk || is_nan(host) && is_nan(sdk))
}

/// What there is by the host and by the SDK, and the dtype of sums of pixels.
fn sums(folder: &Folder, options: &[&str]) -> ([Vec<u8>; 6], Dtype) {
    let plugin = wasm("guest_sums");
    let args = ["run", "--quiet", "--dataset", "data.npy", "-o", "out", "--plugin", plugin.to_str().unwrap()];
    folder.lthost(&[&args[..], options].concat()).succeeds();
    let result = |name: &str| folder.result(&format!("out/sums/{name}.npy"));
    let dtype = result("pixels_sdk").dtype;
    let names = ["pixels_host", "pixels_sdk", "frames_host", "frames_sdk", "moments_host", "moments_sdk"];
    (names.map(|name| result(name).data), dtype)
}

#[test]
fn sums_have_the_bits_of_the_sandbox() {
    for dtype in
        [Dtype::Bool, Dtype::U8, Dtype::I8, Dtype::U16, Dtype::I16, Dtype::U32, Dtype::I64, Dtype::F32, Dtype::F64]
    {
        let folder = Folder::new();
        folder.array("data.npy", dtype, &SCAN, pixels(dtype));
        folder.array("roi.npy", Dtype::Bool, &SCAN[..2], (0..35).map(|i| u8::from(i % 3 != 1)).collect());
        folder.array("dark.npy", Dtype::F32, &SCAN[2..], 0.3_f32.to_le_bytes().repeat(4260));
        for options in [
            &[][..],
            &["--partitions", "1", "--tile-bytes", "100M"],
            &["--partitions", "3", "--tile-bytes", "9K"],
            &["--roi", "roi.npy"],
            &["--dark", "dark.npy"],
            &["--deterministic"],
        ] {
            let ([pixels_host, pixels_sdk, frames_host, frames_sdk, host, sdk], sum) = sums(&folder, options);
            assert!(pixels_sdk.iter().any(|&byte| byte != 0), "{dtype} {options:?}");
            assert!(is_same(&pixels_host, &pixels_sdk, sum), "pixels: {dtype} {options:?}");
            assert!(is_same(&frames_host, &frames_sdk, Dtype::F64), "frames: {dtype} {options:?}");
            assert!(is_same(&host, &sdk, Dtype::F64), "moments: {dtype} {options:?}");
        }
    }
}

#[test]
fn what_is_no_number_stays_where_it_is() {
    let folder = Folder::new();
    let mut data = pixels(Dtype::F32);
    for (pixel, odd) in [(17, f32::NAN), (9000, f32::INFINITY), (9001, f32::NEG_INFINITY), (26_041, -0.0)] {
        data[4 * pixel..][..4].copy_from_slice(&odd.to_le_bytes());
    }
    folder.array("data.npy", Dtype::F32, &SCAN, data);
    let (all, dtype) = sums(&folder, &[]);
    assert!(is_same(&all[0], &all[1], dtype));
    assert!(is_same(&all[2], &all[3], Dtype::F64) && is_same(&all[4], &all[5], Dtype::F64));
    let numbers: Vec<f32> = all[0].as_chunks().0.iter().map(|&bytes| f32::from_le_bytes(bytes)).collect();
    assert_eq!(numbers.iter().filter(|number| number.is_nan()).count(), 1);
    assert_eq!(numbers.iter().filter(|number| number.is_infinite()).count(), 2);
}

#[test]
fn the_shipped_sums_are_these() {
    let folder = Folder::new();
    folder.array("data.npy", Dtype::U16, &SCAN, pixels(Dtype::U16));
    folder.lthost(&["run", "--quiet", "--dataset", "data.npy", "-o", "out", "--plugin", "sum"]).succeeds();
    let (all, _) = sums(&folder, &[]);
    assert_eq!(folder.result("out/sum/intensity.npy").data, all[1]);
}
