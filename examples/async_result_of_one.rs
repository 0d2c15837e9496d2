//! Asynchronous execution of a single UDF. Any executor will do: here the smallest one of the crate `futures`.
#![expect(clippy::print_stdout, reason = "examples print what they do")]

use lthost::{
    plugin::{Engine, EngineConfig},
    run::{Observer, Pool, RunConfig},
};
use lthost_examples::{describe, load, open_dataset};

fn main() -> anyhow::Result<()> {
    let (dataset, engine, pool) = (open_dataset()?, Engine::new(EngineConfig::default())?, Pool::with_all_cores()?);
    let sum = load(&engine, "sum")?;
    futures::executor::block_on(async {
        let run = pool.start(&dataset, sum, &RunConfig::default(), Observer::default());
        println!("Do something else while UDF is running in the background");
        let outcome = run.await?;
        println!("Finished");
        println!("{}", describe(&outcome.udfs));
        Ok(())
    })
}
