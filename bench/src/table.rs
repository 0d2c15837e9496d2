//! Tables in Markdown, and numbers as their cells. Pure.

use crate::stats::{Ratio, Series};

/// A table that is being filled, row by row.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn new(header: &[&str]) -> Self {
        Self { header: header.iter().map(|&cell| cell.to_owned()).collect(), rows: Vec::new() }
    }

    pub(crate) fn push(&mut self, row: Vec<String>) {
        self.rows.push(row);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Columns are as wide as their widest cell, the first one to the left and the others to the right.
    pub(crate) fn to_markdown(&self) -> String {
        let all = || std::iter::once(&self.header).chain(&self.rows);
        let width = |column: usize| all().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
        let widths: Vec<usize> = (0..self.header.len()).map(|column| width(column).unwrap_or(0).max(3)).collect();
        let line = |row: &Vec<String>| {
            let cells = widths.iter().enumerate().map(|(column, &width)| {
                let cell = row.get(column).map_or("", String::as_str);
                if column == 0 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
            });
            format!("| {} |\n", cells.collect::<Vec<_>>().join(" | "))
        };
        let rule = widths.iter().enumerate().map(|(column, &width)| {
            if column == 0 { "-".repeat(width + 2) } else { format!("{}:", "-".repeat(width + 1)) }
        });
        let rule = format!("|{}|\n", rule.collect::<Vec<_>>().join("|"));
        line(&self.header) + &rule + &self.rows.iter().map(line).collect::<String>()
    }
}

/// GB/s: median, and the best in brackets.
pub(crate) fn speed(n_bytes: u64, series: &Series) -> String {
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let speed = |seconds: f64| n_bytes as f64 / seconds / 1e9;
    format!("{} ({})", digits(speed(series.median())), digits(speed(series.best())))
}

/// Milliseconds: median, and the best in brackets.
pub(crate) fn time(series: &Series) -> String {
    format!("{} ({})", digits(series.median() * 1e3), digits(series.best() * 1e3))
}

/// A ratio with its quartiles.
pub(crate) fn ratio(ratio: Ratio) -> String {
    let [low, high] = ratio.quartiles;
    format!("{} [{}–{}]", digits(ratio.median), digits(low), digits(high))
}

/// Whether a ratio reaches its target, if it has one.
pub(crate) fn reached(ratio: Ratio, target: Option<f64>) -> String {
    target.map_or_else(nothing, |target| yes_or_no(ratio.median >= target))
}

pub(crate) fn yes_or_no(is_reached: bool) -> String {
    if is_reached { "yes" } else { "no" }.to_owned()
}

/// A plain factor, if it is known.
pub(crate) fn factor(factor: Option<f64>) -> String {
    factor.map_or_else(nothing, |factor| format!("{factor:.2}"))
}

/// Stands where there is nothing to tell.
pub(crate) fn nothing() -> String {
    "–".to_owned()
}

/// MiB, with a digit behind the point.
pub(crate) fn mebibytes(n_bytes: u64) -> String {
    let tenths = (n_bytes * 10 + (1 << 19)) >> 20;
    format!("{}.{}", tenths / 10, tenths % 10)
}

/// Three digits, as far as they are behind the point.
fn digits(number: f64) -> String {
    let n_decimals = match number {
        ..9.995 => 2,
        ..99.95 => 1,
        _ => 0,
    };
    format!("{number:.n_decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["plugin", "GB/s"]);
        table.push(vec!["sum".to_owned(), "1.00 (1.20)".to_owned()]);
        table.push(vec!["extrema".to_owned(), "–".to_owned()]);
        let text = "\
| plugin  |        GB/s |
|---------|------------:|
| sum     | 1.00 (1.20) |
| extrema |           – |
";
        assert_eq!(table.to_markdown(), text);
    }

    #[test]
    fn numbers_have_three_digits() {
        assert_eq!(
            [0.1234, 9.994, 9.996, 12.34, 99.94, 99.96, 1234.5].map(digits),
            ["0.12", "9.99", "10.0", "12.3", "99.9", "100", "1234"]
        );
        let series = Series { wall: vec![0.5, 0.25, 1.0], cpu: Vec::new() };
        assert_eq!(speed(1_000_000_000, &series), "2.00 (4.00)");
        assert_eq!(time(&series), "500 (250)");
        assert_eq!(ratio(Ratio { median: 0.5, quartiles: [0.25, 1.0] }), "0.50 [0.25–1.00]");
        assert_eq!([0, 1 << 20, 1_625_293, 1_677_721].map(mebibytes), ["0.0", "1.0", "1.6", "1.6"]);
    }

    #[test]
    fn a_target_is_reached_by_the_median() {
        let ratio = Ratio { median: 0.9, quartiles: [0.8, 1.0] };
        assert_eq!([Some(0.9), Some(0.91), None].map(|target| reached(ratio, target)), ["yes", "no", "–"]);
    }
}
