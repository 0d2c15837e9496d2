//! Kitty's graphics protocol: a PNG file in base64, in chunks, under a number by which the next one takes its place.

use super::{Drawn, Size, anchored, scale};
use crate::picture::Picture;

/// Bytes of base64 that one escape sequence carries at most.
const CHUNK: usize = 4096;

/// Draws under the number `id`, which replaces what was drawn under it before.
pub(super) fn draw(picture: &Picture, size: &Size, id: u32) -> anyhow::Result<Drawn> {
    let (width, height) = scale::fit((picture.width, picture.height), size.pixels());
    let png = scale::resize(picture, width, height).png()?;
    let rows = height.div_ceil(size.cell_or_usual().1);
    // A terminal that doesn't tell the size of its cells scales the picture to so many rows itself.
    let scaled = if size.cell.is_some() { String::new() } else { format!(",r={rows}") };
    // Shown at once (T), from a PNG (100), without an answer (2), and the cursor stays (C).
    let head = format!("a=T,f=100,q=2,i={id},C=1{scaled},");
    Ok(Drawn { text: format!("\x1b_Ga=d,d=I,i={id},q=2\x1b\\{}", anchored(&chunks(&head, &png), rows)), rows })
}

fn chunks(head: &str, file: &[u8]) -> String {
    let text = base64(file);
    let sequence = |start: usize| {
        let head = if start == 0 { head } else { "" };
        let end = text.len().min(start + CHUNK);
        let more = u8::from(end < text.len());
        format!("\x1b_G{head}m={more};{}\x1b\\", &text[start..end])
    };
    (0..text.len()).step_by(CHUNK).map(sequence).collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = group.iter().fold(0_usize, |bits, &byte| bits << 8 | usize::from(byte)) << (8 * (3 - group.len()));
        for place in 0..4 {
            let digit = DIGITS[bits >> (18 - 6 * place) & 63];
            text.push(if place > group.len() { '=' } else { digit.into() });
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bytes that the sequences carry, and how many sequences these are.
    fn reassembled(text: &str) -> (Vec<u8>, usize) {
        let (mut digits, mut n) = (String::new(), 0);
        for sequence in text.split("\x1b_G").skip(1) {
            let Some((keys, payload)) = sequence.split('\x1b').next().unwrap().split_once(';') else { continue };
            assert!(payload.len() <= CHUNK && payload.len() % 4 == 0, "{}", payload.len());
            assert_eq!(keys.starts_with("a=T,f=100,"), n == 0, "{keys}");
            digits.push_str(payload);
            n += 1;
            assert_eq!(keys.ends_with("m=1"), payload.len() == CHUNK);
        }
        (unbase64(&digits), n)
    }

    fn unbase64(text: &str) -> Vec<u8> {
        let digit = |c: u8| match c {
            b'A'..=b'Z' => c - b'A',
            b'a'..=b'z' => c - b'a' + 26,
            b'0'..=b'9' => c - b'0' + 52,
            b'+' => 62,
            _ => 63,
        };
        let digits: Vec<u8> = text.bytes().filter(|&c| c != b'=').map(digit).collect();
        let bits = |at: usize| digits[at / 6] >> (5 - at % 6) & 1;
        (0..digits.len() * 6 / 8).map(|i| (0..8).fold(0, |byte, bit| byte << 1 | bits(8 * i + bit))).collect()
    }

    #[test]
    fn base64_is_that_of_the_rfc() {
        let texts = ["", "f", "fo", "foo", "foob", "fooba", "foobar"].map(|text| base64(text.as_bytes()));
        assert_eq!(texts, ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]);
    }

    #[test]
    fn chunks_are_the_png() {
        let noise = |i: u32| i.wrapping_mul(2_654_435_761).to_be_bytes();
        let pixels = (0..10_000).map(|i| [noise(i)[0], noise(i)[1], noise(i)[2]]).collect();
        let picture = Picture { height: 100, width: 100, pixels };
        let size = Size { columns: 10, rows: 5, cell: Some((10, 20)) };
        let drawn = draw(&picture, &size, 7).unwrap();
        let (file, n) = reassembled(&drawn.text);
        assert_eq!(file, picture.png().unwrap());
        assert!(n > 1 && drawn.rows == 5, "{n} chunks, {} rows", drawn.rows);
        assert!(drawn.text.contains(",i=7,") && !drawn.text.contains(",r="));
    }

    #[test]
    fn cells_of_unknown_size_leave_the_scale_to_the_terminal() {
        let picture = Picture { height: 1, width: 1, pixels: vec![[1, 2, 3]] };
        let drawn = draw(&picture, &Size { columns: 80, rows: 6, cell: None }, 7).unwrap();
        assert!(drawn.rows == 6 && drawn.text.contains(",r=6,"), "{}", drawn.text);
    }
}
