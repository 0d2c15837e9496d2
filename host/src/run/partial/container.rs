//! The bytes of a partial or a checkpoint: a header, blocks, and a checksum over both. See the README beside this file.

use std::{
    fs,
    io::{self, Read, Write},
    path::Path,
};

use sha2::{Digest, Sha256};

/// What the bytes are.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::run) struct Format {
    magic: &'static [u8; 16],
    version: u32,
    /// What messages call it.
    name: &'static str,
}

pub(in crate::run) const PARTIAL: Format = Format { magic: b"lthost partial\r\n", version: 1, name: "partial" };
pub(in crate::run) const CHECKPOINT: Format = Format { magic: b"lthost merged.\r\n", version: 1, name: "checkpoint" };

const CHECKSUM_BYTES: usize = 32;

/// What is wrong with bytes that should be of a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(in crate::run) enum ContainerError {
    #[error("is no {name} of lthost")]
    Magic { name: &'static str },
    #[error("has version {found} of the format, this program reads {expected}: use the lthost that wrote it")]
    Version { found: u32, expected: u32 },
    #[error("is damaged or cut: its checksum is another one")]
    Checksum,
    #[error("contradicts itself: {what}")]
    Inconsistent { what: &'static str },
}

/// Reads a file with a partial or a checkpoint; of one that begins otherwise no more than that, which is then found to be none.
///
/// # Errors
///
/// Where it can't be read, or is no regular file: a device may never end, and a pipe never begin.
pub fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    let (mut file, mut bytes) = (fs::File::open(path)?, Vec::new());
    (&mut file).take(PARTIAL.magic.len() as u64).read_to_end(&mut bytes)?;
    if [PARTIAL, CHECKPOINT].iter().any(|format| bytes == format.magic) {
        file.read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// Writes header and blocks.
pub(in crate::run) fn write(out: &mut dyn Write, format: &Format, header: &[u8], blocks: &[&[u8]]) -> io::Result<()> {
    let mut digest = Sha256::new();
    let mut put = |bytes: &[u8]| {
        digest.update(bytes);
        out.write_all(bytes)
    };
    put(format.magic)?;
    put(&format.version.to_le_bytes())?;
    put(&(header.len() as u64).to_le_bytes())?;
    put(header)?;
    put(&(blocks.len() as u64).to_le_bytes())?;
    for block in blocks {
        put(&(block.len() as u64).to_le_bytes())?;
        put(block)?;
    }
    out.write_all(&digest.finalize())
}

/// Takes header and blocks apart.
pub(in crate::run) fn read<'a>(format: &Format, bytes: &'a [u8]) -> Result<(&'a [u8], Vec<&'a [u8]>), ContainerError> {
    let rest = bytes.strip_prefix(format.magic).ok_or(ContainerError::Magic { name: format.name })?;
    let (version, _) = rest.split_first_chunk().ok_or(ContainerError::Checksum)?;
    let (found, expected) = (u32::from_le_bytes(*version), format.version);
    if found != expected {
        return Err(ContainerError::Version { found, expected });
    }
    let (content, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(ContainerError::Checksum)?;
    if Sha256::digest(content).as_slice() != checksum {
        return Err(ContainerError::Checksum);
    }
    let mut rest = content.get(format.magic.len() + size_of::<u32>()..).ok_or(ContainerError::Checksum)?;
    let header = take_block(&mut rest)?;
    let n_blocks = take_number(&mut rest)?;
    let mut blocks = Vec::new();
    for _ in 0..n_blocks {
        blocks.push(take_block(&mut rest)?);
    }
    if rest.is_empty() { Ok((header, blocks)) } else { Err(inconsistent("something follows its last block")) }
}

fn take_number(rest: &mut &[u8]) -> Result<u64, ContainerError> {
    let (number, after) = rest.split_first_chunk().ok_or(inconsistent("a number is missing"))?;
    *rest = after;
    Ok(u64::from_le_bytes(*number))
}

fn take_block<'a>(rest: &mut &'a [u8]) -> Result<&'a [u8], ContainerError> {
    let length = take_number(rest)?;
    let length = usize::try_from(length).map_err(|_| inconsistent("a block is longer than memory"))?;
    let (block, after) = rest.split_at_checked(length).ok_or(inconsistent("a block is longer than the rest"))?;
    *rest = after;
    Ok(block)
}

fn inconsistent(what: &'static str) -> ContainerError {
    ContainerError::Inconsistent { what }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(blocks: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        write(&mut bytes, &PARTIAL, b"{}", blocks).unwrap();
        bytes
    }

    fn sealed(content: &[u8]) -> Vec<u8> {
        [content, &Sha256::digest(content)].concat()
    }

    #[test]
    fn header_and_blocks_come_back() {
        let bytes = written(&[&[1, 2, 3], &[]]);
        assert_eq!(read(&PARTIAL, &bytes), Ok((&b"{}"[..], vec![&[1, 2, 3][..], &[]])));
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_found() {
        let bytes = written(&[&[1, 2, 3]]);
        for cut in 0..bytes.len() {
            assert!(read(&PARTIAL, &bytes[..cut]).is_err(), "cut at {cut}");
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[cut] ^= 1 << bit;
                assert!(read(&PARTIAL, &flipped).is_err(), "bit {bit} of byte {cut}");
            }
        }
    }

    #[test]
    fn lengths_are_claims_even_under_a_good_checksum() {
        let bytes = written(&[&[1, 2, 3]]);
        let content = &bytes[..bytes.len() - CHECKSUM_BYTES];
        for at in [20, 30, 38] {
            for length in [u64::MAX, 1 << 40, 100] {
                let mut lying = content.to_vec();
                lying[at..at + 8].copy_from_slice(&length.to_le_bytes());
                assert!(
                    matches!(read(&PARTIAL, &sealed(&lying)), Err(ContainerError::Inconsistent { .. })),
                    "{length} at {at}"
                );
            }
        }
        let longer = [content, &[0]].concat();
        assert!(matches!(read(&PARTIAL, &sealed(&longer)), Err(ContainerError::Inconsistent { .. })));
    }
}
