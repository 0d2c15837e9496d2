//! Synchronous execution, only result: two UDFs in a single pass over the data, and a tuple of their results.

use lthost::{
    plugin::{Engine, EngineConfig},
    run::{Pool, RunConfig},
};
use lthost_examples::{load, open_dataset, print_all};

fn main() -> anyhow::Result<()> {
    let (dataset, engine, pool) = (open_dataset()?, Engine::new(EngineConfig::default())?, Pool::with_all_cores()?);
    let udfs = (load(&engine, "sum")?, load(&engine, "sumsig")?);
    let outcome = pool.run(&dataset, udfs, &RunConfig::default())?;
    let (sum, sumsig) = &outcome.udfs;
    print_all([sum, sumsig]);
    Ok(())
}
