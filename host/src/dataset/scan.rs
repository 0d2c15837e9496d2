//! Which frames of the scan the files hold.

use std::ops::Range;

use crate::shape::FrameIdx;

/// The frames of a scan of `n_nav` frames that are in files with `n_frames`: frame `f` of the scan is frame
/// `f + sync_offset` of the files. None if the offset leaves no frame.
pub(super) fn present(n_nav: u64, n_frames: u64, sync_offset: i64) -> Option<Range<FrameIdx>> {
    let distance = sync_offset.unsigned_abs();
    if distance >= n_frames {
        return None;
    }
    let (start, end) = match sync_offset {
        0.. => (0, n_frames - distance),
        _ => (distance, n_frames.saturating_add(distance)),
    };
    Some(FrameIdx(start.min(n_nav))..FrameIdx(end.min(n_nav)))
}

/// What the shape of the scan and the offset do to the frames, as far as they do anything.
pub(super) fn diagnostics(
    n_nav: u64,
    n_frames: u64,
    sync_offset: i64,
    present: &Range<FrameIdx>,
) -> impl Iterator<Item = (String, String)> {
    let skipped = u64::try_from(sync_offset).unwrap_or(0);
    let counts = [
        ("frames skipped at the start", skipped),
        ("frames ignored at the end", n_frames - skipped - (present.end.0 - present.start.0)),
        ("blank frames at the start", present.start.0),
        ("blank frames at the end", n_nav - present.end.0),
    ];
    counts.into_iter().filter(|(_, count)| *count > 0).map(|(key, count)| (key.to_owned(), count.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_skipped_and_inserted_at_the_start() {
        for (n_nav, n_frames, sync_offset, expected) in [
            (20, 20, 0, Some(0..20)),
            (20, 20, 3, Some(0..17)),
            (20, 20, -3, Some(3..20)),
            (12, 20, 3, Some(0..12)),
            (12, 20, -3, Some(3..12)),
            (30, 20, 3, Some(0..17)),
            (30, 20, -3, Some(3..23)),
            (2, 20, -3, Some(2..2)),
            (20, 20, 19, Some(0..1)),
            (20, 20, 20, None),
            (20, 20, -20, None),
            (20, 20, i64::MIN, None),
            (20, 20, i64::MAX, None),
        ] {
            let expected = expected.map(|range: Range<u64>| FrameIdx(range.start)..FrameIdx(range.end));
            assert_eq!(present(n_nav, n_frames, sync_offset), expected, "{n_nav} {n_frames} {sync_offset}");
        }
    }
}
