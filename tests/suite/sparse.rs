//! Sparse data: the format `raw_csr`, and plugins that take their tiles as sparse rows.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use lthost::{
    correction::Corrections,
    dataset::{self, Dataset, DatasetError, DatasetOptions},
    plugin::{Argument, Engine, EngineConfig, Handover, Limits, Plugin},
    run::{Outcome, PageCache, Pool, RunConfig, UdfSpec},
    shape::{Array, Dtype, FrameIdx, Shape},
    tile::CsrRows,
};
use lthost_tests::{counts, save, wasm};
use tempfile::TempDir;

use crate::datasets::{FLIPS, check_parts, read_all};

/// What is in the three files, and what the fourth says.
struct Sparse {
    toml: String,
    indptr: Vec<i64>,
    indices: Vec<i64>,
    values: Vec<u16>,
}

const TOML: &str = r#"
[params]
filetype = "raw_csr"
nav_shape = [4, 5]
sig_shape = [6, 7]

[raw_csr]
indptr_file = "sub/rows.dat"
indptr_dtype = "<i8"
indices_file = "coords.dat"
indices_dtype = "<i8"
data_file = "values.dat"
data_dtype = "<u2"
"#;

const N_PIXELS: usize = 42;

impl Sparse {
    /// The pixels of `array` that are not zero.
    fn of(array: &Array) -> Self {
        let mut sparse = Self { toml: TOML.to_owned(), indptr: vec![0], indices: Vec::new(), values: Vec::new() };
        for frame in numbers(array).chunks(N_PIXELS) {
            for (pixel, value) in (0..).zip(frame).filter(|(_, value)| **value != 0) {
                sparse.indices.push(pixel);
                sparse.values.push(*value);
            }
            sparse.indptr.push(i64::try_from(sparse.indices.len()).unwrap());
        }
        sparse
    }

    fn write(&self, folder: &Path) -> PathBuf {
        fs::create_dir_all(folder.join("sub")).unwrap();
        fs::write(folder.join("sub/rows.dat"), bytes(&self.indptr, i64::to_le_bytes)).unwrap();
        fs::write(folder.join("coords.dat"), bytes(&self.indices, i64::to_le_bytes)).unwrap();
        fs::write(folder.join("values.dat"), bytes(&self.values, u16::to_le_bytes)).unwrap();
        let path = folder.join("scan.toml");
        fs::write(&path, &self.toml).unwrap();
        path
    }

    /// Opens it, and reads it if it opens. The words of the error.
    fn error(&self) -> String {
        let dir = tempfile::tempdir().unwrap();
        open_and_read(&self.write(dir.path())).unwrap_err().to_string()
    }
}

fn bytes<T: Copy, const SIZE: usize>(numbers: &[T], to_bytes: impl Fn(T) -> [u8; SIZE]) -> Vec<u8> {
    numbers.iter().flat_map(|number| to_bytes(*number)).collect()
}

fn numbers(array: &Array) -> Vec<u16> {
    array.data.as_chunks().0.iter().map(|bytes| u16::from_le_bytes(*bytes)).collect()
}

/// A scan most of whose pixels are zero, with two empty frames.
fn thin() -> Array {
    let mut array = counts(&[4, 5, 6, 7]);
    let (pixels, _) = array.data.as_chunks_mut::<2>();
    for (i, pixel) in pixels.iter_mut().enumerate() {
        if i % 7 > 1 || matches!(i / N_PIXELS, 3 | 19) {
            *pixel = [0, 0];
        }
    }
    array
}

fn open(path: &Path) -> Result<Dataset, DatasetError> {
    dataset::open(path, &DatasetOptions::default())
}

fn open_and_read(path: &Path) -> Result<Vec<u8>, DatasetError> {
    let ds = open(path)?;
    let present = ds.present();
    let n_frames = usize::try_from(present.end.0 - present.start.0).unwrap();
    let n_pixels = usize::try_from(ds.sig().size()).unwrap();
    let mut out = vec![0; n_frames * n_pixels * 8];
    ds.read(present.start, n_frames, 0..n_pixels, Dtype::F64, &mut out).map(|()| out)
}

