//! What is held against each other: the sandbox, the same source without it, and plain reading.

use std::ops::Range;

use lthost::run::{Outcome, UdfSpec};

use crate::{
    clock::{Contender, take},
    data::Data,
    jobs::{Given, Job},
    map, native,
    sandbox::{self, Plugins},
    say,
};

/// A job on a data set: data in memory, plugins compiled.
pub(crate) struct Ready<'a> {
    data: &'a Data,
    specs: Vec<UdfSpec>,
    given: Vec<Given>,
}

impl<'a> Ready<'a> {
    pub(crate) fn new(data: &'a Data, plugins: &mut Plugins, job: &Job) -> anyhow::Result<Self> {
        data.keep_warm()?;
        say(&format!("{} on {}", job.name, data.form()));
        let given = job.udfs.iter().map(|kind| kind.given(&data.sig)).collect::<anyhow::Result<_>>()?;
        Ok(Self { data, specs: plugins.specs(job.udfs, &data.sig)?, given })
    }

    /// `only`: all frames, or those.
    pub(crate) fn in_sandbox(&self, n_workers: usize, only: Option<Range<u64>>) -> Contender<'_> {
        Box::new(move || {
            let dataset = self.data.open()?;
            take(|| sandbox::run(&dataset, &self.specs, n_workers, only.clone()))
        })
    }

    /// What comes of it, without a clock.
    pub(crate) fn outcome(&self, n_workers: usize) -> anyhow::Result<Outcome> {
        sandbox::run(&self.data.open()?, &self.specs, n_workers, None)
    }

    pub(crate) fn natively(&self, n_workers: usize, only: Option<Range<u64>>) -> Contender<'_> {
        Box::new(move || {
            let dataset = self.data.open()?;
            take(|| native::run(&dataset, &self.given, n_workers, only.clone()))
        })
    }

    pub(crate) fn plainly(&self, n_workers: usize) -> Contender<'_> {
        Box::new(move || {
            let map = map::open(self.data.path())?;
            take(|| {
                map::read(&map, n_workers);
                Ok(())
            })
        })
    }
}
