//! What is run: plugins, alone and together, with their parameters for all contenders.

use anyhow::{anyhow, bail};
use lthost::{
    plugin::Argument,
    shape::{Array, Dtype, Shape},
};
use lthost_guest_sdk::{self as sdk, testing::Worker};
use serde_json::{Value as Json, json};

use crate::native::Native;

/// The plugin of the guide's first page: what `lthost map` makes of a function in a file.
#[expect(elided_lifetimes_in_paths, reason = "an author's own crate has not the lints of this workspace")]
#[path = "../../docs/examples/row_sums.rs"]
mod map;

/// UDFs of one pass.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job {
    pub(crate) name: &'static str,
    pub(crate) udfs: &'static [Kind],
}

/// A plugin, and with what parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Sum,
    SumSig,
    StdDev,
    Extrema,
    LogSum,
    /// So many masks without a zero.
    Masks(u32),
    /// So many masks that are disks: almost nothing but zeros.
    Disks(u32),
    Com,
    Fem,
    Map,
    Pick,
}

/// Everything that is measured in GB/s.
pub(crate) const JOBS: [Job; 14] = [
    Job { name: "sum", udfs: &[Kind::Sum] },
    Job { name: "sumsig", udfs: &[Kind::SumSig] },
    Job { name: "stddev", udfs: &[Kind::StdDev] },
    Job { name: "extrema", udfs: &[Kind::Extrema] },
    Job { name: "logsum", udfs: &[Kind::LogSum] },
    Job { name: "masks1", udfs: &[Kind::Masks(1)] },
    Job { name: "masks4", udfs: &[Kind::Masks(4)] },
    Job { name: "masks16", udfs: &[Kind::Masks(16)] },
    Job { name: "masks100", udfs: &[Kind::Masks(100)] },
    Job { name: "disks16", udfs: &[Kind::Disks(16)] },
    Job { name: "com", udfs: &[Kind::Com] },
    Job { name: "fem", udfs: &[Kind::Fem] },
    Job { name: "map", udfs: &[Kind::Map] },
    Job { name: "four", udfs: &[Kind::Sum, Kind::SumSig, Kind::StdDev, Kind::Masks(4)] },
];

/// Measured as time.
pub(crate) const PICK: Job = Job { name: "pick", udfs: &[Kind::Pick] };

impl Kind {
    /// Name of the UDF.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::SumSig => "sumsig",
            Self::StdDev => "stddev",
            Self::Extrema => "extrema",
            Self::LogSum => "logsum",
            Self::Masks(_) | Self::Disks(_) => "masks",
            Self::Com => "com",
            Self::Fem => "fem",
            Self::Map => "map",
            Self::Pick => "pick",
        }
    }

    /// The plugin's file, in the folder where plugins are built.
    pub(crate) fn file(self) -> String {
        match self {
            Self::Map => "examples/row_sums.wasm".to_owned(),
            _ => format!("plugin_{}.wasm", self.name()),
        }
    }

    /// Parameters for the sandbox.
    pub(crate) fn arguments(self, sig: &[u64]) -> anyhow::Result<Vec<(String, Argument)>> {
        let &[height, width] = sig else { bail!("there are only frames of two dimensions to measure on") };
        let masks = |n_masks: u32, weights: Vec<f32>| {
            let shape = Shape::new([u64::from(n_masks), height, width])?;
            let data = weights.into_iter().flat_map(f32::to_le_bytes).collect();
            anyhow::Ok(vec![("factors".to_owned(), Argument::Array(Array { dtype: Dtype::F32, shape, data }))])
        };
        match self {
            Self::Masks(n_masks) => masks(n_masks, full(n_masks, height * width).collect()),
            Self::Disks(n_masks) => masks(n_masks, disks(n_masks, [height, width])),
            Self::Fem => {
                let of = |share: f64, extent| json!(share * real(extent));
                let ring = [
                    ("center", json!([real(height) / 2.0, real(width) / 2.0])),
                    ("rad_in", of(0.2, height)),
                    ("rad_out", of(0.3, height)),
                ];
                Ok(ring.map(|(name, value)| (name.to_owned(), Argument::Json(value))).into())
            }
            _ => Ok(Vec::new()),
        }
    }

    /// The same source without a sandbox, with its parameters.
    pub(crate) fn given(self, sig: &[u64]) -> anyhow::Result<Given> {
        let values = self.arguments(sig)?.into_iter().map(|(name, argument)| Ok((name, natively(argument)?)));
        Ok(Given { kind: self, values: values.collect::<anyhow::Result<_>>()? })
    }
}

