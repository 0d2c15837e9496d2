//! The run as a UDF sees it, and how the UDF wants to be fed.

use crate::Dtype;

/// On which thread an instance lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Processes partitions.
    Worker,
    /// Merges and makes results.
    Main,
}

/// The data set of a run, as far as a UDF may know it.
#[derive(Debug, Clone)]
pub struct Meta {
    /// What this instance is for.
    pub role: Role,
    /// Extents of the scan axes, slow axis first: `(ny, nx)`. At least one.
    pub nav_shape: Vec<usize>,
    /// Extents of the detector axes, slow axis first: `(sy, sx)`. At least one.
    pub sig_shape: Vec<usize>,
    /// Frames that the ROI selects; entries of nav buffers.
    pub n_roi_frames: usize,
    /// For each frame of the scan whether the ROI selects it; none without a ROI.
    pub roi: Option<Vec<bool>>,
    /// How the data set stores its numbers.
    pub dataset_dtype: Dtype,
    /// What is done to the pixels before the UDF sees them; none if nothing is.
    pub corrections: Option<Corrections>,
    /// What the file says of itself: key and text.
    pub metadata: Vec<(String, String)>,
}

impl Meta {
    /// Frames of the scan: the product of `nav_shape`.
    pub fn n_frames(&self) -> usize {
        self.nav_shape.iter().product()
    }

    /// Pixels of a frame: the product of `sig_shape`.
    pub fn sig_size(&self) -> usize {
        self.sig_shape.iter().product()
    }

    /// `preferences`, but counts of a detector as they are stored, for kernels that take them: see [`Pixel`](crate::Pixel).
    pub fn counts_or(&self, preferences: Preferences) -> Preferences {
        if self.has_counts() { Preferences { input: Input::Native, ..preferences } } else { preferences }
    }

    /// Whether pixels are whole numbers of 8 or 16 bits, as detectors count.
    pub fn has_counts(&self) -> bool {
        let native = self.input_dtype(&Preferences::native());
        matches!(native, Dtype::U8 | Dtype::I8 | Dtype::U16 | Dtype::I16)
    }

    /// The dtype that tiles will have if the UDF asks for `preferences`.
    pub fn input_dtype(&self, preferences: &Preferences) -> Dtype {
        let corrected =
            if self.corrections.is_some() { Dtype::F32.promote(self.dataset_dtype) } else { self.dataset_dtype };
        match preferences.input {
            Input::Native => corrected,
            Input::AtLeast(dtype) => corrected.promote(dtype),
            Input::Exactly(dtype) => dtype,
        }
    }
}

/// What is done to pixels: `(pixel - dark) * gain`, then each excluded pixel becomes the mean of those of its neighbours
/// that are not excluded.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Corrections {
    /// One number per pixel of a frame; none for zeros.
    pub dark: Option<Vec<f64>>,
    /// One number per pixel of a frame; none for ones.
    pub gain: Option<Vec<f64>>,
    /// Pixels of the flat frame, ascending.
    pub excluded: Vec<usize>,
}

/// The tiles that the UDFs of a pass agreed on: every block, for every `depth` frames.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tiling {
    /// Frames of a tile; the last one of a partition may have fewer.
    pub depth: usize,
    /// Blocks of pixels; [`Tile::sig_index`](crate::Tile::sig_index) counts them.
    pub blocks: Vec<Block>,
}

/// A block of pixels that is contiguous in a frame.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Block {
    /// First pixel in the flat frame.
    pub start: usize,
    /// Where it starts on each sig axis.
    pub origin: Vec<usize>,
    /// Extent on each sig axis.
    pub shape: Vec<usize>,
}

/// A run of frames; the unit of work and of merging.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Partition {
    /// Number of the partition, counted over the whole scan.
    pub index: usize,
    /// First frame, as frame index.
    pub frame_start: usize,
    /// One past the last frame, as frame index.
    pub frame_stop: usize,
    /// First frame, as ROI index.
    pub roi_start: usize,
    /// One past the last frame, as ROI index.
    pub roi_stop: usize,
}

