//! What a run reads: a data set, its ROI, and what is done to its pixels on the way.

use std::{ops::Range, sync::Arc};

use super::{RunConfig, RunError};
use crate::{
    correction::Corrections,
    dataset::{Dataset, DatasetError},
    plugin::Meta,
    shape::{Dtype, FrameIdx, Roi},
    tile::CsrRows,
};

/// The data of a run.
pub(super) struct Source {
    pub(super) dataset: Arc<Dataset>,
    pub(super) roi: Roi,
    pub(super) corrections: Corrections,
}

impl Source {
    /// The data of a run, if there is room for results over its scan.
    pub(super) fn new(dataset: Arc<Dataset>, config: &RunConfig) -> Result<Self, RunError> {
        // At least a byte for each frame is needed, for the damage.
        let (nav, limit) = (dataset.nav(), config.limits.max_result_bytes);
        if nav.size() > limit {
            return Err(RunError::ScanTooLarge { nav: nav.clone(), limit });
        }
        let roi = match &config.roi {
            Some(mask) => Roi::from_mask(mask, nav)?,
            None => Roi::everything(nav),
        };
        Ok(Self { dataset, roi, corrections: config.corrections.clone() })
    }

    /// The dtype in which pixels are at home: the data set's, or a real one if they are corrected.
    pub(super) fn dtype(&self) -> Dtype {
        self.corrections.dtype(self.dataset.dtype())
    }

    /// The data, as every instance is told of them.
    pub(super) fn meta(&self) -> Meta<'_> {
        Meta {
            nav: self.dataset.nav(),
            sig: self.dataset.sig(),
            roi: &self.roi,
            dtype: self.dataset.dtype(),
            corrections: &self.corrections,
            metadata: self.dataset.metadata(),
        }
    }

    /// Reads pixels `sig` of some frames, one run of consecutive frames after the other: `(n_frames, ...sig)`.
    pub(super) fn read(
        &self,
        frames: &[FrameIdx],
        sig: &Range<usize>,
        dtype: Dtype,
        out: &mut [u8],
    ) -> Result<(), DatasetError> {
        let mut rest = out;
        for run in frames.chunk_by(|a, b| a.0 + 1 == b.0) {
            let (now, later) = rest.split_at_mut(run.len() * sig.len() * dtype.size());
            self.corrections.read(&self.dataset, (run[0], run.len()), sig.clone(), dtype, now)?;
            rest = later;
        }
        Ok(())
    }

    /// Reads pixels `sig` of some frames as sparse rows. Data that are sparse in the files stay so, unless they have to be
    /// corrected.
    pub(super) fn read_csr(
        &self,
        frames: &[FrameIdx],
        sig: &Range<usize>,
        dtype: Dtype,
    ) -> Result<CsrRows, DatasetError> {
        let mut rows = CsrRows::new(dtype);
        let mut dense = Vec::new();
        for run in frames.chunk_by(|a, b| a.0 + 1 == b.0) {
            if self.corrections.is_empty() {
                self.dataset.read_csr(run[0], run.len(), sig.clone(), &mut rows)?;
            } else {
                dense.resize(run.len() * sig.len() * dtype.size(), 0);
                self.corrections.read(&self.dataset, (run[0], run.len()), sig.clone(), dtype, &mut dense)?;
                let too_many = || DatasetError::TooManyEntries { path: self.dataset.path().to_owned() };
                rows.push_dense(run.len(), &dense).ok_or_else(too_many)?;
            }
        }
        Ok(rows)
    }
}
