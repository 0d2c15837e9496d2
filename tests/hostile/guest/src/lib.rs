//! A UDF that does its work until it is told to misbehave: `attack` says how, `at` in which function, `on` on which
//! threads and `partition` when. What the SDK would not let through is in `hostile-raw`.
#![expect(clippy::panic, reason = "it is what this plugin is for")]

use std::{
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
};

use lthost_guest_sdk::{
    Level, Role,
    bindings::lthost::udf::kernels::{Fourier, Matrix, PixelMoments, PixelSums, frame_sums},
    log,
    prelude::*,
};

export_udf!(Hostile);

/// How it misbehaves.
const ATTACKS: [&str; 47] = [
    "none",
    "panic",
    "panic-lines",
    "trap",
    "loop",
    "loop-logging",
    "recurse",
    "memory",
    "memory-polite",
    "memory-then-panic",
    "error",
    "error-causes",
    "error-escapes",
    "error-huge",
    "log-flood",
    "log-huge",
    "log-escapes",
    "log-error",
    "matrix-of-counts",
    "matrix-of-pieces",
    "matrix-of-no-frame",
    "matrix-too-large",
    "matrix-hoard",
    "matrix-flood",
    "matrix-products",
    "sums-of-counts",
    "sums-of-no-frame",
    "sums-beyond",
    "sums-too-many",
    "sums-hoard",
    "sums-flood",
    "sums-of-frames",
    "sums-of-frames-of-counts",
    "sums-of-other-pixels",
    "sums-of-moments-of-no-frame",
    "sums-of-moments-beyond",
    "sums-of-moments-hoard",
    "fourier-of-counts",
    "fourier-of-no-axis",
    "fourier-of-nothing",
    "fourier-too-long",
    "fourier-too-large",
    "fourier-of-pieces",
    "fourier-hoard",
    "fourier-flood",
    "fourier-of-much",
    "fourier-for-ever",
];
/// Functions where it may do so.
const FUNCTIONS: [&str; 9] =
    ["create", "preferences", "buffers", "preprocess", "begin", "process", "end", "merge", "results"];

/// How often `new` ran in this memory: more than once would mean that two instances share it.
static N_CREATED: AtomicU64 = AtomicU64::new(0);

struct Hostile {
    attack: String,
    at: String,
    is_target: bool,
    target_partition: Option<i64>,
    exactly: Option<Dtype>,
    partition: usize,
}

impl Udf for Hostile {
    fn manifest() -> Manifest {
        manifest!("hostile", "Misbehaves on command; otherwise the sum of all frames")
            .parameter(Parameter::text("attack").choices(&ATTACKS).default("none").doc("how"))
            .parameter(Parameter::text("at").choices(&FUNCTIONS).default("process").doc("in which function"))
            .parameter(Parameter::text("on").choices(&["any", "main", "worker"]).default("any").doc("on which threads"))
            .parameter(Parameter::integer("partition").minimum(0.0).doc("in which partition only"))
            .parameter(Parameter::dtype("exactly").doc("dtype that tiles must have"))
            .with_preprocess()
            .with_merge()
            .with_results()
    }

    fn new(params: &Params, meta: &Meta) -> Result<Self> {
        N_CREATED.fetch_add(1, Ordering::Relaxed);
        let is_target = match (params.get::<String>("on")?.as_str(), meta.role) {
            ("main", role) => role == Role::Main,
            ("worker", role) => role == Role::Worker,
            _ => true,
        };
        let udf = Self {
            attack: params.get("attack")?,
            at: params.get("at")?,
            is_target,
            target_partition: params.get("partition")?,
            exactly: params.get("exactly")?,
            partition: 0,
        };
        udf.strike("create")?;
        Ok(udf)
    }

    fn preferences(&self) -> Preferences {
        // The only function that can't return an error.
        if let Err(error) = self.strike("preferences") {
            panic!("{error}");
        }
        self.exactly.map_or(Preferences::at_least(Dtype::F64), Preferences::exactly)
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        self.strike("buffers")?;
        Ok(vec![
            Buffer::sig("intensity", Dtype::F64).merge(Merge::Custom),
            Buffer::nav("created", Dtype::U64).doc("how often this memory saw `new`"),
            Buffer::single("total", Dtype::F64).result_only(),
        ])
    }

    fn preprocess(&self, _: &mut Output) -> Result<()> {
        self.strike("preprocess")
    }

