//! The `.npy` format: parameters, ROIs and data sets come in as it, results go out as it.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{Array, ByteOrder, Dtype, Shape, ShapeError};

const MAGIC: &[u8] = b"\x93NUMPY";
/// Data start on a multiple of this, so that a mapped file is aligned for every dtype.
const ALIGN: usize = 64;

/// What the header of an `.npy` file says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// Element type.
    pub dtype: Dtype,
    /// Byte order of the elements in the file.
    pub byte_order: ByteOrder,
    /// Whether the first axis is the fast one.
    pub fortran_order: bool,
    /// Extents of the axes.
    pub shape: Shape,
    /// Where the elements start, in bytes from the start of the file.
    pub data_offset: u64,
}

impl Header {
    /// Bytes of all elements.
    ///
    /// # Errors
    ///
    /// [`NpyError::TooLarge`].
    pub fn data_bytes(&self) -> Result<u64, NpyError> {
        let too_large = || NpyError::TooLarge { dtype: self.dtype, shape: self.shape.clone() };
        self.shape.size().checked_mul(self.dtype.size() as u64).ok_or_else(too_large)
    }
}

/// No header that numpy writes is nearly as long.
const MAX_HEADER: u64 = 1 << 20;

/// Why something is not an array.
#[derive(Debug, thiserror::Error)]
pub enum NpyError {
    /// The file can't be read.
    #[error("can't read `{}`", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file was read, but is no usable array.
    #[error("can't use `{}` as an array", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: Box<NpyError>,
    },
    /// Something else than `.npy`.
    #[error("not an .npy file: it doesn't start with the bytes `\\x93NUMPY`")]
    Magic,
    /// A version that nobody has defined yet.
    #[error("version {major} of .npy is unknown (known: 1, 2, 3)")]
    Version {
        /// Major version.
        major: u8,
    },
    /// The end comes before the end of the header.
    #[error("the .npy header is cut: it takes {expected} bytes, but there are {found}")]
    Cut {
        /// Bytes up to the data.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// A header that is longer than any that numpy writes.
    #[error("the .npy header is {len} bytes long, at most {MAX_HEADER} are read")]
    LongHeader {
        /// Its length.
        len: u32,
    },
    /// The text of the header is not the dictionary that it should be.
    #[error("the .npy header makes no sense at byte {at} of its text: expected {expected}")]
    Syntax {
        /// Position in the text.
        at: usize,
        /// What should be there.
        expected: &'static str,
    },
    /// A dictionary without one of its three entries.
    #[error("the .npy header has no `{key}`")]
    Missing {
        /// The entry.
        key: &'static str,
    },
    /// Objects, structures, strings, dates, half precision.
    #[error("elements of type `{descr}` are not supported ({reason}): save the array with a plain numeric dtype")]
    Unsupported {
        /// As in the header.
        descr: String,
        /// What it is.
        reason: &'static str,
    },
    /// Extents that overflow.
    #[error("the .npy header has an impossible shape")]
    Shape(#[from] ShapeError),
    /// Elements that are too many to be counted in bytes.
    #[error("an array of {dtype} with shape {shape} has more bytes than can be counted")]
    TooLarge {
        /// Element type.
        dtype: Dtype,
        /// Extents.
        shape: Shape,
    },
    /// Fewer bytes than the header promises.
    #[error("the .npy header promises {expected} bytes of data, but there are {found}: the file is cut")]
    Short {
        /// Bytes promised.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// More bytes than the header promises.
    #[error("the .npy header promises {expected} bytes of data, but there are {found}")]
    Long {
        /// Bytes promised.
        expected: u64,
        /// Bytes that are there.
        found: u64,
    },
}

/// Parses the header at the start of `bytes`; versions 1, 2 and 3. What follows the header is not looked at.
///
/// # Errors
///
/// [`NpyError`], for any bytes.
pub fn parse_header(bytes: &[u8]) -> Result<Header, NpyError> {
    let found = bytes.len() as u64;
    if !bytes.starts_with(MAGIC) {
        return Err(NpyError::Magic);
    }
    let preamble = match bytes.get(6) {
        Some(1) => 10,
        Some(2 | 3) => 12,
        Some(&major) => return Err(NpyError::Version { major }),
        None => return Err(NpyError::Cut { expected: 10, found }),
    };
    let len = match bytes.get(8..preamble) {
        Some(&[a, b]) => u32::from(u16::from_le_bytes([a, b])),
        Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
        _ => return Err(NpyError::Cut { expected: preamble as u64, found }),
    };
    if u64::from(len) > MAX_HEADER {
        return Err(NpyError::LongHeader { len });
    }
    let data_offset = preamble as u64 + u64::from(len);
    let end = usize::try_from(data_offset).ok().filter(|&end| end <= bytes.len());
    let text = &bytes[preamble..end.ok_or(NpyError::Cut { expected: data_offset, found })?];
    let Fields { descr, fortran_order, shape } = Text { text, at: 0 }.dictionary()?;
    let (dtype, byte_order) = element_type(&descr)?;
    let header = Header { dtype, byte_order, fortran_order, shape: Shape::new(shape)?, data_offset };
    header.data_bytes()?;
    Ok(header)
}

/// Reads a whole array, as [`parse`] does.
///
/// # Errors
///
/// [`NpyError::Io`]; everything else inside [`NpyError::File`].
pub fn read(path: &Path) -> Result<Array, NpyError> {
    // A file that is none, or says other than it holds, is found out before it is read.
    let header = read_header(path)?;
    let in_file = |source| NpyError::File { path: path.to_owned(), source: Box::new(source) };
    let expected = header.data_bytes().map_err(in_file)?;
    let n_bytes = fs::metadata(path).map_or(0, |metadata| metadata.len());
    let found = n_bytes.saturating_sub(header.data_offset);
    if found < expected {
        return Err(in_file(NpyError::Short { expected, found }));
    } else if found > expected {
        return Err(in_file(NpyError::Long { expected, found }));
    }
    let bytes = fs::read(path).map_err(|source| NpyError::Io { path: path.to_owned(), source })?;
    parse(&bytes).map_err(|source| NpyError::File { path: path.to_owned(), source: Box::new(source) })
}

/// Reads the header of a file: what its array is, without its elements.
///
/// # Errors
///
/// [`NpyError`], with the file's name.
pub fn read_header(path: &Path) -> Result<Header, NpyError> {
    let failed = |source| NpyError::Io { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(failed)?.is_file() {
        return Err(failed(io::Error::other("it is not a regular file")));
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(failed)?;
    io::Read::read_to_end(&mut io::Read::take(file, 12 + MAX_HEADER), &mut bytes).map_err(failed)?;
    parse_header(&bytes).map_err(|source| NpyError::File { path: path.to_owned(), source: Box::new(source) })
}

/// Parses a whole `.npy` file: little-endian, C order and boolean bytes 0 or 1 come out, whatever went in.
///
/// # Errors
///
/// [`NpyError`], for any bytes.
pub fn parse(bytes: &[u8]) -> Result<Array, NpyError> {
    let header = parse_header(bytes)?;
    let expected = header.data_bytes()?;
    // The header was found inside `bytes`, so its end is an index.
    let data = usize::try_from(header.data_offset).ok().and_then(|start| bytes.get(start..)).unwrap_or_default();
    let found = data.len() as u64;
    if found < expected {
        return Err(NpyError::Short { expected, found });
    } else if found > expected {
        return Err(NpyError::Long { expected, found });
    }
    let Header { dtype, byte_order, fortran_order, shape, .. } = header;
    let mut data = if fortran_order { to_c_order(data, &shape, dtype.size()) } else { data.to_vec() };
    if byte_order == ByteOrder::Big {
        data.chunks_exact_mut(dtype.word_size()).for_each(<[u8]>::reverse);
    }
    if dtype == Dtype::Bool {
        for byte in &mut data {
            *byte = u8::from(*byte != 0);
        }
    }
    Ok(Array { dtype, shape, data })
}

/// The header of a file with little-endian data in C order; its length is a multiple of 64.
///
/// Version 1.0, or 2.0 if the shape has thousands of axes.
pub fn header(dtype: Dtype, shape: &[u64]) -> Vec<u8> {
    let mut extents = shape.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    if shape.len() == 1 {
        extents.push(',');
    }
    let text = format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({extents}), }}", dtype.npy_descr());
    let padded = |preamble: usize| (preamble + text.len() + 1).next_multiple_of(ALIGN) - preamble;
    let mut out = MAGIC.to_vec();
    let len = if let Ok(len) = u16::try_from(padded(10)) {
        out.extend([1, 0]);
        out.extend(len.to_le_bytes());
        usize::from(len)
    } else {
        let len = padded(12);
        out.extend([2, 0]);
        out.extend(u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
        len
    };
    let end = out.len() + len;
    out.extend(text.as_bytes());
    out.resize(end - 1, b' ');
    out.push(b'\n');
    out
}

/// Writes an array of little-endian elements in C order.
///
/// # Errors
///
/// Those of `out`; `InvalidInput` if `data` has another size than `dtype` and `shape` say.
pub fn write(out: &mut dyn io::Write, dtype: Dtype, shape: &[u64], data: &[u8]) -> io::Result<()> {
    let n_bytes = Shape::new(shape).ok().and_then(|shape| shape.size().checked_mul(dtype.size() as u64));
    if n_bytes != Some(data.len() as u64) {
        let problem = format!("{} bytes can't be an array of {dtype} with shape {shape:?}", data.len());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, problem));
    }
    out.write_all(&header(dtype, shape))?;
    out.write_all(data)
}

/// `data` with the first axis fast, as C order with the last axis fast.
fn to_c_order(data: &[u8], shape: &Shape, item: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    // Extent, step in the file and current index of each axis. There are data, or no turn of the loop.
    let mut step = 1;
    let mut axes: Vec<(u64, usize, u64)> = Vec::with_capacity(shape.n_axes());
    for &extent in shape.axes() {
        axes.push((extent, step, 0));
        step = step.saturating_mul(usize::try_from(extent).unwrap_or(usize::MAX));
    }
    let mut at = 0;
    while out.len() < data.len() {
        out.extend_from_slice(&data[at * item..][..item]);
        for (extent, step, index) in axes.iter_mut().rev() {
            *index += 1;
            at += *step;
            if *index < *extent {
                break;
            }
            at -= *step * usize::try_from(*index).expect("an index into data in memory");
            *index = 0;
        }
    }
    out
}

fn element_type(descr: &str) -> Result<(Dtype, ByteOrder), NpyError> {
    let coded = if descr.starts_with(['<', '>', '|', '=']) { descr.to_owned() } else { format!("={descr}") };
    let reason = match coded.get(1..2) {
        Some("O") => "Python objects",
        Some("S" | "U" | "a") => "text",
        Some("M" | "m") => "dates or times",
        Some("V") => "structures",
        Some("f" | "c") => "no such precision here",
        _ => "unknown",
    };
    let unsupported = |_| NpyError::Unsupported { descr: descr.escape_debug().collect(), reason };
    let (dtype, order) = Dtype::parse_with_order(&coded).map_err(unsupported)?;
    Ok((dtype, order.unwrap_or(ByteOrder::Little)))
}

struct Fields {
    descr: String,
    fortran_order: bool,
    shape: Vec<u64>,
}

/// The text of a header, read from left to right.
struct Text<'a> {
    text: &'a [u8],
    at: usize,
}

