//! Synchronous execution of a single UDF: its result directly, no tuple.
#![expect(clippy::print_stdout, reason = "examples print what they do")]

use lthost::{
    plugin::{Engine, EngineConfig},
    run::{Pool, RunConfig},
};
use lthost_examples::{describe, load, open_dataset};

fn main() -> anyhow::Result<()> {
    let (dataset, engine, pool) = (open_dataset()?, Engine::new(EngineConfig::default())?, Pool::with_all_cores()?);
    let outcome = pool.run(&dataset, load(&engine, "sum")?, &RunConfig::default())?;
    println!("{}", describe(&outcome.udfs));
    Ok(())
}
