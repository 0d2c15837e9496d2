//! Fails on demand, in the ways in which a plugin can fail.

use lthost_guest_sdk::prelude::*;

export_udf!(Faulty);

struct Faulty {
    fault: Option<String>,
    first_partition: usize,
}

impl Udf for Faulty {
    fn manifest() -> Manifest {
        let fault = Parameter::text("fault").choices(&["error", "panic", "loop", "memory", "buffer", "dtype"]);
        manifest!("faulty", "Fails on demand")
            .parameter(fault.doc("how it fails; not at all if not given"))
            .parameter(Parameter::integer("from").default(0_i64).doc("first partition in which it fails"))
    }

    fn new(params: &Params, _: &Meta) -> Result<Self> {
        let from: i64 = params.get("from")?;
        Ok(Self { fault: params.get("fault")?, first_partition: usize::try_from(from)? })
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(vec![Buffer::nav("sum", Dtype::F32).unit("counts")])
    }

    fn process(&mut self, tile: &Tile, out: &mut Partial) -> Result<()> {
        if out.partition().index < self.first_partition {
            return Ok(());
        }
        match self.fault.as_deref() {
            Some("error") => return Err(Error::new("the beam is off in this frame: leave it out with --roi")),
            Some("panic") => {
                let columns = [0; 4];
                std::hint::black_box(columns[std::hint::black_box(tile.n_frames() + 4)]);
            }
            Some("loop") => loop {
                std::hint::black_box(0);
            },
            Some("memory") => drop(std::hint::black_box(vec![1_u8; 3 << 29])),
            Some("buffer") => drop(out.nav::<f32>("sums", tile)?),
            Some("dtype") => drop(out.nav::<f64>("sum", tile)?),
            _ => {}
        }
        Ok(())
    }
}
