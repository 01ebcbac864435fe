/* Operators that move bytes: copy, pad, transpose, lookup. */
#include "arith.h"

void tiny_copy_forward(const tiny_copy *op, const int8_t *x, int8_t *y) {
    for (uint32_t row = 0; row < op->rows; row++, x += op->x_stride, y += op->y_stride) {
        for (uint32_t i = 0; i < op->size; i++) {
            y[i] = x[i];
        }
    }
}

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

void tiny_pad_forward(const tiny_pad *op, const int8_t *x, int8_t *y) {
    const tiny_map *in = &op->x;
    for (int32_t row = 0; row < op->y.height; row++) {
        for (int32_t column = 0; column < op->y.width; column++) {
            for (int32_t c = 0; c < op->y.channels; c++) {
                const int32_t iy = row - op->top, ix = column - op->left, ic = c - op->front;
                const int inside = iy >= 0 && iy < in->height && ix >= 0 && ix < in->width &&
                                   ic >= 0 && ic < in->channels;
                *y++ = inside ? x[(iy * in->width + ix) * in->channels + ic] : (int8_t)op->value;
            }
        }
    }
}

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

/* Where in x element `at` of y comes from. */
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

void tiny_transpose_backward_input(const tiny_transpose *op, const tiny_gradient *dy,
                                   const tiny_gradient_out *dx) {
    const int32_t exponent = dy->scale->exponent - dx->scale->exponent;
    for (uint32_t i = 0; i < transpose_size(op); i++) {
        tiny_store_gradient(dx, transposed(op, i), tiny_scale_by(dy->d[i], 1, exponent));
    }
}

void tiny_lookup_forward(const tiny_lookup *op, const int8_t *x, const int8_t *table, int8_t *y) {
    for (uint32_t i = 0; i < op->count; i++) {
        y[i] = table[(uint8_t)x[i]];
    }
}

void tiny_lookup_backward_input(const tiny_lookup *op, const int8_t *x, const int16_t *slope,
                                const tiny_gradient *dy, const tiny_gradient_out *dx) {
    const int32_t exponent = dy->scale->exponent - dx->scale->exponent - 14;
    for (uint32_t i = 0; i < op->count; i++) {
        const int32_t product = dy->d[i] * slope[(uint8_t)x[i]];
        tiny_store_gradient(dx, i, tiny_scale_by(product, 1, exponent));
    }
}
