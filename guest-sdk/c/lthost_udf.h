// Write a UDF (user-defined function) for lthost in C.
//
// A UDF says what happens to a tile of a 4D-STEM scan; the host reads, cuts, parallelises and merges. A plugin is a C
// file that includes this header and ends with LTH_UDF(..). The sum of each frame:
//
//     #include "lthost_udf.h"
//
//     static lth_error buffers(lth_udf *udf, lth_dtype input) {
//         lth_declare(udf, .name = "sum", .kind = LTH_NAV, .dtype = LTH_F32, .unit = "counts");
//         return LTH_OK;
//     }
//
//     static lth_error process_frame(lth_udf *udf, const lth_tile *frame) {
//         const float *pixels = lth_pixels(float, frame);
//         float *sum = lth_nav(float, udf, "sum", frame);
//         for (size_t i = 0; i < frame->n_pixels; i++)
//             *sum += pixels[i];
//         return LTH_OK;
//     }
//
//     LTH_UDF(.name = "frame-sum", .summary = "Sum of each frame", .version = "0.1.0",
//             .buffers = buffers, .process_frame = process_frame);
//
// The words (nav, sig, partition, tile, ROI, partial, merged) are those of the contract `lthost:udf`, which the guide of
// lthost explains.
//
// Whose memory it is:
// - What a function of yours gets (tiles, buffers, `valid`), and what `lth_scratch` gives, is there until it returns.
// - What `lth_alloc` gives, and `udf->meta`, is there as long as the UDF; so are parameters, but for an `update`.
// - You free nothing of all that. `malloc` and `free` work as ever beside it.
// - `udf->state` is yours. Keep nothing in static variables: there may be several UDFs in one memory.
//
// A mistake of yours (no such buffer, no such parameter, not the dtype that was declared) ends the call with a message
// that says so, as a failed `assert` does. Pointers and `size_t` have 32 bits: memory ends at 4 GiB.
#ifndef LTHOST_UDF_H
#define LTHOST_UDF_H

#ifndef __wasm32__
#error "a UDF is WebAssembly: build it with `lthost build`, or with clang and the clang.cfg beside this header"
#endif

#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LTH_PRINTF_(text, first) __attribute__((format(printf, text, first))) static inline

// ---- Errors and messages

// What a function of yours returns: LTH_OK, or a sentence for the person who started the run, which says what is wrong
// and what to do: `return "frames need two axes";`, or what `lth_fail` gives.
typedef const char *lth_error;
#define LTH_OK ((lth_error)0)

// A message made as by `printf`: `return lth_fail("no ring fits between %g and %g px", inner, outer);`
LTH_PRINTF_(1, 2) lth_error lth_fail(const char *format, ...);

// Adds what led to the error that is returned next, outermost first.
LTH_PRINTF_(1, 2) void lth_cause(const char *format, ...);

// Ends the call at once: for what can only be a mistake of the UDF's.
LTH_PRINTF_(1, 2) _Noreturn void lth_panic(const char *format, ...);

typedef enum { LTH_ERROR, LTH_WARN, LTH_INFO, LTH_DEBUG } lth_level;

// Tells the user something; LTH_DEBUG is shown only with --log debug. (`printf` has nowhere to write to, and is refused;
// `snprintf` works.)
LTH_PRINTF_(2, 3) void lth_log(lth_level level, const char *format, ...);

// ---- Numbers and arrays

// Element type. 0 where none is stated.
typedef enum {
    LTH_BOOL = 1, // bool
    LTH_U8,       // uint8_t
    LTH_U16,      // uint16_t
    LTH_U32,      // uint32_t
    LTH_U64,      // uint64_t
    LTH_I8,       // int8_t
    LTH_I16,      // int16_t
    LTH_I32,      // int32_t
    LTH_I64,      // int64_t
    LTH_F32,      // float
    LTH_F64,      // double
    LTH_C64,      // float _Complex
    LTH_C128,     // double _Complex
} lth_dtype;

// The dtype of a C type: LTH_DTYPE_OF(float) is LTH_F32.
#define LTH_DTYPE_OF(T) LTH_DTYPE_AT_((T *)0)

// Bytes of an element.
static inline size_t lth_dtype_size(lth_dtype dtype);

// Its name, like `float32`.
static inline const char *lth_dtype_name(lth_dtype dtype);

// Runs code in which T is the C type of `dtype`, a real one: LTH_EACH_REAL(tile->dtype, T, add(lth_pixels(T, tile)));
#define LTH_EACH_REAL(dtype_, T, ...)                                                                                  \
    switch (dtype_) {                                                                                                  \
        LTH_REALS_(LTH_EACH_REAL_, T, __VA_ARGS__)                                                                     \
        default: lth_panic("expected real numbers, not %s", lth_dtype_name(dtype_));                                   \
    }

// Extents of axes, slow axis first.
typedef struct {
    size_t n_axes;
    const size_t *axes;
} lth_shape;

// LTH_SHAPE(3, 4)
#define LTH_SHAPE(...) ((lth_shape){sizeof((size_t[]){__VA_ARGS__}) / sizeof(size_t), (const size_t[]){__VA_ARGS__}})

// Number of elements.
static inline size_t lth_shape_size(lth_shape shape);

// The index on each of `shape.n_axes` axes of element number `flat`.
static inline void lth_unravel(size_t flat, lth_shape shape, size_t *index);

// Numbers in C order.
typedef struct {
    lth_dtype dtype;
    lth_shape shape;
    size_t len;
    void *data;
} lth_array;

// The numbers of an array: lth_values(double, array) is a `double *`, if they are that.
#define lth_values(T, array) ((T *)lth_typed_("the array", (array)->data, (array)->dtype, LTH_DTYPE_OF(T)))

// ---- Parameters

// A type that a parameter accepts.
typedef enum {
    LTH_FLAG = 1, // true or false
    LTH_INTEGER,
    LTH_NUMBER,
    LTH_TEXT,
    LTH_DTYPE, // the name of a dtype
    LTH_ARRAY, // see `dtypes` and `axes`
    LTH_AUX,   // an entry for each frame of the scan, which tiles bring; see `dtypes` and `extra`
} lth_type;

// Axes of an array: their extents, or these.
enum { LTH_AXIS_ANY = -1, LTH_AXES_SIG = -2, LTH_AXES_NAV = -3 };

typedef struct {
    lth_type type;
    const char *text;
    int64_t integer;
    double number;
    const lth_array *array;
} lth_default;

// A number, a text, or the address of an array. It has to be of a type that the parameter accepts: a whole number is one
// of LTH_INTEGER, LTH_NUMBER and LTH_DTYPE; 0 and 1 are of LTH_FLAG.
#define LTH_DEFAULT(x)                                                                                                 \
    ((lth_default){LTH_CASE_(x, LTH_TEXT, LTH_NUMBER, LTH_ARRAY, LTH_INTEGER), LTH_CASE_(x, (x), 0, 0, 0),             \
                   LTH_CASE_(x, 0, 0, 0, (x)), LTH_CASE_(x, 0, (x), 0, (x)), LTH_CASE_(x, 0, 0, (x), 0)})

typedef struct {
    bool is_stated;
    double minimum, maximum;
} lth_range;

// Both inclusive; INFINITY where there is no bound.
#define LTH_RANGE(minimum, maximum) ((lth_range){true, minimum, maximum})

enum { LTH_MAX_TYPES_ = 7, LTH_MAX_DTYPES_ = 13, LTH_MAX_AXES_ = 8 };

// Declares a parameter: {"radius", {LTH_NUMBER}, .required = true, .range = LTH_RANGE(0, INFINITY), .unit = "px"}
typedef struct {
    const char *name;                  // letters, digits and `_`
    lth_type types[LTH_MAX_TYPES_];    // of several the first that fits is taken
    bool required;                     // the user has to give it
    lth_default default_value;         // LTH_DEFAULT(0.5); for a dtype LTH_DEFAULT(LTH_F32)
    lth_range range;                   // LTH_RANGE(0, 10)
    const char *const *choices;        // LTH_TEXTS("mean", "median"): the texts that are accepted
    lth_dtype dtypes[LTH_MAX_DTYPES_]; // {LTH_F64}: what an array is converted to, if that loses nothing
    int64_t axes[LTH_MAX_AXES_];       // {3, LTH_AXES_SIG}: axes of an array; any if left out
    lth_shape extra;                   // LTH_SHAPE(2): shape of a frame's entry of AUX data
    const char *unit, *doc;            // "px"; one line for the user
} lth_parameter;

#define LTH_PARAMETERS(...) ((const lth_parameter[]){__VA_ARGS__, {0}})
#define LTH_TEXTS(...) ((const char *const[]){__VA_ARGS__, 0})

typedef struct lth_udf lth_udf;

// Whether a parameter has a value, given or by default; and of which type it is, if it accepts several.
static inline bool lth_has(lth_udf *udf, const char *name);
static inline lth_type lth_param_type(lth_udf *udf, const char *name);

// What a parameter was set to. It has to have a value of that type. (AUX data are in the tiles: see `lth_aux`.)
static inline bool lth_param_flag(lth_udf *udf, const char *name);
static inline int64_t lth_param_integer(lth_udf *udf, const char *name);
static inline double lth_param_number(lth_udf *udf, const char *name); // of an integer, too
static inline const char *lth_param_text(lth_udf *udf, const char *name);
static inline lth_dtype lth_param_dtype(lth_udf *udf, const char *name);
static inline const lth_array *lth_param_array(lth_udf *udf, const char *name);

