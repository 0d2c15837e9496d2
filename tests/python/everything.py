"""Every function of the contract once, in Python; `python.rs` knows the numbers."""

import random

from lthost_udf import Array, Buffer, Error, Parameter, Preferences, Udf, log

__version__ = "1.2.3"
__author__ = "Somebody"


class Base(Udf):
    """Others derive from it: it is no plugin."""

    def begin(self, partition, out):
        self.order = []


class Everything(Base):
    """Every function of the contract."""

    name = "everything"
    parameters = [
        Parameter.flag("csr", default=False, doc="take sparse tiles"),
        Parameter.text("fail", default="never", choices=["never", "refuse", "break", "import", "numpy", "real", "large"]),
        Parameter.array("scale", axes=[2], default=Array([2], "f64", [1.0, 2.0])),
        Parameter.number("weight", default=3) | Parameter.aux("weight", "i32"),
        Parameter.dtype("dtype", default="i64"),
        Parameter.integer("absent", minimum=0, maximum=9),
    ]

    def __init__(self, params, meta):
        super().__init__(params, meta)
        assert params["absent"] is None
        if params["fail"] == "refuse":
            try:
                int("many")
            except ValueError as error:
                raise Error("this scan will not do") from error

    def preferences(self):
        return Preferences.exactly("u32", csr=self.params["csr"])

    def buffers(self, input_dtype):
        return [
            Buffer.nav("sums", "c128", extra_shape=[2]),
            Buffer.nav("order", "i32", by_parts=True, usage="private"),
            Buffer.sig("total", self.params["dtype"], merge="sum"),
            Buffer.single("longest", "i64", merge="custom"),
            Buffer.single("any", "bool", merge="max", extra_shape=[2]),
            Buffer.sig("mean", "f64", usage="result-only", fill=-1),
            Buffer.single("drawn", "f64", merge="sum"),
        ]

    def preprocess(self, out):
        out["total"] = [7] * len(out["total"])

    def process(self, tile, out):
        if self.params["fail"] == "break":
            broken()
        if self.params["fail"] == "import":
            import fractions  # noqa: F401
        if self.params["fail"] == "numpy":
            import numpy  # noqa: F401
        if self.params["fail"] == "real":
            out["total"][0] = 1.5
        if self.params["fail"] == "large":
            out["total"][0] = 1 << 63
        weights = tile.aux("weight") or [self.params["weight"]] * tile.n_frames
        sums, total = out["sums"], out["total"]
        for i, (pixels, values) in enumerate(tile.csr() if self.params["csr"] else dense(tile)):
            sums[4 * i] += sum(values)
            sums[4 * i + 3] += sum(values) * weights[i]
            for pixel, value in zip(pixels, values):
                total[pixel] += value
        if tile.sig_index == 0:
            self.order += [1000 * y + x for y, x in tile.coordinates()]
        out["any"] = [True, False]

    def end(self, out):
        for i, place in enumerate(self.order):
            out.emit("order", i, [place])
        sums = out["sums"]
        for i, scale in enumerate(self.params["scale"].numbers):
            for at in range(2 * i, len(sums), 4):
                sums[at] *= scale
                sums[at + 1] *= scale
        out["longest"][0] = len(self.order)
        out["drawn"] = [random.random()]

    def merge_all(self, partials, out):
        out["longest"] = [max(buffers["longest"][0] for _, buffers in partials)]

    def results(self, merged, valid, out):
        print("merged", sum(valid), end=" frames\n")
        assert merged["order"][-1] == 1000 * 3 + 4
        out["mean"] = [total / sum(valid) for total in merged["total"]]
        out.valid("mean", [total > 100 for total in merged["total"]])
        log("done", "debug")


def dense(tile):
    return ((range(tile.block_len), row) for row in tile.rows())


def broken():
    return {}["key"]
