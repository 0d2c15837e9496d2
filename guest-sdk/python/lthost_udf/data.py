"""The data that a UDF sees: data set, tiles, frames, and its buffers."""

from dataclasses import dataclass, field
from math import prod

from .dtype import Dtype


@dataclass
class Meta:
    """The data set of a run, as far as a UDF may know it. `wit/udf.wit` has the details."""

    nav_shape: tuple
    sig_shape: tuple
    n_roi_frames: int
    dataset_dtype: Dtype
    role: str = "worker"
    roi: bytes | None = None
    corrections: object = None
    metadata: dict = field(default_factory=dict)

    @property
    def n_frames(self):
        return prod(self.nav_shape)


class Array:
    """Numbers with a shape, in C order. Those of a complex dtype have real and imaginary parts in turn."""

    def __init__(self, shape, dtype, numbers):
        self.shape = tuple(shape)
        self.dtype = Dtype(dtype)
        self.numbers = self.dtype.pack(numbers)
        if len(self.numbers) != prod(self.shape) * self.dtype.n_parts:
            raise ValueError(f"an array of shape {self.shape} cannot have {len(self.numbers)} elements")


@dataclass
class Tile:
    """A block of pixels of consecutive frames of one partition. Pixel `i` of the block is pixel `sig_start + i` of the
    flat frame."""

    meta: Meta
    dtype: Dtype
    roi_start: int
    """First frame, counted among those that the ROI selects."""
    frame_indices: object
    """The place of each frame among all of the scan."""
    sig_start: int
    sig_origin: tuple
    sig_shape: tuple
    sig_index: int
    pixels: memoryview | None
    """Flat, of shape `(n_frames, *sig_shape)`. Complex pixels are two numbers each."""
    sparse: tuple | None = None
    given: dict = field(default_factory=dict)

    @property
    def n_frames(self):
        return len(self.frame_indices)

    @property
    def block_len(self):
        """Pixels of the block."""
        return prod(self.sig_shape)

    def rows(self, numbers=None):
        """The pixels, or entries of these frames, as one slice for each frame."""
        numbers = self.pixels if numbers is None else numbers
        len_row = len(numbers) // self.n_frames
        return (numbers[start : start + len_row] for start in range(0, len(numbers), len_row))

    def csr(self):
        """For each frame the pixels of the block that are not zero, and their values; with `Preferences(csr=True)`."""
        indptr, indices, values = self.sparse
        n_parts = self.dtype.n_parts
        return (
            (indices[start:stop], values[start * n_parts : stop * n_parts])
            for start, stop in zip(indptr, indptr[1:])
        )

    def coordinates(self):
        """Where each frame is in the scan: `(y, x)`."""
        return (unravel(frame_idx, self.meta.nav_shape) for frame_idx in self.frame_indices)

    def aux(self, name):
        """The entries of an AUX parameter for these frames; `None` if it was not given."""
        return self.given.get(name)


class Frame:
    """A whole frame, in C order. `frame[y, x]` is a pixel."""

    def __init__(self, pixels, sig_shape, frame_idx=0, nav_shape=(1,)):
        self.pixels = pixels
        """Flat: `sum(frame.pixels)`."""
        self.sig_shape = sig_shape
        self.frame_idx = frame_idx
        """Its place among all frames of the scan. 0 for the frame of ones that tells the shape of the result."""
        self.nav_shape = nav_shape

    def rows(self):
        """Slices of pixels over the last axis."""
        width = self.sig_shape[-1]
        return (self.pixels[start : start + width] for start in range(0, len(self.pixels), width))

    def at(self):
        """Where it is in the scan: `(y, x)`."""
        return unravel(self.frame_idx, self.nav_shape)

    def __getitem__(self, index):
        if len(index) != len(self.sig_shape) or not all(0 <= at < n for at, n in zip(index, self.sig_shape)):
            raise IndexError(f"pixel {index} is outside of a frame of shape {self.sig_shape}")
        flat = 0
        for at, extent in zip(index, self.sig_shape):
            flat = flat * extent + at
        return self.pixels[flat]


