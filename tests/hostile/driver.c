// A guest that does what it is told: parameter `program` has instructions, each a call of an import with any numbers, or a lie
// in what a function returns. It stands on the canonical ABI alone, so that pointers, lengths and handles may be anything.
// `describe` has no parameters: its instructions are in `described`, where whoever runs it writes them into the built file.
//
// Without instructions it is honest. `tests/fuzz/src/program.rs` has the instructions by name.
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT(name) __attribute__((export_name(name)))
#define EXPORT_UDF(name) EXPORT("lthost:udf/udf@0.1.0#" name)
#define IMPORT(module, name) __attribute__((import_module(module), import_name(name)))
#define HOST(name) IMPORT("lthost:udf/host@0.1.0", name)
#define KERNELS(name) IMPORT("lthost:udf/kernels@0.1.0", name)

HOST("log") void host_log(uint32_t level, uint32_t message, uint32_t len);
HOST("emit") void host_emit(uint32_t buffer, uint64_t offset, uint32_t data, uint32_t len);
HOST("emit-mask") void host_emit_mask(uint32_t buffer, uint32_t mask, uint32_t len);
KERNELS("[constructor]matrix") uint32_t matrix_new(uint32_t dtype, uint64_t n_columns);
KERNELS("[method]matrix.append") void matrix_append(uint32_t matrix, uint32_t numbers, uint32_t len);
KERNELS("[method]matrix.tile-products") void matrix_products(uint32_t matrix, uint32_t answer);
KERNELS("[method]matrix.masked-tile-products") void matrix_masked_products(uint32_t matrix, uint32_t answer);
KERNELS("[resource-drop]matrix") void matrix_drop(uint32_t matrix);
KERNELS("[constructor]fourier") uint32_t fourier_new(uint32_t dtype, uint32_t shape, uint32_t n_axes);
KERNELS("[method]fourier.forward") void fourier_forward(uint32_t fourier, uint32_t arrays, uint32_t len, uint32_t answer);
KERNELS("[method]fourier.inverse") void fourier_inverse(uint32_t fourier, uint32_t arrays, uint32_t len, uint32_t answer);
KERNELS("[resource-drop]fourier") void fourier_drop(uint32_t fourier);
KERNELS("frame-sums") void frame_sums(uint32_t dtype, uint32_t answer);
KERNELS("[constructor]pixel-sums") uint32_t sums_new(uint32_t dtype, uint64_t n_pixels);
KERNELS("[method]pixel-sums.add-tile") void sums_add(uint32_t sums);
KERNELS("[method]pixel-sums.read") void sums_read(uint32_t sums, uint64_t start, uint64_t len, uint32_t answer);
KERNELS("[method]pixel-sums.clear") void sums_clear(uint32_t sums);
KERNELS("[resource-drop]pixel-sums") void sums_drop(uint32_t sums);
KERNELS("[constructor]pixel-moments") uint32_t moments_new(uint32_t pixels, uint64_t n_pixels);
KERNELS("[method]pixel-moments.add-tile") void moments_add(uint32_t moments);
KERNELS("[method]pixel-moments.read") void moments_read(uint32_t moments, uint64_t start, uint64_t len, uint32_t answer);
KERNELS("[method]pixel-moments.clear") void moments_clear(uint32_t moments);
KERNELS("[resource-drop]pixel-moments") void moments_drop(uint32_t moments);
IMPORT("[export]lthost:udf/udf@0.1.0", "[resource-new]udf") uint32_t udf_new(uint32_t representation);
IMPORT("[export]lthost:udf/udf@0.1.0", "[resource-drop]udf") void udf_drop(uint32_t udf);

// ---- Instructions

enum phase {
    DESCRIBE,
    CREATE,
    PREFERENCES,
    BUFFERS,
    PREPROCESS,
    BEGIN,
    WINDOW,
    PROCESS,
    END,
    MERGE,
    MERGE_ALL,
    RESULTS,
    UPDATE,
    REALLOC,
    N_PHASES,
};

