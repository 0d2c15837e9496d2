//! Between the contract's types and the host's. What comes from a plugin is a claim: it is checked here.

use super::{
    Limits,
    arguments::check_declaration,
    bindings::types as wit,
    error::printable,
    instance::{Pixels, TileInput},
    lower,
    manifest::{Axis, Capabilities, Manifest, Parameter, ParameterType, Value},
};
use crate::{
    buffer::{Declaration, Kind, Merge, PartitionRange, Usage},
    correction::Corrections,
    shape::{Array, Dtype, Shape},
    tile::{SigBlock, Tiling},
};

/// In which dtype a UDF wants its tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InputDtype {
    /// As stored.
    Native,
    /// Promoted with this one.
    AtLeast(Dtype),
    /// This one.
    Exactly(Dtype),
}

/// What one call of `process` gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Granularity {
    /// Any block of any number of frames.
    Tile,
    /// Whole frames.
    Frame,
    /// All frames of a partition.
    Partition,
}

impl Granularity {
    /// How it reads in a message.
    pub fn describe(self) -> &'static str {
        match self {
            Self::Tile => "tiles",
            Self::Frame => "frames",
            Self::Partition => "whole partitions",
        }
    }
}

/// In which form tiles are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TileForm {
    /// Typed numbers.
    Dense,
    /// Bytes.
    Bytes,
    /// Sparse rows.
    Csr,
    /// No pixels.
    InHost,
    /// Typed numbers in memory that stays the same for all tiles.
    Window,
}

/// How a UDF wants to be fed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preferences {
    /// In which dtype.
    pub input: InputDtype,
    /// In which portions; none for the smallest that the plugin can process.
    pub granularity: Option<Granularity>,
    /// In which form.
    pub form: TileForm,
    /// Frames per tile, at most.
    pub depth: Option<u64>,
    /// Bytes per tile.
    pub total_size: Option<u64>,
    /// Rows of the first sig axis that a block has a multiple of.
    pub split_rows: Option<u64>,
}

/// Values that a parameter offers for choice.
const MAX_CHOICES: usize = 256;
/// Dtypes that an array may have: there are fewer.
const MAX_DTYPES: usize = 16;
/// Axes besides those of scan and detector; what reads `.npy` files has limits not far from there.
const MAX_AXES: usize = 16;
const MAX_TEXT: usize = 4000;

pub(super) fn manifest(from: wit::Manifest, limits: &Limits) -> Result<Manifest, String> {
    check_name(&from.name, "_-", limits.max_name_len).map_err(|what| format!("is named {what}"))?;
    let (n_parameters, limit) = (from.parameters.len(), limits.max_parameters);
    if n_parameters as u64 > limit {
        return Err(format!(
            "declares {n_parameters} parameters, at most {limit} are allowed (raise --max-parameters)"
        ));
    }
    let mut parameters: Vec<Parameter> = Vec::new();
    for parameter in from.parameters {
        let parameter = self::parameter(parameter, limits.max_name_len)?;
        if parameters.iter().any(|other| other.name == parameter.name) {
            return Err(format!("declares two parameters `{}`", parameter.name));
        }
        parameters.push(parameter);
    }
    let processes = [
        (wit::Granularities::TILE, Granularity::Tile),
        (wit::Granularities::FRAME, Granularity::Frame),
        (wit::Granularities::PARTITION, Granularity::Partition),
    ];
    let processes: Vec<_> = processes
        .into_iter()
        .filter_map(|(flag, granularity)| from.processes.contains(flag).then_some(granularity))
        .collect();
    if processes.is_empty() {
        return Err("offers no processing function: it takes neither tiles nor frames nor partitions".to_owned());
    }
    let has = |flag| from.capabilities.contains(flag);
    Ok(Manifest {
        name: from.name,
        version: printable(&from.version, 64),
        summary: printable(&from.summary, MAX_TEXT),
        authors: from.authors.iter().take(100).map(|author| printable(author, 200)).collect(),
        license: printable(&from.license, 200),
        parameters,
        processes,
        capabilities: Capabilities {
            preprocess: has(wit::Capabilities::PREPROCESS),
            merge: has(wit::Capabilities::MERGE),
            merge_all: has(wit::Capabilities::MERGE_ALL),
            results: has(wit::Capabilities::RESULTS),
            update: has(wit::Capabilities::UPDATE),
        },
    })
}

