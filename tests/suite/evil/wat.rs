//! Plugins by hand, in text: an honest one, `honest.wat`, in which any part can be replaced. No compiler would go so far.

use std::{fmt::Write as _, ops::Range};

/// A complete plugin. What stands between `;;{name` and `;;}` is a part.
const HONEST: &str = include_str!("honest.wat");
/// The interface that a plugin exports.
const INTERFACE: &str = "lthost:udf/udf@0.1.0";

/// Where things are in its memory.
pub(super) const MANIFEST: u32 = 1024;
pub(super) const CAPABILITIES: u32 = 1073;
pub(super) const FORM: u32 = 1164;
pub(super) const CREATED: u32 = 1216;
pub(super) const ANSWER_OF_BUFFERS: u32 = 1248;
pub(super) const BUFFER: u32 = 1280;
pub(super) const MERGE: u32 = 1301;
pub(super) const ERROR: u32 = 1344;
pub(super) const ERROR_OF_PREFERENCES: u32 = 1376;
pub(super) const PARAMETER: u32 = 1408;
pub(super) const TYPE: u32 = 1520;
/// Room for texts of up to 1700 bytes.
pub(super) const TEXT: u32 = 2304;

/// When the host calls a function of a plugin, and so what becomes of a run that it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strikes {
    /// Before any data are read: it is refused and there is no run, or the run goes on without it.
    Early,
    /// On workers, with a partition at hand: that one is skipped for this plugin.
    OnWorkers,
    /// Anywhere else: the plugin's partitions are skipped, or the run fails.
    Elsewhere,
    /// Never: what it does harms nobody, and the run succeeds.
    Never,
    /// If at all: it is much, or odd, and may be refused or taken.
    Perhaps,
}

/// The functions of a plugin, in the order in which the host calls them, and when.
pub(super) const PHASES: [(&str, Strikes); 13] = [
    ("describe", Strikes::Early),
    ("create", Strikes::Early),
    ("preferences", Strikes::Early),
    ("buffers", Strikes::Early),
    ("preprocess", Strikes::Early),
    ("window", Strikes::Elsewhere),
    ("begin", Strikes::OnWorkers),
    ("process", Strikes::OnWorkers),
    ("end", Strikes::OnWorkers),
    ("merge", Strikes::Elsewhere),
    ("merge-all", Strikes::Elsewhere),
    ("results", Strikes::Elsewhere),
    ("update", Strikes::Elsewhere),
];

/// A plugin in text, and what follows it as it is.
#[derive(Debug, Clone)]
pub(super) struct Plugin {
    text: String,
    sections: Vec<u8>,
}

impl Plugin {
    /// It counts frames, and does no harm.
    pub(super) fn honest() -> Self {
        Self { text: HONEST.to_owned(), sections: Vec::new() }
    }

    /// The same, where the host calls the function `phase`.
    pub(super) fn calling(phase: &str) -> Self {
        let honest = Self::honest();
        let custom = |capability| honest.clone().poke(CAPABILITIES, &[capability]).poke(MERGE, &[5]);
        match phase {
            "preprocess" => honest.poke(CAPABILITIES, &[1]),
            "merge" => custom(2),
            "merge-all" => custom(4),
            "results" => honest.poke(CAPABILITIES, &[8]),
            "update" => honest.poke(CAPABILITIES, &[16]),
            "window" => honest.poke(FORM, &[4]),
            _ => honest,
        }
    }

    /// Replaces a part.
    pub(super) fn with(mut self, part: &str, text: &str) -> Self {
        let place = self.place(part);
        self.text.replace_range(place, &format!("{text}\n"));
        self
    }

    /// Puts something before what a part has.
    pub(super) fn first(mut self, part: &str, text: &str) -> Self {
        let start = self.place(part).start;
        self.text.insert_str(start, &format!("{text}\n"));
        self
    }

    /// More functions, tables and data, after all others.
    pub(super) fn more(mut self, text: &str) -> Self {
        let end = self.place("more").end;
        self.text.insert_str(end, &format!("{text}\n"));
        self
    }

    /// Other text, wherever there is this one.
    pub(super) fn replaced(mut self, text: &str, by: &str) -> Self {
        assert!(self.text.contains(text), "there is no {text}");
        self.text = self.text.replace(text, by);
        self
    }

    /// Other bytes in its memory from the beginning on.
    pub(super) fn poke(self, at: u32, bytes: &[u8]) -> Self {
        self.more(&format!("(data (i32.const {at}) {})", quoted(bytes)))
    }

    /// A list or a text elsewhere: where, and how long.
    pub(super) fn point(self, at: u32, start: u32, len: u32) -> Self {
        self.poke(at, &[start.to_le_bytes(), len.to_le_bytes()].concat())
    }

    /// A text at `at`, kept at `start`.
    pub(super) fn write(self, at: u32, start: u32, text: &[u8]) -> Self {
        self.point(at, start, u32::try_from(text.len()).unwrap()).poke(start, text)
    }

    /// A function that is called after that of a phase, to clean up.
    pub(super) fn post_return(self, phase: &str, body: &str) -> Self {
        let name = export(phase);
        self.more(&format!("(func $post_return (export \"cabi_post_{name}\") (param i32) {body})"))
    }

    /// A custom section.
    pub(super) fn section(mut self, name: &str, content: &[u8]) -> Self {
        let content = [&leb(name.len())[..], name.as_bytes(), content].concat();
        self.sections.extend([&[0][..], &leb(content.len()), &content].concat());
        self
    }

    /// The core module.
    pub(super) fn wasm(&self) -> Vec<u8> {
        let mut bytes = parsed(&self.text);
        bytes.extend_from_slice(&self.sections);
        bytes
    }

    /// What a part has.
    fn place(&self, part: &str) -> Range<usize> {
        let mark = format!(";;{{{part}\n");
        let start = self.text.find(&mark).unwrap_or_else(|| panic!("there is no part `{part}`")) + mark.len();
        start..start + self.text[start..].find(";;}").unwrap()
    }
}

/// Name under which the function of a phase is exported.
pub(super) fn export(phase: &str) -> String {
    match phase {
        "describe" => format!("{INTERFACE}#describe"),
        "create" => format!("{INTERFACE}#[static]udf.create"),
        _ => format!("{INTERFACE}#[method]udf.{phase}"),
    }
}

/// A module or a component in text.
pub(super) fn parsed(text: &str) -> Vec<u8> {
    ::wat::parse_str(text).unwrap_or_else(|error| {
        // Some texts have megabytes.
        let error: String = error.to_string().chars().take(2000).collect();
        panic!("{error}")
    })
}

/// Bytes as a string in text.
pub(super) fn quoted(bytes: &[u8]) -> String {
    let mut text = "\"".to_owned();
    for byte in bytes {
        write!(text, "\\{byte:02x}").unwrap();
    }
    text + "\""
}

/// A length as WebAssembly writes it.
pub(super) fn leb(mut n: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let low = u8::try_from(n & 0x7f).unwrap();
        n >>= 7;
        if n == 0 {
            bytes.push(low);
            return bytes;
        }
        bytes.push(low | 0x80);
    }
}
