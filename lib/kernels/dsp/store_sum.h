/* Stores the elements of an input gradient (SPEC 1.3, 4.3), with what is the same for all of a row
 * computed before.
 *
 * A sum is multiplied by a mantissa of 31 bits, so that the shift is at least 32 for all but extreme
 * exponents: then the upper half of the product, shifted by the rest, is the result. One less than a
 * half is added before, and one more if the result would be odd: ties go to even.
 */
#ifndef TINYFLASH_KERNELS_DSP_STORE_SUM_H
#define TINYFLASH_KERNELS_DSP_STORE_SUM_H

#include "../../arith.h"

/* A factor mantissa * 2^exponent for sums, and where they go. */
typedef struct tiny_row_store {
    const tiny_gradient_out *dx;
    tiny_factor factor;
    int32_t exponent;   /* of the factor and of the gradients together */
    int32_t multiplier; /* mantissa * 2^15; 0: the exponent is extreme */
    int32_t shift;      /* of the upper half, in [0, 30] */
    int64_t half;       /* one less than a half of the last unit */
    int32_t peak;
} tiny_row_store;

static inline tiny_row_store tiny_begin_store(const tiny_gradient_out *dx,
                                              const tiny_factor *factor, int32_t dy_exponent) {
    tiny_row_store s;
    s.dx = dx;
    s.factor = *factor;
    s.exponent = factor->exponent + dy_exponent - dx->scale->exponent;
    s.shift = -s.exponent - 17;
    s.multiplier = s.shift >= 0 && s.shift <= 30 ? factor->mantissa * (1 << 15) : 0;
    s.half = s.multiplier ? ((int64_t)1 << (s.shift + 31)) - 1 : 0;
    s.peak = 0;
    return s;
}

/* Element i, whose sum is given. */
static inline void tiny_store_sum(tiny_row_store *s, uint32_t i, int32_t sum) {
    const tiny_gradient_out *dx = s->dx;
    if (!s->multiplier) {
        tiny_store_gradient(dx, i, tiny_scale_by(sum, s->factor.mantissa, s->exponent));
        return;
    }
    if (dx->mask && !((dx->mask[i >> 3] >> (i & 7u)) & 1u)) {
        dx->d[i] = 0;
        return;
    }
    const int64_t product = (int64_t)sum * s->multiplier;
    const int32_t odd = ((int32_t)(product >> 32) >> s->shift) & 1;
    const int32_t v = (int32_t)((product + s->half + odd) >> 32) >> s->shift;
    const int32_t magnitude = v < 0 ? -v : v;
    s->peak = tiny_max(s->peak, magnitude);
    if (magnitude > 127) {
        tiny_count(&dx->scale->saturated);
        dx->scale->clipped = (uint16_t)(dx->scale->clipped + (dx->scale->clipped != UINT16_MAX));
    }
    dx->d[i] = (int8_t)tiny_clamp(v, -127, 127);
}

/* After the last element. */
static inline void tiny_end_store(const tiny_row_store *s) {
    s->dx->scale->peak = tiny_max(s->dx->scale->peak, s->peak);
}

#endif
