//! The header of a frame in a `.mib` file: comma-separated text, padded. Pure.

use super::super::merlin_raw::{Chips, Packing};
use crate::shape::Dtype;

/// Every header starts so.
pub(super) const MAGIC: &[u8] = b"MQ1,";
/// Headers in the wild have 384 or 768 bytes, more with more chips. A larger number is no header size.
const MAX_SIZE: usize = 1 << 16;
/// The size stands within the first bytes.
const SIZE_WITHIN: usize = 64;
/// Fields up to the layout.
const MIN_FIELDS: usize = 8;
/// Where the thresholds start, and how many there can be.
const THRESHOLDS: (usize, usize) = (14, 8);

/// What the header of a frame says.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct FrameHeader {
    /// Number of the image in its acquisition, from 1.
    pub(super) sequence: u64,
    pub(super) geometry: Geometry,
    /// What else it says, as key and value.
    pub(super) metadata: Vec<(String, String)>,
}

/// What all frames of an acquisition have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Geometry {
    /// Bytes of the header.
    pub(super) header_size: usize,
    /// Rows and columns of the image.
    pub(super) image: (usize, usize),
    /// Bytes of the pixels of a frame.
    pub(super) frame_bytes: usize,
    pub(super) pixels: Pixels,
}

/// How the pixels are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Pixels {
    /// Big-endian numbers.
    Plain(Dtype),
    /// As the detector sends them.
    Raw(Packing),
}

impl FrameHeader {
    /// Bytes from frame to frame.
    pub(super) fn pitch(&self) -> usize {
        self.geometry.header_size + self.geometry.frame_bytes
    }
}

impl Pixels {
    pub(super) fn dtype(&self) -> Dtype {
        match self {
            Self::Plain(dtype) => *dtype,
            Self::Raw(packing) => packing.dtype(),
        }
    }
}

/// Parses the header at the start of `bytes`. The error says what is wrong with it.
pub(super) fn parse(bytes: &[u8]) -> Result<FrameHeader, String> {
    let header_size = size(bytes)?;
    let header = bytes.get(..header_size).ok_or_else(|| cut(header_size, bytes.len()))?;
    let text = String::from_utf8_lossy(header);
    let text = text.trim_end_matches(|c: char| c == '\0' || c.is_whitespace());
    let fields: Vec<&str> = text.split(',').map(str::trim).collect();
    if fields.len() < MIN_FIELDS {
        return Err(format!("it has {} fields, expected at least {MIN_FIELDS}", fields.len()));
    }
    let sequence = number(&fields, 1, "sequence number")?;
    let width = length(&fields, 4, "width")?;
    let height = length(&fields, 5, "height")?;
    let (pixels, image) = match fields[6] {
        "U08" => (Pixels::Plain(Dtype::U8), (height, width)),
        "U16" => (Pixels::Plain(Dtype::U16), (height, width)),
        "U32" => (Pixels::Plain(Dtype::U32), (height, width)),
        "R64" => {
            let chips = match fields[7] {
                "1x1" => Chips::Single,
                "2x2" => Chips::Quad,
                other => {
                    return Err(format!(
                        "raw data of a detector with layout {other:?} are not supported (known: 1x1, 2x2)"
                    ));
                }
            };
            let packing = Packing::new(depth(&fields)?, width, height, chips)?;
            (Pixels::Raw(packing), packing.image())
        }
        other => return Err(format!("pixel type {other:?} is unknown (known: U08, U16, U32, R64)")),
    };
    let frame_bytes = match &pixels {
        Pixels::Plain(dtype) => width.checked_mul(height).and_then(|n| n.checked_mul(dtype.size())),
        Pixels::Raw(packing) => packing.frame_bytes(),
    };
    let frame_bytes = frame_bytes.filter(|bytes| bytes.checked_add(header_size).is_some());
    let frame_bytes = frame_bytes.ok_or_else(|| format!("{width} x {height} pixels are too many"))?;
    let geometry = Geometry { header_size, image, frame_bytes, pixels };
    Ok(FrameHeader { sequence, geometry, metadata: metadata(&fields) })
}

/// The size of the header, which it says itself.
fn size(bytes: &[u8]) -> Result<usize, String> {
    if !bytes.starts_with(MAGIC) {
        return Err("it doesn't start with `MQ1,`".to_owned());
    }
    let start = String::from_utf8_lossy(&bytes[..bytes.len().min(SIZE_WITHIN)]);
    let fields: Vec<&str> = start.split(',').collect();
    // The fourth field must have begun, or the third may be cut.
    if fields.len() < 4 {
        return Err(cut(SIZE_WITHIN, bytes.len()));
    }
    let size = length(&fields, 2, "header size")?;
    if size > MAX_SIZE {
        return Err(format!("field 2 (header size) is {size}, which is more than {MAX_SIZE}"));
    }
    Ok(size)
}

fn cut(expected: usize, found: usize) -> String {
    format!("it is cut: it takes {expected} bytes, but there are {found}")
}

fn number(fields: &[&str], at: usize, name: &str) -> Result<u64, String> {
    let field = fields[at].trim();
    let digits = !field.is_empty() && field.bytes().all(|byte| byte.is_ascii_digit());
    let number = field.parse().ok().filter(|_| digits);
    number.ok_or_else(|| format!("field {at} ({name}) is {field:?}, which is no number"))
}

