//! Tells what a UDF is told: an entry for each frame with where it is, in which tiles it came, and what was set; and the
//! order in which functions were called.

use lthost_guest_sdk::{Role, log, prelude::*};

export_udf!(Probe);

/// What was seen.
struct Probe {
    preferences: Preferences,
    scale: f64,
    /// How often new parameters came.
    n_updates: u32,
    /// What lasts for the run, set up once per worker: the sum of the numbers up to `task_size`.
    task: f64,
    n_nav_axes: usize,
}

impl Udf for Probe {
    fn manifest() -> Manifest {
        manifest!("probe", "Tells what a UDF is told")
            .parameter(
                Parameter::text("by").choices(&["tile", "frame", "partition"]).doc("granularity; any if not given"),
            )
            .parameter(Parameter::integer("depth").minimum(1.0).doc("frames of a tile, at most"))
            .parameter(Parameter::integer("total_size").minimum(1.0).unit("bytes").doc("size of a tile"))
            .parameter(Parameter::integer("split_rows").minimum(1.0).doc("rows of a block are multiples of this"))
            .parameter(Parameter::dtype("input").default(Dtype::F32).doc("tiles have at least this dtype"))
            .parameter(Parameter::number("scale").default(1.0).minimum(0.0).doc("what `scaled` is multiplied by"))
            .parameter(Parameter::integer("task_size").default(0_i64).minimum(0.0).doc("how much is set up per worker"))
            .parameter(Parameter::aux("weights", Dtype::F64, &[2]).doc("two numbers for each frame"))
            .with_preprocess()
            .with_merge()
            .with_results()
            .with_update()
    }

    fn new(params: &Params, meta: &Meta) -> Result<Self> {
        if meta.role == Role::Main {
            log(lthost_guest_sdk::Level::Info, format!("{meta:?}"));
        }
        let task_size: i64 = params.get("task_size")?;
        #[expect(clippy::cast_precision_loss, reason = "a test asks for few")]
        let task = (0..task_size).map(|number| number as f64).sum();
        let n_nav_axes = meta.nav_shape.len();
        Ok(Self { preferences: preferences(params)?, scale: params.get("scale")?, n_updates: 0, task, n_nav_axes })
    }

    fn preferences(&self) -> Preferences {
        self.preferences
    }

