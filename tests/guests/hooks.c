// Uses all that the SDK for C has: every hook, parameters of every type, buffers of every dtype, AUX data, sparse tiles,
// logs, and every way to fail. `suite/c_plugins.rs` knows what must come of it.
//
// With -DONE_STEP it merges all partitions at once.
#include "lthost_udf.h"

#include <assert.h>

static const lth_array NUMBERS = {LTH_F64, LTH_SHAPE(2), 2, (double[]){0.5, 1.5}};

typedef struct {
    double scale;
    size_t n_updates;
    size_t n_frames, n_numbers; // since `begin`
} state;

static int sink;

__attribute__((noinline)) static int recurse(int n) {
    volatile char room[4096];
    room[n % 4096] = n;
    return n == sink ? 0 : recurse(n + 1) + room[n % 4096];
}

// Fails as it is told to, if this is the place.
static lth_error fail(lth_udf *udf, const char *place) {
    if (strcmp(lth_param_text(udf, "at"), place))
        return LTH_OK;
    const char *how = lth_param_text(udf, "fail");
    if (!strcmp(how, "error")) {
        lth_cause("the %s cause", "outer");
        lth_cause("the inner cause");
        return lth_fail("%s failed as it was told to, %d times", place, 1);
    }
    if (!strcmp(how, "plain"))
        return "no more than a sentence";
    if (!strcmp(how, "long"))
        return lth_fail("%01998d\u00b5%s", 0, "and so on");
    if (!strcmp(how, "panic"))
        lth_panic("%zu is no number of axes", (size_t)7);
    if (!strcmp(how, "assert"))
        assert(udf->meta->n_frames == 0);
    if (!strcmp(how, "abort"))
        abort();
    if (!strcmp(how, "memory"))
        for (;;)
            lth_scratch(char, 100 << 20);
    if (!strcmp(how, "size"))
        lth_scratch(double, SIZE_MAX / 4);
    if (!strcmp(how, "stack"))
        sink = -1, sink = recurse(0);
    if (!strcmp(how, "wild"))
        *(volatile int *)((size_t)-1) = 1;
    if (!strcmp(how, "parameter"))
        lth_param_text(udf, "scales");
    if (!strcmp(how, "absent"))
        lth_param_number(udf, "absent");
    if (!strcmp(how, "type"))
        lth_param_text(udf, "scale");
    if (!strcmp(how, "buffer"))
        lth_all(float, udf->partial, "sums");
    if (!strcmp(how, "dtype"))
        lth_all(float, udf->partial, "sum");
    if (!strcmp(how, "result-only"))
        lth_all(double, udf->partial, "mean");
    if (!strcmp(how, "emit"))
        lth_emit(udf, "sum", 0, (double[]){1}, 1);
    return LTH_OK;
}

static lth_error create(lth_udf *udf) {
    state *own = udf->state = lth_alloc(state, udf, 1);
    const lth_meta *meta = udf->meta;
    own->scale = lth_param_number(udf, "scale");
    if (!meta->is_worker) {
        lth_log(LTH_INFO, "nav %zux%zu sig %zux%zu frames %zu of %zu pixels %zu roi %d stored as %s corrected %d",
                meta->nav_shape.axes[0], meta->nav_shape.axes[1], meta->sig_shape.axes[0], meta->sig_shape.axes[1],
                meta->n_roi_frames, meta->n_frames, meta->n_pixels, meta->roi ? meta->roi[0] : -1,
                lth_dtype_name(meta->dataset_dtype), meta->corrections != NULL);
        if (meta->corrections)
            lth_log(LTH_INFO, "dark %g gain %g excluded %zu first %zu", meta->corrections->dark[1],
                    meta->corrections->gain ? 1.0 : 0.0, meta->corrections->n_excluded, meta->corrections->excluded[0]);
        for (size_t i = 0; i < meta->n_metadata; i++)
            lth_log(LTH_DEBUG, "%s: %s", meta->metadata[i].key, meta->metadata[i].text);
        const lth_array *numbers = lth_param_array(udf, "numbers"), *pattern = lth_param_array(udf, "pattern");
        lth_log(LTH_WARN, "flag %d integer %lld number %g text %s dtype %s numbers %g %g pattern %zux%zu %s",
                lth_param_flag(udf, "flag"), lth_param_integer(udf, "integer"), own->scale, lth_param_text(udf, "text"),
                lth_dtype_name(lth_param_dtype(udf, "dtype")), lth_values(double, numbers)[0],
                lth_values(double, numbers)[numbers->len - 1], pattern->shape.axes[0], pattern->shape.axes[1],
                lth_dtype_name(pattern->dtype));
        lth_log(LTH_INFO, "absent %d either %s weights %d", lth_has(udf, "absent"),
                lth_param_type(udf, "either") == LTH_TEXT ? lth_param_text(udf, "either") : "a number",
                lth_param_type(udf, "weights") == LTH_AUX);
    }
    return fail(udf, "create");
}

