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
    /// None if LiberTEM was left out.
    pub(crate) peers: Option<Table>,
    pub(crate) speeds: Table,
    pub(crate) sizes: Table,
    pub(crate) scaling: Table,
    pub(crate) memory: Table,
    pub(crate) times: Table,
}

impl Report {
    pub(crate) fn to_markdown(&self) -> String {
        let mut sections = vec![self.head()];
        let peers = self.peers.iter().map(|peers| ("LiberTEM", self.about_peers(), peers));
        let tables = [
            ("Plugins", self.about_speeds(), &self.speeds),
            ("Small and large frames", about_sizes(), &self.sizes),
            ("Workers", about_scaling(), &self.scaling),
            ("Memory", about_memory(), &self.memory),
            ("Fixed costs", self.about_times(), &self.times),
        ];
        for (title, about, table) in peers.chain(tables) {
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
             How fast lthost is beside LiberTEM, what the sandbox costs, and how far reading the data is from the limit. \
             Made by this command; it makes its data once, in `bench-data/`:\n\n    \
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

    fn about_peers(&self) -> String {
        format!(
            "The same jobs on the same files in LiberTEM, as it comes from PyPI (without extras like torch). GB/s are 10^9 \
             bytes of frames in the file per second of wall clock, with the file in the page cache: the median of {} \
             rounds, and in brackets the best. In a round lthost and each executor have one turn, with {} workers each \
             (`inline` works alone). For LiberTEM the clock runs from the call of `run_udf` to the last result as an array; \
             its processes are there, fresh for every job, and its functions are compiled: a first run does not count. Before \
             that, each executor has shown that its results are those of lthost, up to 10^-4 of the largest number.\n\n\
             - **best**: the executor with the best median.\n\
             - **lthost/best**: the median of the ratios of all rounds, with its quartiles in brackets; 2 is twice as fast.\n\
             - **CPU time**: that of all processes and rounds together, lthost over the best executor: less is better.\n\n\
             Both take the parameters that they have by default; `fem` has a ring of 0.2 to 0.3 of the frame. `extrema` is a \
             UDF of a few lines of numpy in LiberTEM, which has none. `masksN` is N masks without zeros, `disks16` is 16 masks \
             that are small disks, in LiberTEM by `scipy.sparse` or `sparse.pydata`, whichever is faster in a trial. `map` is a \
             function that sums over the last axis: `np.sum` there, the first example of the README here. `four` is `sum`, \
             `sumsig`, `stddev` and `masks4` in one pass.",
            self.n_rounds, self.n_workers
        )
    }

    fn about_speeds(&self) -> String {
        format!(
            "Without LiberTEM, and as above: the median of {} rounds, and in brackets the best. In a round each of the three \
             has one turn, each with {} threads and a new map of the file. A ratio is the median of the ratios of all \
             rounds, with its quartiles in brackets; 1 is as fast, 0.5 half as fast.\n\n\
             - **lthost**: the library with the plugin in its sandbox. Compiling is not in it; making instances, \
             merging and results are.\n\
             - **native**: the same source as native code in the same process, for the processor stated above, over the same \
             partitions and tiles, read and decoded by the same code. What partitions emit is dropped, not merged. UDFs of \
             one pass share a tile. For `com` and `masksN` the host multiplies, outside of the sandbox; natively the SDK's loop stands for it, the one that a plugin has for products of its own.\n\
             - **limit**: every byte of the map read once and added up.\n\
             - **at least**: the target for the ratio to its left.\n\
             - **CPU time**: that of all threads and rounds together, lthost over native: less is better. It depends \
             less than the wall clock on what else the machine does.",
            self.n_rounds, self.n_workers
        )
    }

    fn about_times(&self) -> String {
        format!(
            "Milliseconds, the median of {} and in brackets the best. The whole process starts, gets its plugin, runs, \
             and writes its results to a new folder. The first time it compiles the plugin; later that is kept. In LiberTEM, \
             the median of {}, it is a script that does the same with the executor `inline`, with what numba compiled in its \
             cache.",
            self.n_short_rounds, self.n_rounds
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
             - Native code is what the compiler makes of the same source for the processor stated above, not the fastest there \
             could be. Only UDFs and SDK are compiled for it, as `bench/rustc` says; what decodes is compiled as in lthost. The \
             plugins in their sandbox are compiled for the processor at hand.\n",
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
    "How many times as fast as one worker, with quartiles, and the target for lthost.".to_owned()
}

fn about_memory() -> String {
    "The peak of the whole program, in MiB, on data of two sizes. Its own memory is what no file stands behind: `RssAnon` of \
     `/proc/PID/status`, looked at a thousand times a second. The target is for that less the results: 64 MiB besides tile \
     and plugin of each worker, whatever the size of the data; here tiles and plugins are counted, too. The first time the \
     plugin is compiled. The last column is the kernel's `VmHWM`, which counts the pages of the mapped file: these are the \
     page cache's, and are given up when memory is wanted elsewhere."
        .to_owned()
}
