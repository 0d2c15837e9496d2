//! Data sets: real files against independent readers, LiberTEM's reference vectors, and files that are broken in every
//! way we could think of.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lthost::{
    dataset::{self, Dataset, DatasetError, DatasetOptions},
    shape::{ByteOrder, Dtype, FrameIdx, npy},
};
use lthost_tests::{root, shared};
use md5::{Digest, Md5};
use serde_json::Value;
use tempfile::TempDir;

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

fn extents(value: &Value) -> Vec<u64> {
    value.as_array().unwrap().iter().map(|extent| extent.as_u64().unwrap()).collect()
}

fn n_pixels(ds: &Dataset) -> usize {
    usize::try_from(ds.sig().size()).unwrap()
}

/// The whole scan as `dtype`, blank frames as zeros.
pub(crate) fn read_all(ds: &Dataset, dtype: Dtype) -> Vec<u8> {
    let frame = n_pixels(ds) * dtype.size();
    let mut out = vec![0; usize::try_from(ds.nav().size()).unwrap() * frame];
    let present = ds.present();
    let n_frames = usize::try_from(present.end.0 - present.start.0).unwrap();
    let start = usize::try_from(present.start.0).unwrap() * frame;
    ds.read(present.start, n_frames, 0..n_pixels(ds), dtype, &mut out[start..][..n_frames * frame]).unwrap();
    out
}

/// Reads runs of frames and parts of frames, and compares them with the whole.
pub(crate) fn check_parts(ds: &Dataset) {
    let (present, n_pixels) = (ds.present(), n_pixels(ds));
    let n_frames = usize::try_from(present.end.0 - present.start.0).unwrap();
    for dtype in [ds.dtype(), ds.dtype().promote(Dtype::F32)] {
        let frame = n_pixels * dtype.size();
        let whole = &read_all(ds, dtype)[usize::try_from(present.start.0).unwrap() * frame..];
        let sigs = [0..n_pixels, 0..n_pixels / 2, n_pixels / 3..n_pixels - 1, n_pixels - 1..n_pixels, 5..5];
        for (skip, n) in [(0, n_frames), (n_frames / 2, n_frames - n_frames / 2), (n_frames - 1, 1), (0, 0)] {
            for sig in &sigs {
                let part = sig.len() * dtype.size();
                // One byte off, so that it isn't aligned for anything.
                let mut out = vec![0xAA; n * part + 1];
                let first = FrameIdx(present.start.0 + skip as u64);
                ds.read(first, n, sig.clone(), dtype, &mut out[1..]).unwrap();
                for (read, whole) in out[1..].chunks_exact(part.max(1)).zip(whole[skip * frame..].chunks_exact(frame)) {
                    assert!(*read == whole[sig.start * dtype.size()..][..part], "{}: {sig:?}", ds.path().display());
                }
            }
        }
    }
}

#[test]
fn real_files_agree_with_independent_readers() {
    let Some(samples) = shared("samples") else { return };
    let mut n_checked = 0;
    for format in ["npy", "raw", "mib", "raw_csr"] {
        for entry in fs::read_dir(samples.join(format)).unwrap() {
            let sidecar = entry.unwrap().path();
            if let Some(file) = sidecar.to_str().unwrap().strip_suffix(".expected.json") {
                check_sample(Path::new(file), format, &json(&sidecar));
                n_checked += 1;
            }
        }
    }
    assert!(n_checked >= 22, "{n_checked} files");
}

fn check_sample(path: &Path, format: &str, expected: &Value) {
    let (nav, sig) = (extents(&expected["nav_shape"]), extents(&expected["sig_shape"]));
    let (dtype, _) = Dtype::parse_with_order(expected["dtype"].as_str().unwrap()).unwrap();
    let mut options = DatasetOptions::default();
    if format == "raw" {
        options.dtype = Some((dtype, None));
        options.sig_shape = Some(sig.clone());
    }
    if format != "npy" {
        options.nav_shape = Some(nav.clone());
    }
    let mut paths = vec![path.to_owned()];
    paths.extend(Some(path.with_extension("hdr")).filter(|header| header.is_file()));
    for path in paths {
        let ds = dataset::open(&path, &options).unwrap();
        assert_eq!((ds.nav().axes(), ds.sig().axes(), ds.dtype()), (&nav[..], &sig[..], dtype), "{}", path.display());
        assert_eq!((ds.format(), Some(ds.n_file_frames())), (format, expected["n_frames"].as_u64()));
        let data = read_all(&ds, dtype);
        let md5 = format!("{:032x}", u128::from_be_bytes(Md5::digest(&data).into()));
        assert_eq!(md5, expected["md5_c_order_le"].as_str().unwrap(), "{}", path.display());

        let numbers: Vec<f64> =
            read_all(&ds, Dtype::F64).as_chunks().0.iter().map(|bytes| f64::from_le_bytes(*bytes)).collect();
        // Integers below 2^53: exact in any order.
        let sum = |numbers: &[f64]| numbers.iter().sum::<f64>();
        assert_eq!(Some(sum(&numbers)), expected["sum"].as_f64(), "{}", path.display());
        let frame_sums = numbers.chunks_exact(n_pixels(&ds)).map(sum);
        for (sum, expected) in frame_sums.zip(expected["frame_sums_first5"].as_array().unwrap()) {
            assert_eq!(Some(sum), expected.as_f64(), "{}", path.display());
        }
        check_parts(&ds);

        // The scan that the file itself knows has as many frames.
        let unguided = dataset::open(&path, &DatasetOptions { nav_shape: None, ..options.clone() }).unwrap();
        assert_eq!(unguided.nav().size(), ds.n_file_frames(), "{}", path.display());
    }
}

