/* One LSTM layer over the steps of a tile, for one kind of processor. Included by kernel.c once per kind, with NAME(x),
 * LANES (floats in a vector), MOST_ROWS (rows of a block of the product) and PAIR (numbers multiplied at once: 2 in
 * bfloat16, else 1) defined.
 *
 * Product and cell are one loop. A panel holds the weights of all four gates for LANES units; when a block of rows has
 * been multiplied by it, everything that decides those units is in registers, where their states are computed. Only
 * the states are ever written, and the weights are laid out once, not for each product.
 *
 * The result for a row does not depend on its neighbours: each sum runs over the inputs in the same order, whatever the
 * size of the block. */

typedef float NAME(vector) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t NAME(integers) __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
#define VECTOR NAME(vector)
#define INTEGERS NAME(integers)
#define FUNCTION static inline __attribute__((always_inline))
#if PAIR == 2
#define ELEMENT uint16_t
#else
#define ELEMENT float
#endif

FUNCTION VECTOR NAME(all)(float value) { return value - (VECTOR){0}; }

FUNCTION VECTOR NAME(get)(const float *from, int64_t lanes) {
    VECTOR values = {0};
    if (lanes >= LANES)
        return *(const VECTOR *)from;
    memcpy(&values, from, 4 * (size_t)lanes);
    return values;
}

FUNCTION void NAME(put)(float *to, VECTOR values, int64_t lanes) {
    if (lanes >= LANES)
        *(VECTOR *)to = values;
    else
        memcpy(to, &values, 4 * (size_t)lanes);
}

/* What a product reads: as it is, or rounded to bfloat16. */
FUNCTION void NAME(put_factor)(ELEMENT *to, VECTOR values, int64_t lanes) {
#if PAIR == 2
    __m256bh rounded = _mm512_cvtneps_pbh((__m512)values);
    memcpy(to, &rounded, 2 * (size_t)(lanes < LANES ? lanes : LANES));
#else
    NAME(put)(to, values, lanes);
#endif
}

/* The next PAIR numbers of a row, in every lane. */
FUNCTION VECTOR NAME(spread)(const ELEMENT *from) {
#if PAIR == 2
    int32_t both;
    memcpy(&both, from, 4);
    return (VECTOR)(both - (INTEGERS){0});
#else
    return NAME(all)(*from);
#endif
}

FUNCTION VECTOR NAME(add_product)(VECTOR sum, VECTOR x, VECTOR weights) {
#if PAIR == 2
    return (VECTOR)_mm512_dpbf16_ps((__m512)sum, (__m512bh)x, (__m512bh)weights);
#else
    return sum + x * weights;
#endif
}

/* NaN passes: it compares as neither larger nor smaller, and of a NaN x86's minimum and maximum give the second. */
FUNCTION VECTOR NAME(within)(VECTOR x, float bound) {
    VECTOR high = NAME(all)(bound), low = -high;
#ifdef LEAST
    return (VECTOR)MOST(low, LEAST(high, x));
#else
    INTEGERS above = x > high, below = x < low;
    x = (VECTOR)((above & (INTEGERS)high) | (~above & (INTEGERS)x));
    return (VECTOR)((below & (INTEGERS)low) | (~below & (INTEGERS)x));
#endif
}

/* With x = n ln 2 + r, |r| <= ln(2) / 2 and |x| < 88: 2^n by the pointer, e^r - 1 returned. So e^x is 2^n + 2^n (e^r - 1),
 * and e^x - 1 is available without cancellation. The polynomial is that of expf in Moshier's Cephes library (1989). */
FUNCTION VECTOR NAME(exp_parts)(VECTOR x, VECTOR *power) {
    const float shift = 12582912.0f; /* 1.5 * 2^23: adding it rounds to a whole number */
    VECTOR shifted = x * 1.44269504088896341f + shift;
    VECTOR n = shifted - shift;
    VECTOR r = x - n * 0.693359375f + n * 2.12194440e-4f;
    VECTOR sum = r * 1.9875691500e-4f + 1.3981999507e-3f;
    sum = sum * r + 8.3334519073e-3f;
    sum = sum * r + 4.1665795894e-2f;
    sum = sum * r + 1.6666665459e-1f;
    sum = sum * r + 5.0000001201e-1f;
    *power = (VECTOR)(((INTEGERS)shifted + (127 - 0x4B400000)) << 23);
    return sum * (r * r) + r;
}

