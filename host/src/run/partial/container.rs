//! The bytes of a partial: a header, blocks, and a checksum over both. See the README beside this file.

use sha2::{Digest, Sha256};

const MAGIC: &[u8; 16] = b"lthost partial\r\n";
/// Version of the format.
pub(super) const VERSION: u32 = 1;
const CHECKSUM_BYTES: usize = 32;

/// What is wrong with bytes that should be a partial.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ContainerError {
    #[error("is no partial of lthost")]
    Magic,
    #[error("has version {found} of the format, this program reads {VERSION}: use the lthost that wrote it")]
    Version { found: u32 },
    #[error("is damaged or cut: its checksum is another one")]
    Checksum,
    #[error("contradicts itself: {what}")]
    Inconsistent { what: &'static str },
}

/// Puts header and blocks together.
pub(super) fn write(header: &[u8], blocks: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = MAGIC.to_vec();
    bytes.extend(VERSION.to_le_bytes());
    bytes.extend((header.len() as u64).to_le_bytes());
    bytes.extend(header);
    bytes.extend((blocks.len() as u64).to_le_bytes());
    for block in blocks {
        bytes.extend((block.len() as u64).to_le_bytes());
        bytes.extend(block);
    }
    let checksum = Sha256::digest(&bytes);
    bytes.extend(checksum);
    bytes
}

/// Takes header and blocks apart.
pub(super) fn read(bytes: &[u8]) -> Result<(&[u8], Vec<&[u8]>), ContainerError> {
    let rest = bytes.strip_prefix(MAGIC).ok_or(ContainerError::Magic)?;
    let (version, _) = rest.split_first_chunk().ok_or(ContainerError::Checksum)?;
    let found = u32::from_le_bytes(*version);
    if found != VERSION {
        return Err(ContainerError::Version { found });
    }
    let (content, checksum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(ContainerError::Checksum)?;
    if Sha256::digest(content).as_slice() != checksum {
        return Err(ContainerError::Checksum);
    }
    let mut rest = content.get(MAGIC.len() + size_of::<u32>()..).ok_or(ContainerError::Checksum)?;
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

    fn sealed(content: &[u8]) -> Vec<u8> {
        [content, &Sha256::digest(content)].concat()
    }

    #[test]
    fn header_and_blocks_come_back() {
        let bytes = write(b"{}", &[vec![1, 2, 3], Vec::new()]);
        assert_eq!(read(&bytes), Ok((&b"{}"[..], vec![&[1, 2, 3][..], &[]])));
    }

    #[test]
    fn every_cut_and_every_flipped_bit_is_found() {
        let bytes = write(b"{}", &[vec![1, 2, 3]]);
        for cut in 0..bytes.len() {
            assert!(read(&bytes[..cut]).is_err(), "cut at {cut}");
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[cut] ^= 1 << bit;
                assert!(read(&flipped).is_err(), "bit {bit} of byte {cut}");
            }
        }
    }

    #[test]
    fn lengths_are_claims_even_under_a_good_checksum() {
        let bytes = write(b"{}", &[vec![1, 2, 3]]);
        let content = &bytes[..bytes.len() - CHECKSUM_BYTES];
        for at in [20, 30, 38] {
            for length in [u64::MAX, 1 << 40, 100] {
                let mut lying = content.to_vec();
                lying[at..at + 8].copy_from_slice(&length.to_le_bytes());
                assert!(matches!(read(&sealed(&lying)), Err(ContainerError::Inconsistent { .. })), "{length} at {at}");
            }
        }
        let longer = [content, &[0]].concat();
        assert!(matches!(read(&sealed(&longer)), Err(ContainerError::Inconsistent { .. })));
    }
}
