/* From a sum to an int8 output in five instructions (SPEC 1.2, 2.2).
 *
 * Sums are doubled, because the multiplication keeps the upper half of 64 bits, where SPEC 1.2
 * divides by 2^31. The instructions: multiply and round; subtract 1 where negative, so that ties
 * round away from zero; add the offset; shift; saturate to int8.
 *
 * A channel for which this could overflow is an exception, which its kernel computes as the
 * specification is written. Such channels are rare: released models have some whose weight scale is
 * almost zero.
 */
#ifndef TINYFLASH_KERNELS_DSP_OUTPUT_H
#define TINYFLASH_KERNELS_DSP_OUTPUT_H

#include "tinyflash/kernels/arguments.h"
#include "words.h"

#define TINY_OUTPUT_SHIFT_MAX 22

/* What one output channel needs besides its weights. */
typedef struct tiny_output {
    int32_t bias;       /* doubled */
    int32_t multiplier; /* Q31; negative: an exception */
    int32_t offset;     /* y_zero * 2^shift, plus a half of the last unit: 2^(shift - 1) */
    int32_t shift;      /* to the right, in [1, 22] */
} tiny_output;

/* Whether channel `o` can be computed this way. The magnitude of its sum, `terms` products and the
 * bias, is then below 2^30, and that of the offset, too, so neither the doubled sum nor the sum with
 * the offset leaves int32. terms <= 65,793 (SPEC 10). */
static inline int tiny_output_fits(const tiny_requant *q, uint32_t o, int32_t bias,
                                   uint32_t terms) {
    const uint32_t magnitude = bias < 0 ? 0u - (uint32_t)bias : (uint32_t)bias;
    return q->shift[o] >= -TINY_OUTPUT_SHIFT_MAX && q->shift[o] <= -1 &&
           magnitude + terms * (255u * 128u) < 1u << 30;
}

/* The constants of channel `o`; b may be null. */
static inline tiny_output tiny_output_of(const tiny_requant *q, const int32_t *b, uint32_t o,
                                         uint32_t terms) {
    const int32_t bias = b ? b[o] : 0;
    tiny_output output = {0, -1, 0, 1};
    if (tiny_output_fits(q, o, bias, terms)) {
        const int32_t shift = -q->shift[o];
        output.bias = 2 * bias;
        output.multiplier = q->multiplier[o];
        output.offset = (2 * q->y_zero + 1) * (1 << (shift - 1));
        output.shift = shift;
    }
    return output;
}

#if TINY_DSP_ASM

/* Of a sum in register `sum`, with the multiplier, the offset and the shift in r4, r5 and r6. */
#define TINY_REQUANTIZE(sum)       \
    "smmulr " sum ", " sum         \
    ", r4\n"                       \
    "add.w " sum ", " sum ", " sum \
    ", asr #31\n"                  \
    "add.w " sum ", " sum          \
    ", r5\n"                       \
    "asr.w " sum ", " sum          \
    ", r6\n"                       \
    "ssat " sum ", #8, " sum "\n"

#endif

#endif
