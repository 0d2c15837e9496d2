"""When does a pixel of the detector light up? For each pixel the brightest value, and the frame that has it.

The two belong together, which no standard merge knows: the class has a merge of its own.
"""

from math import inf

from lthost_udf import Buffer, Error, Parameter, Udf

__author__ = "The lthost authors"
__license__ = "MIT OR Apache-2.0"


class Brightest(Udf):
    """For each detector pixel, the frame in which it is brightest"""

    name = "brightest"
    parameters = [Parameter.number("least", default=1, unit="counts", doc="darker pixels have no such frame")]

    def __init__(self, params, meta):
        if meta.dataset_dtype.is_complex:
            raise Error("complex pixels have no order: take real data")
        self.least = params["least"]

    def buffers(self, input_dtype):
        return [
            Buffer.sig("largest", input_dtype, merge="custom", fill=-inf, unit="counts"),
            Buffer.sig("frame", "i64", merge="custom", fill=-1, doc="its index in the scan; -1 if there is none"),
        ]

    def process(self, tile, out):
        largest, frame = out["largest"], out["frame"]
        for frame_idx, pixels in zip(tile.frame_indices, tile.rows()):
            for i, pixel in enumerate(pixels):
                # Of equal ones the first of the scan, in whatever order the tiles come.
                if pixel > largest[i] or (pixel == largest[i] and frame_idx < frame[i]):
                    largest[i], frame[i] = pixel, frame_idx

    def merge(self, partition, dest, src, valid):
        # Partitions come in order: what is equal comes later in the scan.
        largest, frame = dest["largest"], dest["frame"]
        for i, (pixel, frame_idx) in enumerate(zip(src["largest"], src["frame"])):
            if pixel > largest[i]:
                largest[i], frame[i] = pixel, frame_idx

    def results(self, merged, valid, out):
        is_bright = [pixel >= self.least for pixel in merged["largest"]]
        out["frame"] = [frame_idx if bright else -1 for frame_idx, bright in zip(merged["frame"], is_bright)]
        out.valid("frame", is_bright)
