//! Between the contract's types and those of this crate.

use crate::{
    Array, Axis, Block, Buffer, Corrections, Dtype, Error, Granularity, Input, Kind, Manifest, Merge, Meta, Parameter,
    ParameterType, Partition, Preferences, Result, Role, Tiling, Usage, Value, bindings::lthost::udf::types as wit,
    meta::Form, tile::Frames,
};

/// A count from the host, which in a 32-bit guest may be more than memory can hold.
pub(crate) fn count(number: u64) -> Result<usize> {
    usize::try_from(number).map_err(|_| Error::new(format!("{number} is more than a 32-bit plugin can count")))
}

pub(crate) fn shape(extents: &[u64]) -> Result<Vec<usize>> {
    extents.iter().map(|&extent| count(extent)).collect()
}

fn extents(shape: &[usize]) -> Vec<u64> {
    shape.iter().map(|&extent| extent as u64).collect()
}

macro_rules! both_ways {
    ($($type:ident: $($variant:ident $wit:ident)*;)*) => { $(
        impl From<wit::$type> for $type {
            fn from(value: wit::$type) -> Self {
                match value { $(wit::$type::$wit => Self::$variant,)* }
            }
        }

        impl From<$type> for wit::$type {
            fn from(value: $type) -> Self {
                match value { $($type::$variant => Self::$wit,)* }
            }
        }
    )* };
}
both_ways! {
    Dtype: Bool Bool U8 U8 U16 U16 U32 U32 U64 U64 I8 I8 I16 I16 I32 I32 I64 I64 F32 F32 F64 F64 C64 C64 C128 C128;
    Kind: Nav Nav Sig Sig Single Single;
    Merge: Assign Assign Sum Sum Product Product Min Min Max Max Custom Custom;
    Usage: Result Result Private Private ResultOnly ResultOnly;
    Role: Worker Worker Main Main;
    Granularity: Tile Tile Frame Frame Partition Partition;
}

impl From<Error> for wit::Error {
    fn from(error: Error) -> Self {
        Self { message: error.message, causes: error.causes }
    }
}

impl TryFrom<wit::Array> for Array {
    type Error = Error;

    fn try_from(array: wit::Array) -> Result<Self> {
        Self::from_values(shape(&array.shape)?, array.data)
    }
}

impl From<Array> for wit::Array {
    fn from(array: Array) -> Self {
        Self { shape: extents(array.shape()), data: array.into_values() }
    }
}

impl TryFrom<wit::Value> for Value {
    type Error = Error;

    fn try_from(value: wit::Value) -> Result<Self> {
        Ok(match value {
            wit::Value::Absent => Self::Absent,
            wit::Value::Flag(flag) => Self::Flag(flag),
            wit::Value::Integer(number) => Self::Integer(number),
            wit::Value::Number(number) => Self::Number(number),
            wit::Value::Text(text) => Self::Text(text),
            wit::Value::Dtype(dtype) => Self::Dtype(dtype.into()),
            wit::Value::Array(array) => Self::Array(array.try_into()?),
        })
    }
}

impl From<Value> for wit::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Absent => Self::Absent,
            Value::Flag(flag) => Self::Flag(flag),
            Value::Integer(number) => Self::Integer(number),
            Value::Number(number) => Self::Number(number),
            Value::Text(text) => Self::Text(text),
            Value::Dtype(dtype) => Self::Dtype(dtype.into()),
            Value::Array(array) => Self::Array(array.into()),
        }
    }
}

impl TryFrom<wit::Meta> for Meta {
    type Error = Error;

    fn try_from(meta: wit::Meta) -> Result<Self> {
        let (nav_shape, sig_shape) = (shape(&meta.nav_shape)?, shape(&meta.sig_shape)?);
        for axes in [&nav_shape, &sig_shape] {
            let size = axes.iter().try_fold(1_usize, |size, &extent| size.checked_mul(extent));
            size.ok_or_else(|| Error::new(format!("a shape of {axes:?} is more than a 32-bit plugin can count")))?;
        }
        Ok(Self {
            role: meta.role.into(),
            nav_shape,
            sig_shape,
            n_roi_frames: count(meta.n_roi_frames)?,
            roi: meta.roi.map(|roi| roi.iter().map(|&selected| selected != 0).collect()),
            dataset_dtype: meta.dataset_dtype.into(),
            corrections: meta.corrections.map(TryInto::try_into).transpose()?,
            metadata: meta.metadata,
        })
    }
}

impl TryFrom<wit::Corrections> for Corrections {
    type Error = Error;

    fn try_from(corrections: wit::Corrections) -> Result<Self> {
        let wit::Corrections { dark, gain, excluded } = corrections;
        Ok(Self { dark, gain, excluded: shape(&excluded)? })
    }
}

impl TryFrom<wit::Tiling> for Tiling {
    type Error = Error;

    fn try_from(tiling: wit::Tiling) -> Result<Self> {
        let block = |block: wit::Block| {
            let (origin, shape) = (shape(&block.origin)?, shape(&block.shape)?);
            Ok(Block { start: count(block.start)?, origin, shape })
        };
        let blocks = tiling.blocks.into_iter().map(block).collect::<Result<_>>()?;
        Ok(Self { depth: count(tiling.depth)?, blocks })
    }
}

