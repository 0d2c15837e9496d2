//! What kernels cost in instructions for each pixel, counted by valgrind's callgrind: unlike time, that is the same on a busy
//! machine. Whoever makes a kernel dearer sees it here; whoever makes one cheaper lowers its bound.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use lthost::shape::Dtype;

use crate::program::Folder;

/// Frames of the two scans whose counts are subtracted: what does not depend on their number drops out.
const N_FRAMES: [u64; 2] = [64, 576];
const SIG: [u64; 2] = [64, 64];

/// Plugin with parameters, dtype of the data, and instructions for a pixel that it may take: a tenth more than it does.
const BOUNDS: [(&[&str], Dtype, f64); 13] = [
    (&["sum"], Dtype::U16, 0.45),
    (&["sum"], Dtype::F32, 0.34),
    (&["sumsig"], Dtype::U16, 0.52),
    (&["sumsig"], Dtype::F32, 0.4),
    (&["extrema"], Dtype::U16, 1.12),
    (&["extrema"], Dtype::F32, 2.25),
    (&["stddev"], Dtype::U16, 1.75),
    (&["stddev"], Dtype::F32, 2.45),
    (&["logsum"], Dtype::U16, 3.45),
    (&["com"], Dtype::U16, 2.9),
    (&["masks", "-p", "factors=@four.npy"], Dtype::U16, 2.85),
    (&["masks", "-p", "factors=@four.npy"], Dtype::F32, 1.85),
    (&["masks", "-p", "factors=@many.npy"], Dtype::U16, 7.5),
];

/// A scan of `n_frames`, in `name`.
fn scan(folder: &Folder, name: &str, dtype: Dtype, n_frames: u64) {
    let counts = (0..n_frames * SIG[0] * SIG[1]).map(|i| u8::try_from((i * 7919 + i / 13) % 97).unwrap());
    let data = counts.flat_map(|count| match dtype {
        Dtype::U16 => u16::from(count).to_le_bytes().to_vec(),
        _ => f32::from(count).to_le_bytes().to_vec(),
    });
    folder.array(name, dtype, &[n_frames / 8, 8, SIG[0], SIG[1]], data.collect());
}

/// A run under valgrind, and what came on stderr.
fn valgrind(folder: &Folder, options: &[&str], plugin: &[&str], data: &str) -> String {
    let mut command = Command::new("valgrind");
    command.args(options).arg(lthost_tests::lthost().get_program());
    command.args(["run", "--quiet", "--workers", "1", "--partitions", "1", "--dataset", data]);
    command.arg("--plugin").args(plugin).current_dir(folder.path("")).env("LTHOST_CACHE", folder.path("cache"));
    let ended = command.output().unwrap();
    let said = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{plugin:?}: {said}");
    said
}

/// Instructions of a run.
fn count(folder: &Folder, plugin: &[&str], data: &str) -> f64 {
    let counts = format!("--callgrind-out-file={}", folder.path("counts").display());
    let said = valgrind(folder, &["--tool=callgrind", &counts], plugin, data);
    let collected = said.lines().find_map(|line| line.split("Collected : ").nth(1));
    collected.and_then(|number| number.trim().parse().ok()).unwrap_or_else(|| panic!("callgrind says nothing: {said}"))
}

#[test]
fn kernels_take_no_more_instructions_than_they_did() {
    let has = |program: &str| {
        Command::new(program)
            .arg("--version")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|s| s.success())
    };
    let has_avx2 = std::fs::read_to_string("/proc/cpuinfo").is_ok_and(|info| info.contains("avx2"));
    if !has("valgrind") || !has_avx2 || !cfg!(target_arch = "x86_64") || !Path::new("/proc").exists() {
        println!("skipped: there is no valgrind, or no processor of the kind that the bounds are for");
        return;
    }
    let folder = Folder::new();
    for dtype in [Dtype::U16, Dtype::F32] {
        for n_frames in N_FRAMES {
            scan(&folder, &format!("{dtype}-{n_frames}.npy"), dtype, n_frames);
        }
    }
    for (name, n_masks) in [("four.npy", 4), ("many.npy", 16)] {
        let weights =
            (0..n_masks * SIG[0] * SIG[1]).flat_map(|i| f32::from(u8::try_from(i % 91).unwrap() + 1).to_le_bytes());
        folder.array(name, Dtype::F32, &[n_masks, SIG[0], SIG[1]], weights.collect());
    }
    let mut dear = Vec::new();
    for (plugin, dtype, bound) in BOUNDS {
        let data = |n_frames: u64| format!("{dtype}-{n_frames}.npy");
        // The first run compiles, and keeps that: for the processor that valgrind shows, which has less than the real one.
        valgrind(&folder, &["--tool=none", "--trace-children=yes"], plugin, &data(N_FRAMES[0]));
        let [few, many] = N_FRAMES.map(|n_frames| count(&folder, plugin, &data(n_frames)));
        let n_pixels = (N_FRAMES[1] - N_FRAMES[0]) * SIG[0] * SIG[1];
        let per_pixel = (many - few) / f64::from(u32::try_from(n_pixels).unwrap());
        println!("{} of {dtype}: {per_pixel:.3} instructions for a pixel, at most {bound}", plugin.join(" "));
        if per_pixel > bound {
            dear.push(format!("{} of {dtype}: {per_pixel:.3} instead of {bound}", plugin.join(" ")));
        }
    }
    assert!(dear.is_empty(), "instructions for a pixel: {}", dear.join("; "));
}
