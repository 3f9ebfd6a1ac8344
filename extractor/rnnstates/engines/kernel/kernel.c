/* The compiled unroll of an LSTM, called by compiled_engine.py, which documents it. The arithmetic is in unroll.h.
 *
 * Written with the vector types of GCC and Clang, so that one source serves every width; on x86-64 the widest kind that
 * the processor supports is chosen at run time, not when it is built. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define X86 1
#include <immintrin.h>
#if __GNUC__ >= 12 /* the first version that can ask a processor for it by name */
#define X86_BFLOAT16 1
#endif
#endif

typedef struct {
    int64_t features, units, depth; /* depth: features + units, made even for bfloat16 */
    const void *panels;             /* [panels, depth, 4, LANES]; bfloat16: [panels, depth / 2, 4, LANES, 2] */
    const float *bias;              /* [panels, 4, LANES] */
    const float *peepholes;         /* [3, units] or NULL */
    float cell_clip;                /* 0: none */
} layer_t;

typedef struct {
    int64_t rows, steps;
    const int64_t *live;  /* [steps], never increasing: rows that still have the step */
    const float *inputs;  /* [rows, steps, features] */
    const float *hidden_now;
    float *cell_now;      /* both [rows, units]: before the first step; the cell state is carried here */
    float *hidden, *cell; /* [rows, steps, units], as are the gates; zero past the end of a sequence */
    float *gates[4];      /* input, forget, candidate, output; NULL where not wanted */
    void *scratch;        /* 2 * rows * depth numbers of the product */
} tile_t;

static void clear(const tile_t *tile, int64_t place, int64_t units) {
    float *arrays[] = {tile->hidden, tile->cell, tile->gates[0], tile->gates[1], tile->gates[2], tile->gates[3]};
    for (int at = 0; at < 6; at++)
        if (arrays[at])
            memset(arrays[at] + place, 0, 4 * (size_t)units);
}

#define LANES 4
#define MOST_ROWS 3
#define PAIR 1
#define NAME(x) plain_##x
#include "unroll.h"

#ifdef X86
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#define LANES 8
#define MOST_ROWS 3
#define PAIR 1
#define LEAST(a, b) _mm256_min_ps((__m256)(a), (__m256)(b))
#define MOST(a, b) _mm256_max_ps((__m256)(a), (__m256)(b))
#define NAME(x) avx2_##x
#include "unroll.h"
#pragma GCC pop_options

#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,fma,prefer-vector-width=512")
#define LANES 16
#define MOST_ROWS 6
#define PAIR 1
#define LEAST(a, b) _mm512_min_ps((__m512)(a), (__m512)(b))
#define MOST(a, b) _mm512_max_ps((__m512)(a), (__m512)(b))
#define NAME(x) avx512_##x
#include "unroll.h"
#pragma GCC pop_options
#endif

#ifdef X86_BFLOAT16
#pragma GCC push_options
#pragma GCC target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,fma,prefer-vector-width=512")
#define LANES 16
#define MOST_ROWS 6
#define PAIR 2
#define LEAST(a, b) _mm512_min_ps((__m512)(a), (__m512)(b))
#define MOST(a, b) _mm512_max_ps((__m512)(a), (__m512)(b))
#define NAME(x) bfloat16_##x
#include "unroll.h"
#pragma GCC pop_options
#endif

typedef struct {
    const char *name;
    int lanes, pair;
    void (*unroll)(const layer_t *, const tile_t *);
} kind_t;

static const kind_t KINDS[] = {
    {"plain", 4, 1, plain_unroll},
#ifdef X86
    {"avx2", 8, 1, avx2_unroll},
    {"avx512", 16, 1, avx512_unroll},
#endif
#ifdef X86_BFLOAT16
    {"bfloat16", 16, 2, bfloat16_unroll},
#endif
};
#define KIND_COUNT ((int)(sizeof KINDS / sizeof *KINDS))

static int runs_here(const kind_t *kind) {
#ifdef X86
    int avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                 __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
    if (kind->unroll == avx2_unroll)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (kind->unroll == avx512_unroll)
        return avx512;
#ifdef X86_BFLOAT16
    if (kind->unroll == bfloat16_unroll)
        return avx512 && __builtin_cpu_supports("avx512bf16");
#endif
#endif
    return kind->unroll == plain_unroll;
}

static const kind_t *find_kind(const char *name) {
    for (int at = 0; at < KIND_COUNT; at++)
        if (!strcmp(KINDS[at].name, name) && runs_here(&KINDS[at]))
            return &KINDS[at];
    PyErr_Format(PyExc_ValueError, "this processor does not run the kind '%s'", name);
    return NULL;
}

static PyObject *kinds(PyObject *module, PyObject *unused) {
    (void)module, (void)unused;
    PyObject *found = PyList_New(0);
    for (int at = 0; found && at < KIND_COUNT; at++) {
        if (!runs_here(&KINDS[at]))
            continue;
        PyObject *kind = Py_BuildValue("(sii)", KINDS[at].name, KINDS[at].lanes, KINDS[at].pair);
        if (!kind || PyList_Append(found, kind))
            Py_CLEAR(found);
        Py_XDECREF(kind);
    }
    return found;
}

