def bright(frame, level: float = 0.5):
    """Number of bright pixels of each frame

    level: brighter than this
    """
    return sum(pixel > level for pixel in frame.pixels)
