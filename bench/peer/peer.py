"""LiberTEM at the side of lthost: runs what it is asked for, and says how long that took.

    peer.py EXECUTOR N_WORKERS

A request is a line of JSON on stdin, and has one on stdout as its answer:

    {"dataset": "scan.npy", "udfs": [{"name": "sum"}, ..], "save": null}    ->    {"wall": seconds, "cpu": seconds}

`wall` is the time from the call to the last result in memory, `cpu` the processor time of all processes. UDFs of a request run
in one pass. Where `save` names a folder, the results that lthost has under the same names are written there as
`NUMBER-NAME.npy`, with the number of the UDF in the request. What fails is answered by {"error": text}. The first line,
without a request, is {"ready": true}.
"""

import functools
import json
import os
import signal
import sys
import time
import warnings

import libertem.api as lt
import numpy as np
import psutil
from libertem.udf import UDF
from libertem.udf.com import CoMUDF
from libertem.udf.FEM import FEMUDF
from libertem.udf.logsum import LogsumUDF
from libertem.udf.masks import ApplyMasksUDF
from libertem.udf.stddev import StdDevUDF
from libertem.udf.sum import SumUDF
from libertem.udf.sumsigudf import SumSigUDF


class ExtremaUDF(UDF):
    """Smallest and largest number of each pixel: there is none in LiberTEM, so it is written as its users would."""

    def get_result_buffers(self):
        dtype = self.meta.input_dtype
        return {"min": self.buffer(kind="sig", dtype=dtype), "max": self.buffer(kind="sig", dtype=dtype)}

    def preprocess(self):
        self.results.min[:] = np.inf
        self.results.max[:] = -np.inf

    def process_tile(self, tile):
        self.results.min[:] = np.minimum(self.results.min, np.min(tile, axis=0))
        self.results.max[:] = np.maximum(self.results.max, np.max(tile, axis=0))

    def merge(self, dest, src):
        dest.min[:] = np.minimum(dest.min, src.min)
        dest.max[:] = np.maximum(dest.max, src.max)


def sparse_stack(path):
    import sparse

    return sparse.COO.from_numpy(np.load(path))


def masks(factors, use_sparse=False):
    """`factors` names a file; `use_sparse` is false, or the library that multiplies without the zeros."""
    n_masks = len(np.load(factors, mmap_mode="r"))
    load = functools.partial(sparse_stack if use_sparse else np.load, factors)
    return ApplyMasksUDF(load, mask_count=n_masks, mask_dtype=np.float32, use_sparse=use_sparse)


def row_sums():
    """What `Context.map` makes of a function."""
    from libertem.udf.auto import AutoUDF

    return AutoUDF(f=functools.partial(np.sum, axis=-1))


# Each with the results that lthost has, too.
UDFS = {
    "sum": (SumUDF, ["intensity"]),
    "sumsig": (SumSigUDF, ["intensity"]),
    "stddev": (StdDevUDF, ["mean", "var", "std"]),
    "extrema": (ExtremaUDF, ["min", "max"]),
    "logsum": (LogsumUDF, ["logsum"]),
    "masks": (masks, ["intensity"]),
    "com": (CoMUDF.with_params, ["raw_com"]),
    "fem": (FEMUDF, ["intensity"]),
    "map": (row_sums, ["result"]),
}


def cpu_seconds():
    me = psutil.Process()
    times = [process.cpu_times() for process in [me, *me.children(recursive=True)]]
    return sum(time.user + time.system for time in times)


def run(ctx, dataset, udfs):
    """Wall clock, processor time, and the results of each UDF as arrays."""
    cpu, start = cpu_seconds(), time.perf_counter()
    made = [UDFS[udf["name"]][0](**{key: value for key, value in udf.items() if key != "name"}) for udf in udfs]
    results = [{name: np.asarray(buffer) for name, buffer in of.items()} for of in ctx.run_udf(dataset=dataset, udf=made)]
    wall = time.perf_counter() - start
    return wall, cpu_seconds() - cpu, results


def save(folder, udfs, results):
    for number, (udf, of) in enumerate(zip(udfs, results)):
        for name in UDFS[udf["name"]][1]:
            np.save(os.path.join(folder, f"{number}-{name}.npy"), np.ascontiguousarray(of[name], dtype=np.float64))


def serve(ctx, requests, answers):
    load = functools.cache(lambda path: ctx.load("npy", path=path))
    for line in requests:
        try:
            request = json.loads(line)
            wall, cpu, results = run(ctx, load(request["dataset"]), request["udfs"])
            if request["save"] is not None:
                save(request["save"], request["udfs"], results)
            answer = {"wall": wall, "cpu": cpu}
        except Exception as error:
            answer = {"error": repr(error)}
        print(json.dumps(answer), file=answers, flush=True)


def main():
    warnings.filterwarnings("ignore")
    executor, n_workers = sys.argv[1], int(sys.argv[2])
    # Whoever ends this, ends its workers.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(1))
    # Whatever else is printed must not be among the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    options = {} if executor == "inline" else {"cpus": n_workers}
    with lt.Context.make_with(executor, **options) as ctx:
        print(json.dumps({"ready": True}), file=answers, flush=True)
        serve(ctx, sys.stdin, answers)


if __name__ == "__main__":
    main()
