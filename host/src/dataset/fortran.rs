//! Elements of an array whose first axis is the fast one, in C order.

/// Where each axis of such an array lies in the file.
#[derive(Debug)]
pub(super) struct FortranOrder {
    /// Extent, and step from one index to the next, in elements.
    axes: Vec<(usize, usize)>,
}

impl FortranOrder {
    /// The array must be in memory, so that its sizes can be counted.
    pub(super) fn new(extents: &[usize]) -> Self {
        let mut step = 1;
        let mut axes = Vec::with_capacity(extents.len());
        for &extent in extents {
            axes.push((extent, step));
            step *= extent;
        }
        Self { axes }
    }

    /// Fills `out` with the elements of `data` from the `first`th on in C order, each of `size` bytes.
    pub(super) fn gather(&self, data: &[u8], first: usize, size: usize, out: &mut [u8]) {
        match size {
            1 => self.gather_sized::<1>(data, first, out),
            2 => self.gather_sized::<2>(data, first, out),
            4 => self.gather_sized::<4>(data, first, out),
            8 => self.gather_sized::<8>(data, first, out),
            _ => self.gather_sized::<16>(data, first, out),
        }
    }

    fn gather_sized<const SIZE: usize>(&self, data: &[u8], first: usize, out: &mut [u8]) {
        let (data, _) = data.as_chunks::<SIZE>();
        let (mut out, _) = out.as_chunks_mut::<SIZE>();
        let Some(&(extent, step)) = self.axes.last() else {
            return;
        };
        let mut next = first;
        while !out.is_empty() {
            // A run along the last axis.
            let len = (extent - next % extent).min(out.len());
            let (run, rest) = out.split_at_mut(len);
            let start = self.position(next);
            for (out, element) in run.iter_mut().zip(data[start..].iter().step_by(step)) {
                *out = *element;
            }
            next += len;
            out = rest;
        }
    }

    /// Where the `flat`th element in C order is in the file.
    fn position(&self, mut flat: usize) -> usize {
        let mut at = 0;
        for &(extent, step) in self.axes.iter().rev() {
            at += flat % extent * step;
            flat /= extent;
        }
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_run_of_elements_is_gathered() {
        let extents = [2, 3, 4, 5];
        let order = FortranOrder::new(&extents);
        // Element i in C order is written where it belongs, by plain counting.
        let mut data = vec![0; 120];
        for flat in 0..120_u8 {
            let mut rest = usize::from(flat);
            let index: Vec<usize> = extents.iter().rev().map(|extent| (rest % extent, rest /= extent).0).collect();
            let [x, w, v, u] = index[..] else { unreachable!() };
            data[u + 2 * (v + 3 * (w + 4 * x))] = flat;
        }
        for (first, len) in [(0, 120), (0, 1), (7, 13), (119, 1), (59, 61), (5, 0)] {
            let mut out = vec![0; len];
            order.gather(&data, first, 1, &mut out);
            let expected: Vec<u8> = (0..120).skip(first).take(len).collect();
            assert_eq!(out, expected);
        }
    }
}
