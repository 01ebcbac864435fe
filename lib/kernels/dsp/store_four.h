/* Stores four elements of an input gradient at a time (SPEC 1.3, 4.3).
 *
 * A sum is multiplied by a mantissa of up to 31 bits, so that the result is in the upper half of the
 * product, shifted by the rest. One less than a half is added before, and one more if the result would
 * be odd: ties go to even. Where all four results are small, as they nearly always are, they are
 * halves of words: masked, compared with the peak, and stored in pairs.
 */
#ifndef TINYFLASH_KERNELS_DSP_STORE_FOUR_H
#define TINYFLASH_KERNELS_DSP_STORE_FOUR_H

#include "../../arith.h"
#include "lanes.h"

#define TINY_SMALL 126 /* of tiny_bits: a result needs no look at saturation */

/* Results without ties.
 *
 * A tie is a sum whose product with the mantissa is an odd multiple of 2^(16 + shift). Where the mantissa
 * is no multiple of 2^7, such a sum is a multiple of 2^(10 + shift), and its result is 2^8 at least: too
 * large for an element. So results that are small are no ties, and to round ties up, which takes two
 * instructions, is as good. */

/* Constants of mantissa * 2^exponent. */
typedef struct tiny_rounding {
    int32_t multiplier; /* mantissa * 2^15 */
    int32_t half;       /* of the last unit, in the upper half of the product */
    int32_t shift;      /* of the upper half, in [1, 30] */
} tiny_rounding;

/* Whether small results are no ties and all constants fit. */
static inline int tiny_untied(uint32_t mantissa, int32_t exponent, tiny_rounding *r) {
    const int32_t shift = -exponent - 17;
    const int untied = mantissa % 128 != 0 && shift >= 1 && shift <= 30;
    r->multiplier = (int32_t)mantissa * (1 << 15);
    r->half = untied ? 1 << (shift - 1) : 0;
    r->shift = untied ? shift : 1;
    return untied;
}

static inline int32_t tiny_scaled(const tiny_rounding *r, int32_t sum) {
    return tiny_upper_sum(sum, r->multiplier, r->half) >> r->shift;
}

/* A factor mantissa * 2^exponent for sums, and where they go. */
typedef struct tiny_fours {
    const tiny_gradient_out *dx;
    uint32_t mantissa;
    int32_t exponent;   /* of the factor and of the gradients together */
    int32_t multiplier; /* mantissa * 2^15; 0: the exponent is extreme */
    int32_t left;       /* of a sum, before it is multiplied */
    int32_t shift;      /* of the upper half, in [0, 30] */
    int64_t half;       /* one less than a half of the last unit */
    uint32_t peaks;     /* the largest magnitudes, a pair */
} tiny_fours;

/* spare: sums times 2^spare are in int32. Exponents from -47 to -17 + spare can be done by words. */
static inline tiny_fours tiny_begin_fours(const tiny_gradient_out *dx, const tiny_factor *factor,
                                          int32_t dy_exponent, int32_t spare) {
    tiny_fours s = {.dx = dx, .mantissa = factor->mantissa};
    s.exponent = factor->exponent + dy_exponent - dx->scale->exponent;
    const int32_t shift = -s.exponent - 17;
    if (shift >= -spare && shift <= 30) {
        s.multiplier = factor->mantissa * (1 << 15);
        s.left = tiny_max(-shift, 0);
        s.shift = tiny_max(shift, 0);
        s.half = ((int64_t)1 << (s.shift + 31)) - 1;
    }
    return s;
}

/* Element i, whose sum is given, as the specification says it. */
void tiny_store_one(const tiny_fours *s, uint32_t i, int32_t sum);

/* Elements [i, i + 4) in the same way. */
void tiny_store_each(const tiny_fours *s, uint32_t i, const int32_t *sums);

static inline int32_t tiny_rounded(const tiny_fours *s, int32_t sum) {
    const int64_t product = (int64_t)(int32_t)((uint32_t)sum << s->left) * s->multiplier;
    const int32_t odd = ((int32_t)(product >> 32) >> s->shift) & 1;
    return (int32_t)((product + s->half + odd) >> 32) >> s->shift;
}

/* v, or -v - 1: above 126 where the magnitude is above 127, and maybe where it is 127. */
static inline int32_t tiny_bits(int32_t v) { return v < 0 ? ~v : v; }

/* Bits [i, i + 4) of a mask, lowest first; bits above them have no meaning. */
static inline uint32_t tiny_mask_bits(const uint8_t *mask, uint32_t i) {
    const uint32_t first = i & 7u, bits = (uint32_t)mask[i >> 3] >> first;
    return first > 4 ? bits | (uint32_t)mask[(i >> 3) + 1] << (8 - first) : bits;
}

/* Stores four elements from i on. Returns 0 if one is large: then nothing is stored. */
static inline int tiny_store_small(const tiny_gradient_out *dx, uint32_t i, int32_t v0, int32_t v1,
                                   int32_t v2, int32_t v3, uint32_t *peaks) {
    if ((tiny_bits(v0) | tiny_bits(v1) | tiny_bits(v2) | tiny_bits(v3)) > TINY_SMALL) {
        return 0;
    }
    uint32_t even = tiny_low_halves((uint32_t)v0, (uint32_t)v2);
    uint32_t odd = tiny_low_halves((uint32_t)v1, (uint32_t)v3);
    if (dx->mask) {
        const uint32_t passing = tiny_masked(0xFFFFFFFFu, tiny_mask_bits(dx->mask, i));
        even &= tiny_add_even_bytes(0, passing);
        odd &= tiny_add_odd_bytes(0, passing);
    }
    *peaks = tiny_larger_halves(tiny_magnitudes(even), *peaks);
    *peaks = tiny_larger_halves(tiny_magnitudes(odd), *peaks);
    tiny_store(dx->d + i, (even & 0x00FF00FFu) | (odd & 0x00FF00FFu) << 8);
    return 1;
}

/* Elements [i, i + 4) as they are written: no branch but for those that may saturate. */
static inline void tiny_store_four(tiny_fours *s, uint32_t i, int32_t a, int32_t b, int32_t c,
                                   int32_t d) {
    if (!s->multiplier || !tiny_store_small(s->dx, i, tiny_rounded(s, a), tiny_rounded(s, b),
                                            tiny_rounded(s, c), tiny_rounded(s, d), &s->peaks)) {
        const int32_t sums[4] = {a, b, c, d};
        tiny_store_each(s, i, sums);
    }
}

/* After the last element: the largest magnitudes are a pair. */
static inline void tiny_end_peaks(const tiny_gradient_out *dx, uint32_t peaks) {
    dx->scale->peak = tiny_max(dx->scale->peak, tiny_max(tiny_low(peaks), tiny_high(peaks)));
}

static inline void tiny_end_fours(const tiny_fours *s) { tiny_end_peaks(s->dx, s->peaks); }

#endif
