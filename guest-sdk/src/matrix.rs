//! A matrix that the host keeps and multiplies tiles with.

use crate::{Array, Error, Numbers, Part, Preferences, Real, Result, Tile};

/// A matrix that the host keeps: a row for each mask, with a number for each pixel of a frame. Products with it are computed
/// outside of the sandbox, straight from the files, with all that the processor can do: that is several times as fast as
/// [`kernels::add_dots`](crate::kernels::add_dots), and the more so the more masks there are.
///
/// A UDF that needs no pixels itself asks for none, by [`Preferences::in_host`](crate::Preferences::in_host).
#[derive(Debug)]
pub struct Matrix {
    n_rows: usize,
    kept: imp::Kept,
}

impl Matrix {
    /// Of `n_columns` numbers in each row, as many as a frame has pixels: shape `(n_rows, n_columns)`, C order.
    ///
    /// # Errors
    ///
    /// Where there are no whole rows.
    pub fn new<T: Part>(n_columns: usize, numbers: &[T]) -> Result<Self> {
        if n_columns == 0 || !numbers.len().is_multiple_of(n_columns) {
            return Err(Error::new(format!("{} numbers are no whole rows of {n_columns}", numbers.len())));
        }
        Ok(Self { n_rows: numbers.len() / n_columns, kept: imp::Kept::new(n_columns, numbers) })
    }

    /// Of a stack of masks, shape `(n_rows, ...sig)`.
    ///
    /// # Errors
    ///
    /// Where they are of another dtype than `f32` and `f64`, or there are none.
    pub fn of(masks: &Array) -> Result<Self> {
        let n_columns = masks.shape().iter().skip(1).product();
        match masks.numbers() {
            Numbers::F32(numbers) => Self::new(n_columns, numbers),
            Numbers::F64(numbers) => Self::new(n_columns, numbers),
            other => Err(Error::new(format!("the host multiplies with f32 and f64, not with {}", other.dtype()))),
        }
    }

    /// What a UDF asks for that needs nothing but products with such a stack of masks: no pixels, and many frames at a time
    /// where masks are so large that they have to be fetched anew for every tile.
    pub fn preferences(masks: &Array) -> Preferences {
        /// What is smaller stays in a cache from tile to tile.
        const LARGE: usize = 256 << 10;
        let preferences = Preferences::native().in_host();
        let n_bytes = masks.numbers().len() * masks.dtype().size();
        if n_bytes > LARGE { preferences.total_size(8 << 20) } else { preferences }
    }

    /// How many rows it has.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Within [`Udf::process`](crate::Udf::process): adds to `acc`, of shape `(n_frames, n_rows)`, the products of each frame of
    /// the tile with each row. A product is the sum over the pixels of the tile's block of pixel times number; some thousand of
    /// them are added up in the matrix's dtype, these sums in `f64`. The same bits on any machine.
    ///
    /// # Errors
    ///
    /// For complex pixels, and where `acc` is of another size.
    pub fn add_products<T: Real>(&self, acc: &mut [T], tile: &Tile) -> Result<()> {
        self.add(acc, tile, self.kept.products(tile, Zeros::Multiplied)?)
    }

    /// As [`Matrix::add_products`], but pixels where a row is zero do not count, as if they were zero themselves: what is
    /// infinite or not a number there does not spoil the product.
    ///
    /// # Errors
    ///
    /// As [`Matrix::add_products`].
    pub fn add_masked_products<T: Real>(&self, acc: &mut [T], tile: &Tile) -> Result<()> {
        self.add(acc, tile, self.kept.products(tile, Zeros::LeftOut)?)
    }

    fn add<T: Real>(&self, acc: &mut [T], tile: &Tile, products: Vec<f64>) -> Result<()> {
        if acc.len() != products.len() {
            let (n_frames, n_rows, len) = (tile.n_frames(), self.n_rows, acc.len());
            return Err(Error::new(format!("{n_frames} x {n_rows} products can't be added to {len} numbers")));
        }
        for (sum, product) in acc.iter_mut().zip(products) {
            *sum = sum.plus(T::from_f64(product));
        }
        Ok(())
    }
}