fn parameter(from: wit::Parameter, max_name_len: u64) -> Result<Parameter, String> {
    check_name(&from.name, "_", max_name_len).map_err(|what| format!("declares a parameter {what}"))?;
    let name = from.name;
    if from.types.is_empty() || from.types.len() > 16 {
        return Err(format!("declares parameter `{name}` with {} types, expected 1 to 16", from.types.len()));
    }
    let context = |what: String| format!("declares parameter `{name}`: {what}");
    let types = from.types.into_iter().map(parameter_type).collect::<Result<Vec<_>, _>>().map_err(context)?;
    let default = value(from.default).map_err(context)?;
    let declared = Parameter {
        types,
        required: from.required,
        default,
        minimum: from.minimum,
        maximum: from.maximum,
        choices: from.choices.iter().take(MAX_CHOICES).map(|choice| printable(choice, 200)).collect(),
        unit: printable(&from.unit, 64),
        doc: printable(&from.doc, MAX_TEXT),
        name: name.clone(),
    };
    check_declaration(&declared).map_err(context)?;
    Ok(declared)
}

fn parameter_type(from: wit::ParameterType) -> Result<ParameterType, String> {
    Ok(match from {
        wit::ParameterType::Flag => ParameterType::Flag,
        wit::ParameterType::Integer => ParameterType::Integer,
        wit::ParameterType::Number => ParameterType::Number,
        wit::ParameterType::Text => ParameterType::Text,
        wit::ParameterType::Dtype => ParameterType::Dtype,
        wit::ParameterType::Array(array) => {
            check_number("dtypes", array.dtypes.len(), MAX_DTYPES)?;
            check_number("axes", array.axes.as_ref().map_or(0, Vec::len), MAX_AXES)?;
            ParameterType::Array {
                dtypes: array.dtypes.into_iter().map(dtype).collect(),
                axes: array.axes.map(|axes| axes.into_iter().map(axis).collect()),
            }
        }
        wit::ParameterType::Aux(aux) => {
            check_number("axes", aux.extra_shape.len(), MAX_AXES)?;
            ParameterType::Aux {
                dtype: dtype(aux.dtype),
                extra_shape: Shape::new(aux.extra_shape).map_err(|error| error.to_string())?,
            }
        }
    })
}

fn check_number(what: &str, n: usize, limit: usize) -> Result<(), String> {
    if n <= limit { Ok(()) } else { Err(format!("it has {n} {what}, at most {limit} are possible")) }
}

fn axis(from: wit::Axis) -> Axis {
    match from {
        wit::Axis::Any => Axis::Any,
        wit::Axis::Fixed(extent) => Axis::Fixed(extent),
        wit::Axis::Sig => Axis::Sig,
        wit::Axis::Nav => Axis::Nav,
    }
}

fn value(from: wit::Value) -> Result<Value, String> {
    Ok(match from {
        wit::Value::Absent => Value::Absent,
        wit::Value::Flag(flag) => Value::Flag(flag),
        wit::Value::Integer(number) => Value::Integer(number),
        wit::Value::Number(number) => Value::Number(number),
        wit::Value::Text(text) => Value::Text(printable(&text, MAX_TEXT)),
        wit::Value::Dtype(name) => Value::Dtype(dtype(name)),
        wit::Value::Array(array) => Value::Array(self::array(array)?),
    })
}

fn array(from: wit::Array) -> Result<Array, String> {
    check_number("axes", from.shape.len(), MAX_AXES)?;
    let (dtype, data) = values(from.data);
    let shape = Shape::new(from.shape).map_err(|error| error.to_string())?;
    if shape.size().checked_mul(dtype.size() as u64) != Some(data.len() as u64) {
        return Err(format!("an array of shape {shape} and dtype {dtype} has {} bytes", data.len()));
    }
    Ok(Array { dtype, shape, data })
}

fn values(from: wit::Values) -> (Dtype, Vec<u8>) {
    fn bytes<T: bytemuck::NoUninit>(list: &[T]) -> Vec<u8> {
        bytemuck::cast_slice(list).to_vec()
    }
    match from {
        wit::Values::Bool(list) => (Dtype::Bool, list.into_iter().map(|byte| u8::from(byte != 0)).collect()),
        wit::Values::U8(list) => (Dtype::U8, list),
        wit::Values::U16(list) => (Dtype::U16, bytes(&list)),
        wit::Values::U32(list) => (Dtype::U32, bytes(&list)),
        wit::Values::U64(list) => (Dtype::U64, bytes(&list)),
        wit::Values::I8(list) => (Dtype::I8, bytes(&list)),
        wit::Values::I16(list) => (Dtype::I16, bytes(&list)),
        wit::Values::I32(list) => (Dtype::I32, bytes(&list)),
        wit::Values::I64(list) => (Dtype::I64, bytes(&list)),
        wit::Values::F32(list) => (Dtype::F32, bytes(&list)),
        wit::Values::F64(list) => (Dtype::F64, bytes(&list)),
        wit::Values::C64(list) => (Dtype::C64, bytes(&list)),
        wit::Values::C128(list) => (Dtype::C128, bytes(&list)),
    }
}

