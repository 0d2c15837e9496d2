"""The class that a plugin derives from."""

from .declare import Preferences


class Error(Exception):
    """Why a UDF gives up: one sentence for the person who started the run, who reads it word for word. Lower case, no
    final period. Any other exception is a mistake of the UDF's, and is told with file and line."""


class Udf:
    """A user-defined function over a 4D-STEM data set, set up for one run.

                 worker, per partition                     main
        __init__ --> begin --> process (tile) x n --> end --> merge, in order --> results

    Below the class stand its name and parameters; the first line of its documentation says what it computes. Version,
    authors and licence are those of the file: `__version__`, `__author__`, `__license__`. Besides `buffers` and
    `process` all may be left out. Who has `preprocess`, `merge`, `merge_all`, `results` or `update` has them called:

        def preprocess(self, out)                   what merged buffers start with, where a fill value is not enough
        def merge(self, partition, dest, src, valid)    a partition's `src` into `dest`, for buffers that merge by
                                                    "custom"; `valid[i]` says if frame i of the ROI is in `dest`
        def merge_all(self, partials, out)          all at once instead: pairs of partition and buffers, in order
        def results(self, merged, valid, out)       what derives from merged buffers; may be called often
        def update(self, params)                    new values, from the next partition on
    """

    name = ""
    """Short: letters, digits, `_` and `-`."""
    parameters = ()
    """`Parameter`s."""
    processes = "tile"
    """What `process` can take: "tile" (any block of pixels of some frames), "frame" (whole ones), "partition" (all)."""

    def __init__(self, params, meta):
        """Checks the parameters against each other and the data set; sets up what lasts for the run."""
        self.params = params
        self.meta = meta

    def preferences(self):
        """How the UDF wants to be fed."""
        return Preferences.at_least("f32")

    def buffers(self, input_dtype):
        """The buffers, a list of `Buffer`. `input_dtype` is what tiles will have."""
        raise NotImplementedError(f"{type(self).__name__} declares no buffers: write `def buffers(self, input_dtype)`")

    def begin(self, partition, out):
        """Starts a partition. The buffers are fresh; only what the UDF itself keeps needs to be reset."""

    def process(self, tile, out):
        """Processes a tile. Tiles come in any order; together they hold every pixel of every frame once."""
        raise NotImplementedError(f"{type(self).__name__} processes nothing: write `def process(self, tile, out)`")

    def end(self, out):
        """Ends a partition: what is to be done once all its tiles are in. The buffers are then handed over."""


def log(message, level="info"):
    """Tells the user something: "error", "warn", "info" or "debug". `print` does it, too."""
    _log(level, str(message))


def _log(level, message):
    # In a plugin the adapter puts the host's function here.
    print(f"{level}: {message}")
