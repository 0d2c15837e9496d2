//! Changes of inputs at random, the same for a seed on every machine: what is tried in CI, where no fuzzer is.

/// Numbers around which mistakes are made.
const INTERESTING: [u64; 20] = [
    0,
    1,
    2,
    7,
    8,
    16,
    127,
    128,
    255,
    256,
    4095,
    32767,
    65535,
    65536,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x7fff_ffff_ffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
];
/// Changes that are made to an input, at most.
const MAX_CHANGES: usize = 6;
/// Bytes that are taken out, doubled or put in at a time, at most.
const MAX_PART: usize = 64;

/// Makes inputs of others.
#[derive(Debug)]
pub struct Mutator {
    state: u64,
}

impl Mutator {
    /// The same seed makes the same inputs.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A number at random (`SplitMix64`).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.state;
        number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    /// A number below `n`, which is not 0.
    pub fn below(&mut self, n: usize) -> usize {
        usize::try_from(self.next() % n as u64).unwrap_or(0)
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }

    /// Another input, like `input`, with parts of `other` perhaps, of at most `max_len` bytes.
    pub fn mutate(&mut self, input: &[u8], other: &[u8], max_len: usize) -> Vec<u8> {
        let mut bytes = input.to_vec();
        for _ in 0..=self.below(MAX_CHANGES) {
            self.change(&mut bytes, other);
        }
        bytes.truncate(max_len);
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        if bytes.is_empty() {
            bytes.push(self.byte());
        }
        let at = self.below(bytes.len());
        let part = at..bytes.len().min(at + 1 + self.below(MAX_PART));
        match self.below(12) {
            0 => bytes[at] ^= 1 << self.below(8),
            1 => bytes[at] = self.byte(),
            2 | 3 => self.put_number(bytes, at),
            4 | 5 => self.put_digits(bytes, at),
            6 => drop(bytes.drain(part)),
            7 => {
                let doubled = bytes[part].to_vec();
                bytes.splice(at..at, doubled);
            }
            8 => {
                let new: Vec<u8> = (0..part.len()).map(|_| self.byte()).collect();
                bytes.splice(at..at, new);
            }
            9 => bytes.truncate(at),
            10 => {
                // The beginning of one, and the end of the other.
                bytes.truncate(at);
                bytes.extend(&other[self.below(other.len() + 1)..]);
            }
            _ => {
                let start = self.below(other.len() + 1);
                let stop = other.len().min(start + 1 + self.below(MAX_PART));
                bytes.splice(part, other[start..stop].iter().copied());
            }
        }
    }

    fn interesting(&mut self) -> u64 {
        let number = INTERESTING[self.below(INTERESTING.len())];
        match self.below(4) {
            0 => number.wrapping_add(self.next() % 5),
            1 => number.wrapping_neg(),
            _ => number,
        }
    }

    /// Writes a number over some bytes.
    fn put_number(&mut self, bytes: &mut [u8], at: usize) {
        let (number, width) = (self.interesting(), 1 << self.below(4));
        let little = number.to_le_bytes();
        let in_order: Vec<u8> =
            if self.below(2) == 0 { little[..width].to_vec() } else { little[..width].iter().rev().copied().collect() };
        for (byte, new) in bytes[at..].iter_mut().zip(in_order) {
            *byte = new;
        }
    }

    /// Puts a number in place of one that is written in digits, the next one from `at` on.
    fn put_digits(&mut self, bytes: &mut Vec<u8>, at: usize) {
        let Some(start) = bytes[at..].iter().position(u8::is_ascii_digit).map(|skip| at + skip) else { return };
        let len = bytes[start..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let digits = match self.below(3) {
            0 => (self.next() % 20).to_string(),
            1 => format!("-{}", self.interesting()),
            _ => self.interesting().to_string(),
        };
        bytes.splice(start..start + len, digits.bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_the_same_for_a_seed_and_others_for_another() {
        let made = |seed| {
            let mut mutator = Mutator::new(seed);
            (0..1000).map(|_| mutator.mutate(b"shape = (12, 7)", b"other", 40)).collect::<Vec<_>>()
        };
        assert_eq!(made(1), made(1));
        assert_ne!(made(1), made(2));
        assert!(made(1).iter().all(|input| input.len() <= 40));
    }

    #[test]
    fn nothing_is_too_small_to_be_changed() {
        let mut mutator = Mutator::new(3);
        for _ in 0..10_000 {
            mutator.mutate(&[], &[], 8);
        }
    }
}