// ---- Buffers

// What a buffer's shape follows: an entry per frame, an entry per pixel, or neither.
typedef enum { LTH_NAV = 1, LTH_SIG, LTH_SINGLE } lth_kind;

// How a partition's buffer enters the merged one. Stated for all but nav buffers, which are assigned otherwise.
typedef enum { LTH_ASSIGN = 1, LTH_SUM, LTH_PRODUCT, LTH_MIN, LTH_MAX, LTH_CUSTOM } lth_merge;

// Who sees it: everybody; `merge` and `results`, not the user; or it is made by `results` alone.
typedef enum { LTH_RESULT, LTH_PRIVATE, LTH_RESULT_ONLY } lth_usage;

typedef struct {
    const char *name; // letters, digits, `_` and `-`
    lth_kind kind;
    lth_dtype dtype;
    lth_shape extra; // LTH_SHAPE(3): axes that follow those of the kind
    lth_usage usage;
    lth_merge merge;
    double fill;            // what every element starts with; INFINITY is an integer's largest value
    bool by_parts;          // it has no memory here: `end` hands it over with `lth_emit`
    const char *unit, *doc; // "counts"; one line for the user
} lth_buffer;

// Declares a buffer: lth_declare(udf, .name = "sum", .kind = LTH_SIG, .dtype = LTH_F32, .merge = LTH_SUM);
#define lth_declare(udf, ...) lth_declare_(udf, (lth_buffer){__VA_ARGS__})

// Buffers with their numbers.
typedef struct lth_buffers lth_buffers;

// The whole buffer `name`; of nav buffers what belongs to the partition. What is taken of the `out` of `preprocess`,
// `merge_all` and `results` starts with its fill value, has all frames of the ROI, and is handed over when they return.
#define lth_all(T, buffers, name) ((T *)lth_all_(buffers, name, LTH_DTYPE_OF(T)))

// Its number of elements.
static inline size_t lth_len(const lth_buffers *buffers, const char *name);

// For each element of a buffer of `out` whether it means something, true at first. In `results`.
static inline bool *lth_mask(lth_buffers *out, const char *name);

// The entries of nav buffer `name` for the frames of a tile: (n_frames, ...extra).
#define lth_nav(T, udf, name, tile) ((T *)lth_nav_(udf, name, tile, LTH_DTYPE_OF(T)))

// The entries of sig buffer `name` for the pixels of a tile: (...sig_shape, ...extra).
#define lth_sig(T, udf, name, tile) ((T *)lth_sig_(udf, name, tile, LTH_DTYPE_OF(T)))

// Hands over `n` elements of a buffer declared `by_parts`, from `offset` on, in `end`. Of sig and single buffers that
// merge by LTH_ASSIGN a partition hands over what it has; of others everything, once.
#define lth_emit(udf, name, offset, data, n) lth_emit_(udf, name, offset, data, n, LTH_DTYPE_AT_(data))

// ---- What a UDF is told of

// What is done to pixels before the UDF sees them.
typedef struct {
    const double *dark, *gain; // one for each pixel of a frame; NULL if there are none
    size_t n_excluded;
    const size_t *excluded; // pixels of the flat frame
} lth_corrections;

typedef struct {
    const char *key, *text;
} lth_metadata;

// The data set.
typedef struct {
    bool is_worker; // it processes; otherwise it merges and makes results
    lth_shape nav_shape, sig_shape;
    size_t n_frames, n_roi_frames, n_pixels; // of the scan; of the ROI; of a frame
    const bool *roi;                         // for each frame of the scan; NULL without a ROI
    lth_dtype dataset_dtype;
    const lth_corrections *corrections; // NULL if there are none
    size_t n_metadata;
    const lth_metadata *metadata; // what the file says of itself
} lth_meta;

// A run of frames; `frame_stop` and `roi_stop` are one past the last.
typedef struct {
    size_t index, frame_start, frame_stop, roi_start, roi_stop;
} lth_partition;

// A block of pixels: contiguous in a frame.
typedef struct {
    size_t start; // first pixel in the flat frame
    lth_shape origin, shape;
} lth_block;

// The tiles of a partition: each of these blocks, for every `depth` frames.
typedef struct {
    size_t depth, n_blocks;
    const lth_block *blocks;
} lth_tiling;

// A block of pixels of some frames: (n_frames, n_pixels).
typedef struct {
    size_t roi_start, n_frames; // first frame, as ROI index; the others follow
    size_t sig_start, n_pixels; // pixel `i` of the block is pixel `sig_start + i` of the flat frame
    lth_shape sig_origin, sig_shape;
    size_t sig_index; // number of the block in the tiling
    lth_dtype dtype;
    const void *data;           // see `lth_pixels`
    const uint32_t *csr_start;  // with LTH_CSR, frame `i` has the numbers from csr_start[i] to before csr_start[i + 1],
    const uint32_t *csr_pixels; // at these pixels of the block; all others are 0
    size_t frame_start;         // see `lth_frame_index`
    const size_t *frames;       // ..
    lth_array *aux;             // see `lth_aux`
} lth_tile;

// The pixels of a tile, (n_frames, ...sig_shape), if T is what the UDF prefers: `float`, if nothing is said.
#define lth_pixels(T, tile) ((const T *)lth_typed_("the tile", (tile)->data, (tile)->dtype, LTH_DTYPE_OF(T)))

// Place of frame `i` of the tile in the scan: lth_unravel(lth_frame_index(tile, i), udf->meta->nav_shape, yx)
static inline size_t lth_frame_index(const lth_tile *tile, size_t i);

// The entries of AUX parameter `name` for the frames of the tile: (n_frames, ...extra). NULL if it was not given.
static inline const lth_array *lth_aux(lth_udf *udf, const lth_tile *tile, const char *name);

// ---- How it is fed

typedef struct {
    enum { LTH_AS_F32_, LTH_AS_STORED_, LTH_AT_LEAST_, LTH_EXACTLY_ } as;
    lth_dtype dtype;
} lth_input;

#define LTH_NATIVE ((lth_input){LTH_AS_STORED_, 0})             // as the data set has them
#define LTH_AT_LEAST(dtype) ((lth_input){LTH_AT_LEAST_, dtype}) // the smallest that holds this and the data set's
#define LTH_EXACTLY(dtype) ((lth_input){LTH_EXACTLY_, dtype})   // this, even if digits are lost

typedef enum { LTH_TILE = 1, LTH_FRAME, LTH_PARTITION } lth_granularity;
typedef enum { LTH_DENSE, LTH_CSR } lth_form;

// How a UDF wants to be fed. 0 where it does not care.
typedef struct {
    lth_input input;                      // LTH_EXACTLY(LTH_F32) if nothing is said
    lth_granularity granularity;          // the first of tile, frame, partition that has a function
    lth_form form;                        // LTH_CSR: the pixels that are not 0
    size_t depth, total_size, split_rows; // frames at most; bytes about; rows that blocks are multiples of
} lth_preferences;

// ---- A UDF

// One partition's buffers.
typedef struct {
    lth_partition partition;
    lth_buffers *buffers;
} lth_partial;

// What LTH_UDF takes. Every function may be left out, but one that processes. Their order is that of their calls.
typedef struct {
    const char *name; // letters, digits, `_` and `-`
    const char *summary, *version, *license;
    const char *const *authors;      // LTH_TEXTS("A. Author")
    const lth_parameter *parameters; // LTH_PARAMETERS({..}, {..})
    lth_preferences prefer;          // {.input = LTH_NATIVE, .depth = 16}

    // Checks parameters and data set, and sets up what lasts for the run: `udf->state = lth_alloc(..)`.
    lth_error (*create)(lth_udf *udf);
    // Changes `prefer`, where that depends on parameters or data set.
    lth_error (*preferences)(lth_udf *udf, lth_preferences *prefer);
    // Declares the buffers. `input` is the dtype that tiles will have.
    lth_error (*buffers)(lth_udf *udf, lth_dtype input);
    // Sets what merged buffers start with, where a fill value is not enough.
    lth_error (*preprocess)(lth_udf *udf, lth_buffers *out);
    // Starts a partition: `udf->partition`, `udf->tiling`, fresh buffers in `udf->partial`.
    lth_error (*begin)(lth_udf *udf);
    // Process what comes: any tile; a whole frame, one at a time; all frames of a partition.
    lth_error (*process_tile)(lth_udf *udf, const lth_tile *tile);
    lth_error (*process_frame)(lth_udf *udf, const lth_tile *frame);
    lth_error (*process_partition)(lth_udf *udf, const lth_tile *tile);
    // Does what is left when all tiles of a partition were there.
    lth_error (*end)(lth_udf *udf);
    // Merges `src` into `dest`, in the buffers that merge by LTH_CUSTOM. `valid` says of each frame of the ROI whether
    // it is in `dest` already.
    lth_error (*merge)(lth_udf *udf, const lth_partition *partition, lth_buffers *dest, const lth_buffers *src,
                       const bool *valid);
    // Merges all partitions at once, instead of `merge`.
    lth_error (*merge_all)(lth_udf *udf, const lth_partial *partials, size_t n_partials, lth_buffers *out);
    // Makes results of the merged buffers: every LTH_RESULT_ONLY one, and others that are not to be shown as merged.
    lth_error (*results)(lth_udf *udf, const lth_buffers *merged, lth_buffers *out, const bool *valid);
    // Takes new values of parameters, from the next partition on. Without it, a new UDF is created.
    lth_error (*update)(lth_udf *udf);
} lth_definition;