fn length(fields: &[&str], at: usize, name: &str) -> Result<usize, String> {
    let length = number(fields, at, name)?;
    let length = usize::try_from(length).ok().filter(|&length| length > 0);
    length.ok_or_else(|| format!("field {at} ({name}) is {}, which is out of range", fields[at].trim()))
}

/// Bits of a counter: the last field that isn't empty.
fn depth(fields: &[&str]) -> Result<u64, String> {
    let last = fields.iter().rposition(|field| !field.is_empty()).unwrap_or_default();
    number(fields, last, "counter depth")
}

fn metadata(fields: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut add = |key: &str, value: Option<&str>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            let value = value.replace(char::is_control, "?");
            found.push((key.to_owned(), value));
        }
    };
    add("pixel type", Some(fields[6]));
    add("chips", Some(fields[3]));
    add("layout", Some(fields[7]));
    for (at, key) in [
        (8, "chip select"),
        (9, "timestamp"),
        (10, "shutter time (s)"),
        (11, "counter"),
        (12, "colour mode"),
        (13, "gain mode"),
    ] {
        add(key, fields.get(at).copied());
    }
    let thresholds =
        fields.iter().skip(THRESHOLDS.0).take(THRESHOLDS.1).take_while(|field| field.parse::<f64>().is_ok());
    add("thresholds (keV)", Some(&thresholds.copied().collect::<Vec<_>>().join(", ")));
    // Newer firmware adds an exact time, the exposure and the counter depth.
    if let Some(tail) = fields.iter().rposition(|field| *field == "MQ1A") {
        add("timestamp (UTC)", fields.get(tail + 1).copied());
        add("exposure", fields.get(tail + 2).copied());
        add("counter depth (bits)", fields.get(tail + 3).copied());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(start: &str, bits: &str, size: usize) -> Vec<u8> {
        let text = format!(
            "{start},2024-01-01 12:00:00.000000,0.001000,0,0,0,4.0E+1,5.1E+2,3RX,068,MQ1A,2024-01-01T12:00:00Z,1000ns,{bits},"
        );
        let mut bytes = text.into_bytes();
        bytes.resize(size, 0);
        bytes
    }

    #[test]
    fn plain_and_raw_headers_are_understood() {
        let plain = parse(&header("MQ1,000007,00384,01,0256,0128,U16,   1x1,01", "12", 384)).unwrap();
        assert_eq!(plain.sequence, 7);
        let expected =
            Geometry { header_size: 384, image: (128, 256), frame_bytes: 65_536, pixels: Pixels::Plain(Dtype::U16) };
        assert_eq!(plain.geometry, expected);
        assert!(plain.metadata.contains(&("thresholds (keV)".to_owned(), "4.0E+1, 5.1E+2".to_owned())));
        assert!(plain.metadata.contains(&("exposure".to_owned(), "1000ns".to_owned())));
        let quad = parse(&header("MQ1,000001,00768,04,1024,0256,R64,   2x2,0F", "1", 768)).unwrap();
        assert_eq!((quad.geometry.image, quad.geometry.frame_bytes), ((512, 512), 32_768));
    }

    #[test]
    fn an_old_header_has_no_tail() {
        let mut bytes = b"MQ1,000001,00384,01,0256,0256,U08,1x1,01,2012-01-01 12:00:00,0.1".to_vec();
        bytes.resize(384, b' ');
        assert_eq!(parse(&bytes).unwrap().geometry.image, (256, 256));
    }

    #[test]
    fn senseless_fields_are_refused() {
        for start in [
            "MQ2,000001,00384,01,0256,0256,U08,1x1,01",
            "MQ1,00000x,00384,01,0256,0256,U08,1x1,01",
            "MQ1,000001,0x180,01,0256,0256,U08,1x1,01",
            "MQ1,000001,00000,01,0256,0256,U08,1x1,01",
            "MQ1,000001,99999999,01,0256,0256,U08,1x1,01",
            "MQ1,000001,00385,01,0256,0256,U08,1x1,01",
            "MQ1,000001,00384,01,0000,0256,U08,1x1,01",
            "MQ1,000001,00384,01,+256,0256,U08,1x1,01",
            "MQ1,000001,00384,01,4294967296,4294967296,U16,1x1,01",
            "MQ1,000001,00384,01,0256,0256,F32,1x1,01",
            "MQ1,000001,00384,01,0256,0256,U01,1x1,01",
            "MQ1,000001,00384,01,0256,0256,R64,3x1,01",
            "MQ1,000001,00384,01,0256,0256,R64,2x2G,01",
        ] {
            assert!(parse(&header(start, "12", 384)).is_err(), "{start}");
        }
        assert!(parse(&header("MQ1,000001,00384,01,0256,0256,R64,1x1,01", "7", 384)).is_err());
        let whole = header("MQ1,000001,00384,01,0256,0256,U08,1x1,01", "6", 384);
        for len in 0..384 {
            assert!(parse(&whole[..len]).is_err(), "{len} bytes");
        }
    }
}
