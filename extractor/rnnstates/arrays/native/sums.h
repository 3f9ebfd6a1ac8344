/* The two sums of elements of one size, see checksums.py; included once per kind of processor, with NAME(x).
 *
 * In blocks, so that a place takes 32 bits and is multiplied with an element in one instruction. */

#define SUMS_OF(size, type)                                                                                            \
    static void NAME(sums_##size)(const void *from, Py_ssize_t count, uint64_t *first, uint64_t *second) {             \
        const type *words = from;                                                                                      \
        *first = *second = 0;                                                                                          \
        for (Py_ssize_t start = 0; start < count; start += BLOCK, words += BLOCK) {                                    \
            uint64_t plain = 0, weighted = 0;                                                                          \
            uint32_t length = (uint32_t)(count - start < BLOCK ? count - start : BLOCK);                               \
            for (uint32_t at = 0; at < length; at++) {                                                                 \
                plain += words[at];                                                                                    \
                weighted += (uint64_t)(at + 1) * words[at];                                                            \
            }                                                                                                          \
            *first += plain, *second += weighted + (uint64_t)start * plain;                                            \
        }                                                                                                              \
    }

SUMS_OF(1, uint8_t)
SUMS_OF(2, uint16_t)
SUMS_OF(4, uint32_t)
SUMS_OF(8, uint64_t)

static summing_t NAME(summing)(Py_ssize_t size) {
    return size == 1   ? NAME(sums_1)
           : size == 2 ? NAME(sums_2)
           : size == 4 ? NAME(sums_4)
           : size == 8 ? NAME(sums_8)
                       : NULL;
}

#undef SUMS_OF
#undef NAME