struct lth_udf {
    void *state; // yours
    const lth_meta *meta;
    lth_partition partition; // from `begin` on
    lth_tiling tiling;       // from `begin` to `end`
    lth_buffers *partial;    // the partition's buffers, as in lth_all(double, udf->partial, "histogram")
    struct lth_private_ *private_;
};

// Memory for `n` numbers or structs, filled with 0: as long as the UDF, or until your function returns.
#define lth_alloc(T, udf, n) ((T *)lth_alloc_(udf, n, sizeof(T)))
#define lth_scratch(T, n) ((T *)lth_scratch_(n, sizeof(T)))

// ====================================================================================================
// From here on: how that is done. It is the canonical ABI of the component model, for the contract `lthost:udf@0.1.0`.
// Records and variants lie in memory as C structs and unions of the same members do.

#define LTH_CASE_(x, text, number, array, integer)                                                                     \
    _Generic((x), char *: text, const char *: text, float: number, double: number, lth_array *: array,                 \
             const lth_array *: array, default: integer)

#define LTH_DTYPE_AT_(pointer)                                                                                         \
    _Generic(*(pointer), bool: LTH_BOOL, uint8_t: LTH_U8, uint16_t: LTH_U16, uint32_t: LTH_U32, uint64_t: LTH_U64,     \
             unsigned long: LTH_U32, int8_t: LTH_I8, int16_t: LTH_I16, int32_t: LTH_I32, int64_t: LTH_I64,             \
             long: LTH_I32, float: LTH_F32, double: LTH_F64, float _Complex: LTH_C64, double _Complex: LTH_C128)

// dtype, C type, smallest and largest value
#define LTH_REALS_(X, ...)                                                                                             \
    X(LTH_BOOL, bool, 0, 1, __VA_ARGS__)                                                                               \
    X(LTH_U8, uint8_t, 0, UINT8_MAX, __VA_ARGS__)                                                                      \
    X(LTH_U16, uint16_t, 0, UINT16_MAX, __VA_ARGS__)                                                                   \
    X(LTH_U32, uint32_t, 0, UINT32_MAX, __VA_ARGS__)                                                                   \
    X(LTH_U64, uint64_t, 0, UINT64_MAX, __VA_ARGS__)                                                                   \
    X(LTH_I8, int8_t, INT8_MIN, INT8_MAX, __VA_ARGS__)                                                                 \
    X(LTH_I16, int16_t, INT16_MIN, INT16_MAX, __VA_ARGS__)                                                             \
    X(LTH_I32, int32_t, INT32_MIN, INT32_MAX, __VA_ARGS__)                                                             \
    X(LTH_I64, int64_t, INT64_MIN, INT64_MAX, __VA_ARGS__)                                                             \
    X(LTH_F32, float, -INFINITY, INFINITY, __VA_ARGS__)                                                                \
    X(LTH_F64, double, -INFINITY, INFINITY, __VA_ARGS__)

#define LTH_EACH_REAL_(dtype, c_type, lowest, largest, T, ...)                                                         \
    case dtype: {                                                                                                      \
        typedef c_type T;                                                                                              \
        __VA_ARGS__;                                                                                                   \
        break;                                                                                                         \
    }

// ---- Memory

// Memory in a list that is freed as a whole. What follows each chunk is aligned for every type.
typedef struct lth_chunk_ {
    _Alignas(16) struct lth_chunk_ *next;
} lth_chunk_;

typedef struct {
    const char *data;
    size_t len;
} lth_text_;

enum { LTH_MAX_CAUSES_ = 8, LTH_MAX_BUFFERS_ = 64, LTH_MESSAGE_SIZE_ = 2000 };

// One for all files of a plugin.
typedef struct {
    lth_chunk_ *call; // what the host hands over in the call at hand, and scratch
    size_t n_causes;
    lth_text_ causes[LTH_MAX_CAUSES_];
} lth_shared_;
extern lth_shared_ lth_shared_state_;
extern const lth_definition lth_definition_;

static inline void *lth_take_(lth_chunk_ **list, size_t n_bytes) {
    lth_chunk_ *chunk = n_bytes > SIZE_MAX - sizeof *chunk ? NULL : malloc(sizeof *chunk + n_bytes);
    if (!chunk)
        lth_panic("there is no memory for %zu bytes", n_bytes);
    chunk->next = *list;
    *list = chunk;
    return chunk + 1;
}

static inline void lth_free_(lth_chunk_ **list) {
    while (*list) {
        lth_chunk_ *chunk = *list;
        *list = chunk->next;
        free(chunk);
    }
}

// Moves what belongs to the call at hand to another list.
static inline void lth_keep_(lth_chunk_ **list) {
    lth_chunk_ **end = &lth_shared_state_.call;
    while (*end)
        end = &(*end)->next;
    *end = *list;
    *list = lth_shared_state_.call;
    lth_shared_state_.call = NULL;
}

static inline size_t lth_times_(size_t a, size_t b) {
    size_t product;
    if (__builtin_mul_overflow(a, b, &product))
        lth_panic("%zu x %zu is too much for a memory of 4 GiB", a, b);
    return product;
}

static inline void *lth_scratch_(size_t n, size_t size) {
    return memset(lth_take_(&lth_shared_state_.call, lth_times_(n, size)), 0, n * size);
}

// ---- Messages

#define LTH_HOST_(module, name) __attribute__((import_module(module), import_name(name)))

LTH_HOST_("lthost:udf/host@0.1.0", "log") void lth_host_log_(int level, const char *message, size_t len);
LTH_HOST_("lthost:udf/host@0.1.0", "emit") void lth_host_emit_(size_t i, uint64_t offset, const void *data, size_t len);
LTH_HOST_("lthost:udf/host@0.1.0", "emit-mask") void lth_host_emit_mask_(size_t i, const bool *mask, size_t len);
LTH_HOST_("[export]lthost:udf/udf@0.1.0", "[resource-new]udf") int32_t lth_host_new_(lth_udf *udf);

// Writes a message, and cuts it where it is too long, but not within a character.
static inline size_t lth_format_(char *text, const char *format, va_list arguments) {
    int len = vsnprintf(text, LTH_MESSAGE_SIZE_, format, arguments);
    if (len < LTH_MESSAGE_SIZE_)
        return len < 0 ? 0 : len;
    for (len = LTH_MESSAGE_SIZE_ - 1; len && text[len - 1] & 0x80; len--)
        text[len - 1] = 0;
    return len;
}

#define LTH_FORMAT_(text, len, format)                                                                                 \
    va_list arguments_;                                                                                                \
    va_start(arguments_, format);                                                                                      \
    size_t len = lth_format_(text, format, arguments_);                                                                \
    va_end(arguments_)

static inline lth_error lth_fail(const char *format, ...) {
    char *text = lth_scratch(char, LTH_MESSAGE_SIZE_);
    LTH_FORMAT_(text, len, format);
    return len ? text : "it failed, and gave no reason";
}

static inline void lth_cause(const char *format, ...) {
    if (lth_shared_state_.n_causes == LTH_MAX_CAUSES_)
        return;
    char *text = lth_scratch(char, LTH_MESSAGE_SIZE_);
    LTH_FORMAT_(text, len, format);
    lth_shared_state_.causes[lth_shared_state_.n_causes++] = (lth_text_){text, len};
}

static inline void lth_log(lth_level level, const char *format, ...) {
    char text[LTH_MESSAGE_SIZE_];
    LTH_FORMAT_(text, len, format);
    lth_host_log_(level, text, len);
}

static inline void lth_panic(const char *format, ...) {
    char text[LTH_MESSAGE_SIZE_];
    LTH_FORMAT_(text, len, format);
    // The host shows the last error that was logged as the reason of a trap.
    lth_host_log_(LTH_ERROR, text, len);
    __builtin_trap();
}

// ---- Numbers and arrays

static inline size_t lth_dtype_size(lth_dtype dtype) {
    static const uint8_t SIZES[] = {0, 1, 1, 2, 4, 8, 1, 2, 4, 8, 4, 8, 8, 16};
    return SIZES[dtype];
}

static inline const char *lth_dtype_name(lth_dtype dtype) {
    static const char *const NAMES[] = {"no dtype", "bool",  "uint8", "uint16",  "uint32",  "uint64",    "int8",
                                        "int16",    "int32", "int64", "float32", "float64", "complex64", "complex128"};
    return NAMES[dtype];
}

static inline size_t lth_shape_size(lth_shape shape) {
    size_t size = 1;
    for (size_t i = 0; i < shape.n_axes; i++)
        size = lth_times_(size, shape.axes[i]);
    return size;
}

static inline void lth_unravel(size_t flat, lth_shape shape, size_t *index) {
    for (size_t i = shape.n_axes; i--; flat /= shape.axes[i])
        index[i] = flat % shape.axes[i];
}

static inline void *lth_typed_(const char *what, const void *data, lth_dtype dtype, lth_dtype used) {
    if (dtype != used)
        lth_panic("%s has numbers of %s, and was used as %s", what, lth_dtype_name(dtype), lth_dtype_name(used));
    return (void *)data;
}