enum op {
    POKE,         // puts the c % 4 + 1 lowest bytes of b to byte a of the answers
    FILL,         // fills b bytes of the arena from a on with c
    LOG,          // level c, text a, length b
    EMIT,         // buffer c % 256, offset c / 256, data a, length b
    EMIT_MASK,    // buffer c, mask a, length b
    MATRIX,       // dtype a, b columns; c is the high half of b
    APPEND,       // matrix c, numbers a, length b
    PRODUCTS,     // matrix c, answer to a
    MASKED,       // the same
    DROP_MATRIX,  // matrix c
    FOURIER,      // dtype c, shape a, b axes
    FORWARD,      // transform c, arrays a, length b
    INVERSE,      // the same
    DROP_FOURIER, // transform c
    GROW,         // memory by a % 4096 pages
    ANSWER_AT,    // returns a, whatever it is
    ALLOCATE,     // from now on in way a, with number b
    TRAP,
    SPIN,     // for a rounds
    SKIP,     // leaves out what is honest about the function
    NEW_UDF,  // of representation a, one more
    DROP_UDF, // udf a
    FAIL,     // with message a of length b, and c % 4096 causes
    COPY,     // c % 4096 bytes of the arena from b to a
    FRAME_SUMS, // dtype c, answer to a
    SUMS,       // dtype a, b pixels; c is the high half of b
    ADD_TILE,   // sums c
    READ_SUMS,  // sums c, start a, length b; the largest numbers have 64 bits
    CLEAR_SUMS, // sums c
    DROP_SUMS,  // sums c
    MOMENTS,      // dtype a, b pixels; c is the high half of b
    ADD_MOMENTS,  // moments c
    READ_MOMENTS, // as of sums
    CLEAR_MOMENTS, // moments c
    DROP_MOMENTS,  // moments c
    N_OPS,
};

enum flag {
    A_IN_ARENA = 1,   // a counts from the beginning of the arena
    B_IN_ARENA = 2,   // so does b
    ONLY_WORKERS = 4, // not on the main thread
    ONLY_MAIN = 8,    // only there
    RAW_HANDLE = 16,  // c is a handle itself, not one of those that there are
};

// How memory for the host is found.
enum way { HONEST, AT_NULL, AT_NUMBER, AT_END, UNALIGNED, NOT_AT_ALL, IN_ARENA, BY_INSTRUCTIONS, N_WAYS };

typedef struct {
    uint8_t phase, op, flags, more_times;
    uint32_t a, b, c;
} instruction;

enum { MAX_INSTRUCTIONS = 64, MAX_DESCRIBED = 16, N_HANDLES = 8, ARENA = 1 << 16, PAGE = 1 << 16 };

static instruction program[MAX_INSTRUCTIONS];
static uint32_t n_instructions;

// The last number is there so that all of it is in the file.
static volatile struct {
    char mark[17];
    uint8_t n, rest[14];
    instruction program[MAX_DESCRIBED];
} described = {.mark = "describe-program", .program[MAX_DESCRIBED - 1] = {.c = 1}};

// ---- What functions return, as it lies in memory. Addresses are numbers, for they may be wrong.

typedef struct {
    uint32_t at, len;
} list;

typedef struct {
    uint8_t is_error;
    list message, causes;
} done;

typedef struct {
    list name;
    uint8_t kind, dtype;
    list extra_shape;
    uint8_t usage, merge;
    double fill;
    list unit, doc;
} buffer;

typedef struct {
    list name, types;
    uint8_t required;
    uint64_t default_value[4];
    uint64_t minimum[2], maximum[2];
    list choices, unit, doc;
} parameter;

typedef struct {
    uint8_t is_error;
    _Alignas(8) uint8_t input[2];
    uint8_t granularity[2], form;
    uint64_t depth[2], total_size[2], split_rows[2];
} preferences;

enum { N_BUFFERS = 4 };

