//! Random numbers as stubs have them: the same ones in every run.

use wasmtime::component::LinkerInstance;

use super::{
    super::state::{State, broken},
    Store,
};

/// Bytes that may be asked for at once.
const MAX_BYTES: u64 = 64 << 10;

/// A generator whose numbers follow from its state by mixing: `SplitMix64`.
#[derive(Debug, Default)]
pub(super) struct Random(u64);

impl Random {
    /// The one for a partition, or for what belongs to none.
    pub(super) fn of(partition: Option<u64>) -> Self {
        // Seeds that follow each other would do, but mixed ones are as far apart as can be.
        Self(Self(partition.map_or(0, |index| index.wrapping_add(1))).draw())
    }

    fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn bytes(&mut self, n_bytes: usize) -> Vec<u8> {
        let mut bytes = vec![0; n_bytes];
        for piece in bytes.chunks_mut(8) {
            piece.copy_from_slice(&self.draw().to_le_bytes()[..piece.len()]);
        }
        bytes
    }
}

/// Defines a function of random numbers, if there is a stub for it.
pub(super) fn define(
    instance: &mut LinkerInstance<'_, State>,
    interface: &str,
    function: &str,
) -> wasmtime::Result<bool> {
    match (interface, function) {
        ("wasi:random/random", "get-random-bytes") | ("wasi:random/insecure", "get-insecure-random-bytes") => {
            instance.func_wrap(function, |mut store: Store<'_>, (len,): (u64,)| Ok((bytes(&mut store, len)?,)))
        }
        ("wasi:random/random", "get-random-u64") | ("wasi:random/insecure", "get-insecure-random-u64") => {
            instance.func_wrap(function, |mut store: Store<'_>, ()| Ok((store.data_mut().stubs.random.draw(),)))
        }
        ("wasi:random/insecure-seed", "insecure-seed") => instance.func_wrap(function, |mut store: Store<'_>, ()| {
            let random = &mut store.data_mut().stubs.random;
            Ok(((random.draw(), random.draw()),))
        }),
        _ => return Ok(false),
    }?;
    Ok(true)
}

/// Random bytes, if they are not too many.
fn bytes(store: &mut Store<'_>, len: u64) -> wasmtime::Result<Vec<u8>> {
    match usize::try_from(len) {
        Ok(n_bytes) if len <= MAX_BYTES => Ok(store.data_mut().stubs.random.bytes(n_bytes)),
        _ => Err(broken(store, format!("asks for {len} random bytes at once, at most {MAX_BYTES} are allowed"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_splitmix64() {
        let mut random = Random(1_234_567);
        let numbers = [random.draw(), random.draw(), random.draw()];
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn each_partition_has_numbers_of_its_own_and_always_the_same() {
        let first = |partition| Random::of(partition).draw();
        assert_eq!(first(Some(3)), first(Some(3)));
        let mut all: Vec<u64> = (0..1000).map(|index| first(Some(index))).chain([first(None)]).collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 1001);
        assert_eq!(Random::of(None).bytes(19)[..8], first(None).to_le_bytes());
    }
}
