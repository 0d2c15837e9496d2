//! Inputs in parts, in a form that survives most mutations: a line of options, then files, each but the first one after a line
//! with its name.

use lthost::{
    dataset::DatasetOptions,
    shape::{ByteOrder, Dtype},
};

/// Files of an input, at most.
const MAX_FILES: usize = 8;
/// What stands before the name of a file.
const MARK: &[u8] = b"\n==";

/// An input in parts.
pub(crate) struct Parts<'a> {
    /// Words of the first line, cut at their first `=`.
    pub(crate) options: Vec<(&'a str, &'a str)>,
    /// Names and contents; the first file has none of its own.
    pub(crate) files: Vec<(String, &'a [u8])>,
}

/// Takes an input apart. `first` is the name of its first file.
pub(crate) fn parts<'a>(input: &'a [u8], first: &str) -> Parts<'a> {
    let (line, content) = cut(input, b"\n").unwrap_or((input, &[]));
    let words = std::str::from_utf8(line).unwrap_or_default().split(' ');
    let options = words.filter_map(|word| word.split_once('=')).collect();
    let mut files = Vec::new();
    let (mut name, mut rest) = (first.to_owned(), content);
    while let Some((before, after)) = cut(rest, MARK) {
        let (line, content) = cut(after, b"\n").unwrap_or((after, &[]));
        files.push((name, before));
        (name, rest) = (plain(line, files.len()), content);
        if files.len() == MAX_FILES {
            return Parts { options, files };
        }
    }
    files.push((name, rest));
    Parts { options, files }
}

/// An input of these parts.
pub(crate) fn join(options: &str, files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut input = [options.as_bytes(), b"\n"].concat();
    for (number, (name, content)) in files.iter().enumerate() {
        if number > 0 {
            input.extend([MARK, name.as_bytes(), b"\n"].concat());
        }
        input.extend(*content);
    }
    input
}

impl Parts<'_> {
    /// The last value of an option.
    pub(crate) fn option(&self, key: &str) -> Option<&str> {
        self.options.iter().rev().find(|(given, _)| *given == key).map(|(_, value)| *value)
    }

    /// What the options say of a data set. What can't be said in their types is left out.
    pub(crate) fn dataset_options(&self, format: Option<&str>) -> DatasetOptions {
        let own = |key: &str| !matches!(key, "name" | "nav" | "sig" | "dims" | "dtype" | "order" | "offset" | "sync");
        let order = |text: &str| match text {
            "little" => Some(ByteOrder::Little),
            "big" => Some(ByteOrder::Big),
            _ => None,
        };
        DatasetOptions {
            format: format.map(str::to_owned),
            nav_shape: self.option("nav").and_then(extents),
            sig_shape: self.option("sig").and_then(extents),
            sig_dims: self.option("dims").and_then(|text| text.parse().ok()),
            dtype: self.option("dtype").and_then(|text| Dtype::parse_with_order(text).ok()),
            byte_order: self.option("order").and_then(order),
            offset: self.option("offset").and_then(|text| text.parse().ok()),
            sync_offset: self.option("sync").and_then(|text| text.parse().ok()).unwrap_or_default(),
            extra: self
                .options
                .iter()
                .filter(|(key, _)| own(key))
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
        }
    }
}

/// Numbers with commas between them.
pub(crate) fn extents(text: &str) -> Option<Vec<u64>> {
    text.split(',').map(|extent| extent.parse().ok()).collect()
}

/// What stands before and after the first `mark`.
fn cut<'a>(bytes: &'a [u8], mark: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = bytes.windows(mark.len()).position(|window| window == mark)?;
    Some((&bytes[..at], &bytes[at + mark.len()..]))
}

/// A name that stays in its folder.
pub(crate) fn plain(name: &[u8], number: usize) -> String {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    match std::str::from_utf8(name) {
        Ok(text) if (1..=32).contains(&name.len()) && name.iter().all(is_plain) && name[0] != b'.' => text.to_owned(),
        _ => format!("file{number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_joined_comes_apart() {
        let joined = join("nav=4,5 frame-header=3", &[("a.hdr", b"HDR,\n\x00"), ("b.mib", b""), ("c.mib", b"\n\n=")]);
        let found = parts(&joined, "a.hdr");
        assert_eq!(found.options, [("nav", "4,5"), ("frame-header", "3")]);
        let files: Vec<(&str, &[u8])> = found.files.iter().map(|(name, content)| (&**name, *content)).collect();
        assert_eq!(files, [("a.hdr", &b"HDR,\n\x00"[..]), ("b.mib", b""), ("c.mib", b"\n\n=")]);
        let options = found.dataset_options(None);
        assert_eq!(options.nav_shape, Some(vec![4, 5]));
        assert_eq!(options.extra, [("frame-header".to_owned(), "3".to_owned())]);
    }

    #[test]
    fn names_stay_in_their_folder() {
        for name in ["../x", "/etc/passwd", "", "..", ".x", "a b", "\u{e9}"] {
            assert_eq!(plain(name.as_bytes(), 3), "file3");
        }
        let all = [&b"\n"[..], &b"\n==x\n".repeat(20)].concat();
        assert_eq!(parts(&all, "a").files.len(), MAX_FILES);
        assert_eq!(parts(b"", "a").files, [("a".to_owned(), &b""[..])]);
    }
}
