//! The trait that a plugin implements.

use crate::{
    Buffer, Buffers, Dtype, Error, Manifest, Meta, Output, Params, Partial, Partition, Preferences, Result, Tile,
};

/// A user-defined function over a 4D-STEM data set, set up for one run.
///
/// ```text
///              worker, per partition                     main
///   new ──► begin ──► process (tile) × n ──► end ──► merge, in order ──► results
/// ```
///
/// Everything that has a default may be left out. What belongs to the manifest's `with_..` is called only if stated
/// there. An error that any of them returns ends the run, and is shown to the user word for word.
pub trait Udf: Sized + 'static {
    /// What the UDF is: `manifest!("sum", "Sum of all frames")` and its parameters.
    fn manifest() -> Manifest;

    /// Checks the parameters against each other and against the data set, and sets up what lasts for the run.
    ///
    /// # Errors
    ///
    /// Where the parameters or the data set will not do.
    fn new(params: &Params, meta: &Meta) -> Result<Self>;

    /// How the UDF wants to be fed. By default tiles of any size and of at least `f32`.
    fn preferences(&self) -> Preferences {
        Preferences::default()
    }

    /// Declares the buffers. `input` is the dtype that tiles will have.
    ///
    /// # Errors
    ///
    /// Where `input` will not do.
    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>>;

    /// Starts a partition. The buffers are fresh; only what the UDF itself keeps needs to be reset here.
    ///
    /// # Errors
    ///
    /// Where the UDF cannot go on.
    fn begin(&mut self, _partition: &Partition, _out: &mut Partial) -> Result<()> {
        Ok(())
    }

    /// Processes a tile. Tiles come in any order; together they hold every pixel of every frame exactly once.
    ///
    /// # Errors
    ///
    /// Where the UDF cannot go on.
    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()>;

    /// Ends a partition: what is to be done once all its tiles are in. The SDK then hands over the buffers.
    ///
    /// # Errors
    ///
    /// Where the UDF cannot go on.
    fn end(&mut self, _out: &mut Partial) -> Result<()> {
        Ok(())
    }

    /// Merges a partition's buffers into `dest`: those that are declared with [`Merge::Custom`](crate::Merge::Custom)
    /// take what is written there. Of nav buffers `dest` has the partition's entries. `valid` says of each frame that the
    /// ROI selects whether it is in `dest` already; those of `src` are not. Called in partition order.
    ///
    /// # Errors
    ///
    /// Where the UDF cannot go on.
    fn merge(&self, _partition: &Partition, _dest: &Buffers, _src: &Buffers, _valid: &[bool]) -> Result<()> {
        Err(missing("merge"))
    }

    /// Merges all partitions at once, in partition order, instead of [`Udf::merge`]. Puts every buffer that is
    /// declared with [`Merge::Custom`](crate::Merge::Custom).
    ///
    /// # Errors
    ///
    /// Where the UDF cannot go on.
    fn merge_all(&self, _partials: &[(Partition, Buffers)], _out: &mut Output) -> Result<()> {
        Err(missing("merge_all"))
    }

    /// Sets the initial content of merged buffers, where a fill value is not enough.
    ///
    /// # Errors
    ///
    /// Where the UDF cannot go on.
    fn preprocess(&self, _out: &mut Output) -> Result<()> {
        Err(missing("preprocess"))
    }

    /// Makes results from the merged buffers. Puts every result-only buffer, and any other that should not be shown
    /// as merged. `valid` says of each frame that the ROI selects whether its data are merged. May be called often.
    ///
    /// # Errors
    ///
    /// Where the UDF cannot go on.
    fn results(&self, _merged: &Buffers, _valid: &[bool], _out: &mut Output) -> Result<()> {
        Err(missing("results"))
    }

    /// Takes new values of its parameters, from the next partition on: the same as [`Udf::new`] gets, all of them. What
    /// the UDF prefers and declares must not change. A UDF that does not state `with_update` is made anew instead.
    ///
    /// # Errors
    ///
    /// Where the new values will not do.
    fn update(&mut self, _params: &Params) -> Result<()> {
        Err(missing("update"))
    }
}

fn missing(function: &str) -> Error {
    Error::new(format!("the manifest states `with_{function}`, but the UDF has no `{function}`"))
}
