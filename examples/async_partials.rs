//! Asynchronous execution as an iterator: two runs at the same time on the same workers, both from one thread. The compiled
//! plugins are shared; every run has its own instances.
#![expect(clippy::print_stdout, reason = "examples print what they do")]

use futures::{StreamExt, try_join};
use lthost::{
    plugin::{Engine, EngineConfig},
    run::{Observer, Outcome, PartialStream, Pool, RunConfig},
};
use lthost_examples::{load, n_processed, open_dataset, print_all};

fn main() -> anyhow::Result<()> {
    let (dataset, engine, pool) = (open_dataset()?, Engine::new(EngineConfig::default())?, Pool::with_all_cores()?);
    let udfs = [load(&engine, "sum")?, load(&engine, "sumsig")?];
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(async {
        let start = || pool.start(&dataset, &udfs, &RunConfig::default(), Observer::default()).stream();
        let (one, two) = (start(), start());
        println!("Do something else while UDFs are running in the background");
        let (one, two) = try_join!(follow("one", one), follow("two", two))?;
        println!("{} and {} nav positions processed in the end", n_processed(&one), n_processed(&two));
        Ok(())
    })
}

/// Prints each partial result of a run. Gives the last one.
async fn follow(label: &str, mut partials: PartialStream) -> anyhow::Result<Outcome> {
    let mut last = None;
    while let Some(partial) = partials.next().await {
        let partial = partial?;
        println!("{label} {} nav positions processed", n_processed(&partial));
        print_all(&partial.udfs);
        last = Some(partial);
    }
    last.ok_or_else(|| anyhow::anyhow!("a run ends with its complete results"))
}
