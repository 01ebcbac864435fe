/* The product of two maps, or of a map and a row that all of its rows meet; and its gradients.
 *
 * Forward, a centred product has 17 bits, so it can be doubled, and one multiplication keeps the
 * upper half (output.h). The gradient by b sums over rows, four columns at a time.
 */
#include "../../arith.h"
#include "../../buffers.h"
#include "lanes.h"
#include "store_four.h"
#include "tinyflash/ops.h"

#define SPARE 16 /* bits that int32 has above those of a gradient times a centred byte */

/* A forward call. */
typedef struct product {
    uint32_t minus_a, minus_b; /* the zero points, negative, in both halves */
    int32_t multiplier, shift; /* to the right */
    int32_t offset;            /* y_zero * 2^shift, plus a half of the last unit */
    int32_t y_min, y_max;
} product;

static product product_of(const tiny_mul *op) {
    const int32_t shift = -op->shift;
    const product p = {tiny_pair(-op->a_zero, -op->a_zero),
                       tiny_pair(-op->b_zero, -op->b_zero),
                       op->multiplier,
                       shift,
                       (2 * op->y_zero + 1) * (1 << (shift - 1)),
                       op->y_min,
                       op->y_max};
    return p;
}

/* SPEC 1.2, 3.5; ties away from zero. */
static inline uint32_t output(const product *p, int32_t centred) {
    const int32_t upper = tiny_upper_product(2 * centred, p->multiplier);
    const int32_t y = (upper - (upper < 0) + p->offset) >> p->shift;
    return (uint32_t)tiny_clamp(y, p->y_min, p->y_max) & 0xFFu;
}

/* Four products, as bytes. */
static inline uint32_t four(const product *p, uint32_t a, uint32_t b) {
    const uint32_t a_even = tiny_add_even_bytes(p->minus_a, a);
    const uint32_t a_odd = tiny_add_odd_bytes(p->minus_a, a);
    const uint32_t b_even = tiny_add_even_bytes(p->minus_b, b);
    const uint32_t b_odd = tiny_add_odd_bytes(p->minus_b, b);
    return output(p, tiny_low(a_even) * tiny_low(b_even)) |
           output(p, tiny_low(a_odd) * tiny_low(b_odd)) << 8 |
           output(p, tiny_high(a_even) * tiny_high(b_even)) << 16 |
           output(p, tiny_high(a_odd) * tiny_high(b_odd)) << 24;
}

static void multiply(const product *p, const int8_t *a, const int8_t *b, uint32_t count,
                     int8_t *y) {
    const int8_t *const end = y + count;
    for (; end - y >= 4; a += 4, b += 4, y += 4) {
        const uint32_t bytes = four(p, tiny_load(a), tiny_load(b));
        memcpy(y, &bytes, sizeof bytes);
    }
    for (; y != end; a++, b++, y++) {
        const uint32_t byte = four(p, (uint8_t)*a, (uint8_t)*b);
        *y = (int8_t)(byte & 0xFFu);
    }
}

TINY_OP(mul_forward_dsp) {
    const tiny_mul *op = record;
    const int8_t *a = buffers[0], *b = buffers[1];
    int8_t *y = buffers[2];
    const product p = product_of(op);
    const uint32_t size = op->rows * op->size / op->height; /* of a row of the map */
    const uint32_t step = op->rows == 1 ? size : op->size;  /* a b for each row, or the same */
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        const int8_t *from = a + tiny_slot(row, op->a_ring) * size;
        const int8_t *by = op->rows == 1 ? b + tiny_slot(row, op->b_ring) * size : b;
        int8_t *to = y + tiny_slot(row, op->y_ring) * size;
        for (uint32_t i = 0; i < size; i += step) {
            multiply(&p, from + i, by, step, to + i);
        }
    }
}

/* ---- Gradients (SPEC 4.6) ---- */

TINY_OP(mul_backward_a_dsp) {
    (void)band;
    const tiny_mul *op = record;
    const int8_t *b = buffers[0];
    const tiny_gradient dy = tiny_gradient_at(buffers + 1);
    const tiny_gradient_out da = tiny_following(&dy, buffers + 3);
    tiny_fours store = tiny_begin_fours(&da, &op->b_scale, dy.scale->exponent, SPARE);
    const uint32_t zero = tiny_pair(-op->b_zero, -op->b_zero);
    uint32_t at = 0;
    for (uint32_t n = 0; n < op->rows; n++) {
        uint32_t i = 0;
        for (; i + 4 <= op->size; i += 4, at += 4) {
            const uint32_t x = tiny_load(b + i), d = tiny_load(dy.d + at);
            const uint32_t even = tiny_add_even_bytes(zero, x), odd = tiny_add_odd_bytes(zero, x);
            tiny_store_four(
                &store, at, tiny_byte_of(d, 0) * tiny_low(even), tiny_byte_of(d, 1) * tiny_low(odd),
                tiny_byte_of(d, 2) * tiny_high(even), tiny_byte_of(d, 3) * tiny_high(odd));
        }
        for (; i < op->size; i++, at++) {
            tiny_store_one(&store, at, dy.d[at] * (b[i] - op->b_zero));
        }
    }
    tiny_end_fours(&store);
}

/* The sums of up to four columns of dy times a. */
static void column_sums(const tiny_mul *op, const int8_t *a, const int8_t *dy, uint32_t count,
                        int32_t *sums) {
    const uint32_t zero = tiny_pair(-op->a_zero, -op->a_zero);
    for (uint32_t n = 0; n < op->rows; n++, a += op->size, dy += op->size) {
        const uint32_t x = tiny_load_some(a, count), d = tiny_load_some(dy, count);
        const uint32_t even = tiny_add_even_bytes(zero, x), odd = tiny_add_odd_bytes(zero, x);
        sums[0] += tiny_low(even) * tiny_byte_of(d, 0);
        sums[1] += tiny_low(odd) * tiny_byte_of(d, 1);
        sums[2] += tiny_high(even) * tiny_byte_of(d, 2);
        sums[3] += tiny_high(odd) * tiny_byte_of(d, 3);
    }
}

TINY_OP(mul_backward_b_dsp) {
    (void)band;
    const tiny_mul *op = record;
    const int8_t *a = buffers[0];
    const tiny_gradient dy = tiny_gradient_at(buffers + 1);
    const tiny_gradient_out db = tiny_following(&dy, buffers + 3);
    tiny_fours store = tiny_begin_fours(&db, &op->a_scale, dy.scale->exponent, 0);
    for (uint32_t i = 0; i < op->size; i += 4) {
        const uint32_t count = op->size - i < 4 ? op->size - i : 4;
        int32_t sums[4] = {0};
        column_sums(op, a + i, dy.d + i, count, sums);
        if (count == 4) {
            tiny_store_four(&store, i, sums[0], sums[1], sums[2], sums[3]);
            continue;
        }
        for (uint32_t c = 0; c < count; c++) {
            tiny_store_one(&store, i + c, sums[c]);
        }
    }
    tiny_end_fours(&store);
}
