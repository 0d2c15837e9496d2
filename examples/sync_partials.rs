//! Synchronous execution as an iterator: partial results while the run goes on, with the frames that are in them.
#![expect(clippy::print_stdout, reason = "examples print what they do")]

use lthost::{
    plugin::{Engine, EngineConfig},
    run::{Observer, Pool, RunConfig},
};
use lthost_examples::{load, n_processed, open_dataset, print_all};

fn main() -> anyhow::Result<()> {
    let (dataset, engine, pool) = (open_dataset()?, Engine::new(EngineConfig::default())?, Pool::with_all_cores()?);
    let udfs = [load(&engine, "sum")?, load(&engine, "sumsig")?];
    for partial in pool.start(&dataset, udfs, &RunConfig::default(), Observer::default()).partials() {
        let partial = partial?;
        println!("{} nav positions processed", n_processed(&partial));
        print_all(&partial.udfs);
    }
    Ok(())
}
