//! Masks that are moved: per frame by AUX data, or all by the same distance.

use lthost_guest_sdk::prelude::*;

/// By how much masks are moved down and right, in pixels.
pub(crate) enum Shifts {
    /// Not at all.
    None,
    /// All by the same.
    Same([i64; 2]),
    /// As AUX data say, for each frame.
    PerFrame,
}

impl Shifts {
    /// From parameter `name`.
    pub(crate) fn new(name: &str, params: &Params, meta: &Meta) -> Result<Self> {
        let shifts = if params.is_aux(name) {
            Self::PerFrame
        } else {
            match params.get::<Option<Array>>(name)?.map(|shift| shift.to_vec::<f64>()).as_deref() {
                None => return Ok(Self::None),
                Some(&[down, right]) => {
                    Self::Same(whole([down, right]).ok_or_else(|| not_finite(name, [down, right], ""))?)
                }
                Some(other) => return Err(Error::parameter(name, "two numbers, down and right", other.len())),
            }
        };
        if meta.sig_shape.len() != 2 {
            return Err(Error::parameter(name, "frames with two axes", format!("{} axes", meta.sig_shape.len())));
        }
        Ok(shifts)
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The distance for each frame of a tile.
    pub(crate) fn of(&self, name: &str, tile: &Tile) -> Result<Vec<[i64; 2]>> {
        match self {
            Self::None => Ok(vec![[0, 0]; tile.n_frames()]),
            Self::Same(shift) => Ok(vec![*shift; tile.n_frames()]),
            Self::PerFrame => {
                let shifts = tile.aux::<f64>(name)?.ok_or_else(|| Error::new("a tile has no AUX data"))?;
                let each = shifts.as_chunks().0.iter().zip(tile.frame_indices().zip(tile.coordinates()));
                each.map(|(&shift, (frame, at))| {
                    let given = || not_finite(name, shift, &format!(" for frame {frame}, at {at:?} of the scan"));
                    whole(shift).ok_or_else(given)
                })
                .collect()
            }
        }
    }
}

fn not_finite(name: &str, shift: [f64; 2], place: &str) -> Error {
    Error::parameter(name, "finite numbers, down and right", format!("{shift:?}{place}"))
}

/// The frame as a mask sees it that is moved by `shift`: moved the other way, and zero where nothing was.
pub(crate) fn moved<T: Element>(frame: &[T], shape: [usize; 2], [down, right]: [i64; 2], out: &mut [T]) {
    out.fill(T::ZERO);
    let [height, width] = shape;
    let (Some(rows), Some(columns)) = (overlap(height, down), overlap(width, right)) else { return };
    for y in 0..rows.len {
        let from = &frame[(rows.frame + y) * width + columns.frame..][..columns.len];
        out[(rows.mask + y) * width + columns.mask..][..columns.len].copy_from_slice(from);
    }
}

/// Where the frame and the mask overlap, on one axis.
struct Overlap {
    /// First pixel in the frame.
    frame: usize,
    /// First pixel in the mask.
    mask: usize,
    len: usize,
}

fn overlap(extent: usize, shift: i64) -> Option<Overlap> {
    let distance = usize::try_from(shift.unsigned_abs()).ok().filter(|&distance| distance < extent)?;
    let (frame, mask) = if shift < 0 { (0, distance) } else { (distance, 0) };
    Some(Overlap { frame, mask, len: extent - distance })
}

/// Whole pixels, towards zero; none if it is no distance at all.
#[expect(clippy::cast_possible_truncation, reason = "a mask that is moved this far has no overlap left")]
fn whole(shift: [f64; 2]) -> Option<[i64; 2]> {
    shift.iter().all(|distance| distance.is_finite()).then(|| shift.map(|distance| distance as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_move_against_the_mask() {
        let frame = [1, 2, 3, 4, 5, 6];
        let seen = |shift| {
            let mut out = [9; 6];
            moved(&frame, [2, 3], shift, &mut out);
            out
        };
        assert_eq!(seen([0, 0]), frame);
        assert_eq!(seen([1, 0]), [4, 5, 6, 0, 0, 0]);
        assert_eq!(seen([0, -1]), [0, 1, 2, 0, 4, 5]);
        assert_eq!(seen([-1, 2]), [0, 0, 0, 3, 0, 0]);
        assert_eq!(seen([2, 0]), [0; 6]);
        assert_eq!(seen([i64::MIN, i64::MAX]), [0; 6]);
    }
}
