//! A chosen result as a picture in the terminal, on stderr: drawn again in place while a run goes on.
//!
//! The picture is that of the PNG files (`pictures.rs`), as large as the terminal has room for. How it gets there is up to
//! the terminal: Kitty's protocol, sixel, half blocks in colours, or letters.

mod blocks;
mod choice;
mod kitty;
mod scale;
mod screen;
mod sixel;

use std::io::{IsTerminal, stderr};

use choice::Choice;
use lthost::{
    plugin::{printable, trust::Trust},
    run::{Outcome, UdfSpec},
    shape::Shape,
};
use screen::{Protocol, Size};

use crate::{picture::Picture, terminal};

/// A picture of a run's results.
pub(crate) struct Preview {
    /// As it was given.
    asked: String,
    /// None as long as it is not known how all UDFs are called.
    choice: Option<Choice>,
    protocol: Protocol,
    /// Whether earlier pictures are drawn over.
    is_live: bool,
    /// Whether partial results are shown, too.
    shows_partials: bool,
    /// Lines on the terminal, from the top of the last picture to the cursor.
    n_lines: usize,
    /// What was said on the terminal up to the last picture.
    n_said: u64,
}

/// A picture as text for the terminal, and the rows that it takes there. The cursor ends up below it.
struct Drawn {
    text: String,
    rows: usize,
}

impl Preview {
    /// `choice` is `LABEL`, `LABEL.BUFFER` or `LABEL.BUFFER.N`. `is_asked`: partial results are shown wherever stderr goes.
    ///
    /// # Errors
    ///
    /// `Usage` if no UDF has that label. Where a plugin still has to say how it is called, the first results tell.
    pub(crate) fn new(asked: &str, specs: &[UdfSpec], is_asked: bool) -> anyhow::Result<Self> {
        let name = |spec: &UdfSpec| {
            let facts = spec.plugin.facts();
            // Those that are shipped are called as they call themselves.
            spec.label.clone().or_else(|| (facts.trust == Some(Trust::Shipped)).then(|| facts.origin.clone()))
        };
        let labels: Option<Vec<String>> = specs.iter().map(name).collect();
        let choice = labels.map(|labels| Choice::parse(asked, &labels)).transpose()?;
        let protocol = screen::detect()?;
        let is_live = protocol != Protocol::Ascii && stderr().is_terminal();
        let (asked, shows_partials) = (asked.to_owned(), is_live || is_asked);
        Ok(Self { asked, choice, protocol, is_live, shows_partials, n_lines: 0, n_said: 0 })
    }

    /// Shows the results so far, or at the end; over the last picture, if nothing else was printed since.
    ///
    /// # Errors
    ///
    /// `Usage` if there is no such buffer or no picture can show it.
    pub(crate) fn show(&mut self, outcome: &Outcome, (nav, sig): (&Shape, &Shape)) -> anyhow::Result<()> {
        if self.choice.is_none() {
            let labels: Vec<String> = outcome.udfs.iter().map(|udf| udf.label.clone()).collect();
            self.choice = Some(Choice::parse(&self.asked, &labels)?);
        }
        let chosen = self.choice.as_ref().map(|choice| choice.find(outcome, (nav, sig))).transpose()?;
        let Some(chosen) = chosen.flatten().filter(|_| self.shows_partials || outcome.is_complete) else {
            return Ok(());
        };
        if self.n_said != terminal::n_said() || !self.is_live {
            self.n_lines = 0;
        }
        let state = if outcome.is_complete { "" } else { ", so far" };
        let text = self.draw(&chosen.picture()?, &format!("{}{state}", chosen.name), &Size::measure())?;
        terminal::write(&text);
        self.n_said = terminal::n_said();
        Ok(())
    }

    /// All that goes to the terminal.
    fn draw(&mut self, picture: &Picture, caption: &str, size: &Size) -> anyhow::Result<String> {
        let drawn = match self.protocol {
            // The process's own number: pictures of earlier runs stay on the screen.
            Protocol::Kitty => kitty::draw(picture, size, std::process::id())?,
            Protocol::Sixel => sixel::draw(picture, size),
            Protocol::Blocks(colours) => blocks::draw(picture, size, colours),
            Protocol::Ascii => blocks::draw_ascii(picture, size),
        };
        let caption = format!("{caption}, {} x {}", picture.height, picture.width);
        let caption = printable(&caption, size.columns.saturating_sub(2));
        let n_before = std::mem::replace(&mut self.n_lines, drawn.rows + 1);
        let over = if n_before > 0 { format!("\r\x1b[{n_before}A\x1b[J") } else { String::new() };
        let text = format!("{over}{}{caption}\n", drawn.text);
        // All at once, where the terminal knows how: without flicker.
        Ok(if self.is_live { format!("\x1b[?2026h{text}\x1b[?2026l") } else { text })
    }
}

/// Graphics at the cursor, for which `rows` are made free first: wherever a terminal leaves the cursor after them, it ends
/// up below.
fn anchored(graphics: &str, rows: usize) -> String {
    format!("{}\x1b[{rows}A\x1b7{graphics}\x1b8\x1b[{rows}B", "\n".repeat(rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Size = Size { columns: 40, rows: 10, cell: None };

    fn preview(protocol: Protocol, is_live: bool) -> Preview {
        let (asked, choice) = ("sum".to_owned(), Choice::parse("sum", &["sum".to_owned()]).ok());
        Preview { asked, choice, protocol, is_live, shows_partials: is_live, n_lines: 0, n_said: 0 }
    }

    fn picture() -> Picture {
        Picture { height: 4, width: 5, pixels: (0..20).map(|i| [10 * i, 0, 99]).collect() }
    }

    #[test]
    fn a_picture_goes_over_the_one_before() {
        for protocol in [Protocol::Kitty, Protocol::Sixel, Protocol::Blocks(blocks::Colours::True)] {
            let mut preview = preview(protocol, true);
            let first = preview.draw(&picture(), "sum.intensity", &SIZE).unwrap();
            let second = preview.draw(&picture(), "sum.intensity", &SIZE).unwrap();
            let up = format!("\x1b[?2026h\r\x1b[{}A\x1b[J", preview.n_lines);
            assert!(second.starts_with(&up) && !first.contains("\x1b[J"), "{protocol:?}");
            assert!(second.contains("sum.intensity, 4 x 5\n"), "{protocol:?}");
            assert_eq!(first.matches('\n').count(), preview.n_lines, "{protocol:?}");
        }
    }

    #[test]
    fn letters_control_nothing() {
        let text = preview(Protocol::Ascii, false).draw(&picture(), "sum.a\x1b[2Jb", &SIZE).unwrap();
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
        // Rows of 4 values, each as high as two letters; and the caption.
        assert_eq!(text.lines().count(), 9);
    }
}