static lth_error preferences(lth_udf *udf, lth_preferences *prefer) {
    const char *by = lth_param_text(udf, "by");
    prefer->granularity = !strcmp(by, "tile") ? LTH_TILE : !strcmp(by, "frame") ? LTH_FRAME : LTH_PARTITION;
    prefer->input = LTH_AT_LEAST(lth_param_dtype(udf, "dtype"));
    if (lth_param_flag(udf, "flag"))
        prefer->form = LTH_CSR;
    return fail(udf, "preferences");
}

static lth_error buffers(lth_udf *udf, lth_dtype input) {
    lth_declare(udf, .name = "sum", .kind = LTH_NAV, .dtype = LTH_F64, .unit = "counts");
    lth_declare(udf, .name = "place", .kind = LTH_NAV, .dtype = LTH_I64, .extra = LTH_SHAPE(2), .fill = -1);
    lth_declare(udf, .name = "weighted", .kind = LTH_NAV, .dtype = LTH_F32, .fill = NAN);
    lth_declare(udf, .name = "depth", .kind = LTH_NAV, .dtype = LTH_U32);
    lth_declare(udf, .name = "blocks", .kind = LTH_NAV, .dtype = LTH_U32);
    lth_declare(udf, .name = "updates", .kind = LTH_NAV, .dtype = LTH_U32);
    lth_declare(udf, .name = "largest", .kind = LTH_SIG, .dtype = LTH_F64, .fill = -INFINITY, .merge = LTH_MAX);
    lth_declare(udf, .name = "initial", .kind = LTH_SINGLE, .dtype = LTH_F64, .extra = LTH_SHAPE(3), .merge = LTH_SUM);
    lth_declare(udf, .name = "before", .kind = LTH_SINGLE, .dtype = LTH_I64, .extra = LTH_SHAPE(8), .fill = -1,
                .merge = LTH_CUSTOM, .doc = "frames that were merged before each partition");
    lth_declare(udf, .name = "hidden", .kind = LTH_SINGLE, .dtype = LTH_F64, .usage = LTH_PRIVATE, .merge = LTH_SUM);
    lth_declare(udf, .name = "parts", .kind = LTH_SINGLE, .dtype = LTH_U16, .extra = LTH_SHAPE(8), .by_parts = true,
                .merge = LTH_ASSIGN);
    lth_declare(udf, .name = "mean", .kind = LTH_SINGLE, .dtype = LTH_F64, .usage = LTH_RESULT_ONLY);
    lth_declare(udf, .name = "even", .kind = LTH_NAV, .dtype = LTH_F64, .usage = LTH_RESULT_ONLY);
    for (lth_dtype dtype = LTH_BOOL; dtype <= LTH_C128; dtype++) {
        char name[32];
        snprintf(name, sizeof name, "most_%s", lth_dtype_name(dtype));
        lth_declare(udf, .name = name, .kind = LTH_SINGLE, .dtype = dtype, .extra = LTH_SHAPE(2, 1),
                    .fill = dtype == LTH_BOOL ? 1 : INFINITY, .merge = LTH_ASSIGN);
        snprintf(name, sizeof name, "three_%s", lth_dtype_name(dtype));
        lth_declare(udf, .name = name, .kind = LTH_NAV, .dtype = dtype, .fill = dtype == LTH_BOOL ? 0 : 3);
    }
    return fail(udf, "buffers");
}

