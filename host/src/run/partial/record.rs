//! What a partial says of its run, and its arrays.

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::{
    buffer::{Declaration, Emission, Partial, PartitionRange},
    plugin::Argument,
    shape::{Array, Dtype, Shape},
};

/// The header of a partial.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub(super) run: RunRecord,
    /// Number of the partition.
    pub(super) partition: u64,
    /// For each UDF and each of its declared buffers the pieces that were emitted.
    pub(super) udfs: Vec<Vec<Vec<PieceRecord>>>,
}

/// Some elements of a buffer.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::run) struct PieceRecord {
    /// The first of them.
    pub(in crate::run) offset: u64,
    /// Number of the block that has them.
    pub(in crate::run) block: usize,
}

/// What all partials of a run have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::run) struct RunRecord {
    pub(super) lthost: String,
    pub(super) contract: String,
    pub(super) nav: Vec<u64>,
    pub(super) sig: Vec<u64>,
    pub(super) dtype: String,
    pub(super) format: String,
    pub(super) sync_offset: i64,
    pub(super) metadata: Vec<(String, String)>,
    /// Name and size.
    pub(super) files: Vec<(String, u64)>,
    /// Fingerprint of what is in them, as they were read.
    pub(super) content: String,
    pub(super) file_bytes_per_frame: u64,
    /// The frames of the scan that are in the files: first, and one past the last.
    pub(super) present: (u64, u64),
    pub(super) roi: Option<ArrayRecord>,
    pub(super) dark: Option<ArrayRecord>,
    pub(super) gain: Option<ArrayRecord>,
    pub(super) excluded: Option<ArrayRecord>,
    pub(super) n_partitions: u64,
    pub(super) tile_bytes: Option<u64>,
    #[serde(default)]
    pub(super) backwards: bool,
    pub(super) deterministic: bool,
    pub(super) udfs: Vec<UdfRecord>,
    pub(in crate::run) updates: Vec<UpdateRecord>,
}

/// A UDF of the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::run) struct UdfRecord {
    pub(super) label: String,
    /// Name or path of the plugin.
    pub(super) plugin: String,
    pub(super) sha256: String,
    pub(super) arguments: Vec<(String, ArgumentRecord)>,
}

/// New values of parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::run) struct UpdateRecord {
    pub(in crate::run) from_partition: u64,
    pub(in crate::run) label: String,
    pub(in crate::run) arguments: Vec<(String, ArgumentRecord)>,
}

/// A parameter as it was given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(in crate::run) enum ArgumentRecord {
    Json(Json),
    Array(ArrayRecord),
}

/// An array in a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::run) struct ArrayRecord {
    dtype: String,
    shape: Vec<u64>,
    /// Of its bytes: the same arrays have the same record.
    sha256: String,
    block: usize,
}

impl RunRecord {
    /// The same run with other updates.
    pub(in crate::run) fn with_updates(self, updates: Vec<UpdateRecord>) -> Self {
        Self { updates, ..self }
    }

    /// What differs from another run; none if it is the same. A plugin is its hash, wherever it was found.
    pub(in crate::run) fn difference(&self, other: &Self) -> Option<String> {
        let fields = |record: &Self| {
            let mut record = record.clone();
            for udf in &mut record.udfs {
                udf.plugin.clear();
                udf.arguments.sort_by(|(one, _), (other, _)| one.cmp(other));
            }
            match serde_json::to_value(record) {
                Ok(Json::Object(fields)) => fields,
                _ => serde_json::Map::new(),
            }
        };
        let (ours, theirs) = (fields(self), fields(other));
        let (name, _) = ours.into_iter().find(|(name, value)| theirs.get(name) != Some(value))?;
        Some(match name.as_str() {
            "nav" => "the shape of the scan".to_owned(),
            "sig" => "the shape of frames".to_owned(),
            "content" => "what is in the files".to_owned(),
            "n_partitions" => "the number of partitions".to_owned(),
            "udfs" => difference_of_udfs(&self.udfs, &other.udfs),
            name => name.replace('_', " "),
        })
    }
}

/// The first difference of UDFs, which are not the same.
fn difference_of_udfs(ours: &[UdfRecord], theirs: &[UdfRecord]) -> String {
    let labels = |udfs: &[UdfRecord]| udfs.iter().map(|udf| udf.label.clone()).collect::<Vec<_>>().join(", ");
    if labels(ours) != labels(theirs) {
        return format!("their UDFs, {} and {}", labels(ours), labels(theirs));
    }
    let Some((ours, theirs)) = ours.iter().zip(theirs).find(|(ours, theirs)| {
        ours.sha256 != theirs.sha256
            || ours.arguments.iter().any(|argument| !theirs.arguments.contains(argument))
            || ours.arguments.len() != theirs.arguments.len()
    }) else {
        return "their UDFs".to_owned();
    };
    if ours.sha256 != theirs.sha256 {
        return format!("the plugin of `{}`", ours.label);
    }
    let differs = |one: &UdfRecord, other: &UdfRecord| {
        one.arguments.iter().find(|argument| !other.arguments.contains(argument)).map(|(name, _)| name.clone())
    };
    let name = differs(ours, theirs).or_else(|| differs(theirs, ours)).unwrap_or_default();
    format!("parameter `{name}` of `{}`", ours.label)
}

