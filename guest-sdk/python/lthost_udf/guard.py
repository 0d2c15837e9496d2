"""What a plugin has instead of a terminal and of files, and how an exception becomes an error. In a plugin alone."""

import builtins
import io
import os
import re
import sys
import time
import warnings
from functools import wraps

from componentize_py_types import Err
from wit_world.imports import host
from wit_world.imports import types as wit

from . import udf as authors
from .convert import to_case
from .udf import Error

SDK = __file__.rpartition("/")[0]
FOLDER = SDK.rpartition("/")[0]
# What can be imported while the plugin is built.
AT_HAND = {name.removesuffix(".py") for name in os.listdir(FOLDER)} | sys.stdlib_module_names
MAX_LINES = 8
CLOCK = ["monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns", "sleep", "time", "time_ns"]


def settle():
    """Does without what is there while a plugin is built and not when it runs. Asking for it would be a trap."""
    if isinstance(sys.stdout, Log):
        return
    authors._log = lambda level, message: host.log(to_case(wit.Level, level), message)
    sys.stdout, sys.stderr = Log("info"), Log("warn")
    warnings.showwarning = lambda message, *_: authors.log(message, "warn")
    # Builtin and frozen modules need no file.
    sys.meta_path[:] = [finder for finder in sys.meta_path if finder.__name__ != "PathFinder"]
    builtins.open = io.open = missing("files: let data be a parameter, an array")
    for name in CLOCK:
        setattr(time, name, missing("clock: `lthost run --profile` tells where the time goes"))


def missing(what):
    """Stands for a function that cannot work."""

    def refuse(*_, **__):
        raise OSError(f"a plugin has no {what}")

    return refuse


class Log:
    """A text file whose lines are logged."""

    def __init__(self, level):
        self.level = level
        self.line = ""

    def write(self, text):
        *lines, self.line = (self.line + text).split("\n")
        for line in lines:
            authors.log(line, self.level)
        return len(text)

    def flush(self):
        pass


class NotFound:
    """Is asked for a module that nobody else finds, and says why."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.partition(".")[0] not in AT_HAND:
            raise ModuleNotFoundError(
                f"there is no module `{name}` in Python's standard library, and a plugin has nothing else but `.py` files "
                "beside its own: no numpy either. `sum(row)`, `max(row)` and `math.sumprod` are fast; for more there is Rust "
                "or C",
                name=name,
            )
        # A part of what Python looks for and does without is missing while the plugin is built, too.
        if isinstance(sys.stdout, Log):
            raise ImportError(f"`{name}` can be imported only at the top of the file, which runs when the plugin is built")


sys.meta_path.append(NotFound)


def guarded(function):
    """Makes any exception the error that the contract has."""

    @wraps(function)
    def call(*args):
        try:
            return function(*args)
        except BaseException as error:
            raise Err(failure(error, getattr(args[0], "declared", []))) from None

    return call


def failure(error, declared):
    """What an exception says, and what led to it."""
    causes, cause = [], error.__cause__
    while cause is not None and len(causes) < MAX_LINES:
        causes.append(say(cause))
        cause = cause.__cause__
    lines = [] if isinstance(error, Error) else own_lines(error.__traceback__)
    return wit.Error("\n".join([say(error) + misfit(error, declared), *lines]), causes)


def misfit(error, declared):
    """Which buffers do not take a number, where an exception says so and knows just the letter of their dtype."""
    found = re.fullmatch(r"memoryview: invalid (type|value) for format '(.)'", str(error))
    buffers = [buffer for buffer in declared if found and buffer.dtype.format == found[2]]
    if not buffers:
        return ""
    names, dtype = ", ".join(f"`{buffer.name}`" for buffer in buffers), buffers[0].dtype
    if found[1] == "value":
        takes = "no number as small or as large as this"
    elif dtype.is_float or dtype.is_complex:
        takes = "real numbers"
    else:
        takes = "whole numbers: round what is stored, or declare it as `f64`"
    return f" (a buffer of {dtype}, like {names}, takes {takes})"


def say(error):
    if isinstance(error, Error):
        return str(error)
    if isinstance(error, MemoryError):
        return "MemoryError: the memory of the plugin is used up (raise --max-memory)"
    return ": ".join(filter(None, [type(error).__name__, str(error)]))


def own_lines(traceback):
    """The author's lines that led to an exception, innermost first. What the library of Python does, it does for them."""
    lines = []
    while traceback is not None:
        code = traceback.tb_frame.f_code
        if code.co_filename.startswith(FOLDER) and not code.co_filename.startswith(SDK):
            file = code.co_filename.removeprefix(FOLDER + "/")
            lines.append(f"at {code.co_qualname} ({file}:{traceback.tb_lineno})")
        traceback = traceback.tb_next
    # Each once, as a recursion repeats them.
    return list(dict.fromkeys(reversed(lines)))[:MAX_LINES]
