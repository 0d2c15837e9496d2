"""Write a UDF (user-defined function) for lthost in Python: a class derived from `Udf`, or a function of a frame below
`@export_map`. `../README.md` is the way in."""

from .data import Array, Buffers, Frame, Meta, Output, Partial, Tile
from .declare import Buffer, Parameter, Preferences
from .dtype import Dtype
from .mapped import export_map
from .udf import Error, Udf, log

__all__ = [
    "Array",
    "Buffer",
    "Buffers",
    "Dtype",
    "Error",
    "Frame",
    "Meta",
    "Output",
    "Parameter",
    "Partial",
    "Preferences",
    "Tile",
    "Udf",
    "export_map",
    "log",
]
