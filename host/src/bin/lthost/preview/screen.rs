//! What the terminal shows, as far as its environment tells: it is never asked, so nothing has to wait for an answer.

use std::io::{IsTerminal, stderr};

use super::blocks::Colours;
use crate::Usage;

/// How pictures reach the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Kitty,
    Sixel,
    Blocks(Colours),
    Ascii,
}

/// Room for a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Size {
    /// Columns of text.
    pub(super) columns: usize,
    /// Rows of text.
    pub(super) rows: usize,
    /// Width and height of a character in pixels, if the terminal tells.
    pub(super) cell: Option<(usize, usize)>,
}

/// Rows of a terminal that are left to other things: what the picture is, a progress bar, the shell.
const OTHER_ROWS: usize = 4;
/// A picture has no more rows of text than that.
const MAX_ROWS: usize = 40;
const MAX_COLUMNS: usize = 400;
/// Where the terminal doesn't tell: rather small, so that a picture fits into the rows that are kept for it.
const USUAL_CELL: (usize, usize) = (8, 16);

impl Size {
    /// That of the terminal, or what `COLUMNS` and `LINES` say, or 80 x 24.
    pub(super) fn measure() -> Self {
        let number = |key: &str| std::env::var(key).ok()?.parse().ok().filter(|&n: &usize| n > 0);
        let usual =
            || Self { columns: number("COLUMNS").unwrap_or(80), rows: number("LINES").unwrap_or(24), cell: None };
        let Self { columns, rows, cell } = terminal().unwrap_or_else(usual);
        Self { columns: columns.min(MAX_COLUMNS), rows: rows.saturating_sub(OTHER_ROWS).clamp(1, MAX_ROWS), cell }
    }

    pub(super) fn cell_or_usual(&self) -> (usize, usize) {
        self.cell.unwrap_or(USUAL_CELL)
    }

    /// Width and height in pixels.
    pub(super) fn pixels(&self) -> (usize, usize) {
        let (width, height) = self.cell_or_usual();
        (self.columns * width, self.rows * height)
    }
}

/// All of it, if there is a terminal that tells.
#[cfg(unix)]
fn terminal() -> Option<Size> {
    let size = rustix::termios::tcgetwinsize(stderr()).ok()?;
    let [columns, rows, width, height] = [size.ws_col, size.ws_row, size.ws_xpixel, size.ws_ypixel].map(usize::from);
    if columns == 0 || rows == 0 {
        return None;
    }
    let cell = (width / columns, height / rows);
    let is_sensible = (2..=200).contains(&cell.0) && (4..=400).contains(&cell.1);
    Some(Size { columns, rows, cell: is_sensible.then_some(cell) })
}

#[cfg(not(unix))]
fn terminal() -> Option<Size> {
    None
}

/// How pictures are shown on stderr.
pub(super) fn detect() -> Result<Protocol, Usage> {
    choose(|key| std::env::var(key).ok().filter(|value| !value.is_empty()), stderr().is_terminal())
}

fn choose(env: impl Fn(&str) -> Option<String>, is_terminal: bool) -> Result<Protocol, Usage> {
    let is_true_colour = env("COLORTERM").is_some_and(|value| value == "truecolor" || value == "24bit");
    let blocks = Protocol::Blocks(if is_true_colour { Colours::True } else { Colours::Indexed });
    match env("LTHOST_PREVIEW").as_deref() {
        Some("kitty") => return Ok(Protocol::Kitty),
        Some("sixel") => return Ok(Protocol::Sixel),
        Some("blocks") => return Ok(blocks),
        Some("ascii") => return Ok(Protocol::Ascii),
        Some(other) => {
            let other = lthost::plugin::printable(other, 64);
            return Err(Usage(format!("LTHOST_PREVIEW is `{other}`, expected kitty, sixel, blocks or ascii")));
        }
        None => {}
    }
    let term = env("TERM").unwrap_or_default();
    if !is_terminal || env("NO_COLOR").is_some() || term == "dumb" {
        return Ok(Protocol::Ascii);
    }
    // Inside these the outer terminal's variables are still set, but graphics don't come through.
    if env("TMUX").is_some() || env("STY").is_some() || term.starts_with("tmux") || term.starts_with("screen") {
        return Ok(blocks);
    }
    let program = env("TERM_PROGRAM").unwrap_or_default();
    let knows_kitty = term == "xterm-kitty" || env("KITTY_WINDOW_ID").is_some();
    if knows_kitty || ["wezterm", "ghostty"].iter().any(|name| program.eq_ignore_ascii_case(name)) {
        return Ok(Protocol::Kitty);
    }
    let knows_sixel = term.contains("sixel") || ["mlterm", "foot", "yaft"].iter().any(|name| term.starts_with(name));
    Ok(if knows_sixel { Protocol::Sixel } else { blocks })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(variables: &[(&str, &str)], is_terminal: bool) -> Result<Protocol, String> {
        let env = |key: &str| variables.iter().find(|(name, _)| *name == key).map(|(_, value)| (*value).to_owned());
        choose(env, is_terminal).map_err(|error| error.to_string())
    }

    #[test]
    fn each_terminal_gets_what_it_knows() {
        let on_terminal = |variables: &[(&str, &str)]| chosen(variables, true).unwrap();
        assert_eq!(on_terminal(&[("TERM", "xterm-kitty")]), Protocol::Kitty);
        assert_eq!(on_terminal(&[("TERM", "xterm-256color"), ("TERM_PROGRAM", "WezTerm")]), Protocol::Kitty);
        assert_eq!(on_terminal(&[("TERM", "foot-extra")]), Protocol::Sixel);
        assert_eq!(on_terminal(&[("TERM", "xterm-sixel")]), Protocol::Sixel);
        assert_eq!(on_terminal(&[("TERM", "xterm-256color")]), Protocol::Blocks(Colours::Indexed));
        assert_eq!(on_terminal(&[("COLORTERM", "truecolor")]), Protocol::Blocks(Colours::True));
        assert_eq!(
            on_terminal(&[("TERM", "tmux-256color"), ("KITTY_WINDOW_ID", "1")]),
            Protocol::Blocks(Colours::Indexed)
        );
    }

    #[test]
    fn without_a_terminal_or_colours_there_are_letters() {
        assert_eq!(chosen(&[("TERM", "xterm-kitty")], false), Ok(Protocol::Ascii));
        assert_eq!(chosen(&[("TERM", "xterm-kitty"), ("NO_COLOR", "1")], true), Ok(Protocol::Ascii));
        assert_eq!(chosen(&[("TERM", "dumb"), ("COLORTERM", "truecolor")], true), Ok(Protocol::Ascii));
    }

    #[test]
    fn a_wish_goes_first() {
        assert_eq!(chosen(&[("LTHOST_PREVIEW", "sixel"), ("TMUX", "x")], false), Ok(Protocol::Sixel));
        let error = chosen(&[("LTHOST_PREVIEW", "iterm")], true).unwrap_err();
        assert_eq!(error, "LTHOST_PREVIEW is `iterm`, expected kitty, sixel, blocks or ascii");
    }
}