#[test]
fn sparse_frames_read_as_dense_ones() {
    let dir = tempfile::tempdir().unwrap();
    let array = thin();
    let ds = open(&Sparse::of(&array).write(dir.path())).unwrap();
    assert_eq!(
        (ds.format(), ds.dtype(), ds.nav().axes(), ds.sig().axes()),
        ("raw_csr", Dtype::U16, &[4, 5][..], &[6, 7][..])
    );
    assert!(read_all(&ds, Dtype::U16) == array.data);
    check_parts(&ds);
    assert_eq!(ds.files().len(), 4);
    assert!(ds.metadata().iter().all(|(key, _)| key != "warning"));
}

#[test]
fn every_dtype_and_byte_order_of_the_three_files_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let sparse = Sparse { values: vec![1; Sparse::of(&thin()).values.len()], ..Sparse::of(&thin()) };
    let path = sparse.write(dir.path());
    let expected = read_all(&open(&path).unwrap(), Dtype::C128);
    for dtype in Dtype::all() {
        for order in ['<', '>'] {
            let name = format!("{order}{}", &dtype.npy_descr()[1..]);
            let encode = |numbers: &[i64]| {
                let mut encoded = Vec::new();
                for number in numbers {
                    let number = u8::try_from(*number).unwrap();
                    let mut bytes = match dtype {
                        Dtype::F32 | Dtype::C64 => f32::from(number).to_le_bytes().to_vec(),
                        Dtype::F64 | Dtype::C128 => f64::from(number).to_le_bytes().to_vec(),
                        _ => vec![number],
                    };
                    bytes.resize(dtype.size(), 0);
                    if order == '>' {
                        bytes.chunks_exact_mut(dtype.word_size()).for_each(<[u8]>::reverse);
                    }
                    encoded.extend(bytes);
                }
                encoded
            };
            fs::write(dir.path().join("values.dat"), encode(&vec![1; sparse.values.len()])).unwrap();
            let toml = TOML.replace("<u2", &name);
            fs::write(&path, &toml).unwrap();
            assert!(read_all(&open(&path).unwrap(), Dtype::C128) == expected, "values {name}");
            check_parts(&open(&path).unwrap());

            let toml = toml.replace("indices_dtype = \"<i8\"", &format!("indices_dtype = \"{name}\""));
            fs::write(&path, &toml).unwrap();
            fs::write(dir.path().join("coords.dat"), encode(&sparse.indices)).unwrap();
            if name.contains('i') || name.contains('u') {
                assert!(read_all(&open(&path).unwrap(), Dtype::C128) == expected, "indices {name}");
            } else {
                let error = open(&path).unwrap_err().to_string();
                assert!(error.contains("`indices_dtype` is") && error.contains("expected whole numbers"), "{error}");
            }
            sparse.write(dir.path());
        }
    }
}

#[test]
fn pixels_may_be_in_any_order_and_add_up_if_there_twice() {
    let dir = tempfile::tempdir().unwrap();
    let array = thin();
    let mut sparse = Sparse::of(&array);
    let mut mixed = Sparse { toml: TOML.to_owned(), indptr: vec![0], indices: Vec::new(), values: Vec::new() };
    for (row, bounds) in sparse.indptr.windows(2).enumerate() {
        let entries = usize::try_from(bounds[0]).unwrap()..usize::try_from(bounds[1]).unwrap();
        for entry in entries.clone().rev() {
            mixed.indices.push(sparse.indices[entry]);
            mixed.values.push(if row % 2 == 0 { 1 } else { sparse.values[entry] });
        }
        // The rest of each pixel, in the other order.
        for entry in entries.filter(|_| row % 2 == 0) {
            mixed.indices.push(sparse.indices[entry]);
            mixed.values.push(sparse.values[entry] - 1);
        }
        mixed.indptr.push(i64::try_from(mixed.indices.len()).unwrap());
    }
    let ds = open(&mixed.write(dir.path())).unwrap();
    assert!(read_all(&ds, Dtype::U16) == array.data);
    check_parts(&ds);
    assert_eq!(rows_of(&ds, 2..N_PIXELS), rows_of(&open(&sparse.write(dir.path())).unwrap(), 2..N_PIXELS));

    // Wherever the numbers have no order, complex ones among them.
    sparse.indices.reverse();
    let ds = open(&sparse.write(dir.path())).unwrap();
    for dtype in Dtype::all() {
        read_all(&ds, dtype);
    }
}

