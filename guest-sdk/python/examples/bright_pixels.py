"""A function of a frame is a whole plugin: its arguments are parameters, its documentation is the plugin's."""

from lthost_udf import export_map

__author__ = "The lthost authors"
__license__ = "MIT OR Apache-2.0"


@export_map
def bright_pixels(frame, level: float = 0.5):
    """Number of bright pixels of each frame

    level: brighter than this
    """
    return sum(pixel > level for pixel in frame.pixels)
