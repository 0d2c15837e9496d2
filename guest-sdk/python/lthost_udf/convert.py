"""Between the contract's types and those of this package. In a plugin alone."""

from wit_world.imports import types as wit

from .data import Array, Meta
from .dtype import Dtype

TYPES = {
    "flag": wit.ParameterType_Flag,
    "integer": wit.ParameterType_Integer,
    "number": wit.ParameterType_Number,
    "text": wit.ParameterType_Text,
    "dtype": wit.ParameterType_Dtype,
}
AXES = {"any": wit.Axis_Any, "sig": wit.Axis_Sig, "nav": wit.Axis_Nav}
INPUTS = {"native": wit.InputDtype_Native, "at-least": wit.InputDtype_AtLeast, "exactly": wit.InputDtype_Exactly}


def to_case(enum, name):
    """The case of one of the contract's enums that has this name there."""
    cases = {case.name.lower().replace("_", "-"): case for case in enum}
    if name not in cases:
        raise ValueError(f"there is no {enum.__name__.lower()} {name!r}, only {', '.join(cases)}")
    return cases[name]


def to_dtype(dtype):
    return wit.Dtype[Dtype(dtype).name]


def to_buffer(buffer):
    return wit.Buffer(
        buffer.name,
        to_case(wit.Kind, buffer.kind),
        to_dtype(buffer.dtype),
        list(buffer.extra_shape),
        to_case(wit.Usage, buffer.usage),
        to_case(wit.Merge, buffer.merge),
        float(buffer.fill),
        buffer.unit,
        buffer.doc,
    )


def to_preferences(preferences):
    how, dtype = preferences.input
    return wit.Preferences(
        INPUTS[how](*([] if dtype is None else [to_dtype(dtype)])),
        preferences.granularity and to_case(wit.Granularity, preferences.granularity),
        wit.TileForm.CSR if preferences.csr else wit.TileForm.BYTES,
        preferences.depth,
        preferences.total_size,
        preferences.split_rows,
    )


def to_parameter(parameter):
    return wit.Parameter(
        parameter.name,
        [to_type(one) for one in parameter.types],
        parameter.required,
        to_value(parameter.default, parameter.types),
        parameter.minimum,
        parameter.maximum,
        list(parameter.choices),
        parameter.unit,
        parameter.doc,
    )


def to_type(one):
    if isinstance(one, str):
        return TYPES[one]()
    if one[0] == "aux":
        _, dtype, extra_shape = one
        return wit.ParameterType_Aux(wit.AuxType(to_dtype(dtype), list(extra_shape)))
    _, axes, dtypes = one
    axes = axes and [AXES[axis]() if axis in AXES else wit.Axis_Fixed(axis) for axis in axes]
    return wit.ParameterType_Array(wit.ArrayType([to_dtype(dtype) for dtype in dtypes], axes))


def to_value(default, types):
    """A default as the contract has it: what Python takes for the same, like 1 and 1.0, the types tell apart."""
    if default is None:
        return wit.Value_Absent()
    if "dtype" in types:
        return wit.Value_Dtype(to_dtype(default))
    if isinstance(default, Array):
        case = getattr(wit, f"Values_{default.dtype.name.capitalize()}")
        numbers = default.numbers.tobytes() if default.dtype.size == 1 else default.numbers.tolist()
        return wit.Value_Array(wit.Array(list(default.shape), case(numbers)))
    if isinstance(default, bool):
        return wit.Value_Flag(default)
    if isinstance(default, str):
        return wit.Value_Text(default)
    if isinstance(default, int) and "integer" in types:
        return wit.Value_Integer(default)
    return wit.Value_Number(float(default))


def to_params(arguments):
    return {argument.name: to_python(argument.value) for argument in arguments}


def to_python(value):
    if isinstance(value, wit.Value_Absent):
        return None
    if isinstance(value, wit.Value_Dtype):
        return Dtype[value.value.name]
    if isinstance(value, wit.Value_Array):
        case = type(value.value.data).__name__.removeprefix("Values_")
        return Array(value.value.shape, Dtype[case.upper()], to_view(value.value.data))
    return value.value


def to_view(values):
    """Numbers of an array, which come as a list, or as bytes where they have one byte each."""
    dtype = Dtype[type(values).__name__.removeprefix("Values_").upper()]
    numbers = values.value
    return dtype.view(bytearray(numbers)) if isinstance(numbers, bytes) else dtype.pack(numbers)


def to_meta(meta):
    return Meta(
        tuple(meta.nav_shape),
        tuple(meta.sig_shape),
        meta.n_roi_frames,
        Dtype[meta.dataset_dtype.name],
        meta.role.name.lower(),
        meta.roi,
        meta.corrections,
        dict(meta.metadata),
    )
