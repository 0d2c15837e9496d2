// Radial profile of each frame: the mean of the pixels of every ring around a centre.
//
// Ring `k` has the pixels whose distance from the centre rounds to `k` times the width of a ring; a ring without pixels
// is 0. A frame may come in several tiles, so each tile adds its part to the means of its frames.
#include "lthost_udf.h"

typedef struct {
    size_t n_rings;
    size_t *of;     // ring of each pixel of a frame
    double *weight; // for each ring, one over the number of its pixels
} rings;

static lth_error create(lth_udf *udf) {
    lth_shape sig = udf->meta->sig_shape;
    if (sig.n_axes != 2)
        return lth_fail("radial needs frames of two dimensions, and these have %zu", sig.n_axes);
    double cy = lth_has(udf, "cy") ? lth_param_number(udf, "cy") : (sig.axes[0] - 1) / 2.0;
    double cx = lth_has(udf, "cx") ? lth_param_number(udf, "cx") : (sig.axes[1] - 1) / 2.0;
    double width = lth_param_number(udf, "width");
    rings *ring = udf->state = lth_alloc(rings, udf, 1);
    ring->of = lth_alloc(size_t, udf, udf->meta->n_pixels);
    for (size_t i = 0; i < udf->meta->n_pixels; i++) {
        ring->of[i] = lround(hypot(i / sig.axes[1] - cy, i % sig.axes[1] - cx) / width);
        if (ring->of[i] >= ring->n_rings)
            ring->n_rings = ring->of[i] + 1;
    }
    ring->weight = lth_alloc(double, udf, ring->n_rings);
    for (size_t i = 0; i < udf->meta->n_pixels; i++)
        ring->weight[ring->of[i]]++;
    for (size_t k = 0; k < ring->n_rings; k++)
        ring->weight[k] = 1 / ring->weight[k];
    return LTH_OK;
}

static lth_error buffers(lth_udf *udf, lth_dtype input) {
    const rings *ring = udf->state;
    lth_declare(udf, .name = "mean", .kind = LTH_NAV, .dtype = LTH_F64, .extra = LTH_SHAPE(ring->n_rings),
                .unit = "counts", .doc = "mean of the pixels of each ring");
    return LTH_OK;
}

static lth_error process_tile(lth_udf *udf, const lth_tile *tile) {
    const rings *ring = udf->state;
    const float *pixels = lth_pixels(float, tile);
    double *mean = lth_nav(double, udf, "mean", tile);
    for (size_t frame = 0; frame < tile->n_frames; frame++, pixels += tile->n_pixels, mean += ring->n_rings)
        for (size_t i = 0; i < tile->n_pixels; i++) {
            size_t k = ring->of[tile->sig_start + i];
            mean[k] += pixels[i] * ring->weight[k];
        }
    return LTH_OK;
}

LTH_UDF(.name = "radial", .summary = "Mean over the rings around a centre, for each frame", .version = "0.1.0",
        .license = "MIT OR Apache-2.0", .authors = LTH_TEXTS("The lthost developers"),
        .parameters = LTH_PARAMETERS(
            {"cy", {LTH_NUMBER}, .unit = "px", .doc = "row of the centre; the middle if not given"},
            {"cx", {LTH_NUMBER}, .unit = "px", .doc = "column of the centre; the middle if not given"},
            {"width", {LTH_NUMBER}, .default_value = LTH_DEFAULT(1), .range = LTH_RANGE(0.1, INFINITY), .unit = "px"}),
        .create = create, .buffers = buffers, .process_tile = process_tile);