    fn begin(&mut self, partition: &Partition, out: &mut Partial) -> Result<()> {
        self.partition = partition.index;
        self.strike("begin")?;
        out.whole::<u64>("created")?.fill(N_CREATED.load(Ordering::Relaxed));
        Ok(())
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        self.strike("process")?;
        let pixels: Vec<f64> = tile.pixels().to_vec();
        let mut sum = out.sig::<f64>("intensity", tile)?;
        for frame in tile.rows(&pixels) {
            sum.iter_mut().zip(frame).for_each(|(sum, pixel)| *sum += pixel);
        }
        Ok(())
    }

    fn end(&mut self, _: &mut Partial) -> Result<()> {
        self.strike("end")
    }

    fn merge(&self, partition: &Partition, dest: &Buffers, src: &Buffers, _: &[bool]) -> Result<()> {
        self.strike_in("merge", partition.index)?;
        let (mut dest, src) = (dest.write::<f64>("intensity")?, src.read::<f64>("intensity")?);
        dest.iter_mut().zip(src.iter()).for_each(|(dest, src)| *dest += src);
        Ok(())
    }

    fn results(&self, merged: &Buffers, _: &[bool], out: &mut Output) -> Result<()> {
        self.strike("results")?;
        out.put("total", &[merged.read::<f64>("intensity")?.iter().sum::<f64>()])
    }
}

impl Hostile {
    fn strike(&self, function: &str) -> Result<()> {
        self.strike_in(function, self.partition)
    }

    fn strike_in(&self, function: &str, partition: usize) -> Result<()> {
        let is_now = self.target_partition.is_none_or(|target| i64::try_from(partition) == Ok(target));
        if self.at != function || !self.is_target || !is_now {
            return Ok(());
        }
        match self.attack.as_str() {
            "none" => Ok(()),
            "panic" => panic!("the beam is off in `{function}`"),
            "panic-lines" => panic!("one\nerror: two\r\n\x1b[2Kthree"),
            "trap" => std::process::abort(),
            "loop" => spin(),
            "loop-logging" => loop {
                log(Level::Debug, "still here");
            },
            "recurse" => Err(Error::new(format!("reached the ground at {}", recurse(0)))),
            "memory" => hoard(),
            "memory-polite" => ask_politely(),
            attack if attack.starts_with("matrix") => multiply(attack),
            attack if attack.starts_with("sums") => add_up(attack),
            attack if attack.starts_with("fourier") => transform(attack),
            "memory-then-panic" => ask_politely().map(|()| panic!("no room left")),
            attack => speak(attack),
        }
    }
}

fn spin() -> ! {
    loop {
        black_box(());
    }
}

fn recurse(depth: u64) -> u64 {
    if black_box(true) { recurse(black_box(depth) + 1) + 1 } else { depth }
}

/// Takes memory until there is none.
fn hoard() -> ! {
    loop {
        std::mem::forget(black_box(Vec::<u8>::with_capacity(32 << 20)));
    }
}

/// Asks for more memory than there can be, and takes no for an answer.
fn ask_politely() -> Result<()> {
    match black_box(Vec::<u8>::new()).try_reserve_exact(1 << 30) {
        Ok(()) => Err(Error::new("was given a gibibyte")),
        Err(_) => Ok(()),
    }
}

/// Attacks on the kernels of the host, which the SDK would not let through.
fn multiply(attack: &str) -> Result<()> {
    const PIECE: usize = 4 << 20;
    let matrix = |n_columns| Matrix::new(Dtype::F32.into(), n_columns);
    match attack {
        "matrix-of-counts" => drop(Matrix::new(Dtype::U16.into(), 42)),
        "matrix-of-pieces" => matrix(42).append(&[0; 6]),
        "matrix-of-no-frame" => {
            for n_columns in [0, 1, 41, u64::MAX] {
                matrix(n_columns).tile_products();
            }
        }
        "matrix-too-large" => {
            // Rows enough for more products than there is memory.
            let matrix = matrix(42);
            (0..40).for_each(|_| matrix.append(&vec![0; PIECE / 168 * 168]));
            (0..100).for_each(|_| std::mem::forget(black_box(matrix.tile_products())));
        }
        "matrix-hoard" => {
            let matrix = matrix(42);
            loop {
                matrix.append(&vec![0; PIECE]);
            }
        }
        "matrix-flood" => loop {
            std::mem::forget(matrix(42));
        },
        "matrix-products" => drop(matrix(42).tile_products()),
        attack => return Err(Error::new(format!("there is no attack `{attack}`"))),
    }
    Ok(())
}