static inline void lth_fill_(void *data, lth_dtype dtype, size_t n, double value) {
#define LTH_FILL_(dtype, T, lowest, largest, ...)                                                                      \
    case dtype: {                                                                                                      \
        T fill = value >= (double)largest ? largest : value <= (double)lowest ? lowest : (T)value;                     \
        for (size_t i = 0; i < n; i++)                                                                                 \
            ((T *)data)[i] = fill;                                                                                     \
        break;                                                                                                         \
    }
    switch (dtype) {
        LTH_REALS_(LTH_FILL_, )
        LTH_FILL_(LTH_C64, float _Complex, value, value, )
        LTH_FILL_(LTH_C128, double _Complex, value, value, )
    }
}

// ---- What the host hands over

typedef struct {
    void *data;
    size_t len;
} lth_list_;

#define LTH_OPTION_(T)                                                                                                 \
    struct {                                                                                                           \
        uint8_t is_some;                                                                                               \
        T some;                                                                                                        \
    }

typedef struct {
    lth_list_ shape;
    uint8_t dtype;
    lth_list_ values;
} lth_wit_array_;

typedef struct {
    uint8_t tag; // 0, or an `lth_type`
    union {
        bool flag;
        int64_t integer;
        double number;
        lth_text_ text;
        uint8_t dtype;
        lth_wit_array_ array;
    };
} lth_wit_value_;

typedef struct {
    lth_text_ name;
    lth_wit_value_ value;
} lth_wit_argument_;

typedef struct {
    uint8_t role;
    lth_list_ nav_shape, sig_shape;
    uint64_t n_frames, n_roi_frames;
    LTH_OPTION_(lth_list_) roi;
    uint8_t dataset_dtype;
    LTH_OPTION_(struct {
        LTH_OPTION_(lth_list_) dark;
        LTH_OPTION_(lth_list_) gain;
        lth_list_ excluded;
    }) corrections;
    lth_list_ metadata;
} lth_wit_meta_;

typedef struct {
    lth_list_ arguments;
    lth_wit_meta_ meta;
} lth_wit_create_;

typedef struct {
    uint64_t start;
    lth_list_ origin, shape;
} lth_wit_block_;

typedef struct {
    uint64_t index, frame_start, frame_stop, roi_start, roi_stop;
} lth_wit_partition_;

typedef struct {
    lth_wit_partition_ partition;
    lth_list_ buffers;
} lth_wit_partial_;

typedef struct {
    lth_udf *udf;
    uint64_t roi_start, n_frames;
    struct {
        uint8_t is_listed;
        union {
            uint64_t first;
            lth_list_ listed;
        };
    } frames;
    uint64_t sig_start;
    lth_list_ sig_origin, sig_shape;
    uint64_t sig_index;
    lth_list_ aux;
    uint8_t form; // 0: dense, 2: csr, 4: window
    union {
        uint32_t position;
        struct {
            uint8_t dtype;
            lth_list_ values;
        } dense;
        struct {
            lth_list_ indptr, indices;
            uint8_t dtype;
            lth_list_ values;
        } csr;
    };
} lth_wit_process_;

_Static_assert(sizeof(lth_wit_argument_) == 40 && sizeof(lth_wit_meta_) == 104 && sizeof(lth_wit_process_) == 112,
               "wit");

static inline size_t lth_size_(uint64_t n) {
    if (n > SIZE_MAX)
        lth_panic("%llu is too much for a memory of 4 GiB", (unsigned long long)n);
    return n;
}

// Makes counts of a `list<u64>`, in the same memory.
static inline lth_shape lth_counts_(lth_list_ list) {
    for (size_t i = 0; i < list.len; i++) {
        uint64_t wide;
        memcpy(&wide, (char *)list.data + i * sizeof wide, sizeof wide);
        size_t narrow = lth_size_(wide);
        memcpy((char *)list.data + i * sizeof narrow, &narrow, sizeof narrow);
    }
    return (lth_shape){list.len, list.data};
}

static inline const char *lth_string_(lth_text_ text) {
    return memcpy(lth_scratch(char, text.len + 1), text.data, text.len);
}

static inline lth_array lth_array_(const lth_wit_array_ *from) {
    lth_dtype dtype = from->dtype + 1;
    size_t len = dtype < LTH_C64 ? from->values.len : from->values.len / 2;
    return (lth_array){dtype, lth_counts_(from->shape), len, from->values.data};
}

static inline lth_partition lth_partition_(const lth_wit_partition_ *from) {
    return (lth_partition){lth_size_(from->index), lth_size_(from->frame_start), lth_size_(from->frame_stop),
                           lth_size_(from->roi_start), lth_size_(from->roi_stop)};
}

static inline void lth_take_meta_(const lth_wit_meta_ *from, lth_meta *to) {
    *to = (lth_meta){
        .is_worker = from->role == 0,
        .nav_shape = lth_counts_(from->nav_shape),
        .sig_shape = lth_counts_(from->sig_shape),
        .n_frames = lth_size_(from->n_frames),
        .n_roi_frames = lth_size_(from->n_roi_frames),
        .roi = from->roi.is_some ? from->roi.some.data : NULL,
        .dataset_dtype = from->dataset_dtype + 1,
        .n_metadata = from->metadata.len,
    };
    to->n_pixels = lth_shape_size(to->sig_shape);
    if (from->corrections.is_some) {
        lth_corrections *corrections = lth_scratch(lth_corrections, 1);
        corrections->dark = from->corrections.some.dark.is_some ? from->corrections.some.dark.some.data : NULL;
        corrections->gain = from->corrections.some.gain.is_some ? from->corrections.some.gain.some.data : NULL;
        lth_shape excluded = lth_counts_(from->corrections.some.excluded);
        corrections->n_excluded = excluded.n_axes;
        corrections->excluded = excluded.axes;
        to->corrections = corrections;
    }
    lth_metadata *metadata = lth_scratch(lth_metadata, to->n_metadata);
    for (size_t i = 0; i < to->n_metadata; i++) {
        const lth_text_ *pair = (const lth_text_ *)from->metadata.data + 2 * i;
        metadata[i] = (lth_metadata){lth_string_(pair[0]), lth_string_(pair[1])};
    }
    to->metadata = metadata;
}

// ---- What belongs to a UDF

typedef struct {
    const char *name;
    lth_type type; // 0 if it has no value
    bool flag;
    int64_t integer;
    double number;
    const char *text;
    lth_dtype dtype;
    lth_array array;
} lth_argument_;

typedef struct {
    void *data; // NULL if there is none
    size_t len, capacity;
    bool *mask;
} lth_slot_;

struct lth_buffers {
    lth_udf *udf;
    lth_slot_ *slots; // one for each declared buffer
    bool is_output;   // its buffers are made when they are asked for
};

struct lth_private_ {
    lth_chunk_ *kept, *updated, *begun;
    lth_meta meta;
    size_t n_arguments, n_buffers;
    const lth_argument_ *arguments;
    lth_granularity granularity;
    uint8_t input;      // dtype of tiles, as the contract counts them
    const char *window; // where the host puts them
    lth_buffer declared[LTH_MAX_BUFFERS_];
    lth_slot_ slots[LTH_MAX_BUFFERS_];
    lth_buffers partial;
    bool is_ending;
};

static inline void *lth_alloc_(lth_udf *udf, size_t n, size_t size) {
    return memset(lth_take_(&udf->private_->kept, lth_times_(n, size)), 0, n * size);
}

// ---- Parameters

// NULL for AUX data that were given: these do not come as arguments.
static inline const lth_argument_ *lth_find_argument_(lth_udf *udf, const char *name) {
    for (size_t i = 0; i < udf->private_->n_arguments; i++)
        if (!strcmp(udf->private_->arguments[i].name, name))
            return &udf->private_->arguments[i];
    return NULL;
}

static inline void lth_take_arguments_(lth_udf *udf, lth_list_ list) {
    struct lth_private_ *own = udf->private_;
    lth_argument_ *arguments = lth_scratch(lth_argument_, list.len);
    for (size_t i = 0; i < list.len; i++) {
        const lth_wit_argument_ *argument = (const lth_wit_argument_ *)list.data + i;
        const lth_wit_value_ *from = &argument->value;
        lth_argument_ *to = &arguments[i];
        to->name = lth_string_(argument->name);
        to->type = from->tag;
        switch (to->type) {
            case LTH_FLAG: to->flag = from->flag; break;
            case LTH_INTEGER: to->number = to->integer = from->integer; break;
            case LTH_NUMBER: to->number = from->number; break;
            case LTH_TEXT: to->text = lth_string_(from->text); break;
            case LTH_DTYPE: to->dtype = from->dtype + 1; break;
            case LTH_ARRAY: to->array = lth_array_(&from->array); break;
            case LTH_AUX: break;
        }
    }
    own->arguments = arguments;
    own->n_arguments = list.len;
}

static inline lth_type lth_param_type(lth_udf *udf, const char *name) {
    const lth_argument_ *argument = lth_find_argument_(udf, name);
    if (argument)
        return argument->type;
    for (const lth_parameter *parameter = lth_definition_.parameters; parameter && parameter->name; parameter++)
        if (!strcmp(parameter->name, name))
            return LTH_AUX;
    lth_panic("the UDF declares no parameter `%s`", name);
}

static inline bool lth_has(lth_udf *udf, const char *name) {
    return lth_param_type(udf, name) != 0;
}

static inline const lth_argument_ *lth_argument_of_(lth_udf *udf, const char *name, lth_type wanted) {
    lth_type type = lth_param_type(udf, name);
    if (!type)
        lth_panic("parameter `%s` has no value: ask `lth_has` first", name);
    if (type != wanted && !(type == LTH_INTEGER && wanted == LTH_NUMBER))
        lth_panic("parameter `%s` has a value of another type than is asked for", name);
    return lth_find_argument_(udf, name);
}