class Buffers:
    """Buffers by name. `buffers["sum"]` are its numbers, flat, to be read and written; `buffers["sum"] = numbers`
    replaces them all. Complex ones are two numbers each."""

    def __init__(self, declared, views):
        self._declared = {buffer.name: buffer for buffer in declared}
        self._views = views

    def __getitem__(self, name):
        if name not in self._views:
            raise self._missing(name, self._views)
        return self._views[name]

    def __setitem__(self, name, numbers):
        view = self[name]
        numbers = self._declared[name].dtype.pack(numbers)
        if len(numbers) != len(view):
            raise ValueError(f"buffer `{name}` has {len(view)} elements here, and {len(numbers)} were given")
        view[:] = numbers

    def items(self):
        """Names and numbers of all that are here."""
        return self._views.items()

    @staticmethod
    def _missing(name, names):
        return LookupError(f"there is no buffer `{name}` here, only {', '.join(f'`{name}`' for name in names)}")


class Partial(Buffers):
    """The buffers of the partition at work. In `process`, `out["sum"]` is what belongs to the tile: of a nav buffer the
    entries of its frames, of a sig buffer its block of pixels."""

    def __init__(self, declared, meta):
        super().__init__(declared, {})
        self._meta = meta
        self._emit = None
        self._tile = None
        self.partition = None
        self.tiling = None

    def whole(self, name):
        """All of a buffer; of a nav buffer, the entries of the partition."""
        return super().__getitem__(name)

    def emit(self, name, offset, numbers):
        """Hands over part of a buffer that is declared `by_parts`, from element `offset` on; in `end` alone."""
        if self._emit is None or not self._declared[name].by_parts:
            raise ValueError(f"buffer `{name}` can be emitted only in `end`, and if it is `by_parts`")
        self._emit(name, offset, self._declared[name].dtype.pack(numbers))

    def __getitem__(self, name):
        view, tile = super().__getitem__(name), self._tile
        buffer = self._declared[name]
        if tile is None or buffer.kind == "single":
            return view
        len_entry = prod(buffer.extra_shape) * buffer.dtype.n_parts
        if buffer.kind == "nav":
            first, n_entries = tile.roi_start - self.partition.roi_start, tile.n_frames
        else:
            first, n_entries = tile.sig_start, tile.block_len
        return view[first * len_entry : (first + n_entries) * len_entry]

    # From here on for the adapter.

    def restart(self, partition, tiling):
        """Fresh buffers for a partition."""
        self.partition, self.tiling, self._tile, self._emit = partition, tiling, None, None
        n_frames = partition.roi_stop - partition.roi_start
        for name, buffer in self._declared.items():
            if buffer.usage != "result-only" and not buffer.by_parts:
                n_elements = buffer.n_elements(n_frames, self._meta.sig_shape)
                self._views[name] = buffer.dtype.filled(n_elements, buffer.fill)

    def look_at(self, tile):
        """From now on buffers are seen where the tile is."""
        self._tile = tile

    def finish(self, emit):
        """From now on they are seen whole, and the UDF may emit."""
        self._tile, self._emit = None, emit


class Output(Buffers):
    """Takes whole buffers: `out["mean"] = numbers`. Of those that it is not given, none is handed over."""

    def __init__(self, declared, meta):
        super().__init__(declared, {})
        self._meta = meta
        self.masks = {}

    def valid(self, name, mask):
        """Says of each element of a buffer whether it means something; in `results` alone."""
        self.masks[name] = bytes(map(bool, mask))

    def __getitem__(self, name):
        if name not in self._declared:
            raise self._missing(name, self._declared)
        if name not in self._views:
            buffer = self._declared[name]
            n_elements = buffer.n_elements(self._meta.n_roi_frames, self._meta.sig_shape)
            self._views[name] = buffer.dtype.filled(n_elements, buffer.fill)
        return self._views[name]


def unravel(flat, shape):
    """The index on each axis of the element that is number `flat` in C order."""
    index = []
    for extent in reversed(shape):
        flat, at = divmod(flat, extent)
        index.append(at)
    return tuple(reversed(index))
