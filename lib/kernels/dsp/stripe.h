/* Stores stripes of an input gradient: four adjacent channels at many positions (SPEC 1.3, 4.3).
 *
 * A loop over sums rounds them (tiny_scaled), and leaves them as int16: of a position two words, channels
 * (0, 2) and (1, 3), as pairs are unpacked everywhere in this set. The stripe is then masked, compared
 * with the peak, and stored four elements at a time. Where an element is large, a caller computes the
 * four as the specification says it.
 *
 * Ties. A tie is a sum whose product with the mantissa is an odd multiple of 2^(16 + shift). Where the
 * mantissa is no multiple of 2^8, such a sum is a multiple of 2^(9 + shift), and its result is 2^7 at
 * least: too large for an element. So results that are small are no ties, and to round ties up, which
 * takes two instructions, is as good as to round them to even.
 */
#ifndef TINYFLASH_KERNELS_DSP_STRIPE_H
#define TINYFLASH_KERNELS_DSP_STRIPE_H

#include "../../arith.h"
#include "lanes.h"

#define TINY_STRIPE 4 /* channels */

/* Constants of a factor mantissa * 2^exponent. */
typedef struct tiny_rounding {
    int32_t multiplier; /* mantissa * 2^15 */
    int32_t half;       /* of the last unit, in the upper half of the product */
    int32_t shift;      /* of the upper half, in [1, 30] */
} tiny_rounding;

/* Whether small results are no ties and all constants fit. */
static inline int tiny_untied(uint32_t mantissa, int32_t exponent, tiny_rounding *r) {
    const int32_t shift = -exponent - 17;
    const int untied = mantissa % 256 != 0 && shift >= 1 && shift <= 30;
    r->multiplier = (int32_t)mantissa * (1 << 15);
    r->half = untied ? 1 << (shift - 1) : 0;
    r->shift = untied ? shift : 1;
    return untied;
}

/* A sum as an element, in [-2^14, 2^14): large ones stay large. */
static inline int32_t tiny_scaled(const tiny_rounding *r, int32_t sum) {
    return tiny_saturate_15(tiny_upper_sum(sum, r->multiplier, r->half) >> r->shift);
}

/* Where channel c of a position is among its four halves. */
static inline uint32_t tiny_half_of(uint32_t c) { return (c & 1u) * 2 + c / 2; }

/* Rows of a stripe that are being stored. */
typedef struct tiny_stripe {
    const uint32_t *values; /* of the next position: [2] */
    uint32_t left;          /* positions of its row, this one included */
    uint32_t rows;          /* that are left, this one included */
    uint32_t at;            /* the first of its four elements */
    uint32_t step;          /* of elements, from position to position */
    uint32_t width;         /* positions of a row */
    uint32_t down;          /* of elements, from behind a row to the next one */
    uint32_t values_down;   /* the same, of bytes */
    uint32_t peaks;         /* the largest magnitudes, a pair */
    uint32_t saved;         /* a register */
} tiny_stripe;

/* Stores positions until one has a large element, or all are stored: then `rows` is 0. */
void tiny_stripe_store(tiny_stripe *stripe, const tiny_gradient_out *dx);

/* Goes on behind a position that was stored otherwise. */
void tiny_stripe_skip(tiny_stripe *stripe);

/* After the last stripe. */
static inline void tiny_stripe_end(const tiny_gradient_out *dx, uint32_t peaks) {
    dx->scale->peak = tiny_max(dx->scale->peak, tiny_max(tiny_low(peaks), tiny_high(peaks)));
}

#endif
