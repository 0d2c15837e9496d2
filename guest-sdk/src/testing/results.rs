//! What a run gave, and on the way there: merged buffers, and what the UDF emits into them.
#![expect(clippy::panic, clippy::cast_possible_truncation, reason = "tests are small, and stop at the first surprise")]

use std::ops::Range;

use crate::{
    Dtype, Element, Error, Kind, Level, Numbers, Result, Usage,
    bindings::{Values, lthost::udf::types as wit},
    numbers::{no_values, refill},
};

use super::{
    calls::{self, Call},
    extents,
    merge::{merge, write},
};

/// What a run gave: buffers by name.
#[derive(Debug)]
pub struct Results {
    pub(super) buffers: Vec<Outcome>,
    /// What the UDF told the user.
    pub logged: Vec<(Level, String)>,
}

#[derive(Debug)]
pub(super) struct Outcome {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) usage: Usage,
    pub(super) merge: wit::Merge,
    pub(super) shape: Vec<usize>,
    fill: f64,
    values: Values,
    pub(super) mask: Option<Vec<u8>>,
}

impl Results {
    /// The numbers of buffer `name`; of a nav buffer, by ROI index.
    ///
    /// # Panics
    ///
    /// Where there is no such buffer, the user does not see it, or its dtype is not `T`.
    pub fn get<T: Element>(&self, name: &str) -> &[T] {
        let outcome = self.outcome(name);
        let numbers = Numbers::of(&outcome.values);
        numbers.as_slice().unwrap_or_else(|| panic!("buffer `{name}` is {}, not {}", numbers.dtype(), T::DTYPE))
    }

    /// The numbers of buffer `name`, converted.
    ///
    /// # Panics
    ///
    /// Where there is no such buffer, or the user does not see it.
    pub fn to_vec<T: Element>(&self, name: &str) -> Vec<T> {
        Numbers::of(&self.outcome(name).values).to_vec()
    }

    /// What the elements of buffer `name` are.
    ///
    /// # Panics
    ///
    /// Where there is no such buffer, or the user does not see it.
    pub fn dtype(&self, name: &str) -> Dtype {
        Numbers::of(&self.outcome(name).values).dtype()
    }

    /// Shape of buffer `name`; a nav buffer begins with the number of frames in the ROI.
    ///
    /// # Panics
    ///
    /// Where there is no such buffer, or the user does not see it.
    pub fn shape(&self, name: &str) -> &[usize] {
        &self.outcome(name).shape
    }

    /// Which elements of buffer `name` are valid, if the UDF said so.
    ///
    /// # Panics
    ///
    /// Where there is no such buffer, or the user does not see it.
    pub fn mask(&self, name: &str) -> Option<Vec<bool>> {
        Some(self.outcome(name).mask.as_ref()?.iter().map(|&valid| valid != 0).collect())
    }

    fn outcome(&self, name: &str) -> &Outcome {
        let visible = |outcome: &&Outcome| outcome.name == name && outcome.usage != Usage::Private;
        self.buffers.iter().find(visible).unwrap_or_else(|| panic!("the user sees no buffer `{name}`"))
    }

    /// Merged buffers as they start, for what a UDF declares.
    pub(super) fn new(declared: Vec<wit::Buffer>, n_roi_frames: usize, sig_shape: &[usize]) -> Self {
        let buffers = declared.into_iter().map(|buffer| Outcome::new(buffer, n_roi_frames, sig_shape)).collect();
        Self { buffers, logged: Vec::new() }
    }

    /// Copies of the merged buffers; only the entries that `cut` says, if it does.
    pub(super) fn merged(&self, cut: impl Fn(&Outcome) -> Option<Range<usize>>) -> Vec<wit::Array> {
        let merged = self.buffers.iter().filter(|outcome| outcome.usage != Usage::ResultOnly);
        merged.map(|outcome| outcome.array(cut(outcome))).collect()
    }

    /// What was emitted by `end`, and for each element whether it was.
    pub(super) fn take_partial(&mut self, n_frames: usize) -> Result<(Vec<wit::Array>, Vec<Vec<bool>>)> {
        let mut partial: Vec<_> = self.buffers.iter().map(|outcome| outcome.empty(n_frames)).collect();
        let mut covered: Vec<_> = partial.iter().map(|array| vec![false; Numbers::of(&array.data).len()]).collect();
        for call in calls::take() {
            match call {
                Call::Emit { buffer, offset, bytes } => {
                    let written = write(&mut partial[buffer].data, offset as usize, &bytes)?;
                    if covered[buffer][written.clone()].contains(&true) {
                        return Err(Error::new("an element was emitted twice"));
                    }
                    covered[buffer][written].fill(true);
                }
                Call::EmitMask { .. } => return Err(Error::new("`end` emits no masks")),
                Call::Log { level, message } => self.logged.push((level, message)),
            }
        }
        let emitted = self.buffers.iter().zip(partial.into_iter().zip(covered));
        let emitted = emitted.filter(|(outcome, _)| outcome.usage != Usage::ResultOnly);
        let checked = emitted.map(|(outcome, (array, covered))| {
            let may_be_partial = outcome.kind != Kind::Nav && outcome.merge == wit::Merge::Assign;
            if covered.contains(&false) && !may_be_partial {
                return Err(Error::new(format!("buffer `{}` was not emitted completely", outcome.name)));
            }
            Ok((array, covered))
        });
        Ok(checked.collect::<Result<Vec<_>>>()?.into_iter().unzip())
    }

