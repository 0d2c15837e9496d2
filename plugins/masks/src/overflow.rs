//! Integers wrap around: whether products can.

use lthost_guest_sdk::{DtypeKind, Level, log, prelude::*};

/// Tells the user if sums with `masks`, shape `(n_masks, ...)`, of frames of `data` can be beyond the dtype of the masks,
/// which is that of the result.
pub(crate) fn warn(masks: &Array, data: Dtype) {
    let dtype = masks.dtype();
    let (Some(pixel), Some(result)) = (limits(data), limits(dtype)) else { return };
    if dtype == Dtype::Bool {
        // Truth is added by `or`, and stays within its limits.
        return;
    }
    let mask_len = masks.numbers().len() / masks.shape()[0].max(1);
    let sums = each_dtype!(masks.numbers(), |weights| range(weights, mask_len.max(1), pixel));
    let Some((mask, [least, most])) =
        sums.into_iter().enumerate().find(|(_, [least, most])| *least < result[0] || *most > result[1])
    else {
        return;
    };
    let message = format!(
        "sums of {data} pixels with mask {mask} can be from {least} to {most}, and {dtype} holds {} to {}: beyond that \
         they wrap around; a larger `preferred_dtype` has room, like float64",
        result[0], result[1]
    );
    log(Level::Warn, message);
}

/// The smallest and the largest sum that each mask can have.
fn range<T: Element>(weights: &[T], mask_len: usize, [low, high]: [f64; 2]) -> Vec<[f64; 2]> {
    let masks = weights.chunks_exact(mask_len);
    let sums = masks.map(|mask| {
        mask.iter().map(|weight| weight.to_complex().re).fold([0.0, 0.0], |[least, most], weight| {
            [least + (weight * low).min(weight * high), most + (weight * low).max(weight * high)]
        })
    });
    sums.collect()
}

/// The smallest and the largest number of a dtype; none for real and complex ones.
fn limits(dtype: Dtype) -> Option<[f64; 2]> {
    let n_values = 2.0_f64.powi(i32::try_from(8 * dtype.size()).ok()?);
    match dtype.kind() {
        DtypeKind::Bool => Some([0.0, 1.0]),
        DtypeKind::Unsigned => Some([0.0, n_values - 1.0]),
        DtypeKind::Signed => Some([-n_values / 2.0, n_values / 2.0 - 1.0]),
        DtypeKind::Float | DtypeKind::Complex => None,
    }
}

#[cfg(test)]
mod tests {
    use lthost_guest_sdk::testing::Scan;

    use super::*;
    use crate::Masks;

    /// What a run over one frame of three pixels warns of.
    fn warnings<T: Element, M: Element>(frame: [T; 3], factors: &[M], preferred_dtype: Dtype) -> Vec<String> {
        let factors = Array::new(&[factors.len() / 3, 3], factors).unwrap();
        let scan = Scan::new(&[1], &[3], &frame).param("factors", factors).param("preferred_dtype", preferred_dtype);
        scan.run::<Masks>().unwrap().logged.into_iter().map(|(_, message)| message).collect()
    }

    #[test]
    fn sums_that_may_wrap_around_are_warned_of_once() {
        let expected = "sums of uint16 pixels with mask 1 can be from 0 to 131070, and uint16 holds 0 to 65535: beyond \
                        that they wrap around; a larger `preferred_dtype` has room, like float64";
        assert_eq!(warnings([1_u16; 3], &[0_u16, 1, 0, 1, 1, 0], Dtype::U16), [expected]);
        let expected = "sums of int8 pixels with mask 0 can be from -127 to 128, and int8 holds -128 to 127";
        assert!(warnings([1_i8; 3], &[0_i8, -1, 0], Dtype::Bool)[0].starts_with(expected));
        assert_eq!(warnings([1_u8; 3], &[2_u16, 255, 0], Dtype::Bool).len(), 0);
        assert_eq!(warnings([1_u8; 3], &[3_u16, 255, 0], Dtype::Bool).len(), 1);
    }

    #[test]
    fn there_is_no_warning_where_nothing_wraps_around() {
        let none = Vec::<String>::new();
        assert_eq!(warnings([1_u16; 3], &[u16::MAX; 3], Dtype::F32), none);
        assert_eq!(warnings([1_u16; 3], &[1.0_f32; 3], Dtype::U16), none);
        assert_eq!(warnings([1.0_f32; 3], &[u16::MAX; 3], Dtype::U8), none);
        assert_eq!(warnings([1_u16; 3], &[1_u16, 0, 0], Dtype::U16), none);
        assert_eq!(warnings([1_u16; 3], &[1_u16; 3], Dtype::U32), none);
        let truth = Array::new(&[1, 3], &[true; 3].map(u8::from)).unwrap().converted(Dtype::Bool);
        let frame = Scan::new(&[1], &[3], &[lthost_guest_sdk::Bool::from_f64(1.0); 3]).param("factors", truth);
        let results = frame.param("preferred_dtype", Dtype::Bool).run::<Masks>().unwrap();
        assert_eq!((results.dtype("intensity"), results.logged.len()), (Dtype::Bool, 0));
    }
}
