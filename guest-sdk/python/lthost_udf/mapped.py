"""A function of a frame as a whole UDF."""

import inspect
import re
from math import prod
from types import NoneType

from .data import Array, Frame
from .declare import Buffer, Parameter, Preferences
from .dtype import Dtype
from .udf import Udf

DECLARE = {
    bool: Parameter.flag,
    int: Parameter.integer,
    float: Parameter.number,
    str: Parameter.text,
    Dtype: Parameter.dtype,
    Array: Parameter.array,
}
# In the order of promotion.
DTYPES = {bool: Dtype.BOOL, int: Dtype.I64, float: Dtype.F64, complex: Dtype.C128}


def export_map(function, summary=None):
    """Makes a function of a frame a UDF: `@export_map` above it, or `export_map(function, "What it computes")`.

    It returns a number, a list of numbers (or of lists), or an `Array`; buffer `result` has that for each frame. Shape and
    dtype are found by calling it once for a frame of ones; `-> float` says that whole numbers are real ones, too.

    Its further arguments are parameters. Their type is that of their default, or what is annotated: `level: float = 0`;
    `float | None = None` may be absent. A line `level: brighter than this` in its documentation describes one.
    """
    signature = inspect.signature(function, eval_str=True)
    text, docs = documentation(function)
    arguments = list(signature.parameters.values())[1:]
    parameters = [parameter(function, argument, docs.get(argument.name, "")) for argument in arguments]
    monitor = Parameter.flag("monitor", default=False, doc="give the result of the last frame once more, as `monitor`")
    members = {
        "__doc__": summary or text,
        "__module__": function.__module__,
        "name": function.__name__,
        "parameters": [*parameters, monitor],
        "function": staticmethod(function),
        "returns": {signature.return_annotation} & set(DTYPES),
    }
    function.udf = type(function.__name__, (Mapped,), members)
    return function


class Mapped(Udf):
    """The UDF that maps a function over all frames."""

    processes = "frame"

    def __init__(self, params, meta):
        super().__init__(params, meta)
        self.is_monitored = params.pop("monitor")

    def preferences(self):
        # Python's numbers hold them all.
        return Preferences.native()

    def buffers(self, input_dtype):
        ones = input_dtype.filled(prod(self.meta.sig_shape), 1)
        _, self.shape, self.dtype = self.call(ones, input_dtype, 0)
        doc = "what the function returned for each frame"
        buffers = [Buffer.nav("result", self.dtype, extra_shape=self.shape, doc=doc)]
        if self.is_monitored:
            # Partitions merge in order: the last one that has frames stays.
            monitor = Buffer.single("monitor", self.dtype, extra_shape=self.shape, merge="assign", by_parts=True)
            monitor.fill = float("nan") if self.dtype in (Dtype.F64, Dtype.C128) else 0
            monitor.doc = "what the function returned for the last frame"
            buffers.append(monitor)
        return buffers

    def begin(self, partition, out):
        self.last = None

    def process(self, tile, out):
        entries = tile.rows(out["result"])
        for pixels, entry, frame_idx in zip(tile.rows(), entries, tile.frame_indices):
            numbers, shape, dtype = self.call(pixels, tile.dtype, frame_idx)
            if shape != self.shape or dtype != self.dtype:
                raise ValueError(
                    f"the result for frame {frame_idx} has shape {shape} and dtype {dtype}, expected {self.shape} and "
                    f"{self.dtype} as for a frame of ones (`-> float` makes all of them real)"
                )
            entry[:] = self.dtype.pack(numbers)
        self.last = max(self.last or 0, tile.roi_start + tile.n_frames - 1)

    def end(self, out):
        if self.is_monitored and self.last is not None:
            len_entry = prod(self.shape) * self.dtype.n_parts
            first = (self.last - out.partition.roi_start) * len_entry
            out.emit("monitor", 0, out["result"][first : first + len_entry])

    def call(self, pixels, dtype, frame_idx):
        """What the function returns for a frame: numbers, shape and dtype."""
        if dtype.is_complex:
            pixels = list(map(complex, pixels[::2], pixels[1::2]))
        frame = Frame(pixels, self.meta.sig_shape, frame_idx, self.meta.nav_shape)
        result = self.function(frame, **self.params)
        if isinstance(result, Array):
            return result.numbers, result.shape, result.dtype
        numbers, shape = flat(result)
        found = set(map(type, numbers)) | self.returns
        if not found <= set(DTYPES):
            strange = (found - set(DTYPES)).pop().__name__
            raise TypeError(f"the function returned {strange}, expected a number, lists of numbers or an Array")
        widest = [kind for kind in DTYPES if kind in found][-1]
        return numbers, shape, DTYPES[widest]


def flat(result):
    """The numbers of nested lists, and their shape."""
    if isinstance(result, (list, tuple, memoryview)) or hasattr(result, "typecode"):
        numbers = list(result)
        if not numbers or not isinstance(numbers[0], (list, tuple)):
            return numbers, (len(numbers),)
        parts = [flat(part) for part in numbers]
        if any(shape != parts[0][1] for _, shape in parts):
            raise ValueError("the function returned lists of different lengths")
        return [number for part, _ in parts for number in part], (len(parts), *parts[0][1])
    return [result], ()


def parameter(function, argument, doc):
    """The parameter that an argument of a function makes."""
    kind = argument.annotation
    is_required = argument.default is argument.empty
    default = None if is_required else argument.default
    if kind is argument.empty:
        kind = type(default)
    options = getattr(kind, "__args__", (kind,))
    kinds = [option for option in options if option is not NoneType]
    if len(kinds) != 1 or kinds[0] not in DECLARE:
        known = ", ".join(kind.__name__ for kind in DECLARE)
        raise TypeError(
            f"argument `{argument.name}` of `{function.__name__}` needs one type, like `{argument.name}: float`, out of {known}"
        )
    is_required = is_required and NoneType not in options
    return DECLARE[kinds[0]](argument.name, default=default, required=is_required, doc=doc)


def documentation(function):
    """The first line of a function's documentation, and what the others say of arguments."""
    first, _, rest = (inspect.getdoc(function) or "").partition("\n")
    return first, dict(re.findall(r"^(\w+): *(.+)", rest, re.MULTILINE))
