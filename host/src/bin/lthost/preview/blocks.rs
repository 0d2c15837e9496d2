//! Pictures of characters: half blocks in colours, two pixels each; or plain ASCII, from dark to light.

use std::fmt::Write as _;

use super::{Drawn, Size, scale};
use crate::picture::{NO_DATA, Picture, Rgb};

/// How a colour is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colours {
    /// 24 bits.
    True,
    /// The 256 of xterm.
    Indexed,
}

/// Characters from dark to light.
const RAMP: &[u8] = b" .:-=+*#%@";

/// Half blocks: a character is two pixels, one above the other.
pub(super) fn draw(picture: &Picture, size: &Size, colours: Colours) -> Drawn {
    let (width, height) = scale::fit((picture.width, picture.height), (size.columns, 2 * size.rows));
    let picture = scale::resize(picture, width, height);
    let mut text = String::new();
    for pair in picture.pixels.chunks(2 * width) {
        let (upper, lower) = pair.split_at(width);
        let mut before = None;
        for (x, &top) in upper.iter().enumerate() {
            let bottom = lower.get(x).copied();
            if before != Some((top, bottom)) {
                before = Some((top, bottom));
                // A last row without a lower half keeps the terminal's background there.
                let background = bottom.map(|bottom| format!(";48;{}", name(bottom, colours))).unwrap_or_default();
                let _infallible = write!(text, "\x1b[38;{}{background}m", name(top, colours));
            }
            text.push('▀');
        }
        text.push_str("\x1b[0m\n");
    }
    Drawn { text, rows: height.div_ceil(2) }
}

/// Characters alone, nothing that controls a terminal: `?` is no data.
pub(super) fn draw_ascii(picture: &Picture, size: &Size) -> Drawn {
    let (mut width, mut height) = scale::fit((picture.width, picture.height), (size.columns, 2 * size.rows));
    let factor = width / picture.width;
    if factor > 1 && factor % 2 == 1 {
        // A character is twice as high as wide, and no row should be a mixture of two.
        (width, height) = ((factor - 1) * picture.width, (factor - 1) * picture.height);
    }
    let rows = height.div_ceil(2);
    let picture = scale::resize(picture, width, rows);
    let mut text = String::new();
    for row in picture.pixels.chunks(width) {
        let line: String = row.iter().map(|&colour| character(colour)).collect();
        text.push_str(line.trim_end());
        text.push('\n');
    }
    Drawn { text, rows }
}

fn character(colour: Rgb) -> char {
    if colour == NO_DATA {
        return '?';
    }
    let [r, g, b] = colour.map(usize::from);
    let light = (54 * r + 183 * g + 19 * b) / 256;
    RAMP[(light * RAMP.len() / 256).min(RAMP.len() - 1)].into()
}

fn name([r, g, b]: Rgb, colours: Colours) -> String {
    match colours {
        Colours::True => format!("2;{r};{g};{b}"),
        Colours::Indexed => format!("5;{}", index([r, g, b])),
    }
}

/// The nearest of xterm's colours: a cube of 6 steps each way, and 24 greys.
fn index(colour: Rgb) -> usize {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let nearest = |part: u8| (0..6).min_by_key(|&i| STEPS[i].abs_diff(part)).unwrap_or(0);
    let [r, g, b] = colour.map(nearest);
    let mean = colour.map(usize::from).iter().sum::<usize>() / 3;
    let grey = (mean.saturating_sub(3) / 10).min(23);
    let level = u8::try_from(8 + 10 * grey).unwrap_or(u8::MAX);
    let distance = |other: Rgb| -> u32 { other.iter().zip(colour).map(|(a, b)| u32::from(a.abs_diff(b)).pow(2)).sum() };
    if distance([level; 3]) < distance([STEPS[r], STEPS[g], STEPS[b]]) { 232 + grey } else { 16 + 36 * r + 6 * g + b }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { columns: 80, rows: 20, cell: None };

    fn grid(width: usize, height: usize) -> Picture {
        let colour = |i: usize| [u8::try_from(i * 7 % 256).unwrap(), 200, 10];
        Picture { height, width, pixels: (0..width * height).map(colour).collect() }
    }

    #[test]
    fn blocks_fill_the_terminal_and_no_more() {
        for (width, height, columns, rows) in
            [(5, 4, 50, 20), (256, 256, 40, 20), (300, 30, 80, 4), (80, 40, 80, 20), (7, 5, 56, 20), (1, 1, 40, 20)]
        {
            let drawn = draw(&grid(width, height), &SIZE, Colours::True);
            assert_eq!((drawn.rows, drawn.text.lines().count()), (rows, rows), "{width} x {height}");
            for line in drawn.text.lines() {
                assert_eq!(line.matches('▀').count(), columns, "{width} x {height}");
                assert!(line.ends_with("\x1b[0m"));
            }
        }
    }

    #[test]
    fn a_block_has_the_pixel_above_in_front_and_the_one_below_behind() {
        let size = Size { columns: 1, rows: 1, cell: None };
        let picture = Picture { height: 2, width: 1, pixels: vec![[1, 2, 3], [255, 0, 0]] };
        assert_eq!(draw(&picture, &size, Colours::True).text, "\x1b[38;2;1;2;3;48;2;255;0;0m▀\x1b[0m\n");
        assert_eq!(draw(&picture, &size, Colours::Indexed).text, "\x1b[38;5;16;48;5;196m▀\x1b[0m\n");
        let single = Picture { height: 1, width: 300, pixels: vec![[9; 3]; 300] };
        assert_eq!(draw(&single, &size, Colours::True).text, "\x1b[38;2;9;9;9m▀\x1b[0m\n");
    }

    #[test]
    fn greys_have_their_own_colours_among_the_256() {
        assert_eq!([[128; 3], [255; 3], [0; 3], [8; 3], [255, 135, 0]].map(index), [244, 231, 16, 232, 208]);
    }

    #[test]
    fn ascii_is_plain_and_tells_dark_from_light_from_nothing() {
        let picture = Picture { height: 1, width: 3, pixels: vec![[0; 3], [255; 3], NO_DATA] };
        let size = Size { columns: 13, rows: 9, cell: None };
        let drawn = draw_ascii(&picture, &size);
        assert_eq!((drawn.text.as_str(), drawn.rows), ("    @@@@????\n    @@@@????\n", 2));
        let large = draw_ascii(&grid(200, 100), &SIZE).text;
        assert_eq!(large.lines().count(), 20);
        assert!(large.chars().all(|c| c == '\n' || RAMP.contains(&u8::try_from(c).unwrap())), "{large}");
    }
}
