/* The sum of two gradients, or one of them at another exponent (SPEC 4.5).
 * Results of the units of gradient_sum.h are pairs of int16. A masked element begins as two zeros, so
 * it is 0 and raises no peak.
 */
#include "../../arith.h"
#include "../../buffers.h"
#include "../../gradient_sum.h"
#include "lanes.h"
#include "tinyflash/ops.h"

/* The factors of a and b, and the largest magnitudes so far, a pair. */
typedef struct sum {
    tiny_gradient_terms terms;
    uint32_t peaks;
} sum;

/* Element `i` of two words, in units of 2^-16, with what rounds its upper half: one less than a
 * half, and one more if the result would be odd. */
static inline uint32_t rounded(const sum *s, uint32_t a, uint32_t b, uint32_t i) {
    const int32_t v =
        tiny_byte_of(a, i) * s->terms.a_factor + tiny_byte_of(b, i) * s->terms.b_factor;
    return (uint32_t)v + (((uint32_t)v >> TINY_SUM_UNIT) & 1u) + 0x7FFFu;
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
static uint32_t add_words(sum s, uint32_t count, const tiny_gradient_out *dx) {
    const int8_t *a = s.terms.a, *b = s.terms.b;
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

TINY_OP(gradient_add_dsp) {
    (void)band;
    const tiny_gradient_sum *op = record;
    const tiny_gradient a = tiny_gradient_at(buffers), b = tiny_gradient_at(buffers + 2);
    const tiny_gradient_out dx = tiny_following_both(&a, b.scale, buffers + 4);
    sum s = {.peaks = 0};
    uint32_t done = 0;
    if (tiny_gradient_terms_of(&a, &b, dx.scale, &s.terms)) {
        done = add_words(s, op->count, &dx);
    }
    tiny_gradient_add(op, done, &a, &b, &dx);
}
