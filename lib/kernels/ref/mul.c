/* The product of two maps, as squeeze-excite blocks use it.
 *
 * Two cases share the code: b has the shape of a (rows = 1), or b is one row that meets every row
 * of a. Forward walks rows of the band; the gradient by a walks da in order; that by b walks b, and
 * for each of its elements all rows of a, so the sum over rows is in a register and no map of
 * products exists.
 */
#include "../../arith.h"

/* SPEC 3.5: the product of two centred bytes has 17 bits, and is exact. */
static void multiply(const tiny_mul *op, const int8_t *a, const int8_t *b, uint32_t count,
                     int8_t *y) {
    for (uint32_t i = 0; i < count; i++) {
        const int32_t product = (a[i] - op->a_zero) * (b[i] - op->b_zero);
        const int32_t v = tiny_multiply(product, op->multiplier, op->shift) + op->y_zero;
        y[i] = (int8_t)tiny_clamp(v, op->y_min, op->y_max);
    }
}

void tiny_mul_forward(const tiny_mul *op, const int8_t *a, const int8_t *b, int8_t *y,
                      tiny_band band) {
    const uint32_t size = op->rows * op->size / op->height; /* of a row of the map */
    const uint32_t step = op->rows == 1 ? size : op->size;  /* a b for each row, or the same */
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        const int8_t *from = a + tiny_slot(row, op->a_ring) * size;
        const int8_t *by = op->rows == 1 ? b + tiny_slot(row, op->b_ring) * size : b;
        int8_t *to = y + tiny_slot(row, op->y_ring) * size;
        for (uint32_t i = 0; i < size; i += step) {
            multiply(op, from + i, by, step, to + i);
        }
    }
}

/* SPEC 4.6: the other factor is the slope; centred, it is a real number over its scale. */
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

/* SPEC 4.6: each row of a adds at most 127 * 255; the compiler refuses more rows than fit int32. */
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