static lth_error preprocess(lth_udf *udf, lth_buffers *out) {
    double *initial = lth_all(double, out, "initial");
    for (size_t i = 0; i < lth_len(out, "initial"); i++)
        initial[i] = i + 1;
    return fail(udf, "preprocess");
}

static lth_error begin(lth_udf *udf) {
    state *own = udf->state;
    own->n_frames = own->n_numbers = 0;
    lth_all(double, udf->partial, "initial")[0] = 10;
    return fail(udf, "begin");
}

static void add(lth_udf *udf, const lth_tile *tile, double *sum, size_t pixel, double number) {
    double *largest = lth_sig(double, udf, "largest", tile);
    *sum += number;
    largest[pixel] = fmax(largest[pixel], number);
    *lth_all(double, udf->partial, "hidden") += number;
    ((state *)udf->state)->n_numbers++;
}

static lth_error process(lth_udf *udf, const lth_tile *tile) {
    state *own = udf->state;
    double *sum = lth_nav(double, udf, "sum", tile);
    for (size_t frame = 0; frame < tile->n_frames; frame++) {
        if (tile->csr_start)
            LTH_EACH_REAL(tile->dtype, T, for (size_t i = tile->csr_start[frame]; i < tile->csr_start[frame + 1]; i++)
                add(udf, tile, &sum[frame], tile->csr_pixels[i], lth_pixels(T, tile)[i]))
        else
            LTH_EACH_REAL(tile->dtype, T, for (size_t i = 0; i < tile->n_pixels; i++)
                add(udf, tile, &sum[frame], i, lth_pixels(T, tile)[frame * tile->n_pixels + i]))
        size_t yx[2];
        lth_unravel(lth_frame_index(tile, frame), udf->meta->nav_shape, yx);
        int64_t *place = lth_nav(int64_t, udf, "place", tile) + 2 * frame;
        place[0] = yx[0], place[1] = yx[1];
        const lth_array *weights = lth_aux(udf, tile, "weights");
        if (weights && tile->sig_index == 0)
            lth_nav(float, udf, "weighted", tile)[frame] =
                own->scale * lth_values(float, weights)[2 * frame] + lth_values(float, weights)[2 * frame + 1];
        lth_nav(uint32_t, udf, "depth", tile)[frame] = tile->n_frames;
        lth_nav(uint32_t, udf, "blocks", tile)[frame]++;
        lth_nav(uint32_t, udf, "updates", tile)[frame] = own->n_updates;
        own->n_frames += tile->sig_index == 0;
    }
    return fail(udf, "process");
}

static lth_error end(lth_udf *udf) {
    state *own = udf->state;
    size_t n_pixels = 0;
    for (size_t i = 0; i < udf->tiling.n_blocks; i++)
        n_pixels += lth_shape_size(udf->tiling.blocks[i].shape);
    assert(n_pixels == udf->meta->n_pixels);
    assert(own->n_frames == udf->partition.roi_stop - udf->partition.roi_start);
    uint16_t n_frames = own->n_frames;
    if (udf->partition.index < 8)
        lth_emit(udf, "parts", udf->partition.index, &n_frames, 1);
    return fail(udf, "end");
}