static inline bool lth_param_flag(lth_udf *udf, const char *name) {
    return lth_argument_of_(udf, name, LTH_FLAG)->flag;
}

static inline int64_t lth_param_integer(lth_udf *udf, const char *name) {
    return lth_argument_of_(udf, name, LTH_INTEGER)->integer;
}

static inline double lth_param_number(lth_udf *udf, const char *name) {
    return lth_argument_of_(udf, name, LTH_NUMBER)->number;
}

static inline const char *lth_param_text(lth_udf *udf, const char *name) {
    return lth_argument_of_(udf, name, LTH_TEXT)->text;
}

static inline lth_dtype lth_param_dtype(lth_udf *udf, const char *name) {
    return lth_argument_of_(udf, name, LTH_DTYPE)->dtype;
}

static inline const lth_array *lth_param_array(lth_udf *udf, const char *name) {
    return &lth_argument_of_(udf, name, LTH_ARRAY)->array;
}

// ---- Buffers

static inline void lth_declare_(lth_udf *udf, lth_buffer buffer) {
    struct lth_private_ *own = udf->private_;
    if (!buffer.name || !buffer.kind || !buffer.dtype)
        lth_panic("a buffer needs .name, .kind and .dtype");
    bool is_assigned = buffer.kind == LTH_NAV || buffer.usage == LTH_RESULT_ONLY;
    if (!buffer.merge && !is_assigned)
        lth_panic("buffer `%s` does not say how partitions become one: give it a .merge", buffer.name);
    if (own->n_buffers == LTH_MAX_BUFFERS_)
        lth_panic("there are more than %d buffers", LTH_MAX_BUFFERS_);
    buffer.merge = buffer.merge ? buffer.merge : LTH_ASSIGN;
    const char **texts[] = {&buffer.name, &buffer.unit, &buffer.doc};
    for (size_t i = 0; i < 3; i++) {
        const char *text = *texts[i] ? *texts[i] : "";
        *texts[i] = memcpy(lth_alloc(char, udf, strlen(text) + 1), text, strlen(text));
    }
    size_t *axes = lth_alloc(size_t, udf, buffer.extra.n_axes);
    for (size_t i = 0; i < buffer.extra.n_axes; i++)
        axes[i] = buffer.extra.axes[i];
    buffer.extra.axes = axes;
    own->declared[own->n_buffers++] = buffer;
}

// Whether its numbers are in memory while a partition is processed.
static inline bool lth_is_held_(const lth_buffer *buffer) {
    return buffer->usage != LTH_RESULT_ONLY && !buffer->by_parts;
}

// Elements, where a nav buffer has `n_frames` entries.
static inline size_t lth_len_(lth_udf *udf, const lth_buffer *buffer, size_t n_frames) {
    size_t n_entries = buffer->kind == LTH_NAV ? n_frames : buffer->kind == LTH_SIG ? udf->meta->n_pixels : 1;
    return lth_times_(n_entries, lth_shape_size(buffer->extra));
}

static inline size_t lth_find_(lth_udf *udf, const char *name) {
    for (size_t i = 0; i < udf->private_->n_buffers; i++)
        if (!strcmp(udf->private_->declared[i].name, name))
            return i;
    lth_panic("the UDF declares no buffer `%s`", name);
}

static inline void lth_check_dtype_(const lth_buffer *buffer, lth_dtype used) {
    if (buffer->dtype != used)
        lth_panic("buffer `%s` is declared as %s, and was used as %s", buffer->name, lth_dtype_name(buffer->dtype),
                  lth_dtype_name(used));
}

// Declared buffer `i`, with its numbers.
static inline lth_slot_ *lth_slot_of_(const lth_buffers *buffers, size_t i) {
    const lth_buffer *buffer = &buffers->udf->private_->declared[i];
    lth_slot_ *slot = &buffers->slots[i];
    if (!slot->data && !buffers->is_output)
        lth_panic("buffer `%s` has no numbers here: it is LTH_RESULT_ONLY, or handed over by parts", buffer->name);
    if (!slot->data) {
        slot->len = lth_len_(buffers->udf, buffer, buffers->udf->meta->n_roi_frames);
        slot->data = lth_scratch_(slot->len, lth_dtype_size(buffer->dtype));
        lth_fill_(slot->data, buffer->dtype, slot->len, buffer->fill);
    }
    return slot;
}

static inline void *lth_all_(const lth_buffers *buffers, const char *name, lth_dtype used) {
    size_t i = lth_find_(buffers->udf, name);
    lth_check_dtype_(&buffers->udf->private_->declared[i], used);
    return lth_slot_of_(buffers, i)->data;
}

static inline size_t lth_len(const lth_buffers *buffers, const char *name) {
    return lth_slot_of_(buffers, lth_find_(buffers->udf, name))->len;
}

static inline bool *lth_mask(lth_buffers *out, const char *name) {
    lth_slot_ *slot = lth_slot_of_(out, lth_find_(out->udf, name));
    if (!slot->mask)
        slot->mask = memset(lth_scratch(bool, slot->len), true, slot->len);
    return slot->mask;
}

// Entry `at` of a buffer of this kind.
static inline void *lth_entry_(lth_udf *udf, const char *name, lth_kind kind, size_t at, lth_dtype used) {
    size_t i = lth_find_(udf, name);
    const lth_buffer *buffer = &udf->private_->declared[i];
    lth_check_dtype_(buffer, used);
    if (buffer->kind != kind)
        lth_panic("buffer `%s` is no %s buffer", name, kind == LTH_NAV ? "nav" : "sig");
    char *data = lth_slot_of_(udf->partial, i)->data;
    return data + at * lth_shape_size(buffer->extra) * lth_dtype_size(buffer->dtype);
}

static inline void *lth_nav_(lth_udf *udf, const char *name, const lth_tile *tile, lth_dtype used) {
    return lth_entry_(udf, name, LTH_NAV, tile->roi_start - udf->partition.roi_start, used);
}

static inline void *lth_sig_(lth_udf *udf, const char *name, const lth_tile *tile, lth_dtype used) {
    return lth_entry_(udf, name, LTH_SIG, tile->sig_start, used);
}

static inline void lth_emit_(lth_udf *udf, const char *name, uint64_t offset, const void *data, size_t n,
                             lth_dtype used) {
    size_t i = lth_find_(udf, name);
    const lth_buffer *buffer = &udf->private_->declared[i];
    lth_check_dtype_(buffer, used);
    if (!udf->private_->is_ending || !buffer->by_parts)
        lth_panic("buffer `%s` can be emitted only in `end`, and if it is declared .by_parts", name);
    lth_host_emit_(i, offset, data, lth_times_(n, lth_dtype_size(used)));
}

// Buffers for what `preprocess`, `merge_all` and `results` make.
static inline lth_buffers *lth_output_(lth_udf *udf) {
    lth_buffers *out = lth_scratch(lth_buffers, 1);
    *out = (lth_buffers){udf, lth_scratch(lth_slot_, LTH_MAX_BUFFERS_), true};
    return out;
}

// The host's arrays, one for each buffer that is not LTH_RESULT_ONLY.
static inline lth_buffers *lth_received_(lth_udf *udf, lth_list_ arrays) {
    lth_buffers *buffers = lth_output_(udf);
    buffers->is_output = false;
    size_t n = 0;
    for (size_t i = 0; i < udf->private_->n_buffers; i++) {
        if (udf->private_->declared[i].usage == LTH_RESULT_ONLY)
            continue;
        if (n == arrays.len)
            lth_panic("the host hands over fewer buffers than are declared");
        lth_array array = lth_array_((const lth_wit_array_ *)arrays.data + n++);
        buffers->slots[i] = (lth_slot_){.data = array.data, .len = array.len};
    }
    return buffers;
}

// Hands over every buffer that is there; if `merge` is stated, those that merge like that.
static inline lth_error lth_hand_over_(const lth_buffers *buffers, lth_merge merge) {
    for (size_t i = 0; i < buffers->udf->private_->n_buffers; i++) {
        const lth_buffer *buffer = &buffers->udf->private_->declared[i];
        const lth_slot_ *slot = &buffers->slots[i];
        if (!slot->data || (merge && buffer->merge != merge))
            continue;
        lth_host_emit_(i, 0, slot->data, slot->len * lth_dtype_size(buffer->dtype));
        if (slot->mask)
            lth_host_emit_mask_(i, slot->mask, slot->len);
    }
    return LTH_OK;
}

// ---- Tiles

static inline size_t lth_frame_index(const lth_tile *tile, size_t i) {
    return tile->frames ? tile->frames[i] : tile->frame_start + i;
}

static inline const lth_array *lth_aux(lth_udf *udf, const lth_tile *tile, const char *name) {
    if (lth_param_type(udf, name) != LTH_AUX)
        return NULL;
    // The tile has those that were given, in the order of declaration.
    size_t i = 0;
    for (const lth_parameter *parameter = lth_definition_.parameters; strcmp(parameter->name, name); parameter++)
        i += lth_param_type(udf, parameter->name) == LTH_AUX;
    return &tile->aux[i];
}

