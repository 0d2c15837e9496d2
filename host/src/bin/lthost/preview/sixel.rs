//! Sixel graphics: strips of six rows, each colour of a strip after the other, repeated columns counted.
//!
//! An encoder of our own: no crate for it is in wide use, and what is asked for here fits in a page.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use super::{Drawn, Size, anchored, scale};
use crate::picture::{Picture, Rgb};

/// Colours that a terminal has room for.
const MAX_COLOURS: usize = 256;
/// Rows of a strip.
const STRIP: usize = 6;

pub(super) fn draw(picture: &Picture, size: &Size) -> Drawn {
    let (box_width, box_height) = size.pixels();
    // The last strip is whole, and must not reach into the next row of text.
    let box_height = (box_height / STRIP * STRIP).max(1);
    let (width, height) = scale::fit((picture.width, picture.height), (box_width, box_height));
    let picture = scale::resize(picture, width, height);
    let rows = height.next_multiple_of(STRIP).div_ceil(size.cell_or_usual().1);
    Drawn { text: anchored(&encode(&picture), rows), rows }
}

fn encode(picture: &Picture) -> String {
    let (coarse, palette) = palette(picture);
    // Pixels that no strip sets stay as they are (1); the picture's own size follows.
    let mut text = format!("\x1bP0;1;0q\"1;1;{};{}", picture.width, picture.height);
    for (colour, i) in &palette {
        let [r, g, b] = colour.map(|part| (u32::from(part) * 100 + 127) / 255);
        let _infallible = write!(text, "#{i};2;{r};{g};{b}");
    }
    let indices: Vec<usize> = picture.pixels.iter().map(|&colour| palette[&coarse.of(colour)]).collect();
    for strip in indices.chunks(STRIP * picture.width) {
        let mut columns: BTreeMap<usize, Vec<u8>> = BTreeMap::new();
        for (at, &index) in strip.iter().enumerate() {
            let bits = columns.entry(index).or_insert_with(|| vec![0; picture.width]);
            bits[at % picture.width] |= 1 << (at / picture.width);
        }
        for (index, bits) in columns {
            let _infallible = write!(text, "#{index}");
            for run in bits.chunk_by(|a, b| a == b) {
                let sixel = char::from(b'?' + run[0]);
                let _infallible = match run.len() {
                    n @ ..4 => write!(text, "{}", sixel.to_string().repeat(n)),
                    n => write!(text, "!{n}{sixel}"),
                };
            }
            text.push('$');
        }
        text.push('-');
    }
    text.push_str("\x1b\\");
    text
}

/// Colours of which the lower bits don't count.
#[derive(Clone, Copy)]
struct Coarse {
    n_dropped: u8,
}

impl Coarse {
    /// The colour in the middle of those that are taken for one.
    fn of(self, colour: Rgb) -> Rgb {
        let middle = (1_u8 << self.n_dropped) >> 1;
        colour.map(|part| (part >> self.n_dropped << self.n_dropped) | middle)
    }
}

