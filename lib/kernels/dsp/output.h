/* From a sum to an int8 output in four instructions (SPEC 1.2, 2.2).
 *
 * Sums are doubled, because the multiplication keeps the upper half of 64 bits, where SPEC 1.2
 * divides by 2^31. The instructions: an offset, less 1 where the sum is negative, so that ties round
 * away from zero; multiply, round, and add that; shift; saturate to int8. SPEC asks for the sign of the
 * rounded product. That is 0 for some negative sums; then the offset, less 1 or not, is shifted to the
 * same output.
 *
 * A channel for which this could overflow is an exception, which its kernel computes as the
 * specification is written.
 */
#ifndef TINYFLASH_KERNELS_DSP_OUTPUT_H
#define TINYFLASH_KERNELS_DSP_OUTPUT_H

#include "../../arith.h"
#include "words.h"

#define TINY_OUTPUT_SHIFT_MAX 22

/* What one output channel needs besides its weights. */
typedef struct tiny_output {
    int32_t bias;       /* doubled */
    int32_t multiplier; /* Q31; negative: an exception */
    int32_t offset;     /* y_zero * 2^shift, plus a half of the last unit: 2^(shift - 1) */
    int32_t shift;      /* to the right, in [1, 22] */
} tiny_output;

/* More than the magnitude of any sum of `terms` products and a bias; terms <= 65,793 (SPEC 10). */
static inline uint32_t tiny_sum_bound(int32_t bias, uint32_t terms) {
    const uint32_t magnitude = bias < 0 ? 0u - (uint32_t)bias : (uint32_t)bias;
    return magnitude + terms * (255u * 128u) + 1;
}

/* Whether every sum in [bias - span, bias + span] has the same output, and then which: outputs grow
 * with sums while the shift is to the right. A channel whose bias exceeds its products by far is like
 * this. */
static inline int tiny_is_constant(const tiny_requant *q, uint32_t o, int32_t bias, int64_t span,
                                   int32_t *y) {
    const int64_t least = bias - span, most = bias + span;
    if (q->shift[o] > 0 || least < INT32_MIN || most > INT32_MAX) {
        return 0;
    }
    *y = tiny_requantize(q, o, (int32_t)least);
    return *y == tiny_requantize(q, o, (int32_t)most);
}

/* The constants of channel `o`; b may be null. Sums below 2^30 can be doubled, and with a shift of 22
 * at most the offset is below 2^30, too, so nothing leaves int32. Where every sum is below a half of
 * the last unit, the output is the zero point. */
static inline tiny_output tiny_output_of(const tiny_requant *q, const int32_t *b, uint32_t o,
                                         uint32_t terms) {
    const int32_t bias = b ? b[o] : 0, shift = -q->shift[o];
    const uint32_t bound = tiny_sum_bound(bias, terms);
    const int tiny = shift > 0 && bound <= 1u << (shift - 1);
    tiny_output output = {0, -1, 0, 1};
    int32_t y = q->y_zero;
    if (q->multiplier[o] == 0 || tiny) {
        output.multiplier = 0;
        output.offset = 2 * y + 1;
    } else if (shift > 0 && shift <= TINY_OUTPUT_SHIFT_MAX && bound <= 1u << 30) {
        output.bias = 2 * bias;
        output.multiplier = q->multiplier[o];
        output.offset = (2 * q->y_zero + 1) * (1 << (shift - 1));
        output.shift = shift;
    } else if (tiny_is_constant(q, o, bias, (int64_t)terms * (255 * 128), &y)) {
        output.multiplier = 0;
        output.offset = 2 * y + 1;
    } else {
        /* an exception */
    }
    return output;
}

#if TINY_DSP_ASM

/* Of a sum, all in registers; `spare` is overwritten. */
#define TINY_REQUANTIZE(sum, multiplier, offset, shift, spare) \
    "add.w " spare ", " offset ", " sum                        \
    ", asr #31\n"                                              \
    "smmlar " sum ", " sum ", " multiplier ", " spare          \
    "\n"                                                       \
    "asr.w " sum ", " sum ", " shift                           \
    "\n"                                                       \
    "ssat " sum ", #8, " sum "\n"

#else

/* The C twin, of a sum without bias that is not doubled. It wraps, because a tile with fewer positions
 * has sums of no meaning. */
static inline int8_t tiny_output_byte(const tiny_output *output, int32_t sum) {
    const int32_t biased = (int32_t)((uint32_t)sum + (uint32_t)(output->bias / 2));
    const int32_t high = tiny_high_multiply(biased, output->multiplier);
    const uint32_t moved = (uint32_t)high - (biased < 0) + (uint32_t)output->offset;
    return (int8_t)tiny_clamp((int32_t)moved >> output->shift, -128, 127);
}

#endif

#endif
