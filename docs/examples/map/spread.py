def spread(frame):
    """Standard deviation of the pixels of each frame"""
    n = len(frame.pixels)
    mean = sum(frame.pixels) / n
    return (sum((pixel - mean) ** 2 for pixel in frame.pixels) / n) ** 0.5
