//! A matrix that the host keeps and multiplies tiles with.

use crate::{Array, Error, Numbers, Part, Preferences, Result, Tile};

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

    /// Within [`Udf::process`](crate::Udf::process): the products of each frame of the tile with each row, shape
    /// `(n_frames, n_rows)`. A product is the sum over the pixels of the tile's block of pixel times number; some thousand of
    /// them are added up in the matrix's dtype, these sums in `f64`. The same bits on any machine.
    ///
    /// # Errors
    ///
    /// For complex pixels.
    pub fn tile_products(&self, tile: &Tile) -> Result<Vec<f64>> {
        self.kept.tile_products(tile)
    }

    /// As [`Matrix::tile_products`], but pixels where a row is zero do not count, as if they were zero themselves: what is
    /// infinite or not a number there does not spoil the product.
    ///
    /// # Errors
    ///
    /// For complex pixels.
    pub fn masked_tile_products(&self, tile: &Tile) -> Result<Vec<f64>> {
        self.kept.masked_tile_products(tile)
    }
}

#[cfg(target_arch = "wasm32")]
mod imp {
    //! The import.

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

        pub(super) fn tile_products(&self, _: &Tile) -> Result<Vec<f64>> {
            Ok(self.0.tile_products())
        }

        pub(super) fn masked_tile_products(&self, _: &Tile) -> Result<Vec<f64>> {
            Ok(self.0.masked_tile_products())
        }
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod imp {
    //! A stand-in.

    use crate::{Part, Real, Result, Tile, each_real};

    #[derive(Debug)]
    pub(super) struct Kept {
        n_columns: usize,
        numbers: Vec<f64>,
    }

    impl Kept {
        pub(super) fn new<T: Part>(n_columns: usize, numbers: &[T]) -> Self {
            Self { n_columns, numbers: numbers.iter().map(|number| number.to_f64()).collect() }
        }

        pub(super) fn tile_products(&self, tile: &Tile) -> Result<Vec<f64>> {
            self.products(tile, |pixel, number| pixel * number)
        }

        pub(super) fn masked_tile_products(&self, tile: &Tile) -> Result<Vec<f64>> {
            self.products(tile, |pixel, number| if number == 0.0 { 0.0 } else { pixel * number })
        }

        fn products(&self, tile: &Tile, product: impl Fn(f64, f64) -> f64 + Copy) -> Result<Vec<f64>> {
            each_real!(tile.pixels(), |pixels| {
                let rows = || self.numbers.chunks_exact(self.n_columns).map(|row| &row[tile.sig_start()..]);
                let products = tile.rows(pixels).flat_map(|frame| {
                    let product = move |(pixel, &number): (&_, &f64)| product(Real::to_f64(*pixel), number);
                    rows().map(move |row| frame.iter().zip(row).map(product).sum())
                });
                products.collect()
            })
        }
    }
}
