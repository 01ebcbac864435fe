/* The smaller, or the larger, of two maps of one scale and zero point, element by element.
 *
 * The gradients read a and y, not b: a is the one that was chosen, or equal, where it is y. So they
 * are the same for both. The layer that follows mostly keeps y anyway, for its update, and the
 * memory of b is free.
 */
#include "../../arith.h"

void tiny_minimum_forward(const tiny_minimum *op, const int8_t *a, const int8_t *b, int8_t *y,
                          tiny_band band) {
    const uint32_t size = op->count / op->height;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        const int8_t *one = a + tiny_slot(row, op->a_ring) * size;
        const int8_t *other = b + tiny_slot(row, op->b_ring) * size;
        int8_t *to = y + tiny_slot(row, op->y_ring) * size;
        for (uint32_t i = 0; i < size; i++) {
            const int32_t v = op->larger ? tiny_max(one[i], other[i]) : tiny_min(one[i], other[i]);
            to[i] = (int8_t)v;
        }
    }
}

/* SPEC 4.6: dx is dy where a is y, if `taken` is 1, or where it is not, if 0; and 0 elsewhere. */
static void pass_on(const tiny_minimum *op, const int8_t *a, const int8_t *y, int taken,
                    const tiny_gradient *dy, const tiny_gradient_out *dx) {
    const int32_t exponent = dy->scale->exponent - dx->scale->exponent;
    for (uint32_t i = 0; i < op->count; i++) {
        const int32_t d = (a[i] == y[i]) == taken ? dy->d[i] : 0;
        tiny_store_gradient(dx, i, tiny_scale_by(d, 1, exponent));
    }
}

void tiny_minimum_backward_a(const tiny_minimum *op, const int8_t *a, const int8_t *y,
                             const tiny_gradient *dy, const tiny_gradient_out *da) {
    pass_on(op, a, y, 1, dy, da);
}

void tiny_minimum_backward_b(const tiny_minimum *op, const int8_t *a, const int8_t *y,
                             const tiny_gradient *dy, const tiny_gradient_out *db) {
    pass_on(op, a, y, 0, dy, db);
}
