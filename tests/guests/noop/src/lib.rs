//! Does nothing: a UDF without buffers, of which only the damage shows that frames were there.

use lthost_guest_sdk::prelude::*;

export_udf!(NoOp);

/// Nothing.
pub struct NoOp;

impl Udf for NoOp {
    fn manifest() -> Manifest {
        manifest!("noop", "Does nothing")
    }

    fn new(_: &Params, _: &Meta) -> Result<Self> {
        Ok(Self)
    }

    fn preferences(&self) -> Preferences {
        Preferences::native()
    }

    fn buffers(&self, _: Dtype) -> Result<Vec<Buffer>> {
        Ok(Vec::new())
    }

    fn process(&mut self, _: &Tile, _: &mut Partial) -> Result<()> {
        Ok(())
    }
}
