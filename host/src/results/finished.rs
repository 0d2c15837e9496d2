//! From merged buffers to results: nav buffers in the scan's full shape.

use std::borrow::Cow;

use ndarray::{ArrayViewD, IxDyn};

use crate::{
    buffer::{Declaration, Kind, Usage},
    plugin::Emitted,
    shape::{Dtype, DtypeKind, Roi, RoiIdx, Shape},
};

/// A result: an array with a name.
#[derive(Debug, Clone)]
pub struct ResultBuffer {
    /// Name of the buffer.
    pub name: String,
    /// What its shape follows.
    pub kind: Kind,
    /// Element type.
    pub dtype: Dtype,
    /// Full shape: `(...nav, ...extra)`, `(...sig, ...extra)` or `extra`.
    pub shape: Shape,
    /// Little-endian elements, C order. Frames outside the ROI are NaN, 0 or false.
    pub data: Vec<u8>,
    /// Which elements are valid, one byte each, where the plugin said so.
    pub mask: Option<Vec<u8>>,
    /// Physical unit, or empty.
    pub unit: String,
    /// One line for the user.
    pub doc: String,
}

impl ResultBuffer {
    /// The elements as an array of `T`; none if `T` is not the buffer's dtype (`u8` also reads bool), or the machine
    /// does not store them in that way.
    pub fn array<T: bytemuck::AnyBitPattern + Numeric>(&self) -> Option<ArrayViewD<'_, T>> {
        let is_dtype = T::DTYPE == self.dtype || (self.dtype == Dtype::Bool && T::DTYPE == Dtype::U8);
        if !is_dtype || cfg!(target_endian = "big") {
            return None;
        }
        let axes: Vec<usize> = self.shape.axes().iter().map(|&n| usize::try_from(n).ok()).collect::<Option<_>>()?;
        ArrayViewD::from_shape(IxDyn(&axes), bytemuck::try_cast_slice(&self.data).ok()?).ok()
    }

    /// The elements as `f64`: real and imaginary parts.
    pub fn parts(&self) -> (Vec<f64>, Vec<f64>) {
        self.complex_parts().unzip()
    }

    /// The elements as `f64`, for pictures and summaries: of complex numbers the real part.
    pub fn to_f64(&self) -> Vec<f64> {
        self.complex_parts().map(|(re, _)| re).collect()
    }

    /// The elements as `f64`, of complex numbers the magnitude.
    pub fn magnitudes(&self) -> impl Iterator<Item = f64> {
        let is_complex = self.dtype.kind() == DtypeKind::Complex;
        self.complex_parts().map(move |(re, im)| if is_complex { re.hypot(im) } else { re })
    }

    fn complex_parts(&self) -> impl Iterator<Item = (f64, f64)> {
        // Piece by piece: the whole of it as complex numbers would be up to 16 times as large as the result.
        const PIECE: usize = 4096;
        self.data.chunks(PIECE * self.dtype.size()).flat_map(|piece| {
            let mut wide = vec![[0_f64; 2]; piece.len() / self.dtype.size()];
            crate::shape::cast(self.dtype, piece, Dtype::C128, bytemuck::cast_slice_mut(&mut wide));
            wide.into_iter().map(|[re, im]| (re, im))
        })
    }
}

/// A Rust type that is the element type of some dtype.
pub trait Numeric {
    /// The dtype.
    const DTYPE: Dtype;
}

macro_rules! numeric {
    ($($t:ty => $dtype:ident),*) => {$(
        impl Numeric for $t {
            const DTYPE: Dtype = Dtype::$dtype;
        }
    )*};
}
numeric!(u8 => U8, u16 => U16, u32 => U32, u64 => U64, i8 => I8, i16 => I16, i32 => I32, i64 => I64, f32 => F32,
    f64 => F64);

/// Makes results of merged buffers and of what `results` emitted.
pub(crate) fn finish(
    declarations: &[Declaration],
    merged: Vec<Cow<'_, [u8]>>,
    emitted: Option<Emitted>,
    (nav, sig, roi): (&Shape, &Shape, &Roi),
) -> Vec<ResultBuffer> {
    let mut emitted = emitted.unwrap_or_default().into_iter();
    let mut results = Vec::new();
    for (declaration, merged) in declarations.iter().zip(merged) {
        let (data, mask) = emitted.next().unwrap_or_default();
        if declaration.usage == Usage::Private {
            continue;
        }
        let data = data.map_or(merged, Cow::Owned);
        let (data, mask) = match declaration.kind {
            Kind::Nav => (
                embed(data, roi, declaration.dtype, &declaration.extra_shape),
                mask.map(|mask| embed(Cow::Owned(mask), roi, Dtype::Bool, &declaration.extra_shape)),
            ),
            _ => (data.into_owned(), mask),
        };
        let shape = match declaration.kind {
            Kind::Nav => nav.join(declaration.extra_shape.axes()),
            _ => declaration.shape(0, sig),
        };
        results.push(ResultBuffer {
            name: declaration.name.clone(),
            kind: declaration.kind,
            dtype: declaration.dtype,
            shape: shape.expect("checked with the declarations"),
            data,
            mask,
            unit: declaration.unit.clone(),
            doc: declaration.doc.clone(),
        });
    }
    results
}

/// Rows by ROI index to rows by frame index; the others are NaN, 0 or false.
fn embed(rows: Cow<'_, [u8]>, roi: &Roi, dtype: Dtype, extra: &Shape) -> Vec<u8> {
    if !roi.is_mask() {
        return rows.into_owned();
    }
    let row_elements = usize::try_from(extra.size()).expect("a row in memory");
    let row_bytes = row_elements * dtype.size();
    let n_frames = usize::try_from(roi.n_frames()).expect("a scan in memory");
    let mut full = no_data(dtype).repeat(row_elements * n_frames);
    for (roi_idx, row) in (0..).zip(rows.chunks_exact(row_bytes.max(1))) {
        let start = usize::try_from(roi.frame(RoiIdx(roi_idx)).0).expect("a scan in memory") * row_bytes;
        full[start..start + row_bytes].copy_from_slice(row);
    }
    full
}

/// What an element outside the ROI is.
fn no_data(dtype: Dtype) -> Vec<u8> {
    let (nan_f32, nan_f64) = (f32::NAN.to_le_bytes(), f64::NAN.to_le_bytes());
    match dtype {
        Dtype::F32 => nan_f32.to_vec(),
        Dtype::F64 => nan_f64.to_vec(),
        Dtype::C64 => nan_f32.repeat(2),
        Dtype::C128 => nan_f64.repeat(2),
        _ => vec![0; dtype.size()],
    }
}
