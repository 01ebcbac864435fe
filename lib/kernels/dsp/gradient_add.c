/* The sum of two gradients, or one of them at another exponent (SPEC 4.5).
 *
 * Both operands are multiplied to units of 2^-16 of the result. While their exponents are within 16
 * below and 7 above the result's, that is exact, the sum fits in 32 bits, and the result, rounded
 * with ties to even, is its upper half. Results are then pairs of int16. A masked element begins as
 * two zeros, so it is 0 and raises no peak.
 */
#include "../../arith.h"
#include "lanes.h"
#include "tinyflash/ops.h"

#define UNIT 16     /* bits behind the point */
#define ABOVE_MAX 7 /* 2 * 127 * 2^(16 + 7), and what rounding adds, are below 2^31 */

/* The factors of a and b, and the largest magnitudes so far, a pair. */
typedef struct sum {
    int32_t a, b;
    uint32_t peaks;
} sum;

/* Element `i` of two words, in units of 2^-16, with what rounds its upper half: one less than a
 * half, and one more if the result would be odd. */
static inline uint32_t rounded(const sum *s, uint32_t a, uint32_t b, uint32_t i) {
    const int32_t v = tiny_byte_of(a, i) * s->a + tiny_byte_of(b, i) * s->b;
    return (uint32_t)v + (((uint32_t)v >> UNIT) & 1u) + 0x7FFFu;
}

/* A result that is beyond +-127 is counted (SPEC 4.3); the peak already has it. */
static int32_t clipped(const tiny_gradient_out *dx, int32_t v) {
    if (v > 127 || v < -127) {
        tiny_count(&dx->scale->saturated);
        dx->scale->clipped = (uint16_t)(dx->scale->clipped + (dx->scale->clipped != UINT16_MAX));
    }
    return tiny_clamp(v, -127, 127);
}

static TINY_APART uint32_t clipped_pair(const tiny_gradient_out *dx, uint32_t pair) {
    return tiny_pair(clipped(dx, tiny_low(pair)), clipped(dx, tiny_high(pair)));
}

/* Four elements; returns them as bytes. */
static inline uint32_t add_word(sum *s, uint32_t a, uint32_t b, const tiny_gradient_out *dx) {
    uint32_t even = tiny_high_halves(rounded(s, a, b, 0), rounded(s, a, b, 2));
    uint32_t odd = tiny_high_halves(rounded(s, a, b, 1), rounded(s, a, b, 3));
    const uint32_t above = tiny_magnitudes(even), more = tiny_magnitudes(odd);
    s->peaks = tiny_larger_halves(tiny_larger_halves(above, more), s->peaks);
    if ((above | more) & 0xFF80FF80u) {
        even = clipped_pair(dx, even);
        odd = clipped_pair(dx, odd);
    }
    return (even & 0x00FF00FFu) | (odd & 0x00FF00FFu) << 8;
}

/* All words; returns how many elements that is. */
static uint32_t add_words(sum s, const int8_t *a, const int8_t *b, uint32_t count,
                          const tiny_gradient_out *dx) {
    uint32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        uint32_t of_a = tiny_load(a + i), of_b = tiny_load(b + i);
        if (dx->mask) {
            const uint32_t mask = (uint32_t)dx->mask[i >> 3] >> (i & 4u);
            of_a = tiny_masked(of_a, mask);
            of_b = tiny_masked(of_b, mask);
        }
        const uint32_t four = add_word(&s, of_a, of_b, dx);
        memcpy(dx->d + i, &four, sizeof four);
    }
    const int32_t peak = tiny_max(tiny_low(s.peaks), tiny_high(s.peaks));
    dx->scale->peak = tiny_max(dx->scale->peak, peak);
    return i;
}

/* Elements from i on, as the specification says it. */
static void add_rest(const tiny_gradient *a, const tiny_gradient *b, uint32_t i, uint32_t count,
                     const tiny_gradient_out *dx) {
    const int32_t e_a = a->scale->exponent;
    const int32_t e_b = b->d ? b->scale->exponent : e_a;
    const int32_t common = tiny_min(e_a, e_b);
    for (; i < count; i++) {
        const int64_t u = a->d[i] * ((int64_t)1 << (e_a - common));
        const int64_t v = b->d ? b->d[i] * ((int64_t)1 << (e_b - common)) : 0;
        tiny_store_gradient(dx, i, tiny_shift_round(u + v, dx->scale->exponent - common));
    }
}

static int fits(int32_t above) { return above >= -UNIT && above <= ABOVE_MAX; }

TINY_OP(gradient_add_dsp) {
    (void)band;
    const tiny_gradient_sum *op = record;
    const tiny_gradient a = {buffers[0], buffers[1]}, b = {buffers[2], buffers[3]};
    const tiny_gradient_out dx = {buffers[5], buffers[6], buffers[4]};
    tiny_follow(a.scale, b.scale, dx.scale);
    const int32_t above_a = a.scale->exponent - dx.scale->exponent;
    const int32_t above_b = b.d ? b.scale->exponent - dx.scale->exponent : above_a;
    uint32_t done = 0;
    if (fits(above_a) && fits(above_b)) {
        const sum s = {1 << (UNIT + above_a), b.d ? 1 << (UNIT + above_b) : 0, 0};
        done = add_words(s, a.d, b.d ? b.d : a.d, op->count, &dx);
    }
    add_rest(&a, &b, done, op->count, &dx);
}
