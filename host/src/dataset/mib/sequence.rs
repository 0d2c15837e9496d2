//! Which `.mib` files make up an acquisition: those of one name and running number whose images follow each other.

use std::{
    collections::VecDeque,
    fs,
    path::{Path, PathBuf},
};

use super::header::{self, FrameHeader};
use crate::dataset::{
    DatasetError,
    map::{MappedFile, failed},
};

/// One file of an acquisition.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) file: MappedFile,
    /// Header of its first frame.
    pub(super) header: FrameHeader,
    /// Whole frames.
    pub(super) n_frames: usize,
    /// Sequence number of the last whole frame.
    pub(super) last_sequence: u64,
    /// Bytes after the last whole frame.
    pub(super) rest: usize,
}

/// The files of an acquisition in order, and those that might belong to it but can't be read.
pub(super) type Members = (VecDeque<Member>, Vec<DatasetError>);

impl Member {
    /// Opens a file, and checks its first, second and last header.
    pub(super) fn open(path: &Path) -> Result<Self, DatasetError> {
        let file = MappedFile::open(path)?;
        let bytes = file.bytes();
        let bad = |at: usize, problem| DatasetError::Header { path: path.to_owned(), at: at as u64, problem };
        let header = header::parse(bytes).map_err(|problem| bad(0, problem))?;
        let pitch = header.pitch();
        let (n_frames, rest) = (bytes.len() / pitch, bytes.len() % pitch);
        if n_frames == 0 {
            let (found, frame) = (bytes.len() as u64, pitch as u64);
            return Err(DatasetError::NoFrame { path: path.to_owned(), found, frame });
        }
        let mut last_sequence = header.sequence;
        for frame in [1, n_frames - 1].into_iter().filter(|frame| *frame < n_frames) {
            let at = frame * pitch;
            let other = header::parse(&bytes[at..]).map_err(|problem| bad(at, problem))?;
            if other.geometry != header.geometry {
                return Err(bad(at, "it describes another size or type of frames than the first one".to_owned()));
            }
            last_sequence = other.sequence;
        }
        Ok(Self { file, header, n_frames, last_sequence, rest })
    }

    pub(super) fn path(&self) -> &Path {
        self.file.path()
    }

    fn follows(&self, other: &Self) -> bool {
        other.last_sequence.checked_add(1) == Some(self.header.sequence)
    }
}

/// The acquisition that the `.mib` file `path` is part of; just this file if `alone`.
pub(super) fn around(path: &Path, alone: bool) -> Result<Members, DatasetError> {
    let named = Member::open(path)?;
    if alone {
        return Ok((VecDeque::from([named]), Vec::new()));
    }
    let stem = stem(path);
    let prefix = stem.trim_end_matches(|c: char| c.is_ascii_digit());
    let number = &stem[prefix.len()..];
    let padded = |number: &str| number.len() > 1 && number.starts_with('0');
    let alike = |other: &str| {
        number.is_empty() || other.len() == number.len() || !other.is_empty() && !padded(number) && !padded(other)
    };
    let paths = numbered(path, prefix)?.into_iter().filter(|(_, number)| alike(number)).map(|(path, _)| path);
    let (others, unreadable) = open_all(paths.filter(|other| other.file_name() != path.file_name()));
    Ok((chain(named, others)?, unreadable))
}

/// The acquisition that the `.hdr` file `path` describes; just its first file if `alone`.
pub(super) fn of_header(path: &Path, alone: bool) -> Result<Members, DatasetError> {
    let stem = stem(path);
    let paths = numbered(path, &stem)?;
    let same_name = paths.iter().find(|(_, number)| number.is_empty()).map(|(path, _)| path.clone());
    let (mut others, mut unreadable) =
        open_all(paths.into_iter().map(|(path, _)| path).filter(|path| Some(path) != same_name.as_ref()));
    let first = if let Some(path) = same_name {
        Member::open(&path)?
    } else {
        others.sort_by_key(|member| member.header.sequence);
        if let [first, second, ..] = &others[..]
            && first.header.sequence == second.header.sequence
        {
            return Err(ambiguous(first, second));
        }
        if others.is_empty() {
            let no_data = DatasetError::NoData { path: path.to_owned(), stem };
            return Err(unreadable.pop().unwrap_or(no_data));
        }
        others.remove(0)
    };
    let members = if alone { VecDeque::from([first]) } else { chain(first, others)? };
    Ok((members, unreadable))
}