/// Where the truth about a case is, if LiberTEM doesn't give it: its mmap backend can't read 1-bit raw files, it takes 24
/// bits for 16 and then reads only the first frame of a file, it doesn't swap floats, and it refuses Fortran order.
fn truth(name: &str) -> Option<&'static str> {
    Some(match name {
        "mib_r64_1_hdr" | "mib_r64_1_mib" => "formats/mib_r64_1_buffered/decoded.npy",
        "mib_quad_r64_1" => "formats/mib_quad_r64_1_buffered/decoded.npy",
        "mib_r64_24_native" => "formats/mib_r64_24_mib/decoded.npy",
        "mib_r64_24_multi" => "formats/mib_r64_24_multi/source.npy",
        "npy_3d_be" => "formats/npy_3d_be/a.npy",
        "npy_fortran" => "formats/npy_fortran/a.npy",
        _ => return None,
    })
}

#[test]
fn libertems_format_vectors_agree() {
    let vectors = root().join("tests/vectors");
    let index = json(&vectors.join("index.json"));
    let mut n_checked = 0;
    for case in index["formats"].as_array().unwrap() {
        if matches!(case["filetype"].as_str(), Some("npy" | "raw" | "mib" | "raw_csr")) {
            check_vector(&vectors, case);
            n_checked += 1;
        }
    }
    assert!(n_checked >= 34, "{n_checked} cases");
}

fn check_vector(vectors: &Path, case: &Value) {
    let name = case["name"].as_str().unwrap();
    let kwargs = &case["kwargs"];
    let axes = |key: &str| kwargs.get(key).map(extents);
    let options = DatasetOptions {
        nav_shape: axes("nav_shape"),
        sig_shape: axes("sig_shape"),
        sig_dims: kwargs.get("sig_dims").map(|dims| usize::try_from(dims.as_u64().unwrap()).unwrap()),
        sync_offset: kwargs.get("sync_offset").map_or(0, |offset| offset.as_i64().unwrap()),
        extra: kwargs.get("disable_glob").map(|on| ("disable_glob".to_owned(), on.to_string())).into_iter().collect(),
        ..DatasetOptions::default()
    };
    let ds = dataset::open(&vectors.join(case["path"].as_str().unwrap()), &options).unwrap();
    let file = truth(name).or_else(|| case["decoded"]["file"].as_str()).unwrap();
    let expected = npy::read(&vectors.join(file)).unwrap();
    assert_eq!(ds.nav().join(ds.sig().axes()).unwrap().size(), expected.shape.size(), "{name}");
    if let Some(shape) = case.get("shape") {
        assert_eq!(ds.nav().join(ds.sig().axes()).unwrap().axes(), extents(shape), "{name}");
    }
    assert!(read_all(&ds, expected.dtype) == expected.data, "{name}: other numbers");
    let bits = ds.metadata().iter().find(|(key, _)| key == "counter depth (bits)").map(|(_, bits)| bits.as_str());
    match (name.contains("r64") || name == "mib_glob_off", bits) {
        (true, Some("1")) => assert_eq!(ds.dtype(), Dtype::U8, "{name}"),
        (true, Some("24")) => assert_eq!(ds.dtype(), Dtype::U32, "{name}"),
        _ => {
            if let Some(dtype) = case["native_dtype"].as_str() {
                assert_eq!(Dtype::parse_with_order(dtype).unwrap().0, ds.dtype(), "{name}");
            }
        }
    }
    if let Some(info) = case["sync_offset_info"].as_object() {
        let keys = [
            ("frames_skipped_start", "frames skipped at the start"),
            ("frames_ignored_end", "frames ignored at the end"),
            ("frames_inserted_start", "blank frames at the start"),
            ("frames_inserted_end", "blank frames at the end"),
        ];
        for (theirs, ours) in keys {
            let count = ds.metadata().iter().find(|(key, _)| key == ours).map_or("0", |(_, count)| count);
            assert_eq!(count, info[theirs].to_string(), "{name}: {ours}");
        }
    }
    let is_cut = ds.metadata().iter().any(|(key, value)| key == "warning" && value.contains("is cut"));
    assert_eq!(is_cut, name == "mib_truncated", "{name}");
    check_parts(&ds);
}

