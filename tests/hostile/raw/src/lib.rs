//! A plugin that lies: parameter `lie` says how. It stands on the contract's bindings alone, since the SDK would not let
//! most of this through. Its honest part counts: buffer `count` has a 1 for each frame, `pixels` for each pixel the
//! number of frames.

mod bindings;

use std::cell::Cell;

use bindings::{
    exports::lthost::udf::udf::{Guest, GuestUdf, Partial, Udf},
    lthost::udf::{
        host::{self, emit, emit_mask},
        types::{
            Argument, Array, Buffer, Capabilities, Dtype, Error, Granularities, Granularity, InputDtype, Kind,
            Manifest, Merge, Meta, Parameter, ParameterType, Partition, Preferences, Role, Tile, TileForm, Tiling,
            Usage, Value, Values,
        },
    },
};

/// What goes wrong in a terminal that believes it.
const ESCAPES: &str = "\x1b[31mred\x1b[0m\u{202e}\x07";
/// What a test has in a file around the frames of a run.
const SECRET: u8 = 0xee;
/// Place of the buffers in the order of declaration.
const COUNT: u32 = 0;
const PIXELS: u32 = 1;
const TOTAL: u32 = 2;

/// What `describe` lies about. It has no parameters that could say so: tests write it into the built file.
static DESCRIBE: [u8; 32] = *b"describe-lie:none...............";

/// The export.
#[derive(Debug)]
pub struct Raw;

/// The UDF: what it lies about, and where it is.
#[derive(Debug)]
pub struct Liar {
    lie: String,
    role: Role,
    n_pixels: usize,
    n_roi_frames: usize,
    partition: Cell<Option<Partition>>,
    window: Cell<&'static [u8]>,
}

impl Guest for Raw {
    type Udf = Liar;

    fn describe() -> Manifest {
        let mut manifest = manifest();
        distort_manifest(&mut manifest);
        manifest
    }
}

impl GuestUdf for Liar {
    fn create(arguments: Vec<Argument>, meta: Meta) -> Result<Udf, Error> {
        let lie = match arguments.first().map(|argument| &argument.value) {
            Some(Value::Text(lie)) => lie.clone(),
            _ => return Err(Error { message: "`lie` did not arrive".to_owned(), causes: Vec::new() }),
        };
        if lie == "emit-in-create" {
            emit(COUNT, 0, &[1]);
        }
        Ok(Udf::new(Self {
            lie,
            role: meta.role,
            n_pixels: meta.sig_shape.iter().map(|&extent| to_usize(extent)).product(),
            n_roi_frames: to_usize(meta.n_roi_frames),
            partition: Cell::new(None),
            window: Cell::new(&[]),
        }))
    }