/// Attacks on the sums that the host keeps for plugins.
fn add_up(attack: &str) -> Result<()> {
    let sums = |n_pixels| PixelSums::new(Dtype::F64.into(), n_pixels);
    match attack {
        "sums-of-counts" => drop(PixelSums::new(Dtype::U16.into(), 42)),
        "sums-of-no-frame" => {
            for n_pixels in [43, 0, 41] {
                sums(n_pixels).add_tile();
            }
        }
        "sums-beyond" => {
            let sums = sums(42);
            for (start, len) in [(0, 42), (42, 0), (41, 2), (u64::MAX, 1), (1, u64::MAX)] {
                black_box(sums.read(start, len));
            }
        }
        "sums-too-many" => drop(sums(u64::MAX)),
        "sums-hoard" => loop {
            std::mem::forget(sums(1 << 20));
        },
        "sums-flood" => loop {
            std::mem::forget(sums(0));
        },
        "sums-of-frames" => drop(frame_sums(Dtype::F32.into())),
        "sums-of-frames-of-counts" => drop(frame_sums(Dtype::U16.into())),
        "sums-of-other-pixels" => PixelMoments::new(Dtype::I16.into(), 42).add_tile(),
        "sums-of-moments-of-no-frame" => PixelMoments::new(Dtype::U8.into(), 7).add_tile(),
        "sums-of-moments-beyond" => drop(PixelMoments::new(Dtype::F32.into(), 42).read(u64::MAX, 2)),
        "sums-of-moments-hoard" => loop {
            std::mem::forget(PixelMoments::new(Dtype::F32.into(), 1 << 20));
        },
        attack => return Err(Error::new(format!("there is no attack `{attack}`"))),
    }
    Ok(())
}

/// Attacks on the Fourier transforms that the host has for plugins.
fn transform(attack: &str) -> Result<()> {
    let fourier = |shape: &[u64]| Fourier::new(Dtype::F32.into(), shape);
    match attack {
        "fourier-of-counts" => drop(Fourier::new(Dtype::U16.into(), &[4])),
        "fourier-of-no-axis" => drop(fourier(&[])),
        "fourier-of-nothing" => drop(fourier(&[4, 0])),
        "fourier-too-long" => drop(fourier(&[u64::MAX])),
        "fourier-too-large" => drop(fourier(&[1 << 20; 8])),
        "fourier-of-pieces" => drop(fourier(&[4]).forward(&[0; 24])),
        "fourier-hoard" => loop {
            std::mem::forget(fourier(&[1 << 20]));
        },
        "fourier-flood" => loop {
            std::mem::forget(fourier(&[1]));
        },
        // Of a number of 4 bytes becomes one of 8.
        "fourier-of-much" => loop {
            std::mem::forget(black_box(fourier(&[1]).forward(&vec![0; 8 << 20])));
        },
        "fourier-for-ever" => {
            // A prime number: that takes longest.
            let (fourier, numbers) = (fourier(&[1_048_573]), vec![0; 4 * 1_048_573]);
            loop {
                black_box(fourier.forward(&numbers));
            }
        }
        attack => return Err(Error::new(format!("there is no attack `{attack}`"))),
    }
    Ok(())
}

/// Attacks on whoever reads what a plugin says.
fn speak(attack: &str) -> Result<()> {
    const ESCAPES: &str = "\x1b[31mred\x1b]0;title\x07 \u{9b}2J \u{202e}desrever\u{200f} \x08\x08\x7f";
    match attack {
        "error" => Err(Error::new("the camera length is unknown: set it with -p")),
        "error-causes" => {
            Err(Error::new("no peak above the noise").context("no lattice found").context("no strain map"))
        }
        "error-escapes" => Err(Error::new(ESCAPES).context(format!("coloured\nerror: forged {ESCAPES}"))),
        "error-huge" => Err(Error::new("x".repeat(1 << 20)).context("\n".repeat(1 << 20))),
        "log-flood" => {
            (0..20_000).for_each(|i| log(Level::Info, i));
            Ok(())
        }
        "log-huge" => {
            log(Level::Info, "y".repeat(10 << 20));
            Ok(())
        }
        "log-escapes" => {
            log(Level::Warn, format!("look {ESCAPES}\nresults are in /tmp"));
            Ok(())
        }
        "log-error" => {
            log(Level::Error, "something is odd, but not fatal");
            Ok(())
        }
        attack => Err(Error::new(format!("there is no attack `{attack}`"))),
    }
}