// Instructions change these: their order and sizes are known elsewhere.
typedef struct {
    struct {
        list name, version, summary, authors, license, parameters;
        uint8_t processes, capabilities;
    } manifest;
    _Alignas(64) preferences preferences;
    struct {
        uint8_t is_error;
        list buffers_or_message, causes;
    } declared;
    done done;
    _Alignas(8) buffer buffers[N_BUFFERS];
    parameter parameter;
    struct {
        uint8_t tag;
        uint32_t array[5];
    } type;
    uint8_t dtypes[8];
    uint64_t extra_shape[2];
} answers;

_Static_assert(offsetof(answers, manifest.processes) == 48, "answers are where the host looks for them");
_Static_assert(sizeof(preferences) == 64 && offsetof(answers, preferences) == 64, "answers are where tests look for them");
_Static_assert(offsetof(answers, declared) == 128 && offsetof(answers, done) == 148, "as above");
_Static_assert(sizeof(buffer) == 48 && offsetof(answers, buffers) == 168, "as above");
_Static_assert(sizeof(parameter) == 112 && offsetof(answers, parameter) == 360, "as above");
_Static_assert(offsetof(answers, type) == 472 && offsetof(answers, extra_shape) == 504, "as above");

static answers answer;
// Where instructions find room for texts, numbers and shapes.
static _Alignas(16) uint8_t arena[ARENA];
static list causes[4096];

static uint32_t handles[N_HANDLES], n_handles;
static uint32_t way, way_number, answer_at, role, n_rows, n_pixels;
static bool is_skipped;

static uint32_t at(const volatile void *place) { return (uint32_t)(uintptr_t)place; }

static list text(const char *text) {
    uint32_t len = 0;
    while (text[len])
        len++;
    return (list){at(text), len};
}

// ---- Memory for the host. It is given back after each call; a window stays.

extern uint8_t __heap_base;
static uint32_t heap_floor, heap_top;

static uint32_t take(uint32_t align, uint32_t size) {
    if (!heap_top)
        heap_top = heap_floor = (at(&__heap_base) + 15) & ~15u;
    align = align ? align : 1;
    uint64_t start = ((uint64_t)heap_top + align - 1) / align * align, end = start + size;
    uint64_t have = (uint64_t)__builtin_wasm_memory_size(0) * PAGE;
    if (end > have && __builtin_wasm_memory_grow(0, (end - have + PAGE - 1) / PAGE) == (size_t)-1)
        __builtin_trap();
    heap_top = (uint32_t)end;
    return (uint32_t)start;
}

static void perform(enum phase phase);

EXPORT("cabi_realloc") uint32_t reallocate(uint32_t old, uint32_t old_size, uint32_t align, uint32_t size) {
    (void)old, (void)old_size;
    switch ((enum way)way) {
        case AT_NULL: return 0;
        case AT_NUMBER: return way_number;
        case AT_END: return (uint32_t)(__builtin_wasm_memory_size(0) * PAGE) - way_number;
        case UNALIGNED: return take(align, size + 1) + 1;
        case NOT_AT_ALL: __builtin_trap();
        case IN_ARENA: return at(arena) + way_number % ARENA;
        case BY_INSTRUCTIONS: perform(REALLOC); return take(align, size);
        default: return take(align, size);
    }
}

// ---- Doing it

static uint32_t handle(const instruction *it) {
    return it->flags & RAW_HANDLE ? it->c : handles[it->c % N_HANDLES];
}

static void keep(uint32_t handle) { handles[n_handles++ % N_HANDLES] = handle; }

static uint64_t widest(uint32_t number) { return number == UINT32_MAX ? UINT64_MAX : number; }

static void poke(uint32_t place, uint32_t number, uint32_t n_bytes) {
    for (uint32_t i = 0; i < n_bytes; i++)
        ((uint8_t *)&answer)[(place + i) % sizeof answer] = (uint8_t)(number >> 8 * i);
}

static void fill(uint32_t start, uint32_t len, uint8_t byte) {
    for (uint32_t i = 0; i < len % (ARENA + 1); i++)
        arena[(start + i) % ARENA] = byte;
}