static inline lth_tile lth_tile_(const lth_wit_process_ *from, size_t *n_aux) {
    const struct lth_private_ *own = from->udf->private_;
    bool is_csr = from->form == 2, is_in_window = from->form == 4;
    lth_shape listed = from->frames.is_listed ? lth_counts_(from->frames.listed) : (lth_shape){0, NULL};
    lth_tile tile = {
        .roi_start = lth_size_(from->roi_start),
        .n_frames = lth_size_(from->n_frames),
        .sig_start = lth_size_(from->sig_start),
        .sig_origin = lth_counts_(from->sig_origin),
        .sig_shape = lth_counts_(from->sig_shape),
        .sig_index = lth_size_(from->sig_index),
        .dtype = 1 + (is_in_window ? own->input : is_csr ? from->csr.dtype : from->dense.dtype),
        .data = is_in_window ? own->window + from->position : is_csr ? from->csr.values.data : from->dense.values.data,
        .csr_start = is_csr ? from->csr.indptr.data : NULL,
        .csr_pixels = is_csr ? from->csr.indices.data : NULL,
        .frame_start = from->frames.is_listed ? 0 : lth_size_(from->frames.first),
        .frames = listed.axes,
        .aux = lth_scratch(lth_array, from->aux.len),
    };
    tile.n_pixels = lth_shape_size(tile.sig_shape);
    for (*n_aux = 0; *n_aux < from->aux.len; ++*n_aux)
        tile.aux[*n_aux] = lth_array_((const lth_wit_array_ *)from->aux.data + *n_aux);
    return tile;
}

// Calls `process_frame` for each frame.
static inline lth_error lth_each_frame_(lth_udf *udf, lth_tile tile, size_t n_aux) {
    size_t n_frames = tile.n_frames;
    tile.n_frames = 1;
    for (size_t i = 0; n_frames && i < n_aux; i++) {
        tile.aux[i].len /= n_frames;
        *(size_t *)tile.aux[i].shape.axes = 1;
    }
    for (size_t frame = 0; frame < n_frames; frame++) {
        lth_error error = lth_definition_.process_frame(udf, &tile);
        if (error)
            return error;
        tile.roi_start++;
        tile.frame_start++;
        tile.frames += tile.frames != NULL;
        if (tile.csr_start)
            tile.csr_start++;
        else
            tile.data = (const char *)tile.data + tile.n_pixels * lth_dtype_size(tile.dtype);
        for (size_t i = 0; i < n_aux; i++)
            tile.aux[i].data = (char *)tile.aux[i].data + tile.aux[i].len * lth_dtype_size(tile.aux[i].dtype);
    }
    return LTH_OK;
}

// ---- What the plugin says

typedef struct {
    lth_text_ message;
    lth_list_ causes;
} lth_wit_error_;

#define LTH_RESULT_(T)                                                                                                 \
    struct {                                                                                                           \
        uint8_t is_error;                                                                                              \
        union {                                                                                                        \
            T ok;                                                                                                      \
            lth_wit_error_ error;                                                                                      \
        };                                                                                                             \
    }

typedef struct {
    uint8_t tag;
    union {
        struct {
            lth_list_ dtypes;
            LTH_OPTION_(lth_list_) axes;
        } array;
        struct {
            uint8_t dtype;
            lth_list_ extra;
        } aux;
    };
} lth_wit_type_;

typedef struct {
    uint8_t tag; // 0: any, 1: fixed, 2: sig, 3: nav
    uint64_t extent;
} lth_wit_axis_;

typedef struct {
    lth_text_ name;
    lth_list_ types;
    bool required;
    lth_wit_value_ default_value;
    LTH_OPTION_(double) minimum, maximum;
    lth_list_ choices;
    lth_text_ unit, doc;
} lth_wit_parameter_;

typedef struct {
    lth_text_ name, version, summary;
    lth_list_ authors;
    lth_text_ license;
    lth_list_ parameters;
    uint8_t processes, capabilities;
} lth_wit_manifest_;

typedef struct {
    struct {
        uint8_t tag, dtype;
    } input;
    LTH_OPTION_(uint8_t) granularity;
    uint8_t form;
    LTH_OPTION_(uint64_t) depth, total_size, split_rows;
} lth_wit_preferences_;

typedef struct {
    lth_text_ name;
    uint8_t kind, dtype;
    lth_list_ extra;
    uint8_t usage, merge;
    double fill;
    lth_text_ unit, doc;
} lth_wit_buffer_;

_Static_assert(sizeof(lth_wit_parameter_) == 112 && sizeof(lth_wit_manifest_) == 52 && sizeof(lth_wit_type_) == 24 &&
                   sizeof(lth_wit_preferences_) == 56 && sizeof(lth_wit_buffer_) == 48,
               "wit");

static inline lth_text_ lth_text_of_(const char *text) {
    return text ? (lth_text_){text, strlen(text)} : (lth_text_){"", 0};
}

// A list of texts, of which the last is NULL.
static inline lth_list_ lth_texts_(const char *const *texts) {
    size_t n = 0;
    while (texts && texts[n])
        n++;
    lth_text_ *list = lth_scratch(lth_text_, n);
    for (size_t i = 0; i < n; i++)
        list[i] = lth_text_of_(texts[i]);
    return (lth_list_){list, n};
}

static inline lth_list_ lth_u64s_(lth_shape shape) {
    uint64_t *list = lth_scratch(uint64_t, shape.n_axes);
    for (size_t i = 0; i < shape.n_axes; i++)
        list[i] = shape.axes[i];
    return (lth_list_){list, shape.n_axes};
}

static inline lth_wit_array_ lth_wit_array_of_(const lth_array *from) {
    size_t len = from->dtype < LTH_C64 ? from->len : 2 * from->len;
    return (lth_wit_array_){lth_u64s_(from->shape), from->dtype - 1, {from->data, len}};
}

static inline const char *lth_type_name_(lth_type type) {
    static const char *const NAMES[] = {"nothing", "LTH_FLAG", "LTH_INTEGER", "LTH_NUMBER", "LTH_TEXT", "LTH_DTYPE",
                                        "LTH_ARRAY", "LTH_AUX"};
    return NAMES[type];
}

static inline const char *lth_type_names_(const lth_parameter *parameter) {
    char *names = lth_scratch(char, LTH_MESSAGE_SIZE_);
    for (size_t i = 0; i < LTH_MAX_TYPES_ && parameter->types[i]; i++)
        strcat(strcat(names, i ? " or " : ""), lth_type_name_(parameter->types[i]));
    return names;
}

static inline lth_wit_parameter_ lth_wit_parameter_of_(const lth_parameter *from) {
    lth_wit_parameter_ to = {
        .name = lth_text_of_(from->name),
        .required = from->required,
        .minimum = {from->range.is_stated && from->range.minimum != -INFINITY, from->range.minimum},
        .maximum = {from->range.is_stated && from->range.maximum != INFINITY, from->range.maximum},
        .choices = lth_texts_(from->choices),
        .unit = lth_text_of_(from->unit),
        .doc = lth_text_of_(from->doc),
    };
    uint8_t *dtypes = lth_scratch(uint8_t, LTH_MAX_DTYPES_);
    size_t n_dtypes = 0;
    for (; n_dtypes < LTH_MAX_DTYPES_ && from->dtypes[n_dtypes]; n_dtypes++)
        dtypes[n_dtypes] = from->dtypes[n_dtypes] - 1;
    lth_wit_axis_ *axes = lth_scratch(lth_wit_axis_, LTH_MAX_AXES_);
    size_t n_axes = 0;
    for (; n_axes < LTH_MAX_AXES_ && from->axes[n_axes]; n_axes++) {
        int64_t axis = from->axes[n_axes];
        axes[n_axes] = (lth_wit_axis_){axis > 0 ? 1 : axis == LTH_AXES_SIG ? 2 : axis == LTH_AXES_NAV ? 3 : 0, axis};
    }
    lth_wit_type_ *types = lth_scratch(lth_wit_type_, LTH_MAX_TYPES_);
    const lth_default *given = &from->default_value;
    for (; to.types.len < LTH_MAX_TYPES_ && from->types[to.types.len]; to.types.len++) {
        lth_type type = from->types[to.types.len];
        lth_wit_type_ *stated = &types[to.types.len];
        stated->tag = type - 1;
        if (type == LTH_ARRAY) {
            stated->array.dtypes = (lth_list_){dtypes, n_dtypes};
            stated->array.axes.is_some = n_axes > 0;
            stated->array.axes.some = (lth_list_){axes, n_axes};
        } else if (type == LTH_AUX) {
            stated->aux.dtype = n_dtypes ? dtypes[0] : LTH_F64 - 1;
            stated->aux.extra = lth_u64s_(from->extra);
        }
        // A whole number in C may be meant as something else.
        bool is_whole = given->type == LTH_INTEGER;
        bool fits = type == given->type || (is_whole && type == LTH_NUMBER) ||
                    (is_whole && type == LTH_DTYPE && given->integer >= LTH_BOOL && given->integer <= LTH_C128) ||
                    (is_whole && type == LTH_FLAG && given->integer == (bool)given->integer);
        if (to.default_value.tag || !fits)
            continue;
        lth_wit_value_ *value = &to.default_value;
        value->tag = type;
        switch (type) {
            case LTH_FLAG: value->flag = given->integer; break;
            case LTH_INTEGER: value->integer = given->integer; break;
            case LTH_NUMBER: value->number = given->number; break;
            case LTH_TEXT: value->text = lth_text_of_(given->text); break;
            case LTH_DTYPE: value->dtype = given->integer - 1; break;
            case LTH_ARRAY: value->array = lth_wit_array_of_(given->array); break;
            case LTH_AUX: break;
        }
    }
    if (given->type && from->required)
        lth_panic("parameter `%s` is .required, so that its .default_value is never used: leave out one", from->name);
    if (given->type && !to.default_value.tag)
        lth_panic("parameter `%s` accepts %s, and its .default_value is %s", from->name, lth_type_names_(from),
                  lth_type_name_(given->type));
    to.types.data = types;
    return to;
}