/* 1 + e^-x, of which sigmoid(x) is the reciprocal. Below -87 sigmoid is clipped to 1.6e-38; if its reciprocal is
 * multiplied by another and overflows, the quotient is 0, as it should be. */
FUNCTION VECTOR NAME(sigmoid_below)(VECTOR x) {
    VECTOR power, rest = NAME(exp_parts)(NAME(within)(-x, 87.0f), &power);
    return 1.0f + (power + power * rest);
}

/* tanh(x) is the returned value divided by the one stored at the pointer. Beyond 10 it is 1 in float32. */
FUNCTION VECTOR NAME(tanh_above)(VECTOR x, VECTOR *below) {
    VECTOR power, rest = NAME(exp_parts)(NAME(within)(x, 10.0f) * -2.0f, &power);
    VECTOR less_one = power * rest + (power - 1.0f);
    *below = 2.0f + less_one;
    return -less_one;
}

/* The equations of network/cells/lstm.py for LANES units of one row; z holds the preactivations of i, f, c and o.
 * Products of two quotients become one quotient: divisions dominate the cost here. */
FUNCTION void NAME(cell)(const layer_t *layer, const tile_t *tile, const VECTOR z[4], int64_t row, int64_t step,
                         int64_t unit, ELEMENT *hidden_next) {
    int64_t units = layer->units, lanes = units - unit, place = (row * tile->steps + step) * units + unit;
    float *carried = tile->cell_now + row * units + unit;
    VECTOR before = NAME(get)(carried, lanes), input_z = z[0], forget_z = z[1], output_z = z[3];
    if (layer->peepholes) {
        input_z += NAME(get)(layer->peepholes + unit, lanes) * before;
        forget_z += NAME(get)(layer->peepholes + units + unit, lanes) * before;
    }
    VECTOR candidate_below, candidate_above = NAME(tanh_above)(z[2], &candidate_below);
    VECTOR input_below = NAME(sigmoid_below)(input_z), forget = 1.0f / NAME(sigmoid_below)(forget_z);
    VECTOR cell = forget * before + candidate_above / (input_below * candidate_below);
    if (layer->cell_clip > 0)
        cell = NAME(within)(cell, layer->cell_clip);
    if (layer->peepholes)
        output_z += NAME(get)(layer->peepholes + 2 * units + unit, lanes) * cell;
    VECTOR cell_below, cell_above = NAME(tanh_above)(cell, &cell_below), output_below = NAME(sigmoid_below)(output_z);
    VECTOR hidden = cell_above / (output_below * cell_below);
    NAME(put)(carried, cell, lanes);
    NAME(put_factor)(hidden_next + row * layer->depth + unit, hidden, lanes);
    NAME(put)(tile->hidden + place, hidden, lanes);
    NAME(put)(tile->cell + place, cell, lanes);
    if (tile->gates[0]) NAME(put)(tile->gates[0] + place, 1.0f / input_below, lanes);
    if (tile->gates[1]) NAME(put)(tile->gates[1] + place, forget, lanes);
    if (tile->gates[2]) NAME(put)(tile->gates[2] + place, candidate_above / candidate_below, lanes);
    if (tile->gates[3]) NAME(put)(tile->gates[3] + place, 1.0f / output_below, lanes);
}