/// A folder for one test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// An array that counts up from 0, of shape `shape`.
    fn write_npy(&self, name: &str, shape: &[u64]) -> PathBuf {
        let n = u16::try_from(shape.iter().product::<u64>()).unwrap();
        let mut bytes = Vec::new();
        let data: Vec<u8> = (0..n).flat_map(u16::to_le_bytes).collect();
        npy::write(&mut bytes, Dtype::U16, shape, &data).unwrap();
        self.write(name, &bytes)
    }

    /// Frames of 4 x 8 pixels; each pixel of a frame has the frame's number.
    fn write_mib(&self, name: &str, numbers: impl IntoIterator<Item = u16>) -> PathBuf {
        self.write(name, &mib(numbers))
    }

    fn write_hdr(&self, name: &str, n_frames: u64, per_trigger: u64) -> PathBuf {
        let text = format!(
            "HDR,\t\r\nFrames in Acquisition (Number):\t{n_frames}\r\nFrames per Trigger (Number):\t{per_trigger}\r\nEnd\t"
        );
        self.write(name, text.as_bytes())
    }
}

fn mib(numbers: impl IntoIterator<Item = u16>) -> Vec<u8> {
    let mut bytes = Vec::new();
    for number in numbers {
        let end = bytes.len() + 384;
        let head = format!("MQ1,{number:06},00384,01,0008,0004,U16,   1x1,01,2024-01-01 12:00:00,0.001,0,0,0,1.0E+2,");
        let tail = "3RX,175,511,MQ1A,2024-01-01T12:00:00Z,1000ns,12,";
        bytes.extend(format!("{head}{tail}").bytes());
        bytes.resize(end, 0);
        bytes.extend([number.to_be_bytes(); 32].as_flattened());
    }
    bytes
}

fn options(nav: &[u64]) -> DatasetOptions {
    DatasetOptions { nav_shape: Some(nav.to_vec()), ..DatasetOptions::default() }
}

fn raw_options(dtype: &str, sig: &[u64]) -> DatasetOptions {
    DatasetOptions {
        dtype: Some(Dtype::parse_with_order(dtype).unwrap()),
        sig_shape: Some(sig.to_vec()),
        ..DatasetOptions::default()
    }
}

fn disable_glob() -> DatasetOptions {
    DatasetOptions { extra: vec![("disable-glob".to_owned(), "true".to_owned())], ..DatasetOptions::default() }
}

fn error(path: &Path, options: &DatasetOptions) -> DatasetError {
    let error = dataset::open(path, options).unwrap_err();
    let text = error.to_string();
    assert!(!text.ends_with('.') && !text.contains('\n') && !text.contains("  "), "{text}");
    error
}

/// The first pixel of each frame of the scan, 0 for blank ones.
fn first_pixels(ds: &Dataset) -> Vec<u32> {
    let numbers = read_all(ds, Dtype::U32);
    numbers.chunks_exact(4 * n_pixels(ds)).map(|frame| u32::from_le_bytes(frame[..4].try_into().unwrap())).collect()
}

fn has_warning(ds: &Dataset, part: &str) -> bool {
    ds.metadata().iter().any(|(key, value)| key == "warning" && value.contains(part))
}

#[test]
fn every_dtype_and_byte_order_is_read() {
    let folder = Folder::new();
    for dtype in Dtype::all() {
        let n = 4 * 5 * 6 * 7;
        let small: Vec<u8> = (0..n).map(|i: u32| u8::try_from(i % 2 + i % 3 / 2).unwrap().min(1)).collect();
        let mut little = vec![0; small.len() * dtype.size()];
        // A real 1 in each dtype: the encoding of one, where the byte is 1.
        let one = match dtype {
            Dtype::F32 | Dtype::C64 => 1_f32.to_le_bytes().to_vec(),
            Dtype::F64 | Dtype::C128 => 1_f64.to_le_bytes().to_vec(),
            _ => vec![1],
        };
        for (bytes, small) in little.chunks_exact_mut(dtype.size()).zip(&small) {
            if *small == 1 {
                bytes[..one.len()].copy_from_slice(&one);
            }
        }
        let mut big = little.clone();
        big.chunks_exact_mut(dtype.word_size()).for_each(<[u8]>::reverse);
        for (order, bytes) in [('<', &little), ('>', &big)] {
            let descr = format!("{order}{}", &dtype.npy_descr()[1..]);
            let mut file = npy::header(dtype, &[4, 5, 6, 7]);
            let text = String::from_utf8_lossy(&file[10..]).replace(&dtype.npy_descr(), &descr);
            file.splice(10.., text.bytes());
            file.extend(bytes);
            let ds = dataset::open(&folder.write("a.npy", &file), &DatasetOptions::default()).unwrap();
            assert_eq!((ds.dtype(), ds.nav().axes(), ds.sig().axes()), (dtype, &[4, 5][..], &[6, 7][..]));
            assert!(read_all(&ds, dtype) == little, "{descr}");
            assert!(read_all(&ds, Dtype::Bool) == small, "{descr}");

            let ds = dataset::open(&folder.write("a.raw", bytes), &raw_options(&descr, &[6, 7])).unwrap();
            assert_eq!((ds.format(), ds.nav().axes()), ("raw", &[20][..]));
            assert!(read_all(&ds, dtype) == little, "{descr}");
            check_parts(&ds);
        }
    }
}

