//! The `.hdr` file beside the `.mib` files of an acquisition: a line of text for each thing it says. Pure.

use crate::shape::Shape;

/// What a `.hdr` file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AcquisitionHeader {
    /// Key and value of each line.
    entries: Vec<(String, String)>,
}

/// Parses a `.hdr` file. The error says what is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<AcquisitionHeader, String> {
    let text = String::from_utf8_lossy(bytes);
    let mut lines = text.lines().map(str::trim_end);
    if !lines.next().is_some_and(|line| line.starts_with("HDR,")) {
        return Err("it doesn't start with `HDR,`".to_owned());
    }
    let mut entries = Vec::new();
    for line in lines {
        let (key, value) = line.split_once('\t').unwrap_or((line, ""));
        if key == "End" {
            return Ok(AcquisitionHeader { entries });
        }
        let clean = |text: &str| text.trim().replace(char::is_control, "?");
        let key = clean(key.trim_end().trim_end_matches(':'));
        if !key.is_empty() {
            entries.push((key, clean(value)));
        }
    }
    Err("it is cut: there is no line `End`".to_owned())
}

impl AcquisitionHeader {
    /// The shape of the scan: that of the scan engine, or one row for each trigger. The error says what is missing.
    pub(super) fn nav(&self) -> Result<Shape, String> {
        let scan = (self.number("ScanY")?, self.number("ScanX")?);
        let axes = if let (Some(y), Some(x)) = scan {
            [y, x]
        } else {
            let n_frames = self.required("Frames in Acquisition")?;
            let per_trigger = self.required("Frames per Trigger")?;
            match n_frames.checked_div(per_trigger) {
                Some(rows @ 1..) => [rows, per_trigger],
                _ => {
                    return Err(format!(
                        "{n_frames} frames with {per_trigger} per trigger make no scan: pass `--nav-shape`"
                    ));
                }
            }
        };
        Shape::non_empty(axes).map_err(|error| format!("{error}; pass `--nav-shape`"))
    }

    /// All it says.
    pub(super) fn entries(&self) -> &[(String, String)] {
        &self.entries
    }

    fn required(&self, name: &str) -> Result<u64, String> {
        self.number(name)?.ok_or_else(|| format!("it has no line `{name}`: pass `--nav-shape`"))
    }

    /// The number of the line `name`, or `name (with a comment)`.
    fn number(&self, name: &str) -> Result<Option<u64>, String> {
        let named = |key: &str| key.split('(').next().unwrap_or(key).trim() == name;
        let Some((_, value)) = self.entries.iter().find(|(key, _)| named(key)) else {
            return Ok(None);
        };
        let number =
            value.parse().map_err(|_| format!("`{name}` is {value:?}, which is no number: pass `--nav-shape`"))?;
        Ok(Some(number))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nav(lines: &str) -> Option<Vec<u64>> {
        let header = parse(format!("HDR,\t\r\n{lines}End\t   ").as_bytes()).unwrap();
        header.nav().ok().map(|nav| nav.axes().to_vec())
    }

    #[test]
    fn the_scan_has_a_row_for_each_trigger() {
        let frames =
            |n: &str, x: &str| format!("Frames in Acquisition (Number):\t{n}\r\nFrames per Trigger (Number):\t{x}\r\n");
        assert_eq!(nav(&frames("6", "3")), Some(vec![2, 3]));
        assert_eq!(nav(&frames("9", "1")), Some(vec![9, 1]));
        assert_eq!(nav(&frames("7", "3")), Some(vec![2, 3]));
        assert_eq!(nav(&frames("6", "0")), None);
        assert_eq!(nav(&frames("6", "7")), None);
        assert_eq!(nav(&frames("0", "0")), None);
        assert_eq!(nav(&frames("-6", "3")), None);
        assert_eq!(nav("Frames in Acquisition (Number):\t6\n"), None);
    }

    #[test]
    fn the_scan_engine_knows_better() {
        let frames = "Frames in Acquisition (Number):\t6\nFrames per Trigger (Number):\t1\n";
        assert_eq!(nav(&format!("{frames}ScanX:\t3\nScanY:\t2\n")), Some(vec![2, 3]));
        assert_eq!(nav(&format!("{frames}ScanX:\t4294967296\nScanY:\t4294967296\n")), None);
        assert_eq!(nav(&format!("{frames}ScanX:\t0\nScanY:\t2\n")), None);
    }

    #[test]
    fn a_cut_header_is_refused() {
        let whole = b"HDR,\t\r\nFrames in Acquisition (Number):\t6\r\nEnd\t";
        assert!(parse(whole).is_ok());
        for len in 0..whole.len() - 1 {
            assert!(parse(&whole[..len]).is_err(), "{len} bytes");
        }
    }
}
