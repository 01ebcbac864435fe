/* Operators that move bytes: copy, pad, transpose, lookup.
 *
 * Forward they are exact (SPEC 3.6) and walk y in order: rows of the band, then bytes. Each knows
 * the place in x of the byte it writes, so nothing is written twice and y may be a ring.
 *
 * Their gradients walk dx in order and fetch each element from its place in dy. Values only change
 * by the difference of the two exponents, a factor of a power of two (SPEC 4.6).
 */
#include "../../arith.h"

/* Strips of `size` bytes at two strides: a part of a concatenation, or a map's first channels. */
static void copy(const tiny_copy *op, const int8_t *x, uint32_t rows, int8_t *y) {
    for (uint32_t row = 0; row < rows; row++, x += op->x_stride, y += op->y_stride) {
        for (uint32_t i = 0; i < op->size; i++) {
            y[i] = x[i];
        }
    }
}

void tiny_copy_forward(const tiny_copy *op, const int8_t *x, int8_t *y, tiny_band band) {
    const uint32_t rows = op->rows / op->height; /* in a row of the map */
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        copy(op, x + tiny_slot(row, op->x_ring) * rows * op->x_stride, rows,
             y + tiny_slot(row, op->y_ring) * rows * op->y_stride);
    }
}

/* Elements are numbered as in dx, which is dense; dy points to the strip of this operand. */
void tiny_copy_backward_input(const tiny_copy *op, const tiny_gradient *dy,
                              const tiny_gradient_out *dx) {
    const int32_t exponent = dy->scale->exponent - dx->scale->exponent;
    const int8_t *d = dy->d;
    for (uint32_t row = 0; row < op->rows; row++, d += op->y_stride) {
        for (uint32_t i = 0; i < op->size; i++) {
            tiny_store_gradient(dx, row * op->size + i, tiny_scale_by(d[i], 1, exponent));
        }
    }
}

/* One row of y from a row of x; null: from padding only. */
static void pad_row(const tiny_pad *op, const int8_t *x, int8_t *y) {
    const tiny_map *in = &op->x;
    for (int32_t column = 0; column < op->y.width; column++) {
        const int32_t ix = column - op->left;
        const int is_inside = x && ix >= 0 && ix < in->width;
        for (int32_t c = 0; c < op->y.channels; c++) {
            const int32_t ic = c - op->front;
            const int inside = is_inside && ic >= 0 && ic < in->channels;
            *y++ = inside ? x[ix * in->channels + ic] : (int8_t)op->value;
        }
    }
}

/* Rows of padding have no row of x: they come from null, so no row outside the map is addressed. */
void tiny_pad_forward(const tiny_pad *op, const int8_t *x, int8_t *y, tiny_band band) {
    for (int32_t row = band.first; row < band.first + band.count; row++) {
        const int32_t iy = row - op->top;
        const int inside = iy >= 0 && iy < op->x.height;
        pad_row(op, inside ? tiny_map_row(&op->x, x, iy) : NULL, tiny_map_row_out(&op->y, y, row));
    }
}

/* What was padded has no gradient: only the part of dy that came from x is read. */
void tiny_pad_backward_input(const tiny_pad *op, const tiny_gradient *dy,
                             const tiny_gradient_out *dx) {
    const int32_t exponent = dy->scale->exponent - dx->scale->exponent;
    uint32_t i = 0;
    for (int32_t row = 0; row < op->x.height; row++) {
        for (int32_t column = 0; column < op->x.width; column++) {
            const int32_t at = ((row + op->top) * op->y.width + column + op->left);
            const int8_t *d = dy->d + at * op->y.channels + op->front;
            for (int32_t c = 0; c < op->x.channels; c++, i++) {
                tiny_store_gradient(dx, i, tiny_scale_by(d[c], 1, exponent));
            }
        }
    }
}

/* Where in x element `at` of y comes from: its coordinates in y, last first, times strides in x. */
static uint32_t transposed(const tiny_transpose *op, uint32_t at) {
    uint32_t from = 0;
    for (int dimension = 3; dimension >= 0; dimension--) {
        from += at % op->shape[dimension] * op->stride[dimension];
        at /= op->shape[dimension];
    }
    return from;
}

static uint32_t transpose_size(const tiny_transpose *op) {
    return (uint32_t)op->shape[0] * op->shape[1] * op->shape[2] * op->shape[3];
}

void tiny_transpose_forward(const tiny_transpose *op, const int8_t *x, int8_t *y) {
    for (uint32_t i = 0; i < transpose_size(op); i++) {
        y[i] = x[transposed(op, i)];
    }
}

/* Where in y element `at` of x goes to. x is dense, so dividing by a dimension's stride in x and
 * taking the rest by its length gives its coordinate; a dimension of length 1 may have stride 0. */
static uint32_t transposed_back(const tiny_transpose *op, uint32_t at) {
    uint32_t to = 0;
    for (int dimension = 0; dimension < 4; dimension++) {
        const uint32_t size = op->shape[dimension];
        to = to * size + (size > 1 ? at / op->stride[dimension] % size : 0);
    }
    return to;
}

void tiny_transpose_backward_input(const tiny_transpose *op, const tiny_gradient *dy,
                                   const tiny_gradient_out *dx) {
    const int32_t exponent = dy->scale->exponent - dx->scale->exponent;
    for (uint32_t i = 0; i < transpose_size(op); i++) {
        tiny_store_gradient(dx, i, tiny_scale_by(dy->d[transposed_back(op, i)], 1, exponent));
    }
}

/* The table is indexed by the byte of x, so that entries 128 to 255 are those of -128 to -1. */
void tiny_lookup_forward(const tiny_lookup *op, const int8_t *x, const int8_t *table, int8_t *y,
                         tiny_band band) {
    const uint32_t size = op->count / op->height;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        const int8_t *from = x + tiny_slot(row, op->x_ring) * size;
        int8_t *to = y + tiny_slot(row, op->y_ring) * size;
        for (uint32_t i = 0; i < size; i++) {
            to[i] = table[(uint8_t)from[i]];
        }
    }
}

/* The slope is in Q14, which the exponent takes back. dy * slope is at most 127 * 2^15. */
void tiny_lookup_backward_input(const tiny_lookup *op, const int8_t *x, const int16_t *slope,
                                const tiny_gradient *dy, const tiny_gradient_out *dx) {
    const int32_t exponent = dy->scale->exponent - dx->scale->exponent - 14;
    for (uint32_t i = 0; i < op->count; i++) {
        const int32_t product = dy->d[i] * slope[(uint8_t)x[i]];
        tiny_store_gradient(dx, i, tiny_scale_by(product, 1, exponent));
    }
}
