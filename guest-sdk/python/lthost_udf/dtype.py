"""Element types, and numbers in memory."""

from array import array
from enum import Enum
from struct import calcsize


class Dtype(Enum):
    """Element type of tiles, buffers and arrays. Wherever one is asked for, its name will do: `"f32"` or `"float32"`."""

    BOOL = "bool", "?"
    U8 = "uint8", "B"
    U16 = "uint16", "H"
    U32 = "uint32", "I"
    U64 = "uint64", "Q"
    I8 = "int8", "b"
    I16 = "int16", "h"
    I32 = "int32", "i"
    I64 = "int64", "q"
    F32 = "float32", "f"
    F64 = "float64", "d"
    C64 = "complex64", "f"
    C128 = "complex128", "d"

    def __init__(self, numpy_name, format):
        self.numpy_name = numpy_name
        """As numpy has it."""
        self.format = format
        """As `struct` and `memoryview` have it; of a complex number, that of each of its parts."""
        self.is_complex = numpy_name.startswith("complex")
        self.is_float = numpy_name.startswith("float")
        self.n_parts = 2 if self.is_complex else 1
        """Numbers that `memoryview` sees for one element: 2 for a complex one, its real and its imaginary part."""
        self.size = calcsize(format) * self.n_parts
        """Bytes of one element."""

    @classmethod
    def _missing_(cls, name):
        return next((dtype for dtype in cls if name in (dtype.name.lower(), dtype.numpy_name)), None)

    def __str__(self):
        return self.numpy_name

    def view(self, data):
        """Little-endian bytes as numbers; nothing is copied."""
        return memoryview(data).cast(self.format)

    def pack(self, numbers):
        """Any numbers as memory that can be written."""
        if isinstance(numbers, memoryview) and numbers.format == self.format and numbers.ndim == 1:
            return numbers
        if self.is_complex:
            numbers = list(numbers)
            if any(isinstance(number, complex) for number in numbers):
                numbers = [part for number in numbers for part in (number.real, number.imag)]
        if self is Dtype.BOOL:
            return self.view(bytearray(map(bool, numbers)))
        return memoryview(array(self.format, numbers))

    def filled(self, n_elements, fill):
        """Memory with `n_elements` times `fill`."""
        if self.is_complex:
            element = [fill, 0.0]
        else:
            element = [fill if self.is_float else self._whole(fill)]
        return self.view(bytearray(self.pack(element).tobytes() * n_elements))

    def _whole(self, fill):
        """`fill` as a whole number; infinities are the largest and the smallest one."""
        bits = 1 if self is Dtype.BOOL else 8 * self.size
        is_signed = self.numpy_name.startswith("int")
        if fill == float("inf"):
            return 2 ** (bits - is_signed) - 1
        if fill == float("-inf"):
            return -(2 ** (bits - 1)) if is_signed else 0
        return int(fill)
