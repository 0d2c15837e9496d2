"""What a UDF says of itself: its buffers, its parameters, how it wants to be fed."""

from dataclasses import dataclass, replace
from math import prod

from .dtype import Dtype


@dataclass
class Buffer:
    """One array of results: `Buffer.nav("intensity", "f64", extra_shape=[3], unit="counts")`.

    merge: how a partition's numbers enter the result: "assign", "sum", "product", "min", "max", or "custom" for
        `Udf.merge`. Only what has an entry per frame may leave it out: it is assigned.
    usage: "result"; "private" for what only `merge` and `results` see; "result-only" for what `results` makes.
    fill: what every element starts with. Infinity means an integer's largest or smallest.
    by_parts: the UDF keeps the numbers itself and hands them over in `end`, by `out.emit`.
    """

    name: str
    kind: str
    dtype: Dtype
    extra_shape: tuple = ()
    merge: str | None = None
    usage: str = "result"
    fill: float = 0
    unit: str = ""
    doc: str = ""
    by_parts: bool = False

    def __post_init__(self):
        self.dtype = Dtype(self.dtype)
        self.extra_shape = tuple(self.extra_shape)
        if self.merge is None:
            if self.kind != "nav" and self.usage != "result-only":
                raise ValueError(f"buffer `{self.name}` does not say how partitions become one: give it `merge=`")
            self.merge = "assign"

    @classmethod
    def nav(cls, name, dtype, **rest):
        """One entry per frame."""
        return cls(name, "nav", dtype, **rest)

    @classmethod
    def sig(cls, name, dtype, **rest):
        """One entry per detector pixel. Needs `merge`."""
        return cls(name, "sig", dtype, **rest)

    @classmethod
    def single(cls, name, dtype, **rest):
        """One entry, or the shape that `extra_shape` gives. Needs `merge`."""
        return cls(name, "single", dtype, **rest)

    def n_elements(self, n_frames, sig_shape):
        """Elements of the whole buffer, where a nav buffer has `n_frames` entries."""
        return {"nav": n_frames, "sig": prod(sig_shape), "single": 1}[self.kind] * prod(self.extra_shape)


@dataclass
class Parameter:
    """Declares a parameter: `Parameter.number("level", default=0.5, unit="counts", doc="brighter than this")`.

    Further: `required=True` for what the user has to give (what is neither required nor has a default may be absent:
    `None`), `minimum` and `maximum` of numbers, `choices` of texts.
    """

    name: str
    types: list
    default: object = None
    required: bool = False
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple = ()
    unit: str = ""
    doc: str = ""

    @classmethod
    def flag(cls, name, **rest):
        """True or false."""
        return cls(name, ["flag"], **rest)

    @classmethod
    def integer(cls, name, **rest):
        """A whole number."""
        return cls(name, ["integer"], **rest)

    @classmethod
    def number(cls, name, **rest):
        """A real number."""
        return cls(name, ["number"], **rest)

    @classmethod
    def text(cls, name, **rest):
        """Text."""
        return cls(name, ["text"], **rest)

    @classmethod
    def dtype(cls, name, **rest):
        """The name of a dtype, like `float32`."""
        return cls(name, ["dtype"], **rest)

    @classmethod
    def array(cls, name, axes=None, dtypes=(), **rest):
        """An `Array`. `axes` has for each axis its extent, "any", "sig" or "nav" (all axes of these); none for any."""
        return cls(name, [("array", axes, dtypes)], **rest)

    @classmethod
    def aux(cls, name, dtype, extra_shape=(), **rest):
        """AUX data: an entry for each frame of the scan. Their numbers come with the tiles: `tile.aux(name)`."""
        return cls(name, [("aux", dtype, extra_shape)], **rest)

    def __or__(self, other):
        """Takes what `other` takes, too: `Parameter.number("cx") | Parameter.aux("cx", "f64")`."""
        return replace(self, types=[*self.types, *other.types])


@dataclass
class Preferences:
    """How a UDF wants to be fed: `Preferences.exactly("f32", granularity="frame")`.

    granularity: "tile", "frame" or "partition", if it depends on parameters; what is always so, `Udf.processes` says.
    csr: sparse tiles, for `tile.csr()`.
    depth: at most so many frames in a tile. total_size: about so many bytes. split_rows: see `wit/udf.wit`.
    """

    input: tuple
    granularity: str | None = None
    csr: bool = False
    depth: int | None = None
    total_size: int | None = None
    split_rows: int | None = None

    @classmethod
    def native(cls, **rest):
        """Pixels as the data set stores them."""
        return cls(("native", None), **rest)

    @classmethod
    def at_least(cls, dtype, **rest):
        """The smallest dtype that holds this one and the data set's."""
        return cls(("at-least", dtype), **rest)

    @classmethod
    def exactly(cls, dtype, **rest):
        """This dtype, even if digits are lost."""
        return cls(("exactly", dtype), **rest)