impl Partition {
    /// Frames that the ROI selects of it: entries of its nav buffers.
    pub fn n_roi_frames(&self) -> usize {
        self.roi_stop.saturating_sub(self.roi_start)
    }
}

/// In which dtype a UDF wants its tiles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Input {
    /// As the data set stores them.
    Native,
    /// The smallest dtype that holds this one and the data set's.
    AtLeast(Dtype),
    /// This dtype, even if digits are lost.
    Exactly(Dtype),
}

/// What one call of `process` gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Granularity {
    /// Any block of pixels of any number of frames.
    Tile,
    /// Whole frames, any number of them.
    Frame,
    /// All frames of the partition at once.
    Partition,
}

/// How a UDF wants to be fed: `Preferences::at_least(Dtype::F32).by_frame()`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Preferences {
    pub(crate) input: Input,
    pub(crate) granularity: Option<Granularity>,
    pub(crate) form: Form,
    pub(crate) depth: Option<u64>,
    pub(crate) total_size: Option<u64>,
    pub(crate) split_rows: Option<u64>,
}

/// In which form tiles are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Dense,
    Csr,
    InHost,
}

impl Preferences {
    /// Tiles as the data set stores them.
    pub fn native() -> Self {
        Self::new(Input::Native)
    }

    /// Tiles of the smallest dtype that holds `dtype` and the data set's: of `f32`, u16 data come as `f32`, u32 data
    /// as `f64`, complex data as `c64`.
    pub fn at_least(dtype: Dtype) -> Self {
        Self::new(Input::AtLeast(dtype))
    }

    /// Tiles of `dtype`, even if digits are lost. Complex data as real numbers are refused.
    pub fn exactly(dtype: Dtype) -> Self {
        Self::new(Input::Exactly(dtype))
    }

    fn new(input: Input) -> Self {
        Self { input, granularity: None, form: Form::Dense, depth: None, total_size: None, split_rows: None }
    }

    /// Whole frames, any number of them in a tile: for a UDF that decides by its parameters. One that always needs them
    /// says so by [`Manifest::by_frame`](crate::Manifest::by_frame).
    #[must_use]
    pub fn by_frame(mut self) -> Self {
        self.granularity = Some(Granularity::Frame);
        self
    }

    /// All frames of a partition in one tile: for a UDF that decides by its parameters. One that always needs them says so
    /// by [`Manifest::by_partition`](crate::Manifest::by_partition).
    #[must_use]
    pub fn by_partition(mut self) -> Self {
        self.granularity = Some(Granularity::Partition);
        self
    }

    /// Sparse tiles: [`Tile::csr`](crate::Tile::csr) has the pixels that are not zero.
    #[must_use]
    pub fn csr(mut self) -> Self {
        self.form = Form::Csr;
        self
    }

    /// No pixels: the UDF has the host compute with them, by [`Matrix`](crate::Matrix), [`PixelSums`](crate::PixelSums),
    /// [`PixelMoments`](crate::PixelMoments) or [`frame_sums`](crate::frame_sums).
    #[must_use]
    pub fn in_host(mut self) -> Self {
        self.form = Form::InHost;
        self
    }

    /// Never more than `n_frames` in a tile, and about that many if possible.
    #[must_use]
    pub fn depth(mut self, n_frames: u64) -> Self {
        self.depth = Some(n_frames);
        self
    }

    /// About as many bytes in a tile.
    #[must_use]
    pub fn total_size(mut self, n_bytes: u64) -> Self {
        self.total_size = Some(n_bytes);
        self
    }

    /// Where frames are split, blocks are whole multiples of `n_rows` rows of the first sig axis; only the last one may
    /// have fewer.
    #[must_use]
    pub fn split_rows(mut self, n_rows: u64) -> Self {
        self.split_rows = Some(n_rows);
        self
    }
}

impl Default for Preferences {
    /// Tiles of at least `f32`, of any size.
    fn default() -> Self {
        Self::at_least(Dtype::F32)
    }
}
