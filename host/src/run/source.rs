//! What a run reads: a data set, its ROI, and what is done to its pixels on the way.

use std::{ops::Range, sync::Arc};

use super::{RunConfig, RunError};
use crate::{
    correction::Corrections,
    dataset::{Dataset, DatasetError},
    plugin::{Axes, Meta},
    shape::{Dtype, FrameIdx, Roi, RoiIdx, Shape},
    tile::CsrRows,
};

/// The data of a run, as far as merging needs to know them.
pub(super) struct Scan {
    pub(super) nav: Shape,
    pub(super) sig: Shape,
    /// As stored.
    pub(super) stored: Dtype,
    pub(super) metadata: Vec<(String, String)>,
    pub(super) roi: Roi,
    pub(super) corrections: Corrections,
}

/// The data of a run.
pub(super) struct Source {
    pub(super) dataset: Arc<Dataset>,
    pub(super) scan: Scan,
}

impl Scan {
    /// The dtype in which pixels are at home: the data set's, or a real one if they are corrected.
    pub(super) fn dtype(&self) -> Dtype {
        self.corrections.dtype(self.stored)
    }

    /// The data, as every instance is told of them.
    pub(super) fn meta(&self) -> Meta<'_> {
        Meta {
            nav: &self.nav,
            sig: &self.sig,
            roi: &self.roi,
            dtype: self.stored,
            corrections: &self.corrections,
            metadata: &self.metadata,
        }
    }

    /// What arrays among the parameters are held against.
    pub(super) fn axes(&self) -> Axes<'_> {
        Axes { nav: &self.nav, sig: &self.sig }
    }
}

impl Source {
    /// The data of a run, if there is room for results over its scan.
    pub(super) fn new(dataset: Arc<Dataset>, config: &RunConfig) -> Result<Self, RunError> {
        // At least a byte for each frame is needed, for the damage.
        let (nav, limit) = (dataset.nav(), config.limits.max_result_bytes);
        let sig = dataset.sig();
        if sig.size() > limit {
            return Err(RunError::FrameTooLarge { sig: sig.clone(), limit });
        }
        if nav.size() > limit {
            return Err(RunError::ScanTooLarge { nav: nav.clone(), limit });
        }
        let roi = match &config.roi {
            Some(mask) => Roi::from_mask(mask, nav)?,
            None => Roi::everything(nav),
        };
        let scan = Scan {
            nav: nav.clone(),
            sig: dataset.sig().clone(),
            stored: dataset.dtype(),
            metadata: dataset.metadata().to_vec(),
            roi,
            corrections: config.corrections.clone(),
        };
        Ok(Self { dataset, scan })
    }

    /// Has the disk begin to read some frames, one run of consecutive frames after the other.
    pub(super) fn will_need(&self, frames: &Range<RoiIdx>) {
        let mut rest = frames.clone();
        while rest.start < rest.end {
            let (first, n_frames) = (self.scan.roi.frame(rest.start), self.scan.roi.n_consecutive(&rest));
            self.dataset.will_need(&(first..FrameIdx(first.0 + n_frames)));
            rest.start.0 += n_frames;
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
            self.scan.corrections.read(&self.dataset, (run[0], run.len()), sig.clone(), dtype, now)?;
            rest = later;
        }
        Ok(())
    }

    /// Some frames in the files, if all of them lie there as they would be read.
    pub(super) fn stored_frames(&self, frames: &[FrameIdx], dtype: Dtype) -> Result<Option<Vec<&[u8]>>, DatasetError> {
        if self.scan.corrections.is_empty() { self.dataset.stored_frames(frames, dtype) } else { Ok(None) }
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
            if self.scan.corrections.is_empty() {
                self.dataset.read_csr(run[0], run.len(), sig.clone(), &mut rows)?;
            } else {
                dense.resize(run.len() * sig.len() * dtype.size(), 0);
                self.scan.corrections.read(&self.dataset, (run[0], run.len()), sig.clone(), dtype, &mut dense)?;
                let too_many = || DatasetError::TooManyEntries { path: self.dataset.path().to_owned() };
                rows.push_dense(run.len(), &dense).ok_or_else(too_many)?;
            }
        }
        Ok(rows)
    }
}
