//! An array in a `.npy` file, its last axes taken as frames.

use std::path::Path;

use super::{DatasetError, DatasetOptions, Found, fortran::FortranOrder, frames::Coding, map::MappedFile, plain, warn};
use crate::shape::{
    Shape, ShapeError,
    npy::{NpyError, parse_header},
};

/// Axes of a frame, if the user says nothing.
const SIG_DIMS: usize = 2;

pub(super) fn open(path: &Path, options: &DatasetOptions) -> Result<Found, DatasetError> {
    let file = MappedFile::open_alone(path)?;
    let bad = |source| DatasetError::Npy { path: path.to_owned(), source };
    let header = parse_header(file.bytes()).map_err(bad)?;
    let expected = header.data_bytes().map_err(bad)?;
    // The header was found in the file.
    let found = file.info().size - header.data_offset;
    if found < expected {
        return Err(bad(NpyError::Short { expected, found }));
    } else if expected == 0 {
        return Err(bad(NpyError::Shape(ShapeError::Empty { axes: header.shape.axes().to_vec() })));
    }
    let (nav, sig) = shapes(path, &header.shape, options)?;
    let is_fortran = header.fortran_order && header.shape.n_axes() > 1;
    let layout = plain::Layout {
        dtype: header.dtype,
        byte_order: header.byte_order,
        start: header.data_offset,
        end: header.data_offset + expected,
        lead: 0,
        trail: 0,
        coding: if is_fortran { fortran(&header.shape) } else { Coding::Plain },
    };
    let mut opened = plain::found(file, layout, nav, sig)?;
    opened.metadata.push(("array shape".to_owned(), header.shape.to_string()));
    if found > expected {
        warn(&mut opened.metadata, format!("the {} bytes after the array are ignored", found - expected));
    }
    if is_fortran {
        warn(
            &mut opened.metadata,
            "the array is in Fortran order, which is slow to read: convert it with \
             `numpy.save(NEW, numpy.ascontiguousarray(numpy.load(OLD)))`"
                .to_owned(),
        );
    }
    Ok(opened)
}

/// Elements of an array that was found to be in the file, first axis fastest.
fn fortran(array: &Shape) -> Coding {
    let extents = array.axes().iter().map(|&extent| usize::try_from(extent));
    let extents: Vec<_> = extents.collect::<Result<_, _>>().expect("at most the number of elements in memory");
    Coding::Fortran(FortranOrder::new(&extents))
}

/// Shape of the scan, if something says it, and shape of a frame.
fn shapes(path: &Path, array: &Shape, options: &DatasetOptions) -> Result<(Option<Shape>, Shape), DatasetError> {
    let (nav, sig) = (options.nav()?, options.sig()?);
    let sig_dims = match (options.sig_dims, &sig) {
        (Some(0), _) => {
            return Err(DatasetError::BadValue {
                option: "--sig-dims".to_owned(),
                value: "0".to_owned(),
                expected: "at least 1".to_owned(),
            });
        }
        (Some(sig_dims), Some(sig)) if sig_dims != sig.n_axes() => {
            return Err(DatasetError::SigDims { sig_dims, sig: sig.clone() });
        }
        (Some(sig_dims), _) => sig_dims,
        (None, Some(sig)) => sig.n_axes(),
        (None, None) => SIG_DIMS,
    };
    let axes = array.axes();
    let n_nav = axes.len().saturating_sub(sig_dims);
    // Axes of an array whose size is known, none of them 0: no part of them overflows.
    let part = |axes: &[u64]| Shape::new(axes).expect("smaller than the array");
    match (nav, sig) {
        (nav, None) if axes.len() >= sig_dims && (n_nav > 0 || nav.is_some()) => {
            Ok((nav.or_else(|| Some(part(&axes[..n_nav]))), part(&axes[n_nav..])))
        }
        (_, None) => Err(DatasetError::FewAxes { path: path.to_owned(), shape: array.clone(), sig_dims }),
        (Some(nav), Some(sig)) => Ok((Some(nav), sig)),
        (None, Some(sig)) => {
            // The array's own scan axes, if the frames fit them: where they would be, or wherever they are.
            let fits = |n_nav: &usize| part(&axes[..*n_nav]).size().checked_mul(sig.size()) == Some(array.size());
            let n_nav = Some(n_nav).filter(|n_nav| *n_nav > 0).filter(fits).or_else(|| (1..axes.len()).find(fits));
            Ok((n_nav.map(|n_nav| part(&axes[..n_nav])), sig))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(array: &[u64], nav: Option<&[u64]>, sig: Option<&[u64]>, sig_dims: Option<usize>) -> Option<String> {
        let own = |axes: Option<&[u64]>| axes.map(<[u64]>::to_vec);
        let options =
            DatasetOptions { nav_shape: own(nav), sig_shape: own(sig), sig_dims, ..DatasetOptions::default() };
        let (nav, sig) = shapes(Path::new("a.npy"), &Shape::new(array).unwrap(), &options).ok()?;
        Some(format!("{} {sig}", nav.map_or("any".to_owned(), |nav| nav.to_string())))
    }

    #[test]
    fn the_last_axes_are_frames() {
        assert_eq!(found(&[4, 5, 6, 7], None, None, None).unwrap(), "(4, 5) (6, 7)");
        assert_eq!(found(&[4, 5, 6], None, None, None).unwrap(), "(4,) (5, 6)");
        assert_eq!(found(&[4, 5, 6, 7], None, None, Some(1)).unwrap(), "(4, 5, 6) (7,)");
        assert_eq!(found(&[4, 5, 6, 7], Some(&[20]), None, None).unwrap(), "(20,) (6, 7)");
    }

    #[test]
    fn frames_of_another_shape_keep_the_scan_where_they_fit() {
        assert_eq!(found(&[4, 5, 6, 7], None, Some(&[42]), None).unwrap(), "(4, 5) (42,)");
        assert_eq!(found(&[4, 5, 42], None, Some(&[6, 7]), None).unwrap(), "(4, 5) (6, 7)");
        assert_eq!(found(&[4, 5, 6, 7], None, Some(&[5, 5]), None).unwrap(), "any (5, 5)");
        assert_eq!(found(&[4, 5, 6, 7], Some(&[2]), Some(&[5, 5]), None).unwrap(), "(2,) (5, 5)");
    }

    #[test]
    fn too_few_axes_are_refused() {
        assert_eq!(found(&[4, 5], None, None, None), None);
        assert_eq!(found(&[4], Some(&[1]), None, None), None);
        assert_eq!(found(&[4, 5], Some(&[1]), None, None).unwrap(), "(1,) (4, 5)");
        assert_eq!(found(&[4, 5], None, Some(&[4, 5]), None).unwrap(), "any (4, 5)");
        assert_eq!(found(&[4, 5, 6], None, Some(&[5, 6]), Some(1)), None);
        assert_eq!(found(&[4, 5, 6], None, None, Some(0)), None);
    }
}