    fn preferences(&self) -> Result<Preferences, Error> {
        let mut preferences = Preferences {
            input: InputDtype::Native,
            granularity: None,
            form: TileForm::Dense,
            depth: None,
            total_size: None,
            split_rows: None,
        };
        match self.lie.as_str() {
            "csr" => preferences.form = TileForm::Csr,
            "in-host" => preferences.form = TileForm::InHost,
            "exactly-f32" => preferences.input = InputDtype::Exactly(Dtype::F32),
            "bytes" => preferences.form = TileForm::Bytes,
            lie if lie.contains("window") => preferences.form = TileForm::Window,
            "depth-0" => preferences.depth = Some(0),
            "depth-max" => preferences.depth = Some(u64::MAX),
            "size-0" => preferences.total_size = Some(0),
            "rows-max" => preferences.split_rows = Some(u64::MAX),
            "partitions" => preferences.granularity = Some(Granularity::Partition),
            "size-max" => preferences.total_size = Some(u64::MAX),
            "size-max-frames" => {
                preferences.total_size = Some(u64::MAX);
                preferences.granularity = Some(Granularity::Frame);
            }
            _ => {}
        }
        Ok(preferences)
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>, Error> {
        let mut buffers = vec![
            buffer("count", Kind::Nav, Dtype::U8),
            Buffer { merge: Merge::Custom, ..buffer("pixels", Kind::Sig, Dtype::U32) },
            Buffer { usage: Usage::ResultOnly, ..buffer("total", Kind::Single, Dtype::F64) },
        ];
        self.distort(&mut buffers);
        Ok(buffers)
    }

    fn preprocess(&self) -> Result<(), Error> {
        match self.lie.as_str() {
            "preprocess-result-only" => emit(TOTAL, 0, &[0; 8]),
            "preprocess-part" => emit(PIXELS, 1, &[0; 4]),
            _ => {}
        }
        Ok(())
    }

    fn begin(&self, partition: Partition, _: Tiling) -> Result<(), Error> {
        self.partition.set(Some(partition));
        if self.lie == "emit-in-begin" {
            emit(COUNT, 0, &[1]);
        }
        Ok(())
    }

    fn window(&self, memory: Vec<u8>) -> Result<(), Error> {
        match self.lie.as_str() {
            // The host goes on writing there.
            "window-freed" => drop(memory),
            "window-in-use" => memory.leak().fill(0xff),
            "emit-in-window" => emit(COUNT, 0, &[1]),
            "window-peek" => self.window.set(memory.leak()),
            _ => return Err(Error { message: "a window is more than I can take".to_owned(), causes: Vec::new() }),
        }
        Ok(())
    }

    fn process(&self, _: Tile) -> Result<(), Error> {
        if self.lie == "emit-in-process" {
            emit(COUNT, 0, &[1]);
        }
        let secrets: usize = self.window.get().iter().map(|&byte| usize::from(byte == SECRET)).sum();
        if secrets > 0 {
            let message = format!("{secrets} bytes are in the window that are not the tile's");
            return Err(Error { message, causes: Vec::new() });
        }
        Ok(())
    }

    fn end(&self) -> Result<(), Error> {
        let Some(partition) = self.partition.get() else { return Ok(()) };
        let n_frames = to_usize(partition.roi_stop - partition.roi_start);
        let pixels = u32::try_from(n_frames).unwrap_or(0).to_le_bytes().repeat(self.n_pixels);
        self.emit_counts(&vec![1; n_frames], &pixels);
        Ok(())
    }

    fn merge(&self, _: Partition, _: Vec<Array>, _: Vec<Array>, _: Vec<u8>) -> Result<(), Error> {
        // Not among the capabilities: the host never calls it.
        std::process::abort()
    }

    fn merge_all(&self, partials: Vec<Partial>) -> Result<(), Error> {
        let n_frames: u64 =
            partials.iter().map(|partial| partial.partition.roi_stop - partial.partition.roi_start).sum();
        let pixels = u32::try_from(n_frames).unwrap_or(0).to_le_bytes().repeat(self.n_pixels);
        match self.lie.as_str() {
            "merge-all-loops" => loop {
                std::hint::black_box(());
            },
            "merge-all-emits-nothing" => {}
            "merge-all-emits-more" => emit(PIXELS, 0, &pixels.repeat(2)),
            "merge-all-emits-assigned" => emit(COUNT, 0, &vec![1; self.n_roi_frames]),
            _ => emit(PIXELS, 0, &pixels),
        }
        Ok(())
    }

    fn results(&self, merged: Vec<Array>, _: Vec<u8>) -> Result<(), Error> {
        let total: f64 = (0..merged.len()).map(|_| 1.0).sum();
        match self.lie.as_str() {
            "results-forget" => return Ok(()),
            "results-too-many" => emit(TOTAL, 0, &[0; 16]),
            "results-part" => emit(PIXELS, 0, &[0; 4]),
            "mask-size" => emit_mask(COUNT, &[1]),
            "mask-number" => emit_mask(7, &[1]),
            _ => {}
        }
        emit(TOTAL, 0, &total.to_le_bytes());
        Ok(())
    }

    fn update(&self, _: Vec<Argument>) -> Result<(), Error> {
        std::process::abort()
    }
}

impl Liar {
    /// Hands over the partial buffers, or something else.
    fn emit_counts(&self, count: &[u8], pixels: &[u8]) {
        match self.lie.as_str() {
            "emit-nothing" => return,
            "emit-too-few" => emit(COUNT, 0, &count[1..]),
            "emit-too-many" => emit(COUNT, 0, &[count, &[1]].concat()),
            "emit-whole-scan" => emit(COUNT, 0, &vec![1; self.n_roi_frames]),
            "emit-wrong-number" => emit(9, 0, count),
            "emit-max-number" => emit(u32::MAX, 0, count),
            "emit-far" => emit(COUNT, u64::MAX, &count[..1]),
            "emit-result-only" => emit(TOTAL, 0, &[0; 8]),
            "emit-fraction" => emit(PIXELS, 0, &pixels[..3]),
            "emit-twice" => (0..2).for_each(|_| emit(COUNT, 0, count)),
            "emit-overlap" => {
                emit(COUNT, 0, &count[..2]);
                emit(COUNT, 1, &count[..count.len() - 2]);
            }
            "emit-backwards" => (0..count.len()).rev().for_each(|i| emit(COUNT, i as u64, &count[i..=i])),
            "emit-empty-often" => {
                (0..100_000).for_each(|_| emit(COUNT, 0, &[]));
                emit(COUNT, 0, count);
            }
            "log-huge" => host::log(host::Level::Error, &"z".repeat(64 << 20)),
            _ => emit(COUNT, 0, count),
        }
        if self.lie != "emit-forget" {
            emit(PIXELS, 0, pixels);
        }
    }