impl Text<'_> {
    fn dictionary(mut self) -> Result<Fields, NpyError> {
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        self.expect(b'{', "a dictionary, `{`")?;
        while !self.skip(b'}') {
            let key = self.string()?;
            self.expect(b':', "`:` after a key")?;
            let fresh = match key.as_str() {
                "descr" => descr.replace(self.descr()?).is_none(),
                "fortran_order" => fortran_order.replace(self.boolean()?).is_none(),
                "shape" => shape.replace(self.tuple()?).is_none(),
                _ => false,
            };
            if !fresh {
                return Err(self.syntax("each of the keys `descr`, `fortran_order`, `shape` once and no other"));
            }
            if !self.skip(b',') && self.peek() != Some(b'}') {
                return Err(self.syntax("`,` or `}`"));
            }
        }
        if self.peek().is_some() {
            return Err(self.syntax("nothing after the dictionary"));
        }
        let missing = |key| NpyError::Missing { key };
        Ok(Fields {
            descr: descr.ok_or(missing("descr"))?,
            fortran_order: fortran_order.ok_or(missing("fortran_order"))?,
            shape: shape.ok_or(missing("shape"))?,
        })
    }

    fn descr(&mut self) -> Result<String, NpyError> {
        match self.peek() {
            Some(b'[' | b'(') => Err(NpyError::Unsupported { descr: "[...]".to_owned(), reason: "structures" }),
            _ => self.string(),
        }
    }

    fn string(&mut self) -> Result<String, NpyError> {
        let quote = self.peek().filter(|byte| matches!(byte, b'\'' | b'"')).ok_or(self.syntax("a quoted text"))?;
        let rest = &self.text[self.at + 1..];
        let len = rest.iter().position(|&byte| byte == quote).ok_or(self.syntax("the end of a quoted text"))?;
        self.at += len + 2;
        Ok(String::from_utf8_lossy(&rest[..len]).into_owned())
    }

    fn boolean(&mut self) -> Result<bool, NpyError> {
        self.peek();
        for (word, value) in [("True", true), ("False", false)] {
            if self.text[self.at..].starts_with(word.as_bytes()) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(self.syntax("`True` or `False`"))
    }

    fn tuple(&mut self) -> Result<Vec<u64>, NpyError> {
        self.expect(b'(', "a tuple of extents, `(`")?;
        let mut extents = Vec::new();
        while !self.skip(b')') {
            extents.push(self.number()?);
            let comma = self.skip(b',');
            // One extent in brackets is no tuple.
            if !comma && (extents.len() == 1 || self.peek() != Some(b')')) {
                return Err(self.syntax("`,` or `)` after an extent"));
            }
        }
        Ok(extents)
    }

    fn number(&mut self) -> Result<u64, NpyError> {
        self.peek();
        let digits = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let number = std::str::from_utf8(&self.text[self.at..][..digits]).ok().and_then(|text| text.parse().ok());
        let number = number.ok_or(self.syntax("an extent: a number of at most 64 bits"))?;
        self.at += digits;
        self.skip(b'L'); // Python 2 wrote long integers so.
        Ok(number)
    }

    fn expect(&mut self, byte: u8, expected: &'static str) -> Result<(), NpyError> {
        if self.skip(byte) { Ok(()) } else { Err(self.syntax(expected)) }
    }

    fn skip(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> Option<u8> {
        let blank = self.text[self.at..].iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        self.at += blank;
        self.text.get(self.at).copied()
    }

    fn syntax(&self, expected: &'static str) -> NpyError {
        NpyError::Syntax { at: self.at, expected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file of version 1 around `text`, not padded.
    fn file(text: &str, data: &[u8]) -> Vec<u8> {
        let len = u16::try_from(text.len()).unwrap().to_le_bytes();
        [MAGIC, &[1, 0], &len, text.as_bytes(), data].concat()
    }

    #[test]
    fn what_is_written_is_read() {
        let data: Vec<u8> = (0..4 * 5 * 6 * 2).map(|i| u8::try_from(i % 251).unwrap()).collect();
        for shape in [&[4, 5, 6][..], &[120], &[2, 3, 4, 5]] {
            let mut out = Vec::new();
            write(&mut out, Dtype::U16, shape, &data).unwrap();
            assert_eq!((out.len() - data.len()) % 64, 0);
            let array = parse(&out).unwrap();
            assert_eq!((array.shape.axes(), array.dtype, &array.data), (shape, Dtype::U16, &data));
        }
        let mut out = Vec::new();
        write(&mut out, Dtype::C64, &[], &[0; 8]).unwrap();
        assert_eq!(parse(&out).unwrap().shape.n_axes(), 0);
        assert!(write(&mut out, Dtype::U16, &[4], &data).is_err());
    }

    #[test]
    fn a_long_header_is_version_2() {
        let shape = vec![1; 40_000];
        let bytes = [header(Dtype::U8, &shape), vec![7]].concat();
        assert_eq!((bytes[6], (bytes.len() - 1) % 64), (2, 0));
        assert_eq!(parse(&bytes).unwrap().shape.axes(), shape);
    }

    #[test]
    fn fortran_order_and_big_endian_are_turned() {
        let text = "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3)}";
        // Column by column: [[1, 3, 5], [2, 4, 6]].
        let data: Vec<u8> = (1..=6_i16).flat_map(i16::to_be_bytes).collect();
        let array = parse(&file(text, &data)).unwrap();
        let expected: Vec<u8> = [1, 3, 5, 2, 4, 6_i16].into_iter().flat_map(i16::to_le_bytes).collect();
        assert_eq!(array.data, expected);
    }

    #[test]
    fn complex_parts_are_swapped_one_by_one() {
        let text = "{'descr': '>c8', 'fortran_order': False, 'shape': (1,)}";
        let data = [1.5_f32, -2.0].map(f32::to_be_bytes).concat();
        assert_eq!(parse(&file(text, &data)).unwrap().data, [1.5_f32, -2.0].map(f32::to_le_bytes).concat());
    }

    #[test]
    fn bools_are_normalised() {
        let text = "{'descr': '|b1', 'fortran_order': False, 'shape': (3,), }";
        assert_eq!(parse(&file(text, &[0, 1, 255])).unwrap().data, [0, 1, 1]);
    }

    #[test]
    fn a_code_without_byte_order_has_bytes() {
        let text = "{'descr': 'u8', 'fortran_order': False, 'shape': (1,)}";
        assert_eq!(parse(&file(text, &[1, 0, 0, 0, 0, 0, 0, 0])).unwrap().dtype, Dtype::U64);
    }

    #[test]
    fn unsupported_elements_are_named() {
        for descr in ["'|O'", "'<U5'", "'|S3'", "'<M8[ns]'", "'<f2'", "[('a', '<u2')]", "'|V4'", "''", "'é'"] {
            let text = format!("{{'descr': {descr}, 'fortran_order': False, 'shape': (3,)}}");
            let error = parse(&file(&text, &[0; 24])).unwrap_err();
            assert!(matches!(error, NpyError::Unsupported { .. }), "{descr}: {error}");
        }
    }

    #[test]
    fn sizes_are_checked() {
        let text = "{'descr': '<u2', 'fortran_order': False, 'shape': (3,)}";
        assert!(matches!(parse(&file(text, &[0; 5])), Err(NpyError::Short { expected: 6, found: 5 })));
        assert!(matches!(parse(&file(text, &[0; 7])), Err(NpyError::Long { expected: 6, found: 7 })));
        let huge = "{'descr': '<u2', 'fortran_order': False, 'shape': (4294967296, 4294967296)}";
        assert!(matches!(parse(&file(huge, &[])), Err(NpyError::Shape(_))));
        let huge = "{'descr': '<u2', 'fortran_order': False, 'shape': (4294967296, 4294967295)}";
        assert!(matches!(parse(&file(huge, &[])), Err(NpyError::TooLarge { .. })));
        let empty = "{'descr': '<u2', 'fortran_order': True, 'shape': (0, 7)}";
        assert!(parse(&file(empty, &[])).unwrap().data.is_empty());
    }

    #[test]
    fn garbage_is_refused() {
        for text in [
            "",
            "{",
            "{}",
            "{'descr': '<u2'}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (3)}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (-3,)}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (3 4,)}",
            "{'descr': '<u2', 'fortran_order': 0, 'shape': (3,)}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (3,), 'more': 1}",
            "{'descr': '<u2', 'descr': '<u2', 'fortran_order': False, 'shape': (3,)}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (99999999999999999999,)}",
            "{'descr': '<u2', 'fortran_order': False, 'shape': (3,)} x",
        ] {
            assert!(parse(&file(text, &[0; 6])).is_err(), "{text}");
        }
        assert!(matches!(parse(b"PK\x03\x04"), Err(NpyError::Magic)));
        assert!(matches!(parse(b"\x93NUMPY\x09\x00"), Err(NpyError::Version { major: 9 })));
    }

    #[test]
    fn every_truncation_is_an_error() {
        let whole = [header(Dtype::F32, &[3, 4]), vec![0; 48]].concat();
        for len in 0..whole.len() {
            assert!(parse(&whole[..len]).is_err(), "{len} bytes");
        }
        for at in 0..header(Dtype::F32, &[3, 4]).len() {
            for bit in 0..8 {
                let mut bytes = whole.clone();
                bytes[at] ^= 1 << bit;
                let _ = parse(&bytes);
            }
        }
    }
}