#[test]
fn raw_frames_may_have_headers_and_an_offset() {
    let folder = Folder::new();
    let mut bytes = vec![0xEE; 10];
    for number in 1..=5_u16 {
        bytes.extend([0xEE; 3]);
        bytes.extend([number.to_be_bytes(); 6].as_flattened());
        bytes.extend([0xEE; 5]);
    }
    bytes.extend([0xEE; 7]);
    let path = folder.write("a.bin", &bytes);
    let mut options = raw_options("u16", &[2, 3]);
    options.byte_order = Some(ByteOrder::Big);
    options.offset = Some(10);
    options.extra = vec![("frame-header".to_owned(), "3".to_owned()), ("frame-footer".to_owned(), "5".to_owned())];
    let ds = dataset::open(&path, &options).unwrap();
    assert_eq!(first_pixels(&ds), [1, 2, 3, 4, 5]);
    assert_eq!(ds.file_bytes_per_frame(), 12);
    assert!(has_warning(&ds, "the last 7 bytes are ignored"));
    check_parts(&ds);

    options.dtype = Some((Dtype::U16, Some(ByteOrder::Little)));
    assert!(matches!(error(&path, &options), DatasetError::BadValue { .. }));
    options.dtype = Some((Dtype::U16, None));
    options.extra[0].1 = "-3".to_owned();
    assert!(matches!(error(&path, &options), DatasetError::BadValue { .. }));
    options.extra[0].1 = u64::MAX.to_string();
    assert!(matches!(error(&path, &options), DatasetError::FrameTooLarge { .. }));
    options.extra[0].1 = "3".to_owned();
    options.offset = Some(u64::MAX);
    assert!(matches!(error(&path, &options), DatasetError::NoFrame { .. }));
}

#[test]
fn the_scan_may_be_shifted_shorter_or_longer() {
    let folder = Folder::new();
    let path = folder.write_mib("a.mib", 1..=20);
    for (nav, sync_offset, expected) in [
        (&[4, 5][..], 0, (1..=20).collect::<Vec<u32>>()),
        (&[2, 3], 0, (1..=6).collect()),
        (&[2, 3], 3, (4..=9).collect()),
        (&[2, 3], -2, vec![0, 0, 1, 2, 3, 4]),
        (&[4, 5], 17, [&[18, 19, 20][..], &[0; 17]].concat()),
        (&[2, 3], -7, vec![0; 6]),
        (&[3, 8], -2, [&[0; 2][..], &(1..=20).collect::<Vec<_>>(), &[0; 2]].concat()),
    ] {
        let ds = dataset::open(&path, &DatasetOptions { sync_offset, ..options(nav) }).unwrap();
        assert_eq!(first_pixels(&ds), expected, "{nav:?} {sync_offset}");
    }
    for sync_offset in [20, -20, i64::MAX, i64::MIN] {
        let error = error(&path, &DatasetOptions { sync_offset, ..options(&[4, 5]) });
        assert!(matches!(error, DatasetError::SyncOffset { n_frames: 20, .. }), "{error}");
    }
    let sig = |sig: &[u64]| DatasetOptions { sig_shape: Some(sig.to_vec()), ..options(&[4, 5]) };
    assert_eq!(dataset::open(&path, &sig(&[2, 16])).unwrap().sig().axes(), [2, 16]);
    assert!(matches!(error(&path, &sig(&[3, 16])), DatasetError::SigShape { .. }));
}

