//! Quantum Detectors Merlin: `.mib` files, in which each frame has a header, and the `.hdr` file of the acquisition.

mod hdr;
mod header;
mod sequence;

use std::{
    collections::VecDeque,
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use super::{
    Content, DatasetError, DatasetOptions, Found,
    frames::{Coding, Frames, Piece},
    map::{failed, stat},
    warn,
};
use crate::shape::{ByteOrder, Shape};
use hdr::AcquisitionHeader;
use header::Pixels;
use sequence::Member;

/// A `.hdr` file has 2048 bytes. What is much longer is something else.
const MAX_HDR: u64 = 1 << 20;

pub(super) fn open(path: &Path, options: &DatasetOptions) -> Result<Found, DatasetError> {
    let alone = options.own::<bool>("disable-glob", "true or false")?.unwrap_or(false);
    let named_header = extension_is(path, "hdr");
    let (members, unreadable) =
        if named_header { sequence::of_header(path, alone)? } else { sequence::around(path, alone)? };
    let mut metadata = members[0].header.metadata.clone();
    metadata.push(("files".to_owned(), members.len().to_string()));
    for error in unreadable {
        warn(&mut metadata, format!("a file that might belong to the acquisition is left out: {error}"));
    }
    let nav = options.nav()?;
    check_ends(&members, nav.is_some(), &mut metadata)?;

    let n_frames = members.iter().map(|member| member.n_frames as u64).sum();
    let header_path = if named_header { Some(path.to_owned()) } else { header_beside(path) };
    // It says the scan, unless the user does, or wants one file where it is about all of them.
    let decides = nav.is_none() && (named_header || !alone);
    let mut by_header = None;
    let mut other_files = Vec::new();
    match header_path.map(|path| (read_header(&path), path)) {
        Some((Ok(header), path)) => {
            let entries = header.entries().iter().filter(|(_, value)| !value.is_empty());
            metadata.extend(entries.map(|(key, value)| (format!("hdr: {key}"), value.clone())));
            other_files.push(stat(&path)?);
            if decides {
                by_header = Some(nav_by_header(&header, &path, n_frames, &mut metadata)?);
            }
        }
        Some((Err(error), _)) if decides => return Err(error),
        Some((Err(error), _)) => warn(&mut metadata, error.to_string()),
        None => {}
    }
    let nav = nav.or(by_header).unwrap_or_else(|| Shape::new([n_frames]).expect("one extent doesn't overflow"));
    let sig = sig_shape(path, &members[0], options)?;
    Ok(found(members, nav, sig, metadata, other_files))
}

fn found(
    members: VecDeque<Member>,
    nav: Shape,
    sig: Shape,
    metadata: Vec<(String, String)>,
    other_files: Vec<super::FileInfo>,
) -> Found {
    let geometry = members[0].header.geometry.clone();
    let dtype = geometry.pixels.dtype();
    let mut pieces = Vec::with_capacity(members.len());
    let mut first = 0;
    for member in members {
        let n_frames = member.n_frames;
        pieces.push(Piece {
            n_frames,
            first,
            start: geometry.header_size,
            pitch: member.header.pitch(),
            file: member.file,
        });
        first += n_frames as u64;
    }
    let (coding, byte_order) = match geometry.pixels {
        Pixels::Plain(_) => (Coding::Plain, ByteOrder::Big),
        Pixels::Raw(packing) => (Coding::Packed(packing), ByteOrder::Little),
    };
    let n_pixels = geometry.image.0 * geometry.image.1;
    let frames = Frames { pieces, coding, n_pixels, item: dtype.size(), frame_bytes: geometry.frame_bytes };
    Found { nav, sig, dtype, byte_order, metadata, other_files, content: Content::Dense(frames) }
}

/// Bytes after the last frame of the acquisition are a frame that was cut, which is an error unless `tolerant`.
fn check_ends(
    members: &VecDeque<Member>,
    tolerant: bool,
    metadata: &mut Vec<(String, String)>,
) -> Result<(), DatasetError> {
    for (at, member) in members.iter().enumerate() {
        let n_frames = member.n_frames as u64;
        if member.rest > 0 {
            let missing = (member.header.pitch() - member.rest) as u64;
            let path = member.path().to_owned();
            let error = DatasetError::Truncated { path, frame: n_frames, missing };
            if !tolerant && at == members.len() - 1 {
                return Err(error);
            }
            let file = member.path().display();
            warn(metadata, format!("`{file}` is cut: {missing} bytes of its frame {n_frames} are missing"));
        }
        let (first, last) = (member.header.sequence, member.last_sequence);
        if last.checked_sub(first) != Some(n_frames - 1) {
            let file = member.path().display();
            warn(metadata, format!("`{file}` has {n_frames} frames, but they are numbered {first} to {last}"));
        }
    }
    Ok(())
}

fn nav_by_header(
    header: &AcquisitionHeader,
    path: &Path,
    n_frames: u64,
    metadata: &mut Vec<(String, String)>,
) -> Result<Shape, DatasetError> {
    let bad = |problem| DatasetError::Header { path: path.to_owned(), at: 0, problem };
    let nav = header.nav().map_err(bad)?;
    if nav.size() > n_frames {
        return Err(DatasetError::FramesMissing { path: path.to_owned(), promised: nav, found: n_frames });
    }
    if nav.size() < n_frames {
        let header = path.display();
        warn(metadata, format!("`{header}` says that the scan is {nav}, but the files hold {n_frames} frames"));
    }
    Ok(nav)
}

fn sig_shape(path: &Path, first: &Member, options: &DatasetOptions) -> Result<Shape, DatasetError> {
    let (rows, cols) = first.header.geometry.image;
    let native = Shape::new([rows as u64, cols as u64]).expect("a frame of this size is in memory");
    match options.sig()? {
        Some(given) if given.size() != native.size() => {
            Err(DatasetError::SigShape { path: path.to_owned(), given, native })
        }
        Some(given) => Ok(given),
        None => Ok(native),
    }
}

/// The `.hdr` file that belongs to a `.mib` file: of the same name, with or without the running number.
fn header_beside(path: &Path) -> Option<PathBuf> {
    let stem = path.file_stem()?.to_str()?;
    let stems = [stem, stem.trim_end_matches(|c: char| c.is_ascii_digit())];
    let names =
        stems.iter().filter(|stem| !stem.is_empty()).flat_map(|stem| [format!("{stem}.hdr"), format!("{stem}.HDR")]);
    names.map(|name| path.with_file_name(name)).find(|header| header.is_file())
}

fn read_header(path: &Path) -> Result<AcquisitionHeader, DatasetError> {
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAX_HDR).read_to_end(&mut bytes));
    read.map_err(|source| failed(path, source))?;
    hdr::parse(&bytes).map_err(|problem| DatasetError::Header { path: path.to_owned(), at: 0, problem })
}

fn extension_is(path: &Path, expected: &str) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(expected))
}