    /// Makes declarations absurd.
    fn distort(&self, buffers: &mut Vec<Buffer>) {
        let mut change = |change: &dyn Fn(&mut Buffer)| change(&mut buffers[0]);
        match self.lie.as_str() {
            "extra-huge" => change(&|buffer| buffer.extra_shape = vec![u64::MAX]),
            "extra-overflow" => change(&|buffer| buffer.extra_shape = vec![1 << 32, 1 << 32]),
            "extra-large" => change(&|buffer| buffer.extra_shape = vec![1 << 40]),
            "extra-axes" => change(&|buffer| buffer.extra_shape = vec![1; 10_000]),
            "extra-empty" => change(&|buffer| buffer.extra_shape = vec![0]),
            "name-path" => change(&|buffer| "../../evil".clone_into(&mut buffer.name)),
            "name-absolute" => change(&|buffer| "/tmp/evil".clone_into(&mut buffer.name)),
            "name-escapes" => change(&|buffer| ESCAPES.clone_into(&mut buffer.name)),
            "name-empty" => change(&|buffer| buffer.name.clear()),
            "name-long" => change(&|buffer| buffer.name = "n".repeat(1 << 20)),
            "name-twice" => change(&|buffer| "pixels".clone_into(&mut buffer.name)),
            "fill-nan" => change(&|buffer| buffer.fill = f64::NAN),
            "fill-256" => change(&|buffer| buffer.fill = 256.0),
            "complex-max" => change(&|buffer| (buffer.dtype, buffer.merge) = (Dtype::C64, Merge::Max)),
            "text-escapes" => change(&|buffer| (buffer.unit, buffer.doc) = (ESCAPES.to_owned(), ESCAPES.to_owned())),
            "other-on-worker" if self.role == Role::Worker => change(&|buffer| buffer.dtype = Dtype::U16),
            "fewer-on-worker" if self.role == Role::Worker => buffers.truncate(1),
            "many" => *buffers = (0..100_000).map(|i| buffer(&format!("b{i}"), Kind::Single, Dtype::U8)).collect(),
            "none-at-all" => buffers.clear(),
            _ => {}
        }
    }
}

fn manifest() -> Manifest {
    Manifest {
        name: "raw".to_owned(),
        version: format!("1.0{ESCAPES}"),
        summary: format!("Lies\nerror: about {ESCAPES} itself"),
        authors: vec![format!("nobody{ESCAPES}")],
        license: format!("none{ESCAPES}"),
        parameters: vec![parameter("lie")],
        processes: Granularities::TILE | Granularities::FRAME,
        capabilities: Capabilities::MERGE_ALL | Capabilities::RESULTS | Capabilities::PREPROCESS,
    }
}

fn parameter(name: &str) -> Parameter {
    Parameter {
        name: name.to_owned(),
        types: vec![ParameterType::Text],
        required: false,
        default: Value::Text("none".to_owned()),
        minimum: None,
        maximum: None,
        choices: Vec::new(),
        unit: ESCAPES.to_owned(),
        doc: format!("about what {ESCAPES}"),
    }
}

/// Makes a manifest absurd, as `DESCRIBE` says.
fn distort_manifest(manifest: &mut Manifest) {
    let lie = std::hint::black_box(&DESCRIBE);
    let lie = std::str::from_utf8(&lie["describe-lie:".len()..]).unwrap_or_default().trim_end_matches('.');
    let mut parameter_that = |change: &dyn Fn(&mut Parameter)| change(&mut manifest.parameters[0]);
    match lie {
        "loop" => loop {
            std::hint::black_box(());
        },
        "panic" => {
            host::log(host::Level::Error, "panicked before it began");
            std::process::abort();
        }
        "abort" => std::process::abort(),
        "processes-none" => manifest.processes = Granularities::empty(),
        "name-empty" => manifest.name.clear(),
        "name-escapes" => ESCAPES.clone_into(&mut manifest.name),
        "name-path" => "../evil".clone_into(&mut manifest.name),
        "huge-summary" => manifest.summary = "s".repeat(64 << 20),
        "many-parameters" => manifest.parameters = (0..1000).map(|i| parameter(&format!("p{i}"))).collect(),
        "parameter-twice" => manifest.parameters = vec![parameter("p"), parameter("p")],
        "parameter-name" => parameter_that(&|parameter| ESCAPES.clone_into(&mut parameter.name)),
        "no-types" => parameter_that(&|parameter| parameter.types.clear()),
        "array-default" => parameter_that(&|parameter| {
            let array = Array { shape: vec![u64::MAX, 3], data: Values::F32(vec![1.0]) };
            parameter.default = Value::Array(array);
        }),
        "no-merge" => manifest.capabilities = Capabilities::RESULTS,
        "no-results" => manifest.capabilities = Capabilities::MERGE_ALL,
        _ => {}
    }
}

fn buffer(name: &str, kind: Kind, dtype: Dtype) -> Buffer {
    Buffer {
        name: name.to_owned(),
        kind,
        dtype,
        extra_shape: Vec::new(),
        usage: Usage::Result,
        merge: Merge::Assign,
        fill: 0.0,
        unit: String::new(),
        doc: String::new(),
    }
}

fn to_usize(n: u64) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}
