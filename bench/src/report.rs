//! The text of `BENCHMARKS.md`.

use std::{fs::Permissions, io::Write, os::unix::fs::PermissionsExt, path::Path};

use anyhow::Context;

use crate::table::Table;

/// Everything that is in it.
pub(crate) struct Report {
    /// The command that gives these numbers.
    pub(crate) command: String,
    pub(crate) n_rounds: usize,
    pub(crate) n_short_rounds: usize,
    pub(crate) n_workers: usize,
    /// About the machine: what, and which.
    pub(crate) facts: Vec<(&'static str, String)>,
    /// Load of the machine by others at the start, and by all at the end.
    pub(crate) loads: [f64; 2],
    /// The data that the tables call by their dtype.
    pub(crate) data: String,
    pub(crate) speeds: Table,
    pub(crate) sizes: Table,
    pub(crate) scaling: Table,
    pub(crate) times: Table,
}

impl Report {
    pub(crate) fn to_markdown(&self) -> String {
        let mut sections = vec![self.head()];
        let tables = [
            ("Plugins", self.about_speeds(), &self.speeds),
            ("Small and large frames", about_sizes(), &self.sizes),
            ("Workers", about_scaling(), &self.scaling),
            ("Fixed costs", self.about_times(), &self.times),
        ];
        for (title, about, table) in tables {
            if !table.is_empty() {
                sections.push(format!("## {title}\n\n{about}\n\n{}", table.to_markdown()));
            }
        }
        sections.push(self.caveats());
        sections.join("\n")
    }

    /// Writes it to `path`, whole or not at all.
    pub(crate) fn write(&self, path: &Path) -> anyhow::Result<()> {
        let failed = || format!("{} can't be written", path.display());
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let mut builder = tempfile::Builder::new();
        let mut file = builder.permissions(Permissions::from_mode(0o644)).tempfile_in(folder).with_context(failed)?;
        file.write_all(self.to_markdown().as_bytes()).with_context(failed)?;
        file.persist(path).with_context(failed)?;
        Ok(())
    }

    fn head(&self) -> String {
        let facts: Vec<String> = self.facts.iter().map(|(what, which)| format!("- {what}: {which}")).collect();
        format!(
            "# Benchmarks\n\n\
             What the sandbox costs, and how far reading the data is from the limit. Made by this command; it makes its \
             data once, in `bench-data/`:\n\n    \
             {}\n\n\
             {}\n\
             - data: {}\n\
             - {} workers, {} rounds\n\
             - load average: {:.1} at the start, {:.1} at the end\n",
            self.command,
            facts.join("\n"),
            self.data,
            self.n_workers,
            self.n_rounds,
            self.loads[0],
            self.loads[1]
        )
    }

    fn about_speeds(&self) -> String {
        format!(
            "GB/s are 10^9 bytes of frames in the file per second of wall clock, with the file in the page cache: the \
             median of {} rounds, and in brackets the best. In a round each of the three has one turn, each with {} \
             threads and a new map of the file. A ratio is the median of the ratios of all rounds, with its quartiles \
             in brackets; 1 is as fast, 0.5 half as fast.\n\n\
             - **lthost**: the library with the plugin in its sandbox. Compiling is not in it; making instances, \
             merging and results are.\n\
             - **native**: the same source as native code in the same process, over the same partitions and tiles, \
             decoded by the same code. What partitions emit is dropped, not merged. UDFs of one pass share a decoded \
             tile.\n\
             - **limit**: every byte of the map read once and added up.\n\
             - **CPU time**: that of all threads and rounds together, lthost over native: less is better. It depends \
             less than the wall clock on what else the machine does.\n\n\
             `masksN` is `masks` with N masks of 32-bit floats; `four` is `sum`, `sumsig`, `stddev` and `masks4` in one \
             pass.",
            self.n_rounds, self.n_workers
        )
    }

    fn about_times(&self) -> String {
        format!(
            "Milliseconds, the median of {} and in brackets the best. The whole process starts, gets its plugin, runs, \
             and writes its results to a new folder. The first time it compiles the plugin; later that is kept.",
            self.n_short_rounds
        )
    }

    fn caveats(&self) -> String {
        format!(
            "## Caveats\n\n\
             - Ratios are what counts: speeds change with the machine, and with what else it does. A load average at the \
             start well above 0 means that others were at work; then even ratios suffer, above all those between \
             different numbers of threads, and those to the limit. Here it was {:.1}.\n\
             - A file that was just written is in the page cache in small pieces, and is read three to four times slower \
             than one that was read there in order. The command throws its files out of the cache and reads them in \
             again, and repeats that when the kernel took some of it away.\n\
             - Native code is compiled as stated above. For code that uses all of this processor: \
             `RUSTFLAGS=\"-C target-cpu=native\" CARGO_TARGET_DIR=target/native scripts/bench` (which builds the engine \
             anew). The plugins in their sandbox are compiled for the processor at hand in any case.\n\
             - Native is what the compiler makes of the same source, not the fastest there could be: where lthost is \
             ahead, the compiler found vector instructions for WebAssembly only.\n",
            self.loads[0]
        )
    }
}

fn about_sizes() -> String {
    "As above. The last column compares lthost with itself: time per byte of these frames, over that of the usual frames \
     of the same dtype; 1 is as fast, 2 takes twice as long."
        .to_owned()
}

fn about_scaling() -> String {
    "How many times as fast as one worker, with quartiles.".to_owned()
}