static inline lth_wit_error_ lth_error_(lth_error error) {
    lth_list_ causes = {lth_shared_state_.causes, lth_shared_state_.n_causes};
    lth_shared_state_.n_causes = 0;
    return (lth_wit_error_){lth_text_of_(error), causes};
}

// What most functions return. The text of an error may be scratch: it stays.
static inline const void *lth_finish_(lth_error error) {
    static LTH_RESULT_(char) result;
    result.is_error = error != LTH_OK;
    result.error = lth_error_(error);
    if (!error)
        lth_free_(&lth_shared_state_.call);
    return &result;
}

// ---- What the host calls, see LTH_UDF

static inline void *lth_realloc_(void *old, size_t old_size, size_t align, size_t size) {
    if (!size)
        return (void *)align;
    void *new = lth_take_(&lth_shared_state_.call, size);
    return old_size ? memcpy(new, old, old_size < size ? old_size : size) : new;
}

static inline const void *lth_describe_(void) {
    static lth_wit_manifest_ manifest;
    static lth_chunk_ *memory;
    const lth_definition *from = &lth_definition_;
    lth_free_(&memory);
    manifest = (lth_wit_manifest_){
        .name = lth_text_of_(from->name),
        .version = lth_text_of_(from->version),
        .summary = lth_text_of_(from->summary),
        .authors = lth_texts_(from->authors),
        .license = lth_text_of_(from->license),
        .processes = (from->process_tile ? 1 : 0) | (from->process_tile || from->process_frame ? 2 : 0) |
                     (from->process_partition ? 4 : 0),
        .capabilities = (from->preprocess ? 1 : 0) | (from->merge ? 2 : 0) | (from->merge_all ? 4 : 0) |
                        (from->results ? 8 : 0) | (from->update ? 16 : 0),
    };
    while (from->parameters && from->parameters[manifest.parameters.len].name)
        manifest.parameters.len++;
    lth_wit_parameter_ *parameters = lth_scratch(lth_wit_parameter_, manifest.parameters.len);
    for (size_t i = 0; i < manifest.parameters.len; i++)
        parameters[i] = lth_wit_parameter_of_(&from->parameters[i]);
    manifest.parameters.data = parameters;
    lth_keep_(&memory);
    return &manifest;
}

static inline const void *lth_create_(const lth_wit_create_ *from) {
    static LTH_RESULT_(int32_t) result;
    lth_udf *udf = lth_scratch(lth_udf, 1);
    struct lth_private_ *own = udf->private_ = lth_scratch(struct lth_private_, 1);
    own->partial = (lth_buffers){udf, own->slots, false};
    udf->partial = &own->partial;
    lth_take_meta_(&from->meta, &own->meta);
    udf->meta = &own->meta;
    lth_take_arguments_(udf, from->arguments);
    lth_error error = lth_definition_.create ? lth_definition_.create(udf) : LTH_OK;
    result.is_error = error != LTH_OK;
    if (error) {
        result.error = lth_error_(error);
        return &result;
    }
    lth_keep_(&own->kept);
    result.ok = lth_host_new_(udf);
    return &result;
}

static inline void lth_drop_(lth_udf *udf) {
    struct lth_private_ *own = udf->private_;
    for (size_t i = 0; i < own->n_buffers; i++)
        free(own->slots[i].data);
    lth_free_(&own->updated);
    lth_free_(&own->begun);
    lth_chunk_ *kept = own->kept; // has `udf` itself
    lth_free_(&kept);
}

static inline const void *lth_preferences_(lth_udf *udf) {
    static LTH_RESULT_(lth_wit_preferences_) result;
    const lth_definition *definition = &lth_definition_;
    lth_preferences prefer = definition->prefer;
    lth_error error = definition->preferences ? definition->preferences(udf, &prefer) : LTH_OK;
    result.is_error = error != LTH_OK;
    if (error) {
        result.error = lth_error_(error);
        return &result;
    }
    udf->private_->granularity = prefer.granularity        ? prefer.granularity
                                 : definition->process_tile  ? LTH_TILE
                                 : definition->process_frame ? LTH_FRAME
                                                             : LTH_PARTITION;
    if (prefer.input.as == LTH_AS_F32_)
        prefer.input = LTH_EXACTLY(LTH_F32);
    result.ok = (lth_wit_preferences_){
        .input = {prefer.input.as - LTH_AS_STORED_, prefer.input.dtype - 1},
        .granularity = {true, udf->private_->granularity - 1},
        .form = prefer.form == LTH_CSR ? 2 : 4,
        .depth = {prefer.depth > 0, prefer.depth},
        .total_size = {prefer.total_size > 0, prefer.total_size},
        .split_rows = {prefer.split_rows > 0, prefer.split_rows},
    };
    return &result;
}

static inline const void *lth_buffers_(lth_udf *udf, uint32_t input) {
    static LTH_RESULT_(lth_list_) result;
    struct lth_private_ *own = udf->private_;
    own->n_buffers = 0;
    own->input = input;
    lth_error error = lth_definition_.buffers ? lth_definition_.buffers(udf, input + 1) : LTH_OK;
    result.is_error = error != LTH_OK;
    if (error) {
        result.error = lth_error_(error);
        return &result;
    }
    lth_wit_buffer_ *stated = lth_scratch(lth_wit_buffer_, own->n_buffers);
    for (size_t i = 0; i < own->n_buffers; i++) {
        const lth_buffer *from = &own->declared[i];
        stated[i] = (lth_wit_buffer_){
            .name = lth_text_of_(from->name),
            .kind = from->kind - 1,
            .dtype = from->dtype - 1,
            .extra = lth_u64s_(from->extra),
            .usage = from->usage,
            .merge = from->merge - 1,
            .fill = from->fill,
            .unit = lth_text_of_(from->unit),
            .doc = lth_text_of_(from->doc),
        };
    }
    result.ok = (lth_list_){stated, own->n_buffers};
    lth_keep_(&own->kept);
    return &result;
}

static inline const void *lth_preprocess_(lth_udf *udf) {
    lth_buffers *out = lth_output_(udf);
    lth_error error = lth_definition_.preprocess(udf, out);
    return lth_finish_(error ? error : lth_hand_over_(out, 0));
}

static inline const void *lth_begin_(lth_udf *udf, lth_wit_partition_ partition, uint64_t depth, lth_list_ blocks) {
    struct lth_private_ *own = udf->private_;
    lth_free_(&own->begun);
    lth_block *to = lth_scratch(lth_block, blocks.len);
    for (size_t i = 0; i < blocks.len; i++) {
        const lth_wit_block_ *from = (const lth_wit_block_ *)blocks.data + i;
        to[i] = (lth_block){lth_size_(from->start), lth_counts_(from->origin), lth_counts_(from->shape)};
    }
    udf->tiling = (lth_tiling){lth_size_(depth), blocks.len, to};
    udf->partition = lth_partition_(&partition);
    for (size_t i = 0; i < own->n_buffers; i++) {
        const lth_buffer *buffer = &own->declared[i];
        lth_slot_ *slot = &own->slots[i];
        if (!lth_is_held_(buffer))
            continue;
        slot->len = lth_len_(udf, buffer, udf->partition.roi_stop - udf->partition.roi_start);
        size_t n_bytes = lth_times_(slot->len, lth_dtype_size(buffer->dtype));
        if (!slot->data || slot->capacity < n_bytes) {
            free(slot->data);
            slot->data = malloc(slot->capacity = n_bytes ? n_bytes : 1);
            if (!slot->data)
                lth_panic("there is no memory for the %zu bytes of buffer `%s`", n_bytes, buffer->name);
        }
        lth_fill_(slot->data, buffer->dtype, slot->len, buffer->fill);
    }
    lth_error error = lth_definition_.begin ? lth_definition_.begin(udf) : LTH_OK;
    if (!error)
        lth_keep_(&own->begun);
    return lth_finish_(error);
}

static inline const void *lth_window_(lth_udf *udf, const char *memory) {
    udf->private_->window = memory;
    lth_keep_(&udf->private_->kept);
    return lth_finish_(LTH_OK);
}

static inline const void *lth_process_(const lth_wit_process_ *from) {
    const lth_definition *definition = &lth_definition_;
    lth_udf *udf = from->udf;
    size_t n_aux;
    lth_tile tile = lth_tile_(from, &n_aux);
    switch (udf->private_->granularity) {
        case LTH_PARTITION: return lth_finish_(definition->process_partition(udf, &tile));
        case LTH_FRAME:
            if (definition->process_frame)
                return lth_finish_(lth_each_frame_(udf, tile, n_aux));
        default: return lth_finish_(definition->process_tile(udf, &tile));
    }
}

static inline const void *lth_end_(lth_udf *udf) {
    udf->private_->is_ending = true;
    lth_error error = lth_definition_.end ? lth_definition_.end(udf) : LTH_OK;
    udf->private_->is_ending = false;
    return lth_finish_(error ? error : lth_hand_over_(udf->partial, 0));
}