/// Keeps an array as a block.
pub(super) fn keep(array: &Array, blocks: &mut Vec<Vec<u8>>) -> ArrayRecord {
    blocks.push(array.data.clone());
    ArrayRecord {
        dtype: array.dtype.name().to_owned(),
        shape: array.shape.axes().to_vec(),
        sha256: hex(&Sha256::digest(&array.data)),
        block: blocks.len() - 1,
    }
}

/// Keeps arguments, arrays among them as blocks.
pub(in crate::run) fn keep_arguments(
    arguments: &[(String, Argument)],
    blocks: &mut Vec<Vec<u8>>,
) -> Vec<(String, ArgumentRecord)> {
    let mut keep_one = |argument: &Argument| match argument {
        Argument::Json(json) => ArgumentRecord::Json(json.clone()),
        Argument::Array(array) => ArgumentRecord::Array(keep(array, blocks)),
    };
    arguments.iter().map(|(name, argument)| (name.clone(), keep_one(argument))).collect()
}

/// The pieces of a partial as blocks.
pub(in crate::run) fn borrow_pieces<'a>(partial: &'a Partial, blocks: &mut Vec<&'a [u8]>) -> Vec<Vec<PieceRecord>> {
    let mut records = Vec::new();
    for pieces in &partial.buffers {
        let first = blocks.len();
        blocks.extend(pieces.iter().map(|piece| piece.data.as_slice()));
        let record = |(piece, block): (&crate::buffer::Piece, usize)| PieceRecord { offset: piece.offset, block };
        records.push(pieces.iter().zip(first..).map(record).collect());
    }
    records
}

/// A partition's partial of a UDF: what is said of it is checked as if the plugin had just emitted it.
///
/// # Errors
///
/// What is wrong.
pub(in crate::run) fn partial_of(
    declarations: &[Declaration],
    buffers: &[Vec<PieceRecord>],
    blocks: &[&[u8]],
    (range, sig): (&PartitionRange, &Shape),
) -> Result<Partial, String> {
    let mut emission = Emission::of_partial(declarations, range.n_rows(), sig);
    for (number, pieces) in (0..).zip(buffers) {
        for PieceRecord { offset, block } in pieces {
            let data = blocks.get(*block).ok_or("a buffer names a block that is not there")?;
            emission.emit(number, *offset, data).map_err(|error| error.to_string())?;
        }
    }
    let emitted = emission.finish().map_err(|error| error.to_string())?;
    Ok(Partial { partition: range.clone(), buffers: emitted.into_iter().map(|(pieces, _)| pieces).collect() })
}

/// The array, if its block is what the record says.
pub(super) fn restore(record: &ArrayRecord, blocks: &[&[u8]]) -> Result<Array, &'static str> {
    let data = blocks.get(record.block).ok_or("an array names a block that is not there")?;
    let dtype: Dtype = record.dtype.parse().map_err(|_| "an array has an unknown dtype")?;
    let shape = Shape::new(record.shape.clone()).map_err(|_| "an array has an impossible shape")?;
    let fits = shape.size().checked_mul(dtype.size() as u64) == Some(data.len() as u64);
    if !fits || hex(&Sha256::digest(data)) != record.sha256 {
        return Err("an array is another one than its record says");
    }
    Ok(Array { dtype, shape, data: data.to_vec() })
}

/// The arguments, as they were given.
pub(in crate::run) fn restore_arguments(
    records: &[(String, ArgumentRecord)],
    blocks: &[&[u8]],
) -> Result<Vec<(String, Argument)>, &'static str> {
    let restore_one = |record: &ArgumentRecord| match record {
        ArgumentRecord::Json(json) => Ok(Argument::Json(json.clone())),
        ArgumentRecord::Array(array) => restore(array, blocks).map(Argument::Array),
    };
    records.iter().map(|(name, record)| Ok((name.clone(), restore_one(record)?))).collect()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_come_back_to_the_last_bit() {
        // The first two come back as a neighbour where JSON is read fast.
        for number in [9.073_038_322_028_689e-5, 1.927_896_752_283_323_5e-7, f64::MIN_POSITIVE, f64::MAX, 0.1, -0.0] {
            let records = keep_arguments(&[("cx".to_owned(), Argument::Json(number.into()))], &mut Vec::new());
            let records: Vec<(String, ArgumentRecord)> =
                serde_json::from_str(&serde_json::to_string(&records).unwrap()).unwrap();
            let arguments = restore_arguments(&records, &[]).unwrap();
            let Argument::Json(json) = &arguments[0].1 else { panic!("{arguments:?}") };
            assert_eq!(json.as_f64().unwrap().to_bits(), number.to_bits());
        }
    }
}