pub(super) fn preferences(from: wit::Preferences) -> Preferences {
    Preferences {
        input: match from.input {
            wit::InputDtype::Native => InputDtype::Native,
            wit::InputDtype::AtLeast(name) => InputDtype::AtLeast(dtype(name)),
            wit::InputDtype::Exactly(name) => InputDtype::Exactly(dtype(name)),
        },
        granularity: from.granularity.map(|granularity| match granularity {
            wit::Granularity::Tile => Granularity::Tile,
            wit::Granularity::Frame => Granularity::Frame,
            wit::Granularity::Partition => Granularity::Partition,
        }),
        form: match from.form {
            wit::TileForm::Dense => TileForm::Dense,
            wit::TileForm::Bytes => TileForm::Bytes,
            wit::TileForm::Csr => TileForm::Csr,
            wit::TileForm::InHost => TileForm::InHost,
            wit::TileForm::Window => TileForm::Window,
        },
        depth: from.depth,
        total_size: from.total_size,
        split_rows: from.split_rows,
    }
}

pub(super) fn declaration(from: wit::Buffer, max_name_len: u64) -> Result<Declaration, String> {
    check_name(&from.name, "_-", max_name_len).map_err(|what| format!("declares a buffer {what}"))?;
    if from.extra_shape.len() > MAX_AXES {
        let (name, n_axes) = (from.name, from.extra_shape.len());
        return Err(format!("declares buffer `{name}` with {n_axes} extra axes, at most {MAX_AXES} are allowed"));
    }
    let extra_shape =
        Shape::new(from.extra_shape).map_err(|error| format!("declares buffer `{}`: {error}", from.name))?;
    Ok(Declaration {
        kind: match from.kind {
            wit::Kind::Nav => Kind::Nav,
            wit::Kind::Sig => Kind::Sig,
            wit::Kind::Single => Kind::Single,
        },
        dtype: dtype(from.dtype),
        extra_shape,
        usage: match from.usage {
            wit::Usage::Result => Usage::Result,
            wit::Usage::Private => Usage::Private,
            wit::Usage::ResultOnly => Usage::ResultOnly,
        },
        merge: match from.merge {
            wit::Merge::Assign => Merge::Assign,
            wit::Merge::Sum => Merge::Sum,
            wit::Merge::Product => Merge::Product,
            wit::Merge::Min => Merge::Min,
            wit::Merge::Max => Merge::Max,
            wit::Merge::Custom => Merge::Custom,
        },
        fill: from.fill,
        unit: printable(&from.unit, 64),
        doc: printable(&from.doc, MAX_TEXT),
        name: from.name,
    })
}

pub(super) fn dtype(from: wit::Dtype) -> Dtype {
    match from {
        wit::Dtype::Bool => Dtype::Bool,
        wit::Dtype::U8 => Dtype::U8,
        wit::Dtype::U16 => Dtype::U16,
        wit::Dtype::U32 => Dtype::U32,
        wit::Dtype::U64 => Dtype::U64,
        wit::Dtype::I8 => Dtype::I8,
        wit::Dtype::I16 => Dtype::I16,
        wit::Dtype::I32 => Dtype::I32,
        wit::Dtype::I64 => Dtype::I64,
        wit::Dtype::F32 => Dtype::F32,
        wit::Dtype::F64 => Dtype::F64,
        wit::Dtype::C64 => Dtype::C64,
        wit::Dtype::C128 => Dtype::C128,
    }
}

pub(super) fn to_dtype(from: Dtype) -> wit::Dtype {
    match from {
        Dtype::Bool => wit::Dtype::Bool,
        Dtype::U8 => wit::Dtype::U8,
        Dtype::U16 => wit::Dtype::U16,
        Dtype::U32 => wit::Dtype::U32,
        Dtype::U64 => wit::Dtype::U64,
        Dtype::I8 => wit::Dtype::I8,
        Dtype::I16 => wit::Dtype::I16,
        Dtype::I32 => wit::Dtype::I32,
        Dtype::I64 => wit::Dtype::I64,
        Dtype::F32 => wit::Dtype::F32,
        Dtype::F64 => wit::Dtype::F64,
        Dtype::C64 => wit::Dtype::C64,
        Dtype::C128 => wit::Dtype::C128,
    }
}

pub(super) fn to_value(from: &Value) -> lower::Value<'_> {
    match from {
        Value::Absent => lower::Value::Absent,
        Value::Flag(flag) => lower::Value::Flag(*flag),
        Value::Integer(number) => lower::Value::Integer(*number),
        Value::Number(number) => lower::Value::Number(*number),
        Value::Text(text) => lower::Value::Text(text),
        Value::Dtype(dtype) => lower::Value::Dtype(to_dtype(*dtype)),
        Value::Array(Array { dtype, shape, data }) => lower::Value::Array(lower::Array {
            shape: shape.axes(),
            data: lower::Values::new(*dtype, lower::Fill::Slice(data)),
        }),
    }
}