/// A UDF to be run natively.
#[derive(Debug)]
pub(crate) struct Given {
    kind: Kind,
    values: Vec<(String, sdk::Value)>,
}

impl Given {
    pub(crate) fn worker(&self, meta: sdk::Meta) -> anyhow::Result<Box<dyn Native>> {
        let given = &self.values;
        let worker: sdk::Result<Box<dyn Native>> = match self.kind {
            Kind::Sum => boxed::<plugin_sum::Sum>(given, meta),
            Kind::SumSig => boxed::<plugin_sumsig::SumSig>(given, meta),
            Kind::StdDev => boxed::<plugin_stddev::StdDev>(given, meta),
            Kind::Extrema => boxed::<plugin_extrema::Extrema>(given, meta),
            Kind::LogSum => boxed::<plugin_logsum::LogSum>(given, meta),
            Kind::Masks(_) | Kind::Disks(_) => boxed::<plugin_masks::Masks>(given, meta),
            Kind::Com => boxed::<plugin_com::Com>(given, meta),
            Kind::Fem => boxed::<plugin_fem::Fem>(given, meta),
            Kind::Map => boxed::<sdk::Auto<map::row_sums>>(given, meta),
            Kind::Pick => boxed::<plugin_pick::Pick>(given, meta),
        };
        worker.map_err(|error| anyhow!("{} failed natively: {error}", self.kind.name()))
    }
}

fn boxed<U: sdk::Udf>(given: &[(String, sdk::Value)], meta: sdk::Meta) -> sdk::Result<Box<dyn Native>> {
    Ok(Box::new(Worker::<U>::new(given, meta)?))
}

/// A parameter as a UDF gets it: numbers, and arrays of `f32` and of numbers.
fn natively(argument: Argument) -> anyhow::Result<sdk::Value> {
    let array = match argument {
        Argument::Json(Json::Array(numbers)) => {
            let numbers: Vec<f64> = numbers.iter().filter_map(Json::as_f64).collect();
            sdk::Array::new(&[numbers.len()], &numbers)
        }
        Argument::Json(number) => {
            let number = number.as_f64().ok_or_else(|| anyhow!("{number} is no number"))?;
            return Ok(sdk::Value::Number(number));
        }
        Argument::Array(Array { shape, data, .. }) => {
            let shape: Vec<usize> = shape.axes().iter().map(|&n| usize::try_from(n)).collect::<Result<_, _>>()?;
            let (words, _) = data.as_chunks::<4>();
            sdk::Array::new(&shape, &words.iter().map(|&word| f32::from_le_bytes(word)).collect::<Vec<_>>())
        }
    };
    array.map(sdk::Value::Array).map_err(|error| anyhow!("{error}"))
}

/// Masks without zeros, all different.
fn full(n_masks: u32, sig_size: u64) -> impl Iterator<Item = f32> {
    (0..u64::from(n_masks) * sig_size)
        .map(move |i| f32::from(u16::try_from((i * 31 + i / sig_size * 7) % 97).unwrap_or(0) + 1) / 97.0)
}

/// Masks that are 1 in a disk, 0.6 % of the frame. The disks lie around the centre.
fn disks(n_masks: u32, [height, width]: [u64; 2]) -> Vec<f32> {
    let mut weights = Vec::new();
    for mask in 0..n_masks {
        let (sin, cos) = (std::f64::consts::TAU * f64::from(mask) / f64::from(n_masks)).sin_cos();
        let (cy, cx) = (real(height) * (0.5 + 0.3 * sin), real(width) * (0.5 + 0.3 * cos));
        let row = |y| (0..width).map(move |x| (real(y) - cy).hypot(real(x) - cx) < 0.045 * real(height));
        weights.extend((0..height).flat_map(row).map(|is_inside| f32::from(u8::from(is_inside))));
    }
    weights
}

#[expect(clippy::cast_precision_loss, reason = "no detector has 2^53 pixels in a row")]
fn real(extent: u64) -> f64 {
    extent as f64
}
