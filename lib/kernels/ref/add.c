/* The sum and the difference of two maps, and the sum of two gradients.
 *
 * Both walk elements in order and write each after reading it, so the output may be an operand. A
 * band counts rows of the map; every operand may be a ring of its own length.
 */
#include "../../arith.h"

/* Bits of precision gained before the operands meet at a common scale (SPEC 3.1). */
#define HEADROOM 20

/* SPEC 3.1. Two scales meet at twice the larger one, so u and v are below 2^27: their sum or
 * difference fits in int32. */
static void add_row(const tiny_add *op, const int8_t *a, const int8_t *b, uint32_t count,
                    int8_t *y) {
    for (uint32_t i = 0; i < count; i++) {
        const int32_t u =
            tiny_multiply((a[i] - op->a_zero) * (1 << HEADROOM), op->a_multiplier, op->a_shift);
        const int32_t v =
            tiny_multiply((b[i] - op->b_zero) * (1 << HEADROOM), op->b_multiplier, op->b_shift);
        const int32_t sum =
            tiny_multiply(u + op->b_sign * v, op->y_multiplier, op->y_shift) + op->y_zero;
        y[i] = (int8_t)tiny_clamp(sum, op->y_min, op->y_max);
    }
}

void tiny_add_forward(const tiny_add *op, const int8_t *a, const int8_t *b, int8_t *y,
                      tiny_band band) {
    const uint32_t size = op->count / op->height;
    const int repeats = op->b_count < op->count;
    const uint32_t strip = repeats ? op->b_count : size;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        const int8_t *from = a + tiny_slot(row, op->a_ring) * size;
        const int8_t *other = repeats ? b : b + tiny_slot(row, op->b_ring) * size;
        int8_t *to = y + tiny_slot(row, op->y_ring) * size;
        for (uint32_t i = 0; i < size; i += strip) {
            add_row(op, from + i, other, strip, to + i);
        }
    }
}

/* SPEC 4.5. The operand with the larger exponent is shifted up to the smaller, by at most 55 bits,
 * which is exact in 64; so their sum is rounded once, to the exponent of dx. */
void tiny_gradient_add(const tiny_gradient_sum *op, uint32_t first, const tiny_gradient *a,
                       const tiny_gradient *b, const tiny_gradient_out *dx) {
    const int32_t e_a = a->scale->exponent;
    const int32_t e_b = b->d ? b->scale->exponent : e_a;
    const int32_t common = tiny_min(e_a, e_b);
    const int32_t shift = dx->scale->exponent - common;
    for (uint32_t i = first; i < op->count; i++) {
        const int64_t u = a->d[i] * ((int64_t)1 << (e_a - common));
        const int64_t v = b->d ? b->d[i] * ((int64_t)1 << (e_b - common)) : 0;
        tiny_store_gradient(dx, i, tiny_shift_round(u + v, shift));
    }
}

void tiny_sub_backward_b(const tiny_gradient_sum *op, const tiny_gradient *dy,
                         const tiny_gradient_out *db) {
    const int32_t exponent = dy->scale->exponent - db->scale->exponent;
    for (uint32_t i = 0; i < op->count; i++) {
        tiny_store_gradient(db, i, tiny_scale_by(-dy->d[i], 1, exponent));
    }
}