enum { PANELS, BIAS, PEEPHOLES, LIVE, INPUTS, HIDDEN_NOW, CELL_NOW, HIDDEN, CELL, GATES, SCRATCH = GATES + 4, BUFFERS };

/* Whether every array has the size that the others imply: nothing is read or written outside them. */
static int sizes_agree(const layer_t *layer, const tile_t *tile, const kind_t *kind, const Py_buffer *buffers) {
    const int64_t most = INT32_MAX; /* so that no product below overflows 128 bits */
    if (layer->features < 1 || layer->units < 1 || tile->rows < 0 || tile->steps < 0 || layer->features > most ||
        layer->units > most || tile->rows > most || tile->steps > most)
        return 0;
    __int128 item = kind->pair == 2 ? 2 : 4, units = layer->units, depth = layer->depth, rows = tile->rows;
    __int128 columns = (units + kind->lanes - 1) / kind->lanes * kind->lanes * 4, of_rows = 4 * rows * units;
    __int128 states = of_rows * tile->steps;
    __int128 wanted[BUFFERS] = {item * depth * columns, 4 * columns, 12 * units, 8 * (__int128)tile->steps,
                                4 * rows * tile->steps * layer->features, of_rows, of_rows, states, states, states,
                                states, states, states, 2 * item * rows * depth};
    for (int at = 0; at < BUFFERS; at++)
        if (buffers[at].buf && (buffers[at].len < wanted[at] || (at >= GATES && buffers[at].readonly)))
            return 0;
    for (int64_t step = 0; step < tile->steps; step++)
        if (tile->live[step] < 0 || tile->live[step] > tile->rows)
            return 0;
    return 1;
}

static void point(layer_t *layer, tile_t *tile, const Py_buffer *buffers) {
    layer->panels = buffers[PANELS].buf;
    layer->bias = buffers[BIAS].buf;
    layer->peepholes = buffers[PEEPHOLES].buf;
    tile->live = buffers[LIVE].buf;
    tile->inputs = buffers[INPUTS].buf;
    tile->hidden_now = buffers[HIDDEN_NOW].buf;
    tile->cell_now = buffers[CELL_NOW].buf;
    tile->hidden = buffers[HIDDEN].buf;
    tile->cell = buffers[CELL].buf;
    for (int gate = 0; gate < 4; gate++)
        tile->gates[gate] = buffers[GATES + gate].buf;
    tile->scratch = buffers[SCRATCH].buf;
}

static PyObject *unroll(PyObject *module, PyObject *arguments) {
    (void)module;
    const char *name;
    layer_t layer = {0};
    tile_t tile = {0};
    Py_buffer b[BUFFERS] = {{0}};
    PyObject *answer = NULL;
    long long features, units, rows, steps;
    /* Flat: CPython counts buffers inside a nested tuple as one when it makes room to release them. */
    if (!PyArg_ParseTuple(arguments, "sLLLLfy*y*z*y*y*y*w*w*w*z*z*z*z*w*", &name, &features, &units, &rows, &steps,
                          &layer.cell_clip, &b[PANELS], &b[BIAS], &b[PEEPHOLES], &b[LIVE], &b[INPUTS], &b[HIDDEN_NOW],
                          &b[CELL_NOW], &b[HIDDEN], &b[CELL], &b[GATES], &b[GATES + 1], &b[GATES + 2], &b[GATES + 3],
                          &b[SCRATCH]))
        return NULL;
    const kind_t *kind = find_kind(name);
    if (kind) {
        layer.features = features, layer.units = units, tile.rows = rows, tile.steps = steps;
        layer.depth = (int64_t)(((uint64_t)features + (uint64_t)units + kind->pair - 1) / kind->pair * kind->pair);
        point(&layer, &tile, b);
        if (sizes_agree(&layer, &tile, kind, b)) {
            Py_BEGIN_ALLOW_THREADS
            kind->unroll(&layer, &tile);
            Py_END_ALLOW_THREADS
            answer = Py_NewRef(Py_None);
        } else {
            PyErr_SetString(PyExc_ValueError, "the sizes of the arrays do not agree, or one cannot be written");
        }
    }
    for (int at = 0; at < BUFFERS; at++)
        if (b[at].obj)
            PyBuffer_Release(&b[at]);
    return answer;
}

static PyMethodDef METHODS[] = {
    {"kinds", kinds, METH_NOARGS, "kinds() -> [(name, lanes, pair)]: what this processor runs, the widest last."},
    {"unroll", unroll, METH_VARARGS,
     "unroll(kind, features, units, rows, steps, cell_clip, panels, bias, peepholes, live, inputs, hidden_now, cell_now, "
     "hidden, cell, input_gate, forget_gate, candidate, output_gate, scratch): run a tile, see compiled_engine.py."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_kernel", "The compiled unroll of an LSTM.", -1, METHODS,
                                    NULL, NULL, NULL, NULL};

#if defined(__clang__)
#define COMPILER __VERSION__
#elif defined(__GNUC__)
#define COMPILER "GCC " __VERSION__
#else
#define COMPILER "unknown"
#endif

PyMODINIT_FUNC PyInit__kernel(void) {
    PyObject *module = PyModule_Create(&MODULE);
    if (module && PyModule_AddStringConstant(module, "COMPILER", COMPILER) < 0)
        Py_CLEAR(module);
    return module;
}