/// All frames as sparse rows.
fn rows_of(ds: &Dataset, sig: std::ops::Range<usize>) -> CsrRows {
    let mut rows = CsrRows::new(Dtype::F32);
    ds.read_csr(FrameIdx(0), 20, sig, &mut rows).unwrap();
    rows
}

#[test]
fn sparse_rows_are_the_same_from_sparse_and_dense_files() {
    let dir = tempfile::tempdir().unwrap();
    let array = thin();
    save(&dir.path().join("dense.npy"), &array);
    let (sparse, dense) =
        (open(&Sparse::of(&array).write(dir.path())).unwrap(), open(&dir.path().join("dense.npy")).unwrap());
    for sig in [0..N_PIXELS, 0..1, 5..5, 7..21, 41..42] {
        assert_eq!(rows_of(&sparse, sig.clone()), rows_of(&dense, sig));
    }
    let n_stored = numbers(&array).iter().filter(|value| **value != 0).count();
    assert_eq!(rows_of(&sparse, 0..N_PIXELS).indices().len(), n_stored);
    for ds in [&sparse, &dense] {
        let read = |first, n, sig| ds.read_csr(FrameIdx(first), n, sig, &mut CsrRows::new(Dtype::U8));
        assert!(matches!(read(19, 2, 0..1), Err(DatasetError::Frames { .. })));
        assert!(matches!(read(0, 1, 1..43), Err(DatasetError::Pixels { .. })));
        assert!(matches!(read(u64::MAX, 2, 0..1), Err(DatasetError::Frames { .. })));
    }
}

#[test]
fn nothing_stored_is_a_scan_of_zeros() {
    let dir = tempfile::tempdir().unwrap();
    let empty = Sparse { toml: TOML.to_owned(), indptr: vec![0; 21], indices: Vec::new(), values: Vec::new() };
    let ds = open(&empty.write(dir.path())).unwrap();
    assert!(read_all(&ds, Dtype::U16) == vec![0; 4 * 5 * 6 * 7 * 2]);
    check_parts(&ds);
}

#[test]
fn the_scan_may_have_another_shape_than_the_sidecar_says() {
    let dir = tempfile::tempdir().unwrap();
    let array = thin();
    let path = Sparse::of(&array).write(dir.path());
    let frame = N_PIXELS * 2;
    for (nav, sync_offset, expected) in [
        (vec![20], 0, array.data.clone()),
        (vec![2, 3], 3, array.data[3 * frame..9 * frame].to_vec()),
        (vec![2, 3], -2, [&vec![0; 2 * frame][..], &array.data[..4 * frame]].concat()),
        (vec![5, 5], 0, [&array.data[..], &vec![0; 5 * frame]].concat()),
    ] {
        let options = DatasetOptions { nav_shape: Some(nav), sync_offset, ..DatasetOptions::default() };
        let ds = dataset::open(&path, &options).unwrap();
        assert!(read_all(&ds, Dtype::U16) == expected, "{sync_offset}");
        check_parts(&ds);
    }
    let sig = |sig: &[u64]| DatasetOptions { sig_shape: Some(sig.to_vec()), ..DatasetOptions::default() };
    assert_eq!(dataset::open(&path, &sig(&[42])).unwrap().sig().axes(), [42]);
    assert!(matches!(dataset::open(&path, &sig(&[6, 6])), Err(DatasetError::SigShape { .. })));
    fs::write(&path, TOML.replace("[4, 5]", "[4, 6]")).unwrap();
    let ds = open(&path).unwrap();
    let warning =
        |(key, text): &(String, String)| key == "warning" && text.contains("24 frames, but the files hold 20");
    assert!(ds.metadata().iter().any(warning));
    assert_eq!(ds.present().end, FrameIdx(20));
}