    /// What was emitted by `merge`, into the entries of the partition.
    pub(super) fn take_merged(&mut self, roi: &Range<usize>) -> Result<()> {
        for call in calls::take() {
            if let Call::Emit { buffer, offset, bytes } = call {
                let outcome = &mut self.buffers[buffer];
                let start = if outcome.kind == Kind::Nav { roi.start * outcome.entry_len() } else { 0 };
                write(&mut outcome.values, start + offset as usize, &bytes)?;
            }
        }
        Ok(())
    }

    /// What was emitted over whole buffers.
    pub(super) fn take_whole(&mut self, expected: impl Fn(&Outcome) -> bool) -> Result<()> {
        for call in calls::take() {
            match call {
                Call::Emit { buffer, offset, bytes } => {
                    let outcome = &mut self.buffers[buffer];
                    let written = write(&mut outcome.values, offset as usize, &bytes)?;
                    if !expected(outcome) || written.len() != Numbers::of(&outcome.values).len() {
                        return Err(Error::new(format!("buffer `{}` was not to be emitted like this", outcome.name)));
                    }
                }
                Call::EmitMask { buffer, mask } => self.buffers[buffer].mask = Some(mask),
                Call::Log { level, message } => self.logged.push((level, message)),
            }
        }
        Ok(())
    }

    /// The merges that the host does itself.
    pub(super) fn merge(&mut self, partial: &[wit::Array], covered: &[Vec<bool>], roi: &Range<usize>) -> Result<()> {
        let merged = self.buffers.iter_mut().filter(|outcome| outcome.usage != Usage::ResultOnly);
        for (outcome, (src, covered)) in merged.zip(partial.iter().zip(covered)) {
            let start = if outcome.kind == Kind::Nav { roi.start * outcome.entry_len() } else { 0 };
            merge(outcome.merge, &mut outcome.values, start, &src.data, covered)?;
        }
        Ok(())
    }
}

impl Outcome {
    fn new(buffer: wit::Buffer, n_roi_frames: usize, sig_shape: &[usize]) -> Self {
        let mut shape: Vec<usize> = match buffer.kind {
            wit::Kind::Nav => vec![n_roi_frames],
            wit::Kind::Sig => sig_shape.to_vec(),
            wit::Kind::Single => Vec::new(),
        };
        shape.extend(buffer.extra_shape.iter().map(|&extent| extent as usize));
        if shape.is_empty() {
            shape.push(1);
        }
        let mut values = no_values(buffer.dtype.into());
        refill(&mut values, shape.iter().product(), buffer.fill);
        Self {
            name: buffer.name,
            kind: buffer.kind.into(),
            usage: buffer.usage.into(),
            merge: buffer.merge,
            shape,
            fill: buffer.fill,
            values,
            mask: None,
        }
    }

    pub(super) fn values(&self) -> Numbers<'_> {
        Numbers::of(&self.values)
    }

    /// Element `idx`, to be read.
    pub(super) fn number(&self, idx: usize) -> String {
        crate::each_dtype!(self.values(), |numbers| format!("{:?}", numbers[idx]))
    }

    fn entry_len(&self) -> usize {
        self.shape[1..].iter().product()
    }

    fn array(&self, cut: Option<Range<usize>>) -> wit::Array {
        let len = self.entry_len();
        let data = match &cut {
            None => self.values.clone(),
            Some(cut) => crate::each_dtype!(Numbers::of(&self.values), |numbers| {
                Element::values(&numbers[cut.start * len..cut.end * len])
            }),
        };
        let mut shape = self.shape.clone();
        shape[0] = cut.map_or(shape[0], |cut| cut.len());
        wit::Array { shape: extents(&shape), data }
    }

    /// A partial buffer before anything is emitted.
    fn empty(&self, n_frames: usize) -> wit::Array {
        let mut shape = self.shape.clone();
        if self.kind == Kind::Nav {
            shape[0] = n_frames;
        }
        let mut data = no_values(Numbers::of(&self.values).dtype());
        refill(&mut data, shape.iter().product(), self.fill);
        wit::Array { shape: extents(&shape), data }
    }
}