impl TryFrom<wit::Partition> for Partition {
    type Error = Error;

    fn try_from(partition: wit::Partition) -> Result<Self> {
        Ok(Self {
            index: count(partition.index)?,
            frame_start: count(partition.frame_start)?,
            frame_stop: count(partition.frame_stop)?,
            roi_start: count(partition.roi_start)?,
            roi_stop: count(partition.roi_stop)?,
        })
    }
}

impl TryFrom<wit::Frames> for Frames {
    type Error = Error;

    fn try_from(frames: wit::Frames) -> Result<Self> {
        Ok(match frames {
            wit::Frames::Consecutive(first) => Self::Consecutive(count(first)?),
            wit::Frames::Listed(indices) => Self::Listed(shape(&indices)?),
        })
    }
}

impl From<Preferences> for wit::Preferences {
    fn from(preferences: Preferences) -> Self {
        let input = match preferences.input {
            Input::Native => wit::InputDtype::Native,
            Input::AtLeast(dtype) => wit::InputDtype::AtLeast(dtype.into()),
            Input::Exactly(dtype) => wit::InputDtype::Exactly(dtype.into()),
        };
        Self {
            input,
            granularity: preferences.granularity.map(Into::into),
            form: match preferences.form {
                Form::Dense => wit::TileForm::Window,
                Form::Csr => wit::TileForm::Csr,
                Form::InHost => wit::TileForm::InHost,
            },
            depth: preferences.depth,
            total_size: preferences.total_size,
            split_rows: preferences.split_rows,
        }
    }
}

impl TryFrom<&Buffer> for wit::Buffer {
    type Error = Error;

    fn try_from(buffer: &Buffer) -> Result<Self> {
        Ok(Self {
            name: buffer.name.clone(),
            kind: buffer.kind.into(),
            dtype: buffer.dtype.into(),
            extra_shape: extents(&buffer.extra_shape),
            usage: buffer.usage.into(),
            merge: buffer.merging()?.into(),
            fill: buffer.fill,
            unit: buffer.unit.clone(),
            doc: buffer.doc.clone(),
        })
    }
}

impl From<Manifest> for wit::Manifest {
    fn from(manifest: Manifest) -> Self {
        let has = manifest.has;
        let capabilities = [
            (has.preprocess, wit::Capabilities::PREPROCESS),
            (has.merge, wit::Capabilities::MERGE),
            (has.merge_all, wit::Capabilities::MERGE_ALL),
            (has.results, wit::Capabilities::RESULTS),
            (has.update, wit::Capabilities::UPDATE),
        ];
        let processes = [
            (Granularity::Tile, wit::Granularities::TILE),
            (Granularity::Frame, wit::Granularities::FRAME),
            (Granularity::Partition, wit::Granularities::PARTITION),
        ];
        Self {
            name: manifest.name,
            version: manifest.version,
            summary: manifest.summary,
            authors: manifest.authors,
            license: manifest.license,
            parameters: manifest.parameters.into_iter().map(Into::into).collect(),
            processes: processes
                .into_iter()
                .filter(|&(granularity, _)| granularity >= manifest.finest)
                .fold(wit::Granularities::empty(), |all, (_, granularity)| all | granularity),
            capabilities: capabilities
                .into_iter()
                .filter(|&(has_it, _)| has_it)
                .fold(wit::Capabilities::empty(), |all, (_, capability)| all | capability),
        }
    }
}

impl From<Parameter> for wit::Parameter {
    fn from(parameter: Parameter) -> Self {
        Self {
            name: parameter.name,
            types: parameter.types.into_iter().map(Into::into).collect(),
            required: parameter.required,
            default: parameter.default.into(),
            minimum: parameter.minimum,
            maximum: parameter.maximum,
            choices: parameter.choices,
            unit: parameter.unit,
            doc: parameter.doc,
        }
    }
}

impl From<ParameterType> for wit::ParameterType {
    fn from(parameter_type: ParameterType) -> Self {
        match parameter_type {
            ParameterType::Flag => Self::Flag,
            ParameterType::Integer => Self::Integer,
            ParameterType::Number => Self::Number,
            ParameterType::Text => Self::Text,
            ParameterType::Dtype => Self::Dtype,
            ParameterType::Array { dtypes, axes } => Self::Array(wit::ArrayType {
                dtypes: dtypes.into_iter().map(Into::into).collect(),
                axes: axes.map(|axes| axes.into_iter().map(Into::into).collect()),
            }),
            ParameterType::Aux { dtype, extra_shape } => {
                Self::Aux(wit::AuxType { dtype: dtype.into(), extra_shape: extents(&extra_shape) })
            }
        }
    }
}

impl From<Axis> for wit::Axis {
    fn from(axis: Axis) -> Self {
        match axis {
            Axis::Any => Self::Any,
            Axis::Fixed(extent) => Self::Fixed(extent as u64),
            Axis::Sig => Self::Sig,
            Axis::Nav => Self::Nav,
        }
    }
}