#[test]
fn a_bad_sidecar_is_named_with_its_line() {
    let whole = Sparse::of(&thin());
    for (from, to, expected) in [
        ("[params]", "[params", "scan.toml`, line 2: "),
        ("[params]", "[parms]", "unknown field `parms`"),
        ("filetype", "file_type", "line 3: unknown field `file_type`"),
        ("filetype = \"raw_csr\"", "filetype = \"k2is\"", "`filetype` is \"k2is\", expected \"raw_csr\""),
        ("nav_shape = [4, 5]\n", "", "missing field `nav_shape`"),
        ("[4, 5]", "[4, -5]", "line 4: "),
        ("[4, 5]", "[4, 0]", "`nav_shape`: "),
        ("[6, 7]", "[]", "`sig_shape`: "),
        ("[6, 7]", "\"6, 7\"", "line 5: "),
        ("[6, 7]", "[9223372036854775807, 7]", "`sig_shape`: "),
        ("[6, 7]", "[9223372036854775807]", "more elements than can be counted"),
        ("[4, 5]", "[9223372036854775807]", "more elements than can be counted"),
        ("data_file = \"values.dat\"\n", "", "missing field `data_file`"),
        ("<u2", "<u3", "`data_dtype`: "),
        ("<u2", "", "`data_dtype`: "),
        ("\"<u2\"", "\"<u2\"\ncolour = 3", "line 14: unknown field `colour`"),
        ("values.dat", "missing.dat", "missing.dat"),
        ("values.dat", "sub", "is a directory"),
        ("data_dtype = \"<u2\"", "data_dtype = \"<f8\"", "values.dat` make no sense: its "),
    ] {
        let error = Sparse { toml: whole.toml.replace(from, to), ..Sparse::of(&thin()) }.error();
        assert!(error.contains(expected), "{to}: {error}");
        assert!(!error.contains('\n') && !error.contains("  "), "{error}");
    }
}

#[test]
fn numbers_that_make_no_sense_are_refused() {
    let bad = |expected: &str, spoil: &dyn Fn(&mut Sparse)| {
        let mut sparse = Sparse::of(&thin());
        spoil(&mut sparse);
        let error = sparse.error();
        assert!(error.contains(expected), "{error}");
    };
    let n = Sparse::of(&thin()).indices.len();
    bad(&format!("coords.dat` make no sense: it has {n} pixel numbers, but"), &|sparse| sparse.values.truncate(n - 1));
    bad(&format!("it has {} pixel numbers, but", n - 1), &|sparse| sparse.indices.truncate(n - 1));
    bad("rows.dat` make no sense: the first row pointer is 1, expected 0", &|sparse| sparse.indptr[0] = 1);
    bad("row pointer 2 is 0, expected 11 to 215", &|sparse| sparse.indptr[2] = 0);
    bad("row pointer 3 is -1, expected", &|sparse| sparse.indptr[3] = -1);
    bad("row pointer 1 is 9223372036854775807, expected 0 to", &|sparse| sparse.indptr[1] = i64::MAX);
    // The last frame is empty.
    bad("the last row pointer is 214, expected 215", &|sparse| sparse.indptr[19..].fill(214));
    bad("row pointer 20 is", &|sparse| sparse.indptr[20] += 1);
    bad("it has 1 row pointers: one frame takes two", &|sparse| sparse.indptr.truncate(1));
    bad("it has 0 row pointers", &|sparse| sparse.indptr.clear());
    bad("coords.dat` make no sense: frame 0 has pixel 42, but a frame has 42, counted from 0", &|sparse| {
        sparse.indices[3] = 42;
    });
    bad("frame 18 has pixel -1, but a frame has 42", &|sparse| sparse.indices[n - 1] = -1);
}