/* Some rows times one panel, then the cell. ``rows`` is a constant wherever this is expanded. */
FUNCTION void NAME(block)(const layer_t *layer, const tile_t *tile, const ELEMENT *now, ELEMENT *hidden_next,
                          int64_t row, const int rows, int64_t step, int64_t panel) {
    int64_t depth = layer->depth;
    const ELEMENT *weights = (const ELEMENT *)layer->panels + panel * depth * 4 * LANES, *from = now + row * depth;
    const float *bias = layer->bias + panel * 4 * LANES;
    VECTOR sums[MOST_ROWS][4];
    for (int r = 0; r < rows; r++)
        for (int gate = 0; gate < 4; gate++)
            sums[r][gate] = *(const VECTOR *)(bias + gate * LANES);
    for (int64_t k = 0; k < depth; k += PAIR, weights += 4 * LANES * PAIR) {
        const VECTOR *four = (const VECTOR *)weights;
        VECTOR w0 = four[0], w1 = four[1], w2 = four[2], w3 = four[3];
#pragma GCC unroll 8
        for (int r = 0; r < rows; r++) {
            VECTOR x = NAME(spread)(from + r * depth + k);
            sums[r][0] = NAME(add_product)(sums[r][0], x, w0);
            sums[r][1] = NAME(add_product)(sums[r][1], x, w1);
            sums[r][2] = NAME(add_product)(sums[r][2], x, w2);
            sums[r][3] = NAME(add_product)(sums[r][3], x, w3);
        }
    }
    for (int r = 0; r < rows; r++)
        NAME(cell)(layer, tile, sums[r], row + r, step, panel * LANES, hidden_next);
}

FUNCTION void NAME(panel)(const layer_t *layer, const tile_t *tile, const ELEMENT *now, ELEMENT *hidden_next,
                          int64_t live, int64_t step, int64_t panel) {
    int64_t row = 0;
    for (; row + MOST_ROWS <= live; row += MOST_ROWS)
        NAME(block)(layer, tile, now, hidden_next, row, MOST_ROWS, step, panel);
    switch (live - row) {
#if MOST_ROWS > 3
    case 5: NAME(block)(layer, tile, now, hidden_next, row, 5, step, panel); break;
    case 4: NAME(block)(layer, tile, now, hidden_next, row, 4, step, panel); break;
    case 3: NAME(block)(layer, tile, now, hidden_next, row, 3, step, panel); break;
#endif
    case 2: NAME(block)(layer, tile, now, hidden_next, row, 2, step, panel); break;
    case 1: NAME(block)(layer, tile, now, hidden_next, row, 1, step, panel); break;
    }
}

FUNCTION void NAME(put_factors)(ELEMENT *to, const float *from, int64_t count) {
    for (int64_t at = 0; at < count; at += LANES)
        NAME(put_factor)(to + at, NAME(get)(from + at, count - at), count - at);
}

static void NAME(unroll)(const layer_t *layer, const tile_t *tile) {
    int64_t depth = layer->depth, features = layer->features, units = layer->units;
    int64_t panels = (units + LANES - 1) / LANES;
    /* Factors of the products of this step and of the next one, per row: inputs, hidden state, possibly a zero. */
    ELEMENT *now = tile->scratch, *next = now + tile->rows * depth;
    memset(tile->scratch, 0, 2 * sizeof(ELEMENT) * (size_t)(tile->rows * depth));
    for (int64_t row = 0; row < tile->rows; row++)
        NAME(put_factors)(now + row * depth + features, tile->hidden_now + row * units, units);
    for (int64_t step = 0; step < tile->steps; step++) {
        int64_t live = tile->live[step];
        for (int64_t row = 0; row < live; row++)
            NAME(put_factors)(now + row * depth, tile->inputs + (row * tile->steps + step) * features, features);
        for (int64_t panel = 0; panel < panels; panel++)
            NAME(panel)(layer, tile, now, next + features, live, step, panel);
        for (int64_t row = live; row < tile->rows; row++)
            clear(tile, (row * tile->steps + step) * units, units);
        ELEMENT *swapped = now;
        now = next;
        next = swapped;
    }
}

#undef VECTOR
#undef INTEGERS
#undef FUNCTION
#undef ELEMENT
#undef NAME
#undef LANES
#undef MOST_ROWS
#undef PAIR
#undef LEAST
#undef MOST