/// The `.mib` files beside `path` whose name is `prefix` and a number or nothing, with the number.
fn numbered(path: &Path, prefix: &str) -> Result<Vec<(PathBuf, String)>, DatasetError> {
    let folder = path.parent().unwrap_or(Path::new(""));
    let listed = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let mut found = Vec::new();
    for entry in fs::read_dir(listed).map_err(|source| failed(listed, source))? {
        let name = entry.map_err(|source| failed(listed, source))?.file_name();
        let is_mib = Path::new(&name).extension().is_some_and(|extension| extension.eq_ignore_ascii_case("mib"));
        let stem = stem(Path::new(&name));
        if let Some(number) = stem.strip_prefix(prefix)
            && number.bytes().all(|byte| byte.is_ascii_digit())
            && is_mib
        {
            found.push((folder.join(&name), number.to_owned()));
        }
    }
    found.sort();
    Ok(found)
}

fn stem(path: &Path) -> String {
    path.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

fn open_all(paths: impl Iterator<Item = PathBuf>) -> (Vec<Member>, Vec<DatasetError>) {
    let (mut members, mut unreadable) = (Vec::new(), Vec::new());
    for path in paths {
        match Member::open(&path) {
            Ok(member) => members.push(member),
            Err(error) => unreadable.push(error),
        }
    }
    (members, unreadable)
}

/// `named` and those of `others` whose images come just before and after.
fn chain(named: Member, mut others: Vec<Member>) -> Result<VecDeque<Member>, DatasetError> {
    others.retain(|other| other.header.geometry == named.header.geometry);
    let mut chain = VecDeque::from([named]);
    while let Some(next) = take_only(&mut others, |other| other.follows(&chain[chain.len() - 1]))? {
        chain.push_back(next);
    }
    while let Some(previous) = take_only(&mut others, |other| chain[0].follows(other))? {
        chain.push_front(previous);
    }
    check_gaps(&chain, &others)?;
    Ok(chain)
}

/// Takes the member that `fits` out of `members`, if there is one; it must be the only one.
fn take_only(members: &mut Vec<Member>, fits: impl Fn(&Member) -> bool) -> Result<Option<Member>, DatasetError> {
    let fitting: Vec<usize> = (0..members.len()).filter(|&at| fits(&members[at])).collect();
    match fitting[..] {
        [] => Ok(None),
        [at] => Ok(Some(members.swap_remove(at))),
        [first, second, ..] => Err(ambiguous(&members[first], &members[second])),
    }
}

fn ambiguous(first: &Member, second: &Member) -> DatasetError {
    DatasetError::Ambiguous {
        first: first.path().to_owned(),
        second: second.path().to_owned(),
        sequence: first.header.sequence,
    }
}

/// Looks for a file that belongs to the acquisition, but not next to a file that is there.
///
/// One that starts an acquisition, continues another file, or has a `.hdr` of its own is of another acquisition.
fn check_gaps(chain: &VecDeque<Member>, others: &[Member]) -> Result<(), DatasetError> {
    let (first, last) = (&chain[0], &chain[chain.len() - 1]);
    let is_lost = |other: &&Member| {
        !others.iter().any(|before| other.follows(before)) && !other.path().with_extension("hdr").exists()
    };
    let after = others.iter().filter(|other| other.header.sequence > last.last_sequence).filter(is_lost);
    let before = others.iter().filter(|other| other.last_sequence < first.header.sequence).filter(is_lost);
    let gap = if let Some(after) = after.min_by_key(|other| other.header.sequence) {
        Some((last, after))
    } else {
        before.max_by_key(|other| other.last_sequence).map(|before| (before, first))
    };
    gap.map_or(Ok(()), |(before, after)| {
        Err(DatasetError::Gap {
            before: before.path().to_owned(),
            after: after.path().to_owned(),
            expected: before.last_sequence.saturating_add(1),
            found: after.header.sequence,
        })
    })
}
