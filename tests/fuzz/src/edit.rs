//! A partial or checkpoint that was changed in some places, and has a good checksum all the same: what is behind that is not
//! reached by chance. The format is described in `host/src/run/partial/README.md`.

use std::ops::Range;

use sha2::{Digest, Sha256};

/// What says which format it is: a mark, and a version.
const HEAD: usize = 20;
const CHECKSUM: usize = 32;
/// Bytes of an edit: what, where, and two numbers.
pub(crate) const LEN: usize = 8;

/// What takes the place of a number or text in the header.
const INTERESTING: [&str; 22] = [
    "0",
    "1",
    "2",
    "-1",
    "255",
    "65536",
    "4294967295",
    "4294967296",
    "1099511627776",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775808",
    "1e308",
    "0.5",
    "true",
    "null",
    "[]",
    "{}",
    "\"\"",
    "\"c128\"",
];

/// What is written, taken apart.
#[derive(Clone)]
pub(crate) struct Saved {
    head: Vec<u8>,
    header: Vec<u8>,
    blocks: Vec<Vec<u8>>,
}

impl Saved {
    /// Takes apart what the host wrote.
    pub(crate) fn new(bytes: &[u8]) -> Self {
        let (head, mut rest) = bytes[..bytes.len() - CHECKSUM].split_at(HEAD);
        let header = take(&mut rest);
        let n_blocks = number(&mut rest);
        Self { head: head.to_vec(), header, blocks: (0..n_blocks).map(|_| take(&mut rest)).collect() }
    }

    /// The same with another header, and no blocks.
    pub(crate) fn with_header(&self, header: &[u8]) -> Self {
        Self { head: self.head.clone(), header: header.to_vec(), blocks: Vec::new() }
    }

    /// Makes the changes that some bytes stand for.
    pub(crate) fn edit(&mut self, edits: &[u8]) {
        for edit in edits.as_chunks::<LEN>().0 {
            let [what, which, low, high, number @ ..] = *edit;
            let at = usize::from(u16::from_le_bytes([low, high]));
            let number = u32::from_le_bytes(number);
            if what % 12 < 6 {
                self.edit_header(what % 6, at, number);
            } else if !self.blocks.is_empty() {
                let block = usize::from(which) % self.blocks.len();
                self.edit_block(what % 6, block, at, number);
            }
        }
    }

    fn edit_header(&mut self, what: u8, at: usize, number: u32) {
        let tokens = tokens(&self.header);
        if tokens.is_empty() {
            return;
        }
        let token = |at: usize| tokens[at % tokens.len()].clone();
        let n = usize::try_from(number).unwrap_or(usize::MAX);
        match what {
            0 | 1 => drop(self.header.splice(token(at), INTERESTING[n % INTERESTING.len()].bytes())),
            2 => drop(self.header.splice(token(at), number.to_string().into_bytes())),
            3 => {
                let other = self.header[token(n)].to_vec();
                drop(self.header.splice(token(at), other));
            }
            4 => {
                let len = self.header.len();
                self.header[at % len] = number.to_le_bytes()[0];
            }
            _ => {
                let start = at % self.header.len();
                let stop = (start + n % 32).min(self.header.len());
                drop(self.header.drain(start..stop));
            }
        }
    }

    fn edit_block(&mut self, what: u8, block: usize, at: usize, number: u32) {
        let n = usize::try_from(number).unwrap_or(usize::MAX);
        let n_blocks = self.blocks.len();
        let bytes = &mut self.blocks[block];
        match what {
            0 | 1 => {
                for (byte, new) in bytes.iter_mut().skip(at).zip(number.to_le_bytes()) {
                    *byte = new;
                }
            }
            2 => bytes.truncate(n % (bytes.len() + 1)),
            3 => bytes.resize(bytes.len() + n % 64, 1),
            4 => self.blocks.swap(block, n % n_blocks),
            _ => drop(self.blocks.remove(block)),
        }
    }

    /// The bytes, with the checksum that belongs to them.
    pub(crate) fn sealed(&self) -> Vec<u8> {
        let mut bytes = self.head.clone();
        put(&mut bytes, &self.header);
        bytes.extend((self.blocks.len() as u64).to_le_bytes());
        self.blocks.iter().for_each(|block| put(&mut bytes, block));
        let checksum = Sha256::digest(&bytes);
        bytes.extend(checksum);
        bytes
    }
}

/// An edit.
pub(crate) fn edit(what: u8, which: u8, at: u16, number: u32) -> [u8; LEN] {
    let ([low, high], [a, b, c, d]) = (at.to_le_bytes(), number.to_le_bytes());
    [what, which, low, high, a, b, c, d]
}

fn put(bytes: &mut Vec<u8>, block: &[u8]) {
    bytes.extend((block.len() as u64).to_le_bytes());
    bytes.extend(block);
}

fn number(rest: &mut &[u8]) -> u64 {
    let (number, after) = rest.split_first_chunk().expect("the host has written it");
    *rest = after;
    u64::from_le_bytes(*number)
}

fn take(rest: &mut &[u8]) -> Vec<u8> {
    let len = usize::try_from(number(rest)).expect("the host has written it");
    let (block, after) = rest.split_at(len);
    *rest = after;
    block.to_vec()
}

/// Where numbers, texts and names are in JSON.
fn tokens(json: &[u8]) -> Vec<Range<usize>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < json.len() {
        let len = match json[at] {
            b'"' => text_len(&json[at..]),
            byte if is_plain(byte) => json[at..].iter().take_while(|byte| is_plain(**byte)).count(),
            _ => 0,
        };
        if len > 0 {
            tokens.push(at..at + len);
        }
        at += len.max(1);
    }
    tokens
}

/// Whether it is part of a number or a word.
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+-.".contains(&byte)
}

/// Bytes of a text with its quotation marks.
fn text_len(json: &[u8]) -> usize {
    let mut is_escaped = false;
    for (at, byte) in json.iter().enumerate().skip(1) {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' => is_escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    json.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_texts_and_names_are_found() {
        let json = br#"{"a\"b": [1, -2.5e3, true], "c":null}"#;
        let found: Vec<&str> =
            tokens(json).into_iter().map(|token| std::str::from_utf8(&json[token]).unwrap()).collect();
        assert_eq!(found, [r#""a\"b""#, "1", "-2.5e3", "true", "\"c\"", "null"]);
        assert_eq!(tokens(b"\"open")[0], 0..5);
    }

    #[test]
    fn edits_never_fail() {
        let mut saved = Saved { head: vec![0; HEAD], header: b"{\"a\": 1}".to_vec(), blocks: vec![vec![1, 2, 3]] };
        for what in 0..=255 {
            saved.edit(&[edit(what, what, u16::from(what) * 7, u32::MAX), edit(what, 1, 0, 0)].concat());
        }
        let sealed = saved.sealed();
        assert_eq!(Saved::new(&sealed).sealed(), sealed);
    }
}
