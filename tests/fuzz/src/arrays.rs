//! Arrays in `.npy` files: parameters, ROIs, corrections.

use lthost::{
    correction::Corrections,
    shape::{
        Array, Dtype, FrameIdx, Roi, RoiIdx, Shape,
        npy::{self, NpyError},
    },
};

use crate::{errors::check_words, folder::with_files};

/// Elements of an array that is tried as a map of pixels: each looks at its neighbours.
const MAX_ELEMENTS: u64 = 512;

/// Reads the input as an array, and takes that for all that arrays are for.
pub(crate) fn run(input: &[u8]) {
    let parsed = npy::parse(input);
    let (read, header) = with_files(&[("array.npy".to_owned(), input)], |folder| {
        let path = folder.join("array.npy");
        (npy::read(&path), npy::read_header(&path))
    });
    match (parsed, read, header) {
        (Ok(parsed), Ok(read), Ok(header)) => {
            assert!(parsed == read, "a file is another array than its bytes");
            assert!((header.dtype, &header.shape) == (read.dtype, &read.shape), "the header is that of another array");
            check(&read);
        }
        (Err(parsed), Err(read), header) => {
            check_words(&parsed);
            check_words(&read);
            if let Err(error) = &header {
                check_words(error);
            }
        }
        (parsed, read, header) => {
            let was_read = [parsed.is_ok(), read.is_ok(), header.is_ok()];
            assert_eq!(was_read, [was_read[0]; 3], "it depends on how an array is read whether it is one");
        }
    }
}

fn check(array: &Array) {
    let n_elements = array.shape.size();
    assert_eq!(n_elements * array.dtype.size() as u64, array.data.len() as u64);
    if array.dtype == Dtype::Bool {
        assert!(array.data.iter().all(|&byte| byte < 2), "a truth value is 0 or 1");
    }
    if let Some(numbers) = array.to_f64s() {
        assert_eq!(numbers.len() as u64, n_elements);
    }
    check_written(array).expect("what was read can be written and read again");
    check_roi(array);
    check_corrections(array);
}

/// What is written comes back.
fn check_written(array: &Array) -> Result<(), NpyError> {
    let mut written = Vec::new();
    npy::write(&mut written, array.dtype, array.shape.axes(), &array.data).expect("memory takes everything");
    assert!(npy::parse(&written)? == *array, "what was written comes back as something else");
    Ok(())
}

fn check_roi(array: &Array) {
    let scan = Shape::new([2, 3]).expect("a small shape");
    for nav in [&scan, &array.shape] {
        match Roi::from_mask(array, nav) {
            Err(error) => check_words(&error),
            Ok(roi) => {
                let all = roi.within(&(FrameIdx(0)..FrameIdx(nav.size())));
                assert_eq!(all, RoiIdx(0)..RoiIdx(roi.n_selected()));
                assert_eq!(roi.to_mask().as_ref(), Some(&array.data), "a ROI is its mask");
                let frames: Vec<u64> = (0..roi.n_selected()).map(|idx| roi.frame(RoiIdx(idx)).0).collect();
                assert!(frames.is_sorted_by(|a, b| a < b), "selected frames ascend");
            }
        }
    }
}

fn check_corrections(array: &Array) {
    let detector = Shape::new([4, 5]).expect("a small shape");
    let own = Some(&array.shape).filter(|shape| shape.size() <= MAX_ELEMENTS);
    for sig in [Some(&detector), own].into_iter().flatten() {
        for (dark, gain, excluded) in [(Some(array), Some(array), None), (None, None, Some(array))] {
            match Corrections::new(sig, dark, gain, excluded) {
                Err(error) => check_words(&error),
                Ok(corrections) => {
                    assert!(corrections.excluded().all(|pixel| (pixel as u64) < sig.size()), "pixels of the detector");
                    assert_eq!(corrections.dark().is_some(), dark.is_some());
                }
            }
        }
    }
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let array = |dtype: Dtype, shape: &[u64]| {
        let n_bytes = shape.iter().product::<u64>() * dtype.size() as u64;
        let data: Vec<u8> = (0..n_bytes).map(|at| u8::try_from(at * 7 % 3).unwrap_or(0)).collect();
        [npy::header(dtype, shape), data].concat()
    };
    let by_hand = |version: u8, text: &str, data: &[u8]| {
        let len = u32::try_from(text.len()).unwrap_or(0).to_le_bytes();
        let len = if version == 1 { &len[..2] } else { &len[..] };
        [&b"\x93NUMPY"[..], &[version, 0], len, text.as_bytes(), data].concat()
    };
    vec![
        array(Dtype::Bool, &[2, 3]),
        array(Dtype::Bool, &[6]),
        array(Dtype::Bool, &[4, 5]),
        array(Dtype::F64, &[4, 5]),
        array(Dtype::C64, &[2, 0, 3]),
        array(Dtype::U16, &[]),
        array(Dtype::I8, &[2, 1, 2, 1, 2]),
        by_hand(1, "{'descr': '>f4', 'fortran_order': True, 'shape': (2, 3)}", &[1; 24]),
        by_hand(2, "{\"shape\": (3L,), 'descr': 'u1', 'fortran_order': False, }\n", &[1, 2, 3]),
        by_hand(3, "{'descr': '<c16', 'fortran_order': True, 'shape': (), }   \n", &[9; 16]),
        by_hand(1, "{'descr': [('a', '<u2')], 'fortran_order': False, 'shape': (4294967296, 4294967296)}", &[]),
    ]
}
