"""LiberTEM in a process of its own: what a user's script does who wants the sum of one small data set.

    once.py DATASET OUTPUT
"""

import sys

import libertem.api as lt
import numpy as np
from libertem.udf.sum import SumUDF

if __name__ == "__main__":
    dataset, output = sys.argv[1:]
    # The executor that is there first.
    with lt.Context.make_with("inline") as ctx:
        results = ctx.run_udf(dataset=ctx.load("npy", path=dataset), udf=SumUDF())
        np.save(output, results["intensity"].data)