static inline const void *lth_merge_(lth_udf *udf, lth_wit_partition_ partition, lth_list_ dest, lth_list_ src,
                                     const bool *valid) {
    lth_partition at = lth_partition_(&partition);
    lth_buffers *to = lth_received_(udf, dest);
    lth_error error = lth_definition_.merge(udf, &at, to, lth_received_(udf, src), valid);
    return lth_finish_(error ? error : lth_hand_over_(to, LTH_CUSTOM));
}

static inline const void *lth_merge_all_(lth_udf *udf, lth_list_ list) {
    lth_partial *partials = lth_scratch(lth_partial, list.len);
    for (size_t i = 0; i < list.len; i++) {
        const lth_wit_partial_ *from = (const lth_wit_partial_ *)list.data + i;
        partials[i] = (lth_partial){lth_partition_(&from->partition), lth_received_(udf, from->buffers)};
    }
    lth_buffers *out = lth_output_(udf);
    lth_error error = lth_definition_.merge_all(udf, partials, list.len, out);
    return lth_finish_(error ? error : lth_hand_over_(out, 0));
}

static inline const void *lth_results_(lth_udf *udf, lth_list_ merged, const bool *valid) {
    lth_buffers *out = lth_output_(udf);
    lth_error error = lth_definition_.results(udf, lth_received_(udf, merged), out, valid);
    return lth_finish_(error ? error : lth_hand_over_(out, 0));
}

static inline const void *lth_update_(lth_udf *udf, lth_list_ arguments) {
    lth_chunk_ *before = udf->private_->updated;
    udf->private_->updated = NULL;
    lth_take_arguments_(udf, arguments);
    lth_error error = lth_definition_.update(udf);
    if (!error) {
        lth_keep_(&udf->private_->updated);
        lth_free_(&before);
    }
    return lth_finish_(error);
}

#define LTH_EXPORT_(name) __attribute__((export_name(name)))
#define LTH_EXPORT_UDF_(name) LTH_EXPORT_("lthost:udf/udf@0.1.0#" name)

// Makes a plugin of a UDF, once: LTH_UDF(.name = "sum", .summary = "Sum of all frames", .buffers = buffers, ..);
#define LTH_UDF(...)                                                                                                   \
    const lth_definition lth_definition_ = {__VA_ARGS__};                                                              \
    lth_shared_ lth_shared_state_;                                                                                     \
    _Noreturn void __assert_fail(const char *expression, const char *file, int line, const char *function) {           \
        lth_panic("assertion failed: %s (%s, %s:%d)", expression, function, file, line);                               \
    }                                                                                                                  \
    LTH_EXPORT_("cabi_realloc") void *lth_export_realloc_(void *old, size_t old_size, size_t align, size_t size) {     \
        return lth_realloc_(old, old_size, align, size);                                                               \
    }                                                                                                                  \
    LTH_EXPORT_UDF_("describe") const void *lth_export_describe_(void) { return lth_describe_(); }                     \
    LTH_EXPORT_UDF_("[static]udf.create") const void *lth_export_create_(const lth_wit_create_ *from) {                \
        return lth_create_(from);                                                                                      \
    }                                                                                                                  \
    LTH_EXPORT_UDF_("[dtor]udf") void lth_export_drop_(lth_udf *udf) { lth_drop_(udf); }                               \
    LTH_EXPORT_UDF_("[method]udf.preferences") const void *lth_export_preferences_(lth_udf *udf) {                     \
        return lth_preferences_(udf);                                                                                  \
    }                                                                                                                  \
    LTH_EXPORT_UDF_("[method]udf.buffers") const void *lth_export_buffers_(lth_udf *udf, uint32_t input) {             \
        return lth_buffers_(udf, input);                                                                               \
    }                                                                                                                  \
    LTH_EXPORT_UDF_("[method]udf.preprocess") const void *lth_export_preprocess_(lth_udf *udf) {                       \
        return lth_preprocess_(udf);                                                                                   \
    }                                                                                                                  \
    LTH_EXPORT_UDF_("[method]udf.begin")                                                                               \
    const void *lth_export_begin_(lth_udf *udf, LTH_FLAT_PARTITION_, uint64_t depth, void *blocks, size_t n) {         \
        return lth_begin_(udf, LTH_UNFLAT_PARTITION_, depth, (lth_list_){blocks, n});                                  \
    }                                                                                                                  \
    LTH_EXPORT_UDF_("[method]udf.window")                                                                              \
    const void *lth_export_window_(lth_udf *udf, const char *memory, size_t n) {                                       \
        (void)n;                                                                                                       \
        return lth_window_(udf, memory);                                                                               \
    }                                                                                                                  \
    LTH_EXPORT_UDF_("[method]udf.process") const void *lth_export_process_(const lth_wit_process_ *from) {             \
        return lth_process_(from);                                                                                     \
    }                                                                                                                  \
    LTH_EXPORT_UDF_("[method]udf.end") const void *lth_export_end_(lth_udf *udf) { return lth_end_(udf); }             \
    LTH_EXPORT_UDF_("[method]udf.merge")                                                                               \
    const void *lth_export_merge_(lth_udf *udf, LTH_FLAT_PARTITION_, void *dest, size_t n_dest, void *src,             \
                                  size_t n_src, const bool *valid, size_t n_valid) {                                   \
        (void)n_valid;                                                                                                 \
        return lth_merge_(udf, LTH_UNFLAT_PARTITION_, (lth_list_){dest, n_dest}, (lth_list_){src, n_src}, valid);      \
    }                                                                                                                  \
    LTH_EXPORT_UDF_("[method]udf.merge-all")                                                                           \
    const void *lth_export_merge_all_(lth_udf *udf, void *partials, size_t n) {                                        \
        return lth_merge_all_(udf, (lth_list_){partials, n});                                                          \
    }                                                                                                                  \
    LTH_EXPORT_UDF_("[method]udf.results")                                                                             \
    const void *lth_export_results_(lth_udf *udf, void *merged, size_t n, const bool *valid, size_t n_valid) {         \
        (void)n_valid;                                                                                                 \
        return lth_results_(udf, (lth_list_){merged, n}, valid);                                                       \
    }                                                                                                                  \
    LTH_EXPORT_UDF_("[method]udf.update")                                                                              \
    const void *lth_export_update_(lth_udf *udf, void *arguments, size_t n) {                                          \
        return lth_update_(udf, (lth_list_){arguments, n});                                                            \
    }                                                                                                                  \
    _Static_assert(sizeof(void *) == 4, "wasm32")

#define LTH_FLAT_PARTITION_                                                                                            \
    uint64_t index, uint64_t frame_start, uint64_t frame_stop, uint64_t roi_start, uint64_t roi_stop
#define LTH_UNFLAT_PARTITION_ ((lth_wit_partition_){index, frame_start, frame_stop, roi_start, roi_stop})

// Makes a plugin of a function of a frame, once: LTH_MAP(contrast, "Contrast of each frame") for
//
//     double contrast(const float *frame, size_t n_rows, size_t n_columns) { .. }
//
// Buffer `result` has what it returns for each frame. LTH_MAP_MANY is for functions that give more than a number:
//
//     size_t row_sums_size(size_t n_rows, size_t n_columns) { return n_rows; }
//     void row_sums(const float *frame, size_t n_rows, size_t n_columns, double *result) { .. }
//
// Frames are C-contiguous; of one with more than two axes, all but the last are rows.
#define LTH_MAP(f, about)                                                                                              \
    static size_t f##_lth_size(size_t n_rows, size_t n_columns) {                                                      \
        (void)n_rows, (void)n_columns;                                                                                 \
        return 0;                                                                                                      \
    }                                                                                                                  \
    static void f##_lth_call(const float *frame, size_t n_rows, size_t n_columns, double *result) {                    \
        *result = f(frame, n_rows, n_columns);                                                                         \
    }                                                                                                                  \
    LTH_MAP_(f, f##_lth_size, f##_lth_call, about)
#define LTH_MAP_MANY(f, about) LTH_MAP_(f, f##_size, f, about)

#define LTH_MAP_(f, size, call, about)                                                                                 \
    static lth_error f##_lth_buffers(lth_udf *udf, lth_dtype input) {                                                  \
        size_t n_columns = lth_n_columns_(udf), n = size(udf->meta->n_pixels / n_columns, n_columns);                  \
        (void)input;                                                                                                   \
        if (n > 0)                                                                                                     \
            lth_declare(udf, .name = "result", .kind = LTH_NAV, .dtype = LTH_F64, .extra = LTH_SHAPE(n));              \
        else                                                                                                           \
            lth_declare(udf, .name = "result", .kind = LTH_NAV, .dtype = LTH_F64);                                     \
        return LTH_OK;                                                                                                 \
    }                                                                                                                  \
    static lth_error f##_lth_process(lth_udf *udf, const lth_tile *frame) {                                            \
        size_t n_columns = lth_n_columns_(udf);                                                                        \
        call(lth_pixels(float, frame), frame->n_pixels / n_columns, n_columns, lth_nav(double, udf, "result", frame)); \
        return LTH_OK;                                                                                                 \
    }                                                                                                                  \
    LTH_UDF(.name = #f, .summary = about, .version = "0.0.0", .buffers = f##_lth_buffers,                              \
            .process_frame = f##_lth_process)

static inline size_t lth_n_columns_(const lth_udf *udf) {
    lth_shape sig = udf->meta->sig_shape;
    return sig.n_axes > 0 && sig.axes[sig.n_axes - 1] > 0 ? sig.axes[sig.n_axes - 1] : 1;
}

#endif
