"""Between the contract and a `Udf`: receives the host's calls, keeps the buffers, and emits them. In a plugin alone."""

import random

from wit_world.imports import host
from wit_world.imports import types as wit

from .convert import to_buffer, to_case, to_meta, to_parameter, to_params, to_preferences, to_view
from .data import Buffers, Output, Partial, Tile
from .dtype import Dtype
from .guard import guarded, settle
from .mapped import export_map
from .udf import Error, Udf

GRANULARITIES = ["tile", "frame", "partition"]


def plugin(module_name, function=None):
    """What componentize-py exports of the UDF in a module: a class with `describe`, and the contract's resource. The UDF
    may be a function of a frame that the module does not export itself."""
    module = __import__(module_name)
    if function:
        export_map(getattr(module, function))
    udf = find(module)
    described = manifest(udf, module)

    class Plugin:
        def describe(self):
            settle()
            return described

    class Resource(Instance):
        UDF = udf

    return Plugin, Resource


def find(module):
    """The one UDF in a module. A class that others derive from is none."""
    here = [one for one in vars(module).values() if getattr(one, "__module__", None) == module.__name__]
    classes = [one for one in here if isinstance(one, type) and issubclass(one, Udf) and not one.__subclasses__()]
    udfs = list(dict.fromkeys(classes + [one.udf for one in here if hasattr(one, "udf")]))
    if len(udfs) != 1:
        found = ", ".join(f"`{udf.__name__}`" for udf in udfs) or "none"
        raise Error(
            f"a plugin is one UDF, and in {module.__name__}.py there is {found}: "
            "derive one class from `Udf`, or write `@export_map` above one function"
        )
    return udfs[0]


def manifest(udf, module):
    if not udf.name:
        raise Error(f"class `{udf.__name__}` has no name: write `name = \"..\"` below its first line")
    has = wit.Capabilities(0)
    for capability in wit.Capabilities:
        if hasattr(udf, capability.name.lower()):
            has |= capability
    # Who can take small portions can take large ones, too.
    can_take = wit.Granularities(0)
    for granularity in GRANULARITIES[GRANULARITIES.index(udf.processes) :]:
        can_take |= to_case(wit.Granularities, granularity)
    author = getattr(module, "__author__", None)
    return wit.Manifest(
        udf.name,
        getattr(module, "__version__", "0.1.0"),
        (udf.__doc__ or "").strip().partition("\n")[0].removesuffix("."),
        [author] if author else [],
        getattr(module, "__license__", ""),
        [to_parameter(parameter) for parameter in udf.parameters],
        can_take,
        has,
    )


class Instance:
    """A UDF set up for a run, with its buffers."""

    UDF = Udf

    @classmethod
    @guarded
    def create(cls, arguments, meta):
        settle()
        self = cls()
        self.meta = to_meta(meta)
        params = to_params(arguments)
        # AUX data do not come as arguments: what is declared as AUX data and is missing there was given.
        aux = [parameter.name for parameter in cls.UDF.parameters if any(one[0] == "aux" for one in parameter.types)]
        self.aux_names = [name for name in aux if name not in params]
        self.udf = cls.UDF(params, self.meta)
        return self

    @guarded
    def preferences(self):
        return to_preferences(self.udf.preferences())

    @guarded
    def buffers(self, input):
        self.input = Dtype[input.name]
        self.declared = self.udf.buffers(self.input)
        self.partial = Partial(self.declared, self.meta)
        return [to_buffer(buffer) for buffer in self.declared]

    @guarded
    def preprocess(self):
        out = Output(self.declared, self.meta)
        self.udf.preprocess(out)
        self.emit_all(out)

    @guarded
    def begin(self, partition, tiling):
        # Else what is drawn would depend on the partitions that this instance had before.
        random.seed(partition.index)
        self.partial.restart(partition, tiling)
        self.udf.begin(partition, self.partial)

    def window(self, memory):
        pass  # never called: tiles are asked for as bytes

    @guarded
    def process(self, tile):
        tile = self.tile(tile)
        self.partial.look_at(tile)
        self.udf.process(tile, self.partial)

    @guarded
    def end(self):
        self.partial.finish(self.emit)
        self.udf.end(self.partial)
        self.emit_all(self.partial)

    @guarded
    def merge(self, partition, dest, src, valid):
        dest, src = self.received(dest), self.received(src)
        self.udf.merge(partition, dest, src, valid)
        for buffer in self.declared:
            if buffer.merge == "custom" and buffer.usage != "result-only":
                self.emit(buffer.name, 0, dest[buffer.name])

    @guarded
    def merge_all(self, partials):
        out = Output(self.declared, self.meta)
        pairs = [(partial.partition, self.received(partial.buffers)) for partial in partials]
        self.udf.merge_all(pairs, out)
        self.emit_all(out)

    @guarded
    def results(self, merged, valid):
        out = Output(self.declared, self.meta)
        self.udf.results(self.received(merged), valid, out)
        self.emit_all(out)
        for name, mask in out.masks.items():
            host.emit_mask(self.position(name), mask)

    @guarded
    def update(self, arguments):
        self.udf.update(to_params(arguments))

    def tile(self, tile):
        is_run = isinstance(tile.frames, wit.Frames_Consecutive)
        first = tile.frames.value
        is_csr = isinstance(tile.data, wit.TileData_Csr)
        csr = tile.data.value
        return Tile(
            meta=self.meta,
            dtype=self.input,
            roi_start=tile.roi_start,
            frame_indices=range(first, first + tile.n_frames) if is_run else tile.frames.value,
            sig_start=tile.sig_start,
            sig_origin=tuple(tile.sig_origin),
            sig_shape=tuple(tile.sig_shape),
            sig_index=tile.sig_index,
            pixels=None if is_csr else self.input.view(tile.data.value),
            sparse=(csr.indptr, csr.indices, to_view(csr.values)) if is_csr else None,
            given={name: to_view(array.data) for name, array in zip(self.aux_names, tile.aux)},
        )

    def received(self, arrays):
        merged = [buffer for buffer in self.declared if buffer.usage != "result-only"]
        return Buffers(merged, {buffer.name: to_view(array.data) for buffer, array in zip(merged, arrays)})

    def emit_all(self, buffers):
        for name, numbers in buffers.items():
            self.emit(name, 0, numbers)

    def emit(self, name, offset, numbers):
        host.emit(self.position(name), offset, numbers.tobytes())

    def position(self, name):
        return [buffer.name for buffer in self.declared].index(name)