static void copy(uint32_t to, uint32_t from, uint32_t len) {
    for (uint32_t i = 0; i < len; i++)
        arena[(to + i) % ARENA] = arena[(from + i) % ARENA];
}

static void fail(list message, uint32_t n_causes) {
    for (uint32_t i = 0; i < n_causes; i++)
        causes[i] = message;
    answer.done = (done){1, message, {at(causes), n_causes}};
    answer_at = at(&answer.done);
}

static void spin(uint32_t n) {
    for (volatile uint32_t i = 0; i < n;)
        i = i + 1;
}

static void execute(const instruction *it) {
    static list made;
    uint32_t a = it->flags & A_IN_ARENA ? at(arena) + it->a % ARENA : it->a;
    uint32_t b = it->flags & B_IN_ARENA ? at(arena) + it->b % ARENA : it->b;
    uint32_t c = it->c, made_at = it->flags & A_IN_ARENA ? a : at(&made);
    switch ((enum op)(it->op % N_OPS)) {
        case POKE: poke(it->a, b, c % 4 + 1); break;
        case FILL: fill(it->a, it->b, (uint8_t)c); break;
        case LOG: host_log(c, a, b); break;
        case EMIT: host_emit(c % 256, c / 256 == 0xffffff ? UINT64_MAX : c / 256, a, b); break;
        case EMIT_MASK: host_emit_mask(c, a, b); break;
        case MATRIX: keep(matrix_new(a, (uint64_t)c << 32 | b)); break;
        case APPEND: matrix_append(handle(it), a, b); break;
        case PRODUCTS: matrix_products(handle(it), made_at); break;
        case MASKED: matrix_masked_products(handle(it), made_at); break;
        case DROP_MATRIX: matrix_drop(handle(it)); break;
        case FOURIER: keep(fourier_new(c, a, b)); break;
        case FORWARD: fourier_forward(handle(it), a, b, at(&made)); break;
        case INVERSE: fourier_inverse(handle(it), a, b, at(&made)); break;
        case DROP_FOURIER: fourier_drop(handle(it)); break;
        case GROW: (void)!__builtin_wasm_memory_grow(0, a % 4096); break;
        case ANSWER_AT: answer_at = a; break;
        case ALLOCATE: way = a % N_WAYS, way_number = b; break;
        case TRAP: __builtin_trap();
        case SPIN: spin(a); break;
        case SKIP: is_skipped = true; break;
        case NEW_UDF: keep(udf_new(a)); break;
        case DROP_UDF: udf_drop(a); break;
        case FAIL: fail((list){a, b}, c % 4096); break;
        case COPY: copy(it->a, it->b, c % 4096); break;
        case FRAME_SUMS: frame_sums(c, made_at); break;
        case SUMS: keep(sums_new(a, (uint64_t)c << 32 | b)); break;
        case ADD_TILE: sums_add(handle(it)); break;
        case READ_SUMS: sums_read(handle(it), widest(it->a), widest(it->b), at(&made)); break;
        case CLEAR_SUMS: sums_clear(handle(it)); break;
        case DROP_SUMS: sums_drop(handle(it)); break;
        case MOMENTS: keep(moments_new(a, (uint64_t)c << 32 | b)); break;
        case ADD_MOMENTS: moments_add(handle(it)); break;
        case READ_MOMENTS: moments_read(handle(it), widest(it->a), widest(it->b), at(&made)); break;
        case CLEAR_MOMENTS: moments_clear(handle(it)); break;
        case DROP_MOMENTS: moments_drop(handle(it)); break;
        default: break;
    }
}

static void perform_all(const instruction *all, uint32_t n, enum phase phase) {
    for (uint32_t i = 0; i < n; i++) {
        const instruction *it = &all[i];
        bool is_elsewhere = (it->flags & ONLY_WORKERS && role) || (it->flags & ONLY_MAIN && !role);
        if (it->phase % N_PHASES != phase || is_elsewhere)
            continue;
        for (uint32_t times = 0; times <= it->more_times; times++)
            execute(it);
    }
}

