/* Copies or sums stretches of rows in one call that lets other threads run; called by copying.py and checksums.py. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define X86 1
#endif

/* Copy stretches of rows from one array to another; none may reach outside. */
static PyObject *copy_rows(PyObject *module, PyObject *arguments) {
    (void)module;
    Py_buffer source, from, target, to, counts;
    Py_ssize_t row;
    if (!PyArg_ParseTuple(arguments, "y*y*w*y*y*n", &source, &from, &target, &to, &counts, &row))
        return NULL;
    Py_ssize_t stretches = counts.len / 8;
    int agree = row > 0 && from.len / 8 == stretches && to.len / 8 == stretches;
    for (Py_ssize_t at = 0; agree && at < stretches; at++) {
        int64_t first = ((const int64_t *)from.buf)[at], place = ((const int64_t *)to.buf)[at];
        int64_t count = ((const int64_t *)counts.buf)[at];
        agree = first >= 0 && place >= 0 && count >= 0 && count <= source.len / row && count <= target.len / row &&
                first <= source.len / row - count && place <= target.len / row - count;
    }
    if (agree) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t at = 0; at < stretches; at++)
            memcpy((char *)target.buf + ((const int64_t *)to.buf)[at] * row,
                   (const char *)source.buf + ((const int64_t *)from.buf)[at] * row,
                   (size_t)(((const int64_t *)counts.buf)[at] * row));
        Py_END_ALLOW_THREADS
    } else {
        PyErr_SetString(PyExc_ValueError, "a stretch of rows lies outside its array");
    }
    PyBuffer_Release(&source), PyBuffer_Release(&from), PyBuffer_Release(&target);
    PyBuffer_Release(&to), PyBuffer_Release(&counts);
    return agree ? Py_NewRef(Py_None) : NULL;
}

typedef void (*summing_t)(const void *, Py_ssize_t, uint64_t *, uint64_t *);

#define BLOCK ((Py_ssize_t)1 << 20)
#define NAME(x) plain_##x
#include "sums.h"

#ifdef X86
#pragma GCC push_options
#pragma GCC target("avx2")
#define NAME(x) avx2_##x
#include "sums.h"
#pragma GCC pop_options
#endif

static summing_t summing(Py_ssize_t size) {
#ifdef X86
    if (__builtin_cpu_supports("avx2"))
        return avx2_summing(size);
#endif
    return plain_summing(size);
}

/* Stretches of rows of `width` elements, each with the row that it has in the whole array. */
static PyObject *sums(PyObject *module, PyObject *arguments) {
    (void)module;
    Py_buffer values, from, to, counts;
    Py_ssize_t size, width;
    if (!PyArg_ParseTuple(arguments, "y*nny*y*y*", &values, &size, &width, &from, &to, &counts))
        return NULL;
    summing_t run = summing(size);
    Py_ssize_t stretches = counts.len / 8, row = size * width;
    int agree = run && width > 0 && (uintptr_t)values.buf % (size_t)size == 0 && from.len / 8 == stretches &&
                to.len / 8 == stretches;
    for (Py_ssize_t at = 0; agree && at < stretches; at++) {
        int64_t first = ((const int64_t *)from.buf)[at], count = ((const int64_t *)counts.buf)[at];
        agree = first >= 0 && count >= 0 && count <= values.len / row && first <= values.len / row - count;
    }
    uint64_t first = 0, second = 0;
    if (agree) {
        Py_BEGIN_ALLOW_THREADS
        for (Py_ssize_t at = 0; at < stretches; at++) {
            uint64_t plain, weighted, place = (uint64_t)((const int64_t *)to.buf)[at] * (uint64_t)width;
            run((const char *)values.buf + ((const int64_t *)from.buf)[at] * row,
                (Py_ssize_t)((const int64_t *)counts.buf)[at] * width, &plain, &weighted);
            first += plain, second += weighted + place * plain;
        }
        Py_END_ALLOW_THREADS
    } else {
        PyErr_SetString(PyExc_ValueError, "a stretch of rows lies outside its array, or its elements are not 1 to 8 bytes");
    }
    PyBuffer_Release(&values), PyBuffer_Release(&from), PyBuffer_Release(&to), PyBuffer_Release(&counts);
    return agree ? Py_BuildValue("KK", (unsigned long long)first, (unsigned long long)second) : NULL;
}

static PyMethodDef METHODS[] = {
    {"copy_rows", copy_rows, METH_VARARGS,
     "copy_rows(source, source_rows, target, target_rows, counts, row_bytes): copy stretches of rows."},
    {"sums", sums, METH_VARARGS,
     "sums(values, itemsize, width, rows, places, counts) -> (first, second): checksums of stretches of rows."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef MODULE = {PyModuleDef_HEAD_INIT, "_rows", "Stretches of rows, copied or summed up.", -1,
                                    METHODS, NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__rows(void) { return PyModule_Create(&MODULE); }