/// What becomes of pixels where a row is zero.
#[derive(Clone, Copy)]
enum Zeros {
    /// They are multiplied with zero.
    Multiplied,
    /// They do not count.
    LeftOut,
}

#[cfg(target_arch = "wasm32")]
mod imp {
    //! The import.

    use super::Zeros;
    use crate::{Part, Result, Tile, bindings::lthost::udf::kernels, cast};

    /// Bytes that are appended in one call.
    const APPENDED: usize = 4 << 20;

    #[derive(Debug)]
    pub(super) struct Kept(kernels::Matrix);

    impl Kept {
        pub(super) fn new<T: Part>(n_columns: usize, numbers: &[T]) -> Self {
            let matrix = kernels::Matrix::new(T::DTYPE.into(), n_columns as u64);
            cast::bytes(numbers).chunks(APPENDED).for_each(|bytes| matrix.append(bytes));
            Self(matrix)
        }

        #[expect(clippy::unnecessary_wraps, reason = "the stand-in sees what the host would refuse")]
        pub(super) fn products(&self, _: &Tile, zeros: Zeros) -> Result<Vec<f64>> {
            Ok(match zeros {
                Zeros::Multiplied => self.0.tile_products(),
                Zeros::LeftOut => self.0.masked_tile_products(),
            })
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    //! A stand-in: the SDK's own loops.

    use super::Zeros;
    use crate::{Numbers, Part, Pixel, Real, Result, Tile, bindings::Values, each_real, kernels};

    #[derive(Debug)]
    pub(super) struct Kept {
        n_columns: usize,
        numbers: Values,
    }

    impl Kept {
        pub(super) fn new<T: Part>(n_columns: usize, numbers: &[T]) -> Self {
            Self { n_columns, numbers: T::values(numbers) }
        }

        pub(super) fn products(&self, tile: &Tile, zeros: Zeros) -> Result<Vec<f64>> {
            match Numbers::of(&self.numbers) {
                Numbers::F32(numbers) => self.of_counts(numbers, tile, zeros),
                Numbers::F64(numbers) => self.of_counts(numbers, tile, zeros),
                _ => unreachable!("a `Part` is one of these"),
            }
        }

        /// Counts are taken as they are, all others as `T`.
        fn of_counts<T: Part>(&self, numbers: &[T], tile: &Tile, zeros: Zeros) -> Result<Vec<f64>>
        where
            u8: Pixel<T>,
            i8: Pixel<T>,
            u16: Pixel<T>,
            i16: Pixel<T>,
        {
            match tile.pixels() {
                Numbers::U8(pixels) => Ok(self.of(numbers, pixels, tile, zeros)),
                Numbers::I8(pixels) => Ok(self.of(numbers, pixels, tile, zeros)),
                Numbers::U16(pixels) => Ok(self.of(numbers, pixels, tile, zeros)),
                Numbers::I16(pixels) => Ok(self.of(numbers, pixels, tile, zeros)),
                pixels => each_real!(pixels, |pixels| {
                    let pixels: Vec<T> = pixels.iter().map(|pixel| T::from_f64(pixel.to_f64())).collect();
                    self.of(numbers, &pixels, tile, zeros)
                }),
            }
        }

        fn of<T: Part, P: Pixel<T>>(&self, numbers: &[T], pixels: &[P], tile: &Tile, zeros: Zeros) -> Vec<f64> {
            let mut products = vec![T::ZERO; tile.n_frames() * (numbers.len() / self.n_columns)];
            let stack = kernels::Stack { masks: numbers, mask_len: self.n_columns, start: tile.sig_start() };
            match zeros {
                Zeros::Multiplied => kernels::add_dots(&mut products, pixels, tile.block_len(), stack),
                Zeros::LeftOut => kernels::add_masked_dots(&mut products, pixels, tile.block_len(), stack),
            }
            products.into_iter().map(Real::to_f64).collect()
        }
    }
}