fn to_values(dtype: Dtype, bytes: &[u8]) -> wit::Values {
    fn list<T: bytemuck::AnyBitPattern + bytemuck::NoUninit>(bytes: &[u8]) -> Vec<T> {
        bytemuck::allocation::pod_collect_to_vec(bytes)
    }
    match dtype {
        Dtype::Bool => wit::Values::Bool(list(bytes)),
        Dtype::U8 => wit::Values::U8(list(bytes)),
        Dtype::U16 => wit::Values::U16(list(bytes)),
        Dtype::U32 => wit::Values::U32(list(bytes)),
        Dtype::U64 => wit::Values::U64(list(bytes)),
        Dtype::I8 => wit::Values::I8(list(bytes)),
        Dtype::I16 => wit::Values::I16(list(bytes)),
        Dtype::I32 => wit::Values::I32(list(bytes)),
        Dtype::I64 => wit::Values::I64(list(bytes)),
        Dtype::F32 => wit::Values::F32(list(bytes)),
        Dtype::F64 => wit::Values::F64(list(bytes)),
        Dtype::C64 => wit::Values::C64(list(bytes)),
        Dtype::C128 => wit::Values::C128(list(bytes)),
    }
}

/// A tile with its pixels, for the plain way of handing it over.
pub(super) fn to_tile(tile: &TileInput<'_>, n_frames: u64, frames: wit::Frames, data: Vec<u8>) -> wit::Tile {
    let data = match tile.pixels {
        Pixels::Dense(_) => wit::TileData::Dense(to_values(tile.dtype, &data)),
        Pixels::Bytes(_) => wit::TileData::Bytes(data),
        Pixels::InHost => wit::TileData::InHost,
        Pixels::Window(_) => unreachable!("a copied tile is handed over as `dense`"),
        Pixels::Csr(rows) => wit::TileData::Csr(wit::CsrData {
            indptr: rows.indptr().to_vec(),
            indices: rows.indices().to_vec(),
            values: to_values(rows.dtype(), rows.values()),
        }),
    };
    wit::Tile {
        roi_start: tile.roi_start,
        n_frames,
        frames,
        sig_start: tile.block.start,
        sig_origin: tile.block.origin.clone(),
        sig_shape: tile.block.shape.clone(),
        sig_index: tile.sig_index,
        aux: tile
            .aux
            .iter()
            .map(|rows| wit::Array { shape: rows.shape.clone(), data: to_values(rows.dtype, &rows.data) })
            .collect(),
        data,
    }
}

/// What is done to pixels, as a plugin is told.
pub(super) fn to_corrections(from: &Corrections) -> Option<wit::Corrections> {
    (!from.is_empty()).then(|| wit::Corrections {
        dark: from.dark().map(<[f64]>::to_vec),
        gain: from.gain().map(<[f64]>::to_vec),
        excluded: from.excluded().map(|pixel| pixel as u64).collect(),
    })
}

pub(super) fn to_tiling(from: &Tiling) -> wit::Tiling {
    let block =
        |block: &SigBlock| wit::Block { start: block.start, origin: block.origin.clone(), shape: block.shape.clone() };
    wit::Tiling { depth: from.depth, blocks: from.blocks.iter().map(block).collect() }
}

pub(super) fn to_partition(from: &PartitionRange) -> wit::Partition {
    wit::Partition {
        index: from.index,
        frame_start: from.frames.start.0,
        frame_stop: from.frames.end.0,
        roi_start: from.roi.start.0,
        roi_stop: from.roi.end.0,
    }
}

/// A name that may be anything, for an error.
fn quoted(name: &str) -> String {
    let start: String = name.chars().take(64).collect();
    printable(&format!("{start:?}{}", if start.len() < name.len() { "…" } else { "" }), 400)
}

/// Sees that a name is 1 to `max_len` letters, digits, and characters of `others`.
fn check_name(name: &str, others: &str, max_len: u64) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_alphanumeric() || others.contains(c);
    if name.is_empty() || !name.chars().all(plain) {
        let others: Vec<String> = others.chars().map(|c| format!("`{c}`")).collect();
        return Err(format!("{}, which is not made of letters, digits, {}", quoted(name), others.join(", ")));
    }
    if name.len() as u64 > max_len {
        let (name, n_chars) = (quoted(name), name.len());
        return Err(format!(
            "{name}, a name of {n_chars} characters, at most {max_len} are allowed (raise --max-name-len)"
        ));
    }
    Ok(())
}