    fn buffers(&self, input: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![
            Buffer::nav("coordinates", Dtype::I64).extra(&[self.n_nav_axes]).fill(-1.0).doc("where the frame is"),
            Buffer::nav("partition", Dtype::I64).fill(-1.0).doc("number of its partition"),
            Buffer::nav("depth", Dtype::I64).doc("frames of the tile that it came in"),
            Buffer::nav("n_blocks", Dtype::I64).doc("tiles that it came in"),
            Buffer::nav("stated_blocks", Dtype::I64).doc("blocks that were stated before"),
            Buffer::nav("rows", Dtype::I64).doc("rows of its first tile"),
            Buffer::nav("weighted", Dtype::F64).fill(f64::NAN).doc("sum of its AUX data"),
            Buffer::nav("scaled", Dtype::F64).doc("`scale` when it was processed"),
            Buffer::nav("updates", Dtype::U32).doc("new parameters that had come when it was processed"),
            Buffer::nav("task", Dtype::F64).doc("what was set up for the worker"),
            Buffer::nav("sum", input.promote(Dtype::F32)).doc("sum of the frame"),
            Buffer::nav("mean", Dtype::F64).doc("mean of the frame: made of `sum` at the end of a partition"),
            Buffer::single("merged_before", Dtype::I64)
                .extra(&[64])
                .merge(Merge::Custom)
                .fill(-1.0)
                .doc("for each partition how many frames were merged before it"),
            Buffer::single("initial", Dtype::F64).extra(&[3]).merge(Merge::Sum).doc("what `preprocess` made of it"),
            Buffer::single("hidden", Dtype::F64).private().merge(Merge::Sum).doc("not for the user"),
            Buffer::single("total", Dtype::F64).result_only().unit("counts").doc("made after merging"),
            Buffer::nav("even", Dtype::F64).result_only().doc("the mean where it is more than that of all frames"),
        ])
    }

    fn preprocess(&self, out: &mut Output) -> Result<()> {
        out.put("initial", &[1.0, 2.0, 3.0])
    }

    fn begin(&mut self, partition: &Partition, out: &mut Partial) -> Result<()> {
        out.whole::<i64>("partition")?.fill(whole(partition.index));
        out.whole::<f64>("initial")?.fill(10.0);
        let n_blocks = whole(out.tiling().blocks.len());
        out.whole::<i64>("stated_blocks")?.fill(n_blocks);
        Ok(())
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        let (depth, rows) = (whole(tile.n_frames()), whole(tile.sig_shape()[0]));
        out.nav::<i64>("depth", tile)?.fill(depth);
        out.nav::<i64>("n_blocks", tile)?.iter_mut().for_each(|n_blocks| *n_blocks += 1);
        if tile.sig_start() == 0 {
            out.nav::<i64>("rows", tile)?.fill(rows);
        }
        let coordinates: Vec<i64> = tile.coordinates().flatten().map(whole).collect();
        out.nav::<i64>("coordinates", tile)?.copy_from_slice(&coordinates);
        if let Some(weights) = tile.aux::<f64>("weights")? {
            let weights = weights.chunks_exact(2).map(|pair| pair[0] + pair[1]);
            out.nav::<f64>("weighted", tile)?.iter_mut().zip(weights).for_each(|(to, from)| *to = from);
        }
        out.nav::<f64>("scaled", tile)?.fill(self.scale);
        out.nav::<u32>("updates", tile)?.fill(self.n_updates);
        out.nav::<f64>("task", tile)?.fill(self.task);
        let pixels: Vec<f64> = tile.pixels().to_vec();
        let sums: Vec<f64> = tile.rows(&pixels).map(|frame| frame.iter().sum()).collect();
        out.nav::<f64>("mean", tile)?.iter_mut().zip(&sums).for_each(|(mean, sum)| *mean += sum);
        *out.whole::<f64>("hidden")?.first_mut().ok_or_else(|| Error::new("`hidden` is empty"))? +=
            sums.iter().sum::<f64>();
        add_sums(tile, &sums, out)
    }

    fn end(&mut self, out: &mut Partial) -> Result<()> {
        let n_pixels: usize = out.tiling().blocks.iter().map(|block| block.shape.iter().product::<usize>()).sum();
        #[expect(clippy::cast_precision_loss, reason = "a test has few pixels")]
        out.whole::<f64>("mean")?.iter_mut().for_each(|mean| *mean /= n_pixels as f64);
        Ok(())
    }

    fn merge(&self, partition: &Partition, dest: &Buffers, _: &Buffers, valid: &[bool]) -> Result<()> {
        let n_valid = valid.iter().filter(|&&is_valid| is_valid).count();
        if let Some(entry) = dest.write::<i64>("merged_before")?.get_mut(partition.index) {
            *entry = whole(n_valid);
        }
        Ok(())
    }

    fn results(&self, merged: &Buffers, valid: &[bool], out: &mut Output) -> Result<()> {
        out.put("total", &[merged.read::<f64>("hidden")?[0]])?;
        let means = merged.read::<f64>("mean")?;
        let of_valid = || means.iter().zip(valid).filter(|(_, is_valid)| **is_valid).map(|(mean, _)| *mean);
        #[expect(clippy::cast_precision_loss, reason = "a test has few frames")]
        let mean = of_valid().sum::<f64>() / of_valid().count() as f64;
        let mask: Vec<bool> = means.iter().zip(valid).map(|(one, is_valid)| *is_valid && *one > mean).collect();
        out.put_masked("even", &means, &mask)
    }

    fn update(&mut self, params: &Params) -> Result<()> {
        self.scale = params.get("scale")?;
        self.preferences = preferences(params)?;
        self.n_updates += 1;
        Ok(())
    }
}

/// How it wants to be fed.
fn preferences(params: &Params) -> Result<Preferences> {
    let mut preferences = Preferences::at_least(params.get("input")?);
    preferences = match params.get::<Option<String>>("by")?.as_deref() {
        Some("frame") => preferences.by_frame(),
        Some("partition") => preferences.by_partition(),
        _ => preferences,
    };
    let number = |name| params.get::<Option<i64>>(name).map(|number| number.and_then(|number| number.try_into().ok()));
    if let Some(depth) = number("depth")? {
        preferences = preferences.depth(depth);
    }
    if let Some(total_size) = number("total_size")? {
        preferences = preferences.total_size(total_size);
    }
    if let Some(split_rows) = number("split_rows")? {
        preferences = preferences.split_rows(split_rows);
    }
    Ok(preferences)
}

/// Adds the sums of a tile's frames to `sum`, whatever its dtype.
fn add_sums(tile: &Tile, sums: &[f64], out: &mut Partial) -> Result<()> {
    each_float!(Numbers::none(out.dtype("sum")?), |none| add_sums_as(none, tile, sums, out)?)
}

fn add_sums_as<T: Float>(_none: &[T], tile: &Tile, sums: &[f64], out: &Partial) -> Result<()> {
    out.nav::<T>("sum", tile)?.iter_mut().zip(sums).for_each(|(to, sum)| *to = to.plus(T::from_f64(*sum)));
    Ok(())
}

fn whole(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
