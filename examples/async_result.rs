//! Asynchronous execution, only result: a run is a future. Here on tokio.
#![expect(clippy::print_stdout, reason = "examples print what they do")]

use lthost::{
    plugin::{Engine, EngineConfig},
    run::{Observer, Pool, RunConfig},
};
use lthost_examples::{load, open_dataset, print_all};

fn main() -> anyhow::Result<()> {
    let (dataset, engine, pool) = (open_dataset()?, Engine::new(EngineConfig::default())?, Pool::with_all_cores()?);
    let udfs = (load(&engine, "sum")?, load(&engine, "sumsig")?);
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let run = pool.start(&dataset, udfs, &RunConfig::default(), Observer::default());
        println!("Do something else while UDFs are running in the background");
        let outcome = run.await?;
        println!("Finished");
        let (sum, sumsig) = &outcome.udfs;
        print_all([sum, sumsig]);
        Ok(())
    })
}