#[test]
fn a_bad_pixel_is_an_error_however_little_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut sparse = Sparse::of(&thin());
    sparse.indices[3] = i64::MAX;
    let ds = open(&sparse.write(dir.path())).unwrap();
    for _ in 0..2 {
        let error = ds.read(FrameIdx(0), 1, 0..1, Dtype::U16, &mut [0; 2]).unwrap_err();
        assert!(matches!(error, DatasetError::Sparse { .. }));
        let error = ds.read_csr(FrameIdx(0), 1, 0..1, &mut CsrRows::new(Dtype::U16)).unwrap_err();
        assert!(matches!(error, DatasetError::Sparse { .. }));
    }
    ds.read(FrameIdx(1), 1, 0..1, Dtype::U16, &mut [0; 2]).unwrap();
}

#[test]
fn sparse_files_that_are_shortened_meanwhile_are_an_error() {
    for name in ["sub/rows.dat", "coords.dat", "values.dat"] {
        let dir = tempfile::tempdir().unwrap();
        let ds = open(&Sparse::of(&thin()).write(dir.path())).unwrap();
        fs::File::options().write(true).open(dir.path().join(name)).unwrap().set_len(10).unwrap();
        let error = ds.read(FrameIdx(0), 1, 0..1, Dtype::U16, &mut [0; 2]).unwrap_err();
        assert!(matches!(error, DatasetError::Changed { now: 10, .. }), "{name}");
    }
}

#[test]
fn hostile_sparse_files_are_errors_or_data_but_no_panic() {
    let dir = tempfile::tempdir().unwrap();
    let path = Sparse::of(&thin()).write(dir.path());
    for name in ["scan.toml", "sub/rows.dat", "coords.dat", "values.dat"] {
        let file = dir.path().join(name);
        let whole = fs::read(&file).unwrap();
        for at in 0..whole.len().min(300) {
            for flip in FLIPS {
                let mut spoilt = whole.clone();
                spoilt[at] ^= flip;
                fs::write(&file, &spoilt).unwrap();
                drop(open_and_read(&path));
            }
            fs::write(&file, &whole[..at]).unwrap();
            drop(open_and_read(&path));
        }
        fs::write(&file, &whole).unwrap();
    }
    assert!(open_and_read(&path).is_ok());
}

/// The same scan in both forms, and the plugins.
struct Bench {
    _dir: TempDir,
    sparse: PathBuf,
    dense: PathBuf,
    engine: Engine,
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let array = thin();
        let (sparse, dense) = (Sparse::of(&array).write(dir.path()), dir.path().join("dense.npy"));
        save(&dense, &array);
        Self { _dir: dir, sparse, dense, engine: Engine::new(EngineConfig::default()).unwrap() }
    }

    fn udf(&self, name: &str, arguments: Vec<(String, Argument)>) -> UdfSpec {
        UdfSpec {
            label: None,
            plugin: Plugin::from_file(&self.engine, &wasm(name), &Limits::default()).unwrap(),
            arguments,
        }
    }
}

fn run_on(path: &Path, udfs: &[UdfSpec], config: &RunConfig) -> Outcome {
    // As many workers as there may be of use: results do not depend on it.
    let n_workers = usize::try_from(config.partitions.unwrap_or(3).min(3)).unwrap();
    Pool::new(n_workers).unwrap().run(&Arc::new(open(path).unwrap()), udfs, config).unwrap()
}

/// The elements of result `name` of UDF number `udf`.
fn result<'a>(outcome: &'a Outcome, udf: usize, name: &str) -> &'a [u8] {
    &outcome.udfs[udf].results.iter().find(|result| result.name == name).unwrap().data
}

/// Runs that cut the scan in different ways.
fn configs() -> Vec<RunConfig> {
    let odd = (0..20).map(|frame| u8::from(frame % 3 != 1)).collect();
    let one = (0..20).map(|frame| u8::from(frame == 7)).collect();
    let mask = |data| Array { dtype: Dtype::Bool, shape: Shape::new([4, 5]).unwrap(), data };
    let mut configs = Vec::new();
    for roi in [None, Some(mask(odd)), Some(mask(one))] {
        for (tile_bytes, partitions) in [(1, 1), (100, 3), (1000, 20), (1 << 20, 4)] {
            configs.push(RunConfig {
                roi: roi.clone(),
                tile_bytes: Some(tile_bytes),
                partitions: Some(partitions),
                page_cache: PageCache { read_ahead: Some(partitions > 3), keep_bytes: Some(partitions) },
                ..RunConfig::default()
            });
        }
    }
    configs
}

