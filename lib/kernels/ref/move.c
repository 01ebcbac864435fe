/* Operators that move bytes: copy, pad, transpose, lookup. */
#include "arith.h"

void tiny_copy_forward(const tiny_copy *op, const int8_t *x, int8_t *y) {
    for (uint32_t row = 0; row < op->rows; row++, x += op->x_stride, y += op->y_stride) {
        for (uint32_t i = 0; i < op->size; i++) {
            y[i] = x[i];
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

void tiny_transpose_forward(const tiny_transpose *op, const int8_t *x, int8_t *y) {
    for (uint32_t i = 0; i < op->shape[0]; i++) {
        for (uint32_t j = 0; j < op->shape[1]; j++) {
            for (uint32_t k = 0; k < op->shape[2]; k++) {
                for (uint32_t l = 0; l < op->shape[3]; l++) {
                    *y++ = x[i * op->stride[0] + j * op->stride[1] + k * op->stride[2] +
                             l * op->stride[3]];
                }
            }
        }
    }
}

void tiny_lookup_forward(const tiny_lookup *op, const int8_t *x, const int8_t *table, int8_t *y) {
    for (uint32_t i = 0; i < op->count; i++) {
        y[i] = table[(uint8_t)x[i]];
    }
}
