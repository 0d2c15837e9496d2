//! Names and lines of a plugin's source, for its backtraces. wasmtime reads them from the plugin when it fails, and nothing limits
//! how long that takes or how much memory: a small file can say as much as it likes by pointing to the same thing many times.
//! So all of it is read once where that can't do harm, and a plugin for which it takes long does without.

use std::{collections::HashMap, sync::mpsc, thread, time::Duration};

use gimli::{Dwarf, EndianSlice, LittleEndian};
use wasmparser::{Parser, Payload};

/// How long reading all of it may take; what a backtrace reads is a part of that.
const MAX_TIME: Duration = Duration::from_millis(250);
/// Sections of a module that have it.
const PREFIX: &str = ".debug_";

/// Whether all names and lines of a component can be read in a short time. If not, a thread goes on with it until the process
/// ends.
pub(super) fn are_read_quickly(component: &[u8]) -> bool {
    let modules = modules(component);
    if modules.is_empty() {
        return true;
    }
    let (done, is_done) = mpsc::channel();
    let reader = thread::Builder::new().name("lines".to_owned());
    let started = reader.spawn(move || {
        // What is damaged is read no further by wasmtime either.
        for sections in &modules {
            let _whole_or_not = read_all(sections);
        }
        // Nobody may wait any more.
        let _heard_or_not = done.send(());
    });
    started.is_ok() && is_done.recv_timeout(MAX_TIME).is_ok()
}

/// The sections of a module, by name.
type Sections = HashMap<String, Vec<u8>>;

/// The sections of each module that has any.
fn modules(component: &[u8]) -> Vec<Sections> {
    let mut stack = vec![Sections::new()];
    let mut found = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        match payload {
            Ok(Payload::ModuleSection { .. } | Payload::ComponentSection { .. }) => stack.push(Sections::new()),
            Ok(Payload::End(_)) => found.extend(stack.pop().filter(|sections| !sections.is_empty())),
            Ok(Payload::CustomSection(section)) if section.name().starts_with(PREFIX) => {
                if let Some(sections) = stack.last_mut() {
                    sections.insert(section.name().to_owned(), section.data().to_vec());
                }
            }
            _ => {}
        }
    }
    found
}

fn read_all(sections: &Sections) -> Result<(), gimli::Error> {
    let section = |id: gimli::SectionId| -> Result<_, gimli::Error> {
        let data = sections.get(id.name()).map_or(&[][..], Vec::as_slice);
        Ok(EndianSlice::new(data, LittleEndian))
    };
    let context = addr2line::Context::from_dwarf(Dwarf::load(section)?)?;
    context.parse_lines()?;
    context.parse_inlined_functions()
}

/// A component, or module, without names and lines. It is one that was found valid.
pub(super) fn without(binary: &[u8]) -> Vec<u8> {
    const HEADER: usize = 8;
    const CUSTOM: u8 = 0;
    const CORE_MODULE: u8 = 1;
    const COMPONENT: u8 = 4;
    let (header, mut rest) = binary.split_at(HEADER.min(binary.len()));
    // The layer is told in the header: 1 for components.
    let is_component = header.get(6) == Some(&1);
    let mut out = header.to_vec();
    while let Some((&id, after)) = rest.split_first() {
        let Some((content, next)) = take_sized(after) else {
            // It ends in the middle: then nothing is changed.
            return binary.to_vec();
        };
        rest = next;
        match id {
            CUSTOM if take_sized(content).is_some_and(|(name, _)| name.starts_with(PREFIX.as_bytes())) => {}
            CORE_MODULE | COMPONENT if is_component => push_section(&mut out, id, &without(content)),
            _ => push_section(&mut out, id, content),
        }
    }
    out
}

/// Bytes that stand behind their number, and the rest.
fn take_sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut reader = wasmparser::BinaryReader::new(bytes, 0);
    let len = usize::try_from(reader.read_var_u32().ok()?).ok()?;
    bytes[reader.original_position()..].split_at_checked(len)
}

fn push_section(out: &mut Vec<u8>, id: u8, content: &[u8]) {
    out.push(id);
    let mut len = content.len();
    while len >= 0x80 {
        out.push(u8::try_from(len & 0x7f).expect("7 bits") | 0x80);
        len >>= 7;
    }
    out.push(u8::try_from(len).expect("7 bits"));
    out.extend_from_slice(content);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(id: u8, content: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push_section(&mut out, id, content);
        out
    }

    fn custom(name: &str, data: &[u8]) -> Vec<u8> {
        let name_len = u8::try_from(name.len()).unwrap();
        section(0, &[&[name_len][..], name.as_bytes(), data].concat())
    }

    #[test]
    fn only_names_and_lines_are_left_out_also_of_modules_within() {
        let module =
            |debug: &[u8]| [b"\0asm\x01\0\0\0", debug, &custom("name", b"\0\x01\0"), &section(1, &[0])].concat();
        let component = |inner: Vec<u8>| {
            let nested = [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &inner)].concat();
            [b"\0asm\x0d\0\x01\0".to_vec(), section(1, &inner), section(4, &nested), custom("x", &[7; 300])].concat()
        };
        let debug = [custom(".debug_line", &[1; 200]), custom(".debug_info", &[])].concat();
        assert_eq!(without(&component(module(&debug))), component(module(&[])));
        assert_eq!(without(&module(&debug)), module(&[]));
        let found = modules(&component(module(&debug)));
        assert_eq!(found.len(), 2);
        assert!(found.iter().all(|sections| sections[".debug_line"].len() == 200), "{found:?}");
        assert!(are_read_quickly(&component(module(&debug))), "damaged ones are read quickly");
    }

    #[test]
    fn what_is_cut_stays_as_it_is() {
        let whole = [b"\0asm\x01\0\0\0".to_vec(), custom(".debug_line", &[1; 20])].concat();
        for len in 9..whole.len() {
            assert_eq!(without(&whole[..len]), whole[..len]);
        }
        assert_eq!(without(&whole), b"\0asm\x01\0\0\0");
        assert_eq!(without(b"\0as"), b"\0as");
    }
}