#[test]
fn dense_plugins_get_the_same_from_sparse_data() {
    let bench = Bench::new();
    let udfs = ["plugin_sum", "plugin_sumsig", "plugin_stddev", "plugin_pick", "plugin_com"]
        .map(|name| bench.udf(name, Vec::new()));
    for config in configs() {
        let (sparse, dense) = (run_on(&bench.sparse, &udfs, &config), run_on(&bench.dense, &udfs, &config));
        for (sparse, dense) in sparse.udfs.iter().zip(&dense.udfs) {
            for (sparse, dense) in sparse.results.iter().zip(&dense.results) {
                assert!(sparse.data == dense.data, "{} of {config:?}", sparse.name);
            }
        }
    }
}

#[test]
fn a_plugin_may_take_sparse_tiles() {
    let bench = Bench::new();
    let dense_udfs = ["plugin_sumsig", "plugin_sum"].map(|name| bench.udf(name, Vec::new()));
    for by in ["tile", "frame", "partition"] {
        let by = vec![("by".to_owned(), Argument::Json(by.into()))];
        let udf = bench.udf("guest_csr_sum", by);
        let all = [udf.clone(), dense_udfs[0].clone(), dense_udfs[1].clone()];
        for config in configs() {
            let expected = run_on(&bench.dense, &dense_udfs, &config);
            let mut stored = Vec::new();
            for path in [&bench.sparse, &bench.dense] {
                for handover in [Handover::InPlace, Handover::Copied] {
                    let config = RunConfig { handover, ..config.clone() };
                    // Alone, and beside plugins that take dense tiles.
                    for udfs in [std::slice::from_ref(&udf), &all] {
                        let outcome = run_on(path, udfs, &config);
                        assert!(result(&outcome, 0, "frames") == result(&expected, 0, "intensity"), "{config:?}");
                        assert!(result(&outcome, 0, "pixels") == result(&expected, 1, "intensity"), "{config:?}");
                        stored.push(result(&outcome, 0, "stored").to_vec());
                    }
                }
            }
            assert!(stored.iter().all(|other| *other == stored[0]));
        }
    }
}

#[test]
fn sparse_tiles_are_corrected() {
    let bench = Bench::new();
    let dark = Array { data: [[1, 0]; N_PIXELS].concat(), dtype: Dtype::U16, shape: Shape::new([6, 7]).unwrap() };
    let corrections = Corrections::new(&dark.shape, Some(&dark), None, None).unwrap();
    let udfs = [bench.udf("guest_csr_sum", Vec::new()), bench.udf("plugin_sumsig", Vec::new())];
    for tile_bytes in [50, 1 << 20] {
        let config =
            RunConfig { corrections: corrections.clone(), tile_bytes: Some(tile_bytes), ..RunConfig::default() };
        for path in [&bench.sparse, &bench.dense] {
            let outcome = run_on(path, &udfs, &config);
            assert!(result(&outcome, 0, "frames") == result(&outcome, 1, "intensity"));
        }
    }
}

#[test]
fn a_partition_that_would_not_fit_dense_is_handed_over_sparse() {
    let bench = Bench::new();
    let folder = bench.sparse.parent().unwrap();
    let toml = TOML.replace("[4, 5]", "[40]").replace("[6, 7]", "[4096, 4096]");
    let sparse = Sparse { toml, indptr: (0..=40).collect(), indices: (0..40).collect(), values: vec![2; 40] };
    let path = sparse.write(folder);
    let by = vec![("by".to_owned(), Argument::Json("partition".into()))];
    let udf = bench.udf("guest_csr_sum", by);
    let config = RunConfig { partitions: Some(1), ..RunConfig::default() };
    let outcome = run_on(&path, &[udf], &config);
    assert!(result(&outcome, 0, "frames") == [2_f32.to_le_bytes(); 40].as_flattened());
    assert!(result(&outcome, 0, "pixels")[..160] == *[2_f32.to_le_bytes(); 40].as_flattened());
}