#[test]
fn files_are_ordered_by_their_headers() {
    let folder = Folder::new();
    folder.write_mib("scan2.mib", 1..=3);
    folder.write_mib("scan10.mib", 4..=6);
    let last = folder.write_mib("scan1.mib", 7..=8);
    let header = folder.write_hdr("scan.hdr", 8, 4);
    for path in [&last, &header] {
        let ds = dataset::open(path, &DatasetOptions::default()).unwrap();
        assert_eq!(ds.nav().axes(), [2, 4]);
        assert_eq!(first_pixels(&ds), [1, 2, 3, 4, 5, 6, 7, 8]);
        assert_eq!(ds.files().len(), 4);
        check_parts(&ds);
    }
    let ds = dataset::open(&last, &disable_glob()).unwrap();
    assert_eq!((ds.nav().axes(), first_pixels(&ds)), (&[2][..], vec![7, 8]));
}

#[test]
fn another_acquisition_of_the_same_name_is_left_alone() {
    let folder = Folder::new();
    let header = folder.write_hdr("a.hdr", 4, 2);
    let data = folder.write_mib("a.mib", 1..=4);
    folder.write_mib("a1.mib", 1..=2);
    folder.write_mib("a2.mib", 3..=4);
    folder.write_mib("aa1.mib", 5..=6);
    folder.write_mib("a_1.mib", 5..=6);
    folder.write_mib("aRAW.mib", 5..=6);
    for path in [&header, &data] {
        let ds = dataset::open(path, &DatasetOptions::default()).unwrap();
        assert_eq!(first_pixels(&ds), [1, 2, 3, 4]);
    }
    let ds = dataset::open(&folder.path("a2.mib"), &options(&[4])).unwrap();
    assert_eq!((first_pixels(&ds), ds.files()[0].path.as_path()), (vec![1, 2, 3, 4], &*folder.path("a1.mib")));

    // Without `a.mib`, and with another first file, nobody can tell.
    fs::remove_file(&data).unwrap();
    folder.write_mib("a01.mib", 1..=4);
    assert!(matches!(error(&header, &DatasetOptions::default()), DatasetError::Ambiguous { sequence: 1, .. }));
}

#[test]
fn a_missing_file_of_a_sequence_is_noticed() {
    let folder = Folder::new();
    let first = folder.write_mib("s000001.mib", 1..=3);
    let last = folder.write_mib("s000003.mib", 7..=9);
    for path in [&first, &last] {
        let error = error(path, &DatasetOptions::default());
        assert!(matches!(error, DatasetError::Gap { expected: 4, found: 7, .. }), "{error}");
    }
    assert_eq!(first_pixels(&dataset::open(&last, &disable_glob()).unwrap()), [7, 8, 9]);
    folder.write_mib("s000002.mib", 4..=6);
    assert_eq!(dataset::open(&first, &DatasetOptions::default()).unwrap().n_file_frames(), 9);
}

#[test]
fn an_aborted_acquisition_can_be_read_with_a_shape() {
    let folder = Folder::new();
    let header = folder.write_hdr("a.hdr", 8, 4);
    folder.write_mib("a1.mib", 1..=3);
    let error_of = |path: &Path| error(path, &DatasetOptions::default());
    assert!(matches!(error_of(&header), DatasetError::FramesMissing { found: 3, .. }));

    let whole = mib(4..=6);
    let cut = folder.write("a2.mib", &whole[..whole.len() - 100]);
    folder.write("a3.mib", b"");
    for path in [&header, &cut] {
        assert!(matches!(error_of(path), DatasetError::Truncated { frame: 2, missing: 100, .. }));
        let ds = dataset::open(path, &options(&[2, 4])).unwrap();
        assert_eq!(first_pixels(&ds), [1, 2, 3, 4, 5, 0, 0, 0]);
        assert_eq!(ds.present(), FrameIdx(0)..FrameIdx(5));
        assert!(has_warning(&ds, "100 bytes of its frame 2 are missing") && has_warning(&ds, "is an empty file"));
    }
    // A header that was never finished.
    folder.write("a.hdr", b"HDR,\t\r\nFrames in Acqui");
    assert!(matches!(error_of(&header), DatasetError::Truncated { .. }));
    assert_eq!(first_pixels(&dataset::open(&folder.path("a1.mib"), &disable_glob()).unwrap()), [1, 2, 3]);
    fs::remove_file(&cut).unwrap();
    assert!(matches!(error_of(&folder.path("a1.mib")), DatasetError::Header { .. }));
    assert_eq!(dataset::open(&header, &options(&[3])).unwrap().n_file_frames(), 3);
}

