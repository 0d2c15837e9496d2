//! Headers of Merlin files: one before each frame of the `.mib`, and the text of the `.hdr` beside it.

use lthost::shape::Dtype;

/// Bytes before each frame, for one chip.
pub(super) const HEADER_SIZE: usize = 384;
const HDR_SIZE: usize = 2048;
/// Time between two frames, in microseconds.
const FRAME_US: u64 = 1000;

/// How a Merlin names its pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PixelType {
    name: &'static str,
    /// Of the counters whose values need this type.
    counter_bits: u8,
}

impl PixelType {
    /// None for a dtype that Merlin has not.
    pub(super) fn of(dtype: Dtype) -> Option<Self> {
        match dtype {
            Dtype::U8 => Some(Self { name: "U08", counter_bits: 6 }),
            Dtype::U16 => Some(Self { name: "U16", counter_bits: 12 }),
            Dtype::U32 => Some(Self { name: "U32", counter_bits: 24 }),
            _ => None,
        }
    }
}

/// The header of frame `number`, which counts from 1: fields with commas between, zeros after.
pub(super) fn frame_header(number: u64, [sy, sx]: [usize; 2], pixel_type: PixelType) -> [u8; HEADER_SIZE] {
    let us = (number - 1).wrapping_mul(FRAME_US);
    let second = us / 1_000_000;
    let time = format!("{:02}:{:02}:{:02}.{:06}", second / 3600 % 24, second / 60 % 60, second % 60, us % 1_000_000);
    let thresholds = ["0.000000E+0"; 8].join(",");
    let dacs = ["000"; 27].join(",");
    let PixelType { name, counter_bits } = pixel_type;
    let text = format!(
        "MQ1,{number:06},{HEADER_SIZE:05},01,{sx:04},{sy:04},{name},   1x1,01,2000-01-01 {time},0.001000,0,0,0,\
         {thresholds},3RX,{dacs},MQ1A,2000-01-01T{time}000Z,{}ns,{counter_bits},",
        FRAME_US * 1000,
    );
    let mut header = [0; HEADER_SIZE];
    header[..text.len()].copy_from_slice(text.as_bytes());
    header
}

/// The text that describes the acquisition; it has the scan's shape.
pub(super) fn acquisition_header([ny, nx]: [u64; 2], pixel_type: PixelType) -> Vec<u8> {
    let mut text = String::from("HDR,\t\r\n");
    for (key, value) in [
        ("Time and Date Stamp (day, mnth, yr, hr, min, s)", "01/01/2000 00:00:00".to_owned()),
        ("Chip ID", "simulated, - , - , - ".to_owned()),
        ("Chip Type (Medipix 3.0, Medipix 3.1, Medipix 3RX)", "Medipix 3RX".to_owned()),
        ("Assembly Size (NX1, 2X2)", "   1x1".to_owned()),
        ("Chip Mode  (SPM, CSM, CM, CSCM)", "SPM".to_owned()),
        ("Counter Depth (number)", pixel_type.counter_bits.to_string()),
        ("Active Counters", "Counter 0".to_owned()),
        ("Acquisition Type (Normal, Th_scan, Config)", "Normal".to_owned()),
        ("Frames in Acquisition (Number)", (ny * nx).to_string()),
        ("Frames per Trigger (Number)", nx.to_string()),
        ("Trigger Start (Positive, Negative, Internal)", "Internal".to_owned()),
        ("Trigger Stop (Positive, Negative, Internal)", "Internal".to_owned()),
        ("ScanX", nx.to_string()),
        ("ScanY", ny.to_string()),
        ("Software Version", concat!("lthost simulate ", env!("CARGO_PKG_VERSION")).to_owned()),
    ] {
        text.extend([key, ":\t", &value, "\r\n"]);
    }
    text.push_str("End\t");
    let mut bytes = text.into_bytes();
    bytes.resize(HDR_SIZE, b' ');
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(number: u64, sig: [usize; 2], dtype: Dtype) -> Vec<String> {
        let header = frame_header(number, sig, PixelType::of(dtype).unwrap());
        let text = String::from_utf8(header.to_vec()).unwrap();
        text.trim_end_matches('\0').split(',').map(str::to_owned).collect()
    }

    #[test]
    fn fields_stand_where_merlin_has_them() {
        let fields = fields(65_537, [96, 128], Dtype::U16);
        let start = ["MQ1", "065537", "00384", "01", "0128", "0096", "U16", "   1x1", "01"];
        assert_eq!(fields[..9], start);
        assert_eq!(fields[9], "2000-01-01 00:01:05.536000");
        assert_eq!(fields[10..14], ["0.001000", "0", "0", "0"]);
        assert!(fields[14..22].iter().all(|threshold| threshold.contains('E')));
        assert_eq!(fields[22], "3RX");
        assert_eq!(fields[50], "MQ1A");
        assert_eq!(fields[51], "2000-01-01T00:01:05.536000000Z");
        assert_eq!(fields[52..], ["1000000ns", "12", ""]);
    }

    #[test]
    fn other_types_and_large_numbers_fit() {
        let fields = fields(u64::from(u32::MAX), [4096, 4096], Dtype::U32);
        assert_eq!([&fields[1], &fields[6], &fields[53]], ["4294967295", "U32", "24"]);
        assert_eq!(PixelType::of(Dtype::F32), None);
    }

    #[test]
    fn the_acquisition_header_has_the_scan_shape() {
        let bytes = acquisition_header([5, 7], PixelType::of(Dtype::U8).unwrap());
        assert_eq!(bytes.len(), 2048);
        let text = String::from_utf8(bytes).unwrap();
        for line in ["ScanX:\t7", "ScanY:\t5", "Frames in Acquisition (Number):\t35", "Counter Depth (number):\t6"] {
            assert!(text.lines().any(|found| found == line), "{line}");
        }
        assert!(text.starts_with("HDR,\t\r\n") && text.trim_end().ends_with("End"));
    }
}