static void perform(enum phase phase) { perform_all(program, n_instructions, phase); }

static void start(uint32_t honest_at) {
    is_skipped = false;
    answer_at = honest_at;
    answer.done = (done){0};
}

static uint32_t finish(void) {
    heap_top = heap_floor;
    return answer_at;
}

// ---- The contract

static parameter honest_parameter(void) {
    answer.dtypes[0] = 1; // u8
    answer.type.tag = 5;  // an array, of any shape
    answer.type.array[0] = at(answer.dtypes);
    answer.type.array[1] = 1;
    return (parameter){.name = text("program"), .types = {at(&answer.type), 1}};
}

EXPORT_UDF("describe") uint32_t describe(void) {
    start(at(&answer.manifest));
    answer.manifest.name = text("driver");
    answer.manifest.version = text("1");
    answer.manifest.summary = text("does what it is told");
    answer.parameter = honest_parameter();
    answer.manifest.parameters = (list){at(&answer.parameter), 1};
    answer.manifest.processes = 7;
    // All but `merge-all`, in place of which `merge` is called.
    answer.manifest.capabilities = 27;
    uint32_t n = described.n < MAX_DESCRIBED ? described.n : MAX_DESCRIBED;
    for (uint32_t i = 0; i < n; i++) {
        instruction it = described.program[i];
        perform_all(&it, 1, DESCRIBE);
    }
    return finish();
}

typedef struct {
    list name;
    _Alignas(8) uint8_t tag;
    _Alignas(8) list shape;
    uint8_t dtype;
    list numbers;
} argument;

_Static_assert(sizeof(argument) == 40 && offsetof(argument, numbers) == 28, "arguments are where the host puts them");

typedef struct {
    list arguments;
    _Alignas(8) uint8_t role;
    list nav_shape, sig_shape;
    uint64_t n_frames, n_roi_frames;
} create_arguments;

_Static_assert(offsetof(create_arguments, sig_shape) == 20, "arguments are where the host puts them");

static void load(list arguments) {
    const argument *first = (const argument *)(uintptr_t)arguments.at;
    if (!arguments.len || first->tag != 6)
        return;
    const uint8_t *bytes = (const uint8_t *)(uintptr_t)first->numbers.at;
    uint32_t n = first->numbers.len / sizeof(instruction);
    n_instructions = n < MAX_INSTRUCTIONS ? n : MAX_INSTRUCTIONS;
    for (uint32_t i = 0; i < n_instructions * sizeof(instruction); i++)
        ((uint8_t *)program)[i] = bytes[i];
}

EXPORT_UDF("[static]udf.create") uint32_t create(const create_arguments *from) {
    const uint64_t *extents = (const uint64_t *)(uintptr_t)from->sig_shape.at;
    n_pixels = 1;
    for (uint32_t i = 0; i < from->sig_shape.len; i++)
        n_pixels *= (uint32_t)extents[i];
    role = from->role;
    load(from->arguments);
    start(at(&answer.done));
    perform(CREATE);
    if (!is_skipped && !answer.done.is_error)
        answer.done.message.at = udf_new(1);
    return finish();
}

EXPORT_UDF("[dtor]udf") void destroy(uint32_t udf) { (void)udf; }

EXPORT_UDF("[method]udf.preferences") uint32_t say_preferences(uint32_t udf) {
    (void)udf;
    start(at(&answer.preferences));
    answer.preferences = (preferences){0};
    perform(PREFERENCES);
    return finish();
}