#[test]
fn paths_that_are_no_data_are_refused() {
    let folder = Folder::new();
    let auto = DatasetOptions::default();
    for name in ["x.npy", "x.raw", "x.mib", "x.hdr", "x"] {
        assert!(matches!(error(&folder.path(name), &auto), DatasetError::NotFound { .. }));
    }
    assert!(matches!(error(folder.0.path(), &auto), DatasetError::Directory { .. }));
    for name in ["x.npy", "x.raw", "x.mib", "x.hdr", "x"] {
        assert!(matches!(error(&folder.write(name, b""), &auto), DatasetError::Empty { .. }));
    }
    for name in ["x.raw", "x.bin", "x", "x.tif", "x.hdr"] {
        let error = error(&folder.write(name, b"garbage"), &auto);
        assert!(matches!(error, DatasetError::Undetected { .. }), "{error}");
        assert!(error.to_string().contains("npy, raw, mib") && error.to_string().contains("--dtype"), "{error}");
    }
    assert!(matches!(error(&folder.write("x.npy", b"garbage"), &auto), DatasetError::Npy { .. }));
    assert!(matches!(error(&folder.write("x.mib", b"garbage"), &auto), DatasetError::Header { .. }));
    assert!(matches!(error(&folder.write_hdr("lonely.hdr", 1, 1), &auto), DatasetError::NoData { .. }));
    let unknown = DatasetOptions { format: Some("tiff".to_owned()), ..auto };
    assert!(matches!(error(&folder.path("x.npy"), &unknown), DatasetError::UnknownFormat { .. }));
}

#[test]
fn a_file_is_recognised_without_its_extension() {
    let folder = Folder::new();
    let auto = DatasetOptions { format: Some("auto".to_owned()), ..DatasetOptions::default() };
    let bytes = fs::read(folder.write_npy("a.npy", &[2, 3, 4])).unwrap();
    assert_eq!(dataset::open(&folder.write("array", &bytes), &auto).unwrap().format(), "npy");
    assert_eq!(dataset::open(&folder.write("frames.dat", &mib(1..=2)), &auto).unwrap().format(), "mib");
    assert_eq!(dataset::open(&folder.write_mib("FRAMES.MIB", 1..=2), &auto).unwrap().format(), "mib");
}

#[test]
fn options_that_do_not_fit_are_refused() {
    let folder = Folder::new();
    let (array, frames) = (folder.write_npy("a.npy", &[4, 5, 6, 7]), folder.write_mib("a.mib", 1..=2));
    let with = |change: &dyn Fn(&mut DatasetOptions)| {
        let mut options = DatasetOptions::default();
        change(&mut options);
        options
    };
    let not_taken = |path: &Path, change: &dyn Fn(&mut DatasetOptions)| {
        let error = error(path, &with(change));
        assert!(matches!(error, DatasetError::OptionNotTaken { .. }), "{error}");
    };
    for path in [&array, &frames] {
        not_taken(path, &|options| options.dtype = Some((Dtype::U8, None)));
        not_taken(path, &|options| options.byte_order = Some(ByteOrder::Big));
        not_taken(path, &|options| options.offset = Some(1));
    }
    not_taken(&frames, &|options| options.sig_dims = Some(2));
    let unknown = with(&|options| options.extra = vec![("frame-header".to_owned(), "1".to_owned())]);
    for path in [&array, &frames] {
        assert!(matches!(error(path, &unknown), DatasetError::UnknownKey { .. }));
    }
    assert!(error(&frames, &unknown).to_string().contains("known: disable-glob"));
    let bad = with(&|options| options.extra = vec![("disable-glob".to_owned(), "maybe".to_owned())]);
    assert!(matches!(error(&frames, &bad), DatasetError::BadValue { .. }));

    for axes in [&[][..], &[0], &[4, 0], &[u64::MAX, 2]] {
        assert!(matches!(error(&array, &options(axes)), DatasetError::BadShape { .. }), "{axes:?}");
        let sig = with(&|options| options.sig_shape = Some(axes.to_vec()));
        assert!(matches!(error(&array, &sig), DatasetError::BadShape { .. }), "{axes:?}");
        assert!(matches!(error(&frames, &options(axes)), DatasetError::BadShape { .. }), "{axes:?}");
    }
    assert!(matches!(error(&array, &options(&[u64::MAX])), DatasetError::TooLarge { .. }));
    let sig = with(&|options| options.sig_shape = Some(vec![u64::MAX]));
    assert!(matches!(error(&array, &sig), DatasetError::FrameTooLarge { .. }));
    let sig = with(&|options| options.sig_shape = Some(vec![29, 29]));
    assert!(matches!(error(&array, &sig), DatasetError::NoFrame { .. }));
    let sig = with(&|options| (options.sig_shape, options.sig_dims) = (Some(vec![6, 7]), Some(1)));
    assert!(matches!(error(&array, &sig), DatasetError::SigDims { .. }));
    assert!(matches!(error(&folder.write_npy("b.npy", &[4, 5]), &with(&|_| ())), DatasetError::FewAxes { .. }));
}

