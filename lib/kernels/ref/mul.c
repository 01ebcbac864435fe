/* The product of two maps, as squeeze-excite blocks use it. */
#include "arith.h"

void tiny_mul_forward(const tiny_mul *op, const int8_t *a, const int8_t *b, int8_t *y) {
    for (uint32_t n = 0; n < op->rows; n++, a += op->size, y += op->size) {
        for (uint32_t i = 0; i < op->size; i++) {
            const int32_t product = (a[i] - op->a_zero) * (b[i] - op->b_zero);
            const int32_t v = tiny_multiply(product, op->multiplier, op->shift) + op->y_zero;
            y[i] = (int8_t)tiny_clamp(v, op->y_min, op->y_max);
        }
    }
}

void tiny_mul_backward_a(const tiny_mul *op, const int8_t *b, const tiny_gradient *dy,
                         const tiny_gradient_out *da) {
    const tiny_factor *factor = &op->b_scale;
    const int32_t exponent = factor->exponent + dy->scale->exponent - da->scale->exponent;
    uint32_t at = 0;
    for (uint32_t n = 0; n < op->rows; n++) {
        for (uint32_t i = 0; i < op->size; i++, at++) {
            const int32_t product = dy->d[at] * (b[i] - op->b_zero);
            tiny_store_gradient(da, at, tiny_scale_by(product, factor->mantissa, exponent));
        }
    }
}

void tiny_mul_backward_b(const tiny_mul *op, const int8_t *a, const tiny_gradient *dy,
                         const tiny_gradient_out *db) {
    const tiny_factor *factor = &op->a_scale;
    const int32_t exponent = factor->exponent + dy->scale->exponent - db->scale->exponent;
    for (uint32_t i = 0; i < op->size; i++) {
        int32_t sum = 0;
        for (uint32_t at = i; at < op->rows * op->size; at += op->size) {
            sum += dy->d[at] * (a[at] - op->a_zero);
        }
        tiny_store_gradient(db, i, tiny_scale_by(sum, factor->mantissa, exponent));
    }
}