EXPORT_UDF("[method]udf.buffers") uint32_t declare(uint32_t udf, uint32_t input) {
    (void)udf, (void)input;
    start(at(&answer.declared));
    answer.extra_shape[0] = 3;
    answer.extra_shape[1] = 1;
    list extra = {at(answer.extra_shape), 1}, none = {0};
    answer.buffers[0] = (buffer){text("nav"), 0, 1, none, 0, 0, 0.0, none, none};     // u8, assigned
    answer.buffers[1] = (buffer){text("sig"), 1, 9, none, 0, 1, 0.0, none, none};     // f32, added up
    answer.buffers[2] = (buffer){text("custom"), 2, 10, extra, 0, 5, 0.0, none, none}; // f64, merged here
    answer.buffers[3] = (buffer){text("made"), 2, 4, none, 2, 0, 0.0, none, none};    // u64, a result only
    answer.declared.is_error = 0;
    answer.declared.buffers_or_message = (list){at(answer.buffers), N_BUFFERS};
    perform(BUFFERS);
    return finish();
}

static uint32_t simply(enum phase phase) {
    start(at(&answer.done));
    perform(phase);
    return finish();
}

EXPORT_UDF("[method]udf.preprocess") uint32_t preprocess(uint32_t udf) {
    (void)udf;
    return simply(PREPROCESS);
}

EXPORT_UDF("[method]udf.begin")
uint32_t begin(uint32_t udf, uint64_t index, uint64_t frame_start, uint64_t frame_stop, uint64_t roi_start,
               uint64_t roi_stop, uint64_t depth, uint32_t blocks, uint32_t n_blocks) {
    (void)udf, (void)index, (void)frame_start, (void)frame_stop, (void)depth, (void)blocks, (void)n_blocks;
    n_rows = (uint32_t)(roi_stop - roi_start);
    return simply(BEGIN);
}

EXPORT_UDF("[method]udf.window") uint32_t take_window(uint32_t udf, uint32_t memory, uint32_t len) {
    (void)udf, (void)memory, (void)len;
    start(at(&answer.done));
    perform(WINDOW);
    // An honest window stays where it is.
    if (!is_skipped)
        heap_floor = heap_top;
    return finish();
}

EXPORT_UDF("[method]udf.process") uint32_t process(uint32_t arguments) {
    (void)arguments;
    return simply(PROCESS);
}

EXPORT_UDF("[method]udf.end") uint32_t end(uint32_t udf) {
    (void)udf;
    start(at(&answer.done));
    perform(END);
    if (!is_skipped) {
        host_emit(0, 0, at(arena), n_rows);
        host_emit(1, 0, at(arena), 4 * n_pixels);
        host_emit(2, 0, at(arena), 24);
    }
    return finish();
}

static uint32_t emit_one(enum phase phase, uint32_t number, uint32_t n_bytes) {
    start(at(&answer.done));
    perform(phase);
    if (!is_skipped)
        host_emit(number, 0, at(arena), n_bytes);
    return finish();
}

EXPORT_UDF("[method]udf.merge")
uint32_t merge(uint32_t udf, uint64_t index, uint64_t frame_start, uint64_t frame_stop, uint64_t roi_start,
               uint64_t roi_stop, uint32_t dest, uint32_t n_dest, uint32_t src, uint32_t n_src, uint32_t valid,
               uint32_t n_valid) {
    (void)udf, (void)index, (void)frame_start, (void)frame_stop, (void)roi_start, (void)roi_stop;
    (void)dest, (void)n_dest, (void)src, (void)n_src, (void)valid, (void)n_valid;
    return emit_one(MERGE, 2, 24);
}

EXPORT_UDF("[method]udf.merge-all") uint32_t merge_all(uint32_t udf, uint32_t partials, uint32_t n_partials) {
    (void)udf, (void)partials, (void)n_partials;
    return emit_one(MERGE_ALL, 2, 24);
}

EXPORT_UDF("[method]udf.results")
uint32_t results(uint32_t udf, uint32_t merged, uint32_t n_merged, uint32_t valid, uint32_t n_valid) {
    (void)udf, (void)merged, (void)n_merged, (void)valid, (void)n_valid;
    return emit_one(RESULTS, 3, 8);
}

EXPORT_UDF("[method]udf.update") uint32_t update(uint32_t udf, uint32_t arguments, uint32_t n_arguments) {
    (void)udf;
    load((list){arguments, n_arguments});
    return simply(UPDATE);
}