#[test]
fn raw_says_what_it_needs() {
    let folder = Folder::new();
    let path = folder.write("a.raw", &[0; 100]);
    let raw = DatasetOptions { format: Some("raw".to_owned()), ..DatasetOptions::default() };
    assert!(error(&path, &raw).to_string().contains("`--dtype` and `--sig-shape`"));
    let sized = DatasetOptions { sig_shape: Some(vec![5, 5]), ..raw.clone() };
    assert!(error(&path, &sized).to_string().ends_with("needs `--dtype`"));
    let typed = DatasetOptions { dtype: Some((Dtype::U8, None)), ..raw };
    assert!(error(&path, &typed).to_string().ends_with("needs `--sig-shape`"));
    assert!(matches!(error(&path, &raw_options("u16", &[8, 8])), DatasetError::NoFrame { found: 100, frame: 128, .. }));
    let huge = raw_options("u16", &[u64::MAX]);
    assert!(matches!(error(&path, &huge), DatasetError::FrameTooLarge { .. }));
    assert_eq!(dataset::open(&path, &raw_options("u16", &[3, 3])).unwrap().nav().axes(), [5]);
}

#[test]
fn a_cut_array_tells_both_sizes() {
    let folder = Folder::new();
    let whole = fs::read(folder.write_npy("a.npy", &[4, 5, 6])).unwrap();
    let cut = folder.write("cut.npy", &whole[..whole.len() - 1]);
    let DatasetError::Npy { source, .. } = error(&cut, &DatasetOptions::default()) else { panic!() };
    assert!(matches!(source, npy::NpyError::Short { expected: 240, found: 239 }));
    let cut = folder.write("header.npy", &whole[..70]);
    let DatasetError::Npy { source, .. } = error(&cut, &DatasetOptions::default()) else { panic!() };
    assert!(matches!(source, npy::NpyError::Cut { found: 70, .. }));
    let long = folder.write("long.npy", &[&whole[..], &[0; 100]].concat());
    let ds = dataset::open(&long, &DatasetOptions::default()).unwrap();
    assert_eq!(ds.n_file_frames(), 4);
    assert!(has_warning(&ds, "100 bytes after the array"));
    let empty = folder.write("empty.npy", &npy::header(Dtype::U8, &[0, 4, 4]));
    assert!(matches!(error(&empty, &DatasetOptions::default()), DatasetError::Npy { .. }));
}

#[test]
fn a_mib_file_that_changes_its_mind_is_refused() {
    let folder = Folder::new();
    let mut bytes = mib(1..=3);
    let pitch = bytes.len() / 3;
    bytes[2 * pitch] = b'X';
    let path = folder.write("a.mib", &bytes);
    let DatasetError::Header { at, .. } = error(&path, &DatasetOptions::default()) else { panic!() };
    assert_eq!(at, 2 * pitch as u64);
    let mut bytes = mib(1..=3);
    let width = pitch + mib([1]).windows(4).position(|window| window == b"0008").unwrap();
    bytes[width..width + 4].copy_from_slice(b"0004");
    let path = folder.write("b.mib", &bytes);
    assert!(matches!(error(&path, &DatasetOptions::default()), DatasetError::Header { .. }));
    let path = folder.write("c.mib", &mib([1])[..100]);
    assert!(matches!(error(&path, &DatasetOptions::default()), DatasetError::Header { .. }));
    let path = folder.write("d.mib", &mib([1])[..400]);
    assert!(matches!(error(&path, &options(&[1])), DatasetError::NoFrame { .. }));
    let ds = dataset::open(&folder.write_mib("e.mib", [1, 2, 4]), &DatasetOptions::default()).unwrap();
    assert!(has_warning(&ds, "has 3 frames, but they are numbered 1 to 4"));
}

#[test]
fn reads_outside_the_data_are_errors() {
    let folder = Folder::new();
    let ds = dataset::open(&folder.write_npy("a.npy", &[4, 5, 6, 7]), &DatasetOptions::default()).unwrap();
    let mut out = vec![0; 84];
    let mut read = |first, n, sig, dtype| ds.read(FrameIdx(first), n, sig, dtype, &mut out);
    assert!(read(19, 1, 0..42, Dtype::U16).is_ok());
    assert!(matches!(read(20, 1, 0..42, Dtype::U16), Err(DatasetError::Frames { .. })));
    assert!(matches!(read(19, 2, 0..21, Dtype::U16), Err(DatasetError::Frames { .. })));
    assert!(matches!(read(u64::MAX, 2, 0..21, Dtype::U16), Err(DatasetError::Frames { .. })));
    assert!(matches!(read(0, 1, 1..43, Dtype::U16), Err(DatasetError::Pixels { .. })));
    assert!(matches!(read(0, 1, 0..41, Dtype::U16), Err(DatasetError::Pixels { .. })));
    assert!(matches!(read(0, 2, 0..42, Dtype::U16), Err(DatasetError::Pixels { .. })));
    #[expect(clippy::reversed_empty_ranges, reason = "what a careless caller may pass")]
    let reversed = 42..0;
    assert!(matches!(read(0, 1, reversed, Dtype::U16), Err(DatasetError::Pixels { .. })));

    let complex = folder.write("c.raw", &[0; 64]);
    let ds = dataset::open(&complex, &raw_options("c64", &[2, 2])).unwrap();
    assert!(matches!(ds.read(FrameIdx(0), 1, 0..4, Dtype::F32, &mut [0; 16]), Err(DatasetError::Dtype { .. })));
    assert!(!lthost::shape::convertible(Dtype::C64, Dtype::F32) && lthost::shape::convertible(Dtype::F32, Dtype::C64));
}