/// The picture's colours with their numbers, as fine as there is room for.
fn palette(picture: &Picture) -> (Coarse, BTreeMap<Rgb, usize>) {
    let all: BTreeSet<Rgb> = picture.pixels.iter().copied().collect();
    let coarsened = |coarse: Coarse| -> BTreeSet<Rgb> { all.iter().map(|&colour| coarse.of(colour)).collect() };
    // With two bits each there are no more than 64.
    let n_dropped = (0..6).find(|&n_dropped| coarsened(Coarse { n_dropped }).len() <= MAX_COLOURS).unwrap_or(6);
    let coarse = Coarse { n_dropped };
    (coarse, coarsened(coarse).into_iter().zip(0..).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The picture that a terminal shows; colours in percent.
    fn decode(text: &str) -> (usize, usize, Vec<Option<[u32; 3]>>) {
        let body = text.split_once("\x1bP0;1;0q\"").unwrap().1.split_once("\x1b\\").unwrap().0;
        let at = body.find('#').unwrap();
        let raster: Vec<usize> = body[..at].split(';').map(|number| number.parse().unwrap()).collect();
        let (width, height) = (raster[2], raster[3]);
        let (mut x, mut y, mut colour) = (0, 0, 0);
        let mut palette = BTreeMap::new();
        let mut pixels = vec![None; width * height];
        let mut rest = &body[at..];
        while let Some(command) = rest.chars().next() {
            rest = &rest[1..];
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(rest.len());
            let numbers: Vec<u32> = rest[..end].split(';').filter_map(|number| number.parse().ok()).collect();
            rest = &rest[end..];
            let (n, sixel) = match command {
                '#' => {
                    colour = numbers[0];
                    if let [_, 2, r, g, b] = numbers[..] {
                        palette.insert(colour, [r, g, b]);
                    }
                    continue;
                }
                '$' => {
                    x = 0;
                    continue;
                }
                '-' => {
                    (x, y) = (0, y + STRIP);
                    continue;
                }
                '!' => {
                    let sixel = rest.chars().next().unwrap();
                    rest = &rest[1..];
                    (numbers[0], sixel)
                }
                sixel => (1, sixel),
            };
            for _ in 0..n {
                for row in (0..STRIP).filter(|row| (sixel as u32 - 63) >> row & 1 == 1) {
                    let pixel: &mut Option<[u32; 3]> = &mut pixels[(y + row) * width + x];
                    assert_eq!(pixel.replace(palette[&colour]), None, "a pixel is set once");
                }
                x += 1;
            }
        }
        assert!(palette.len() <= MAX_COLOURS);
        (width, height, pixels)
    }

    fn percent(colour: Rgb) -> [u32; 3] {
        colour.map(|part| (u32::from(part) * 100 + 127) / 255)
    }

    #[test]
    fn what_a_terminal_shows_is_the_picture() {
        let colour = |i: usize| [u8::try_from(i / 5 % 250).unwrap(), u8::try_from(i % 3 * 100).unwrap(), 255];
        for (width, height) in [(1, 1), (23, 6), (17, 20), (40, 13)] {
            let pixels: Vec<Rgb> = (0..width * height).map(colour).collect();
            let picture = Picture { height, width, pixels };
            let (coarse, _) = palette(&picture);
            let shown: Vec<_> = picture.pixels.iter().map(|&colour| Some(percent(coarse.of(colour)))).collect();
            assert_eq!(decode(&encode(&picture)), (width, height, shown));
        }
    }

    #[test]
    fn few_colours_are_exact_and_many_are_near() {
        let few = Picture { height: 1, width: 256, pixels: (0..=255).map(|part| [part, 7, 255 - part]).collect() };
        assert_eq!(palette(&few).0.n_dropped, 0);
        let part = |n: u32| u8::try_from(n % 256).unwrap();
        let pixels: Vec<Rgb> = (0..10_000_u32).map(|i| [part(i * 7), part(i * 31 / 3), part(i * 101 / 7)]).collect();
        let (coarse, colours) = palette(&Picture { height: 100, width: 100, pixels });
        assert!(colours.len() <= MAX_COLOURS && coarse.n_dropped <= 6, "{}", coarse.n_dropped);
    }

    #[test]
    fn runs_are_counted() {
        let picture = Picture { height: 6, width: 100, pixels: vec![[255; 3]; 600] };
        assert_eq!(encode(&picture), "\x1bP0;1;0q\"1;1;100;6#0;2;100;100;100#0!100~$-\x1b\\");
    }

    #[test]
    fn strips_stay_within_their_rows() {
        let picture = Picture { height: 50, width: 50, pixels: vec![[255; 3]; 2500] };
        let drawn = draw(&picture, &Size { columns: 80, rows: 3, cell: Some((9, 17)) });
        assert!(drawn.rows <= 3, "{}", drawn.rows);
    }
}
