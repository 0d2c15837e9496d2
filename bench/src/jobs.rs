//! What is run: plugins, alone and together, with their parameters for both contenders.

use anyhow::anyhow;
use lthost::{
    plugin::Argument,
    shape::{Array, Dtype, Shape},
};
use lthost_guest_sdk::{self as sdk, testing::Worker};

use crate::native::Native;

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
    /// So many of them.
    Masks(u64),
    Com,
    Pick,
}

/// Everything that is measured in GB/s.
pub(crate) const JOBS: [Job; 10] = [
    Job { name: "sum", udfs: &[Kind::Sum] },
    Job { name: "sumsig", udfs: &[Kind::SumSig] },
    Job { name: "stddev", udfs: &[Kind::StdDev] },
    Job { name: "extrema", udfs: &[Kind::Extrema] },
    Job { name: "logsum", udfs: &[Kind::LogSum] },
    Job { name: "masks1", udfs: &[Kind::Masks(1)] },
    Job { name: "masks4", udfs: &[Kind::Masks(4)] },
    Job { name: "masks16", udfs: &[Kind::Masks(16)] },
    Job { name: "com", udfs: &[Kind::Com] },
    Job { name: "four", udfs: &[Kind::Sum, Kind::SumSig, Kind::StdDev, Kind::Masks(4)] },
];

/// Measured as time.
pub(crate) const PICK: Job = Job { name: "pick", udfs: &[Kind::Pick] };

impl Kind {
    /// Name of the plugin.
    pub(crate) fn plugin(self) -> &'static str {
        match self {
            Self::Sum => "sum",
            Self::SumSig => "sumsig",
            Self::StdDev => "stddev",
            Self::Extrema => "extrema",
            Self::LogSum => "logsum",
            Self::Masks(_) => "masks",
            Self::Com => "com",
            Self::Pick => "pick",
        }
    }

    /// Parameters for the sandbox.
    pub(crate) fn arguments(self, sig: &Shape) -> anyhow::Result<Vec<(String, Argument)>> {
        let Self::Masks(n_masks) = self else { return Ok(Vec::new()) };
        let shape = Shape::new([&[n_masks], sig.axes()].concat())?;
        let data = factors(n_masks, sig.size()).flat_map(f32::to_le_bytes).collect();
        Ok(vec![("factors".to_owned(), Argument::Array(Array { dtype: Dtype::F32, shape, data }))])
    }

    /// The same source without a sandbox.
    pub(crate) fn worker(self, meta: sdk::Meta) -> anyhow::Result<Box<dyn Native>> {
        let worker: sdk::Result<Box<dyn Native>> = match self {
            Self::Sum => boxed::<plugin_sum::Sum>(&[], meta),
            Self::SumSig => boxed::<plugin_sumsig::SumSig>(&[], meta),
            Self::StdDev => boxed::<plugin_stddev::StdDev>(&[], meta),
            Self::Extrema => boxed::<plugin_extrema::Extrema>(&[], meta),
            Self::LogSum => boxed::<plugin_logsum::LogSum>(&[], meta),
            Self::Com => boxed::<plugin_com::Com>(&[], meta),
            Self::Pick => boxed::<plugin_pick::Pick>(&[], meta),
            Self::Masks(n_masks) => {
                let shape = [&[usize::try_from(n_masks)?], meta.sig_shape.as_slice()].concat();
                let masks: Vec<f32> = factors(n_masks, u64::try_from(meta.sig_size())?).collect();
                let masks = sdk::Array::new(&shape, &masks).map_err(|error| anyhow!("{error}"))?;
                boxed::<plugin_masks::Masks>(&[("factors".to_owned(), sdk::Value::Array(masks))], meta)
            }
        };
        worker.map_err(|error| anyhow!("{} failed natively: {error}", self.plugin()))
    }
}

fn boxed<U: sdk::Udf>(given: &[(String, sdk::Value)], meta: sdk::Meta) -> sdk::Result<Box<dyn Native>> {
    Ok(Box::new(Worker::<U>::new(given, meta)?))
}

/// Masks without zeros, all different.
fn factors(n_masks: u64, sig_size: u64) -> impl Iterator<Item = f32> {
    (0..n_masks * sig_size)
        .map(move |i| f32::from(u16::try_from((i * 31 + i / sig_size * 7) % 97).unwrap_or(0) + 1) / 97.0)
}