#[test]
fn a_file_that_is_shortened_meanwhile_is_an_error() {
    let folder = Folder::new();
    let path = folder.write_npy("a.npy", &[4, 5, 6, 7]);
    let ds = dataset::open(&path, &DatasetOptions::default()).unwrap();
    fs::File::options().write(true).open(&path).unwrap().set_len(100).unwrap();
    let result = ds.read(FrameIdx(0), 1, 0..42, Dtype::U16, &mut [0; 84]);
    assert!(matches!(result, Err(DatasetError::Changed { now: 100, .. })));
}

#[test]
fn many_threads_read_at_once() {
    let folder = Folder::new();
    let path = folder.write_mib("a.mib", 1..=64);
    let ds = dataset::open(&path, &options(&[8, 8])).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert_eq!(first_pixels(&ds), (1..=64).collect::<Vec<_>>()));
        }
    });
}

#[test]
fn files_are_identified() {
    let folder = Folder::new();
    let path = folder.write_npy("a.npy", &[2, 3, 4]);
    let ds = dataset::open(&path, &DatasetOptions::default()).unwrap();
    let [file] = ds.files() else { panic!() };
    assert_eq!((&file.path, file.size), (&path, 128 + 48));
    assert!(file.mtime > 1_500_000_000);
    assert_eq!(ds.path(), path);
}

#[test]
fn every_format_is_listed() {
    let names: Vec<&str> = dataset::formats().iter().map(|format| format.name).collect();
    assert_eq!(names, ["npy", "raw", "mib", "raw_csr"]);
    assert!(dataset::formats().iter().all(|format| format.options.contains(&"nav-shape")));
}

/// What is done to a byte, by exclusive or.
pub(crate) const FLIPS: [u8; 9] = [1, 2, 4, 8, 16, 32, 64, 128, 255];

/// Opens a file that may be anything, and reads it whole if it opens.
fn try_everything(path: &Path) -> usize {
    let mut n_opened = 0;
    for options in [DatasetOptions::default(), options(&[2, 2])] {
        if let Ok(ds) = dataset::open(path, &options) {
            // A flipped bit can promise a scan of any size, but no more frames than there are.
            let frames = usize::try_from(ds.present().end.0 - ds.present().start.0).unwrap();
            let mut out = vec![0; frames * n_pixels(&ds) * 8];
            ds.read(ds.present().start, frames, 0..n_pixels(&ds), Dtype::C64, &mut out).unwrap();
            n_opened += 1;
        }
    }
    n_opened
}

#[test]
fn hostile_bytes_are_errors_or_data_but_no_panic() {
    let folder = Folder::new();
    let array = fs::read(folder.write_npy("whole.npy", &[2, 3, 4])).unwrap();
    let raw = {
        let mut bytes = Vec::new();
        for number in 1..=2 {
            let end = bytes.len() + 128;
            bytes.extend(format!("MQ1,{number:06},00128,04,0256,0002,R64,   2x2,0F,t,1,0,0,0,MQ1A,t,1ns,1,").bytes());
            bytes.resize(end + 64, 0x5A);
            bytes[end - 128..end].iter_mut().filter(|byte| **byte == 0x5A).for_each(|byte| *byte = 0);
        }
        bytes
    };
    for (name, whole) in [("a.npy", &array), ("a.mib", &mib(1..=2)), ("b.mib", &raw)] {
        assert_eq!(try_everything(&folder.write(name, whole)), 2, "{name}");
        for len in 0..whole.len() {
            try_everything(&folder.write(name, &whole[..len]));
        }
        for at in 0..whole.len().min(160) {
            for flip in FLIPS {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                try_everything(&folder.write(name, &bytes));
            }
        }
    }
    let header = fs::read(folder.write_hdr("a.hdr", 2, 1)).unwrap();
    folder.write_mib("a.mib", 1..=2);
    for at in 0..header.len() {
        for flip in FLIPS {
            let mut bytes = header.clone();
            bytes[at] ^= flip;
            try_everything(&folder.write("a.hdr", &bytes));
        }
        try_everything(&folder.write("a.hdr", &header[..at]));
    }
}