#ifdef ONE_STEP
static lth_error merge_all(lth_udf *udf, const lth_partial *partials, size_t n_partials, lth_buffers *out) {
    int64_t *before = lth_all(int64_t, out, "before"), n_frames = 0;
    for (size_t i = 0; i < n_partials; i++) {
        before[partials[i].partition.index] = n_frames;
        n_frames += lth_len(partials[i].buffers, "sum");
    }
    return fail(udf, "merge_all");
}
#else
static lth_error merge(lth_udf *udf, const lth_partition *partition, lth_buffers *dest, const lth_buffers *src,
                       const bool *valid) {
    assert(lth_all(int64_t, src, "before")[0] == -1 && lth_len(dest, "sum") == lth_len(src, "sum"));
    int64_t n_frames = 0;
    for (size_t i = 0; i < udf->meta->n_roi_frames; i++)
        n_frames += valid[i];
    lth_all(int64_t, dest, "before")[partition->index] = n_frames;
    return fail(udf, "merge");
}
#endif

static lth_error results(lth_udf *udf, const lth_buffers *merged, lth_buffers *out, const bool *valid) {
    const double *sum = lth_all(double, merged, "sum");
    size_t n_frames = udf->meta->n_roi_frames;
    *lth_all(double, out, "mean") = *lth_all(double, merged, "hidden") / n_frames;
    bool *mask = lth_mask(out, "even");
    double *even = lth_all(double, out, "even");
    for (size_t i = 0; i < n_frames; i++) {
        even[i] = sum[i];
        mask[i] = valid[i] && fmod(sum[i], 2) == 0;
    }
    return fail(udf, "results");
}

static lth_error update(lth_udf *udf) {
    state *own = udf->state;
    own->scale = lth_param_number(udf, "scale");
    own->n_updates++;
    return fail(udf, "update");
}

LTH_UDF(.name = "hooks", .summary = "Uses all that the SDK for C has", .version = "1.2.3", .license = "MIT",
        .authors = LTH_TEXTS("A. Author", "B. Author"), .prefer = {.depth = 3, .total_size = 600, .split_rows = 2},
        .parameters = LTH_PARAMETERS(
            {"flag", {LTH_FLAG}, .default_value = LTH_DEFAULT(false), .doc = "sparse tiles"},
            {"integer", {LTH_INTEGER}, .default_value = LTH_DEFAULT(-7), .range = LTH_RANGE(-INFINITY, 9)},
            {"scale", {LTH_NUMBER}, .default_value = LTH_DEFAULT(2), .range = LTH_RANGE(0, 10), .unit = "px"},
            {"text", {LTH_TEXT}, .default_value = LTH_DEFAULT("a"), .choices = LTH_TEXTS("a", "\u00e9")},
            {"dtype", {LTH_DTYPE}, .default_value = LTH_DEFAULT(LTH_F32)},
            {"numbers", {LTH_ARRAY}, .default_value = LTH_DEFAULT(&NUMBERS), .dtypes = {LTH_F64},
             .axes = {LTH_AXIS_ANY}},
            {"pattern", {LTH_ARRAY}, .required = true, .dtypes = {LTH_U8, LTH_I16}, .axes = {LTH_AXES_SIG}},
            {"weights", {LTH_AUX}, .dtypes = {LTH_F32}, .extra = LTH_SHAPE(2)},
            {"absent", {LTH_NUMBER}},
            {"either", {LTH_NUMBER, LTH_TEXT}, .default_value = LTH_DEFAULT("nothing")},
            {"by", {LTH_TEXT}, .default_value = LTH_DEFAULT("tile"), .choices = LTH_TEXTS("tile", "frame", "partition")},
            {"fail", {LTH_TEXT}, .default_value = LTH_DEFAULT("")},
            {"at", {LTH_TEXT}, .default_value = LTH_DEFAULT("")}),
        .create = create, .preferences = preferences, .buffers = buffers, .preprocess = preprocess, .begin = begin,
        .process_tile = process, .process_frame = process, .process_partition = process, .end = end,
#ifdef ONE_STEP
        .merge_all = merge_all,
#else
        .merge = merge,
#endif
        .results = results, .update = update);
