//! One UDF or several, and results in the same shape.

use super::{Outcome, UdfOutcome, UdfSpec};

/// The UDFs of a run. One gives its result; a tuple, an array or a list of several gives theirs in the same order, in a
/// tuple, an array or a list.
pub trait Udfs {
    /// The results.
    type Results;

    /// The UDFs, in order.
    fn into_specs(self) -> Vec<UdfSpec>;

    /// The results of these UDFs, as many and in the same order, in their shape.
    fn shaped(udfs: Vec<UdfOutcome>) -> Self::Results;
}

impl Udfs for UdfSpec {
    type Results = UdfOutcome;

    fn into_specs(self) -> Vec<UdfSpec> {
        vec![self]
    }

    fn shaped(udfs: Vec<UdfOutcome>) -> UdfOutcome {
        let [udf] = exactly(udfs);
        udf
    }
}

impl<const N: usize> Udfs for [UdfSpec; N] {
    type Results = [UdfOutcome; N];

    fn into_specs(self) -> Vec<UdfSpec> {
        self.into()
    }

    fn shaped(udfs: Vec<UdfOutcome>) -> Self::Results {
        exactly(udfs)
    }
}

impl Udfs for Vec<UdfSpec> {
    type Results = Vec<UdfOutcome>;

    fn into_specs(self) -> Vec<UdfSpec> {
        self
    }

    fn shaped(udfs: Vec<UdfOutcome>) -> Self::Results {
        udfs
    }
}

/// A borrowed array or list of any length gives a list.
impl<T: AsRef<[UdfSpec]> + ?Sized> Udfs for &T {
    type Results = Vec<UdfOutcome>;

    fn into_specs(self) -> Vec<UdfSpec> {
        self.as_ref().to_vec()
    }

    fn shaped(udfs: Vec<UdfOutcome>) -> Self::Results {
        udfs
    }
}

macro_rules! tuple {
    ($n:literal: $($spec:ident)*, $($outcome:ty)*) => {
        impl Udfs for ($(tuple!(@spec $spec),)*) {
            type Results = ($($outcome,)*);

            fn into_specs(self) -> Vec<UdfSpec> {
                let ($($spec,)*) = self;
                vec![$($spec),*]
            }

            fn shaped(udfs: Vec<UdfOutcome>) -> Self::Results {
                let [$($spec),*] = exactly::<$n>(udfs);
                ($($spec,)*)
            }
        }
    };
    (@spec $spec:ident) => { UdfSpec };
}
tuple!(2: a b, UdfOutcome UdfOutcome);
tuple!(3: a b c, UdfOutcome UdfOutcome UdfOutcome);
tuple!(4: a b c d, UdfOutcome UdfOutcome UdfOutcome UdfOutcome);

fn exactly<const N: usize>(udfs: Vec<UdfOutcome>) -> [UdfOutcome; N] {
    udfs.try_into().expect("a run gives a result for each of its UDFs")
}

impl Outcome {
    /// The same, with the results in the shape in which the UDFs were given.
    pub(super) fn shaped<Results>(self, shaped: fn(Vec<UdfOutcome>) -> Results) -> Outcome<Results> {
        let Self { udfs, damage, failures, is_complete, updates, stats, profile } = self;
        Outcome { udfs: shaped(udfs), damage, failures, is_complete, updates, stats, profile }
    }
}
