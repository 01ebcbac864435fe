/* Two gradients in one unit, for kernels that add them in 32 bits (SPEC 4.5).
 *
 * Both operands are multiplied to units of 2^-16 of the result. While their exponents are within 16
 * below and 7 above the result's, that is exact, the sum fits in 32 bits, and the result, rounded
 * with ties to even, is its upper half.
 */
#ifndef TINYFLASH_GRADIENT_SUM_H
#define TINYFLASH_GRADIENT_SUM_H

#include "tinyflash/model.h"

#define TINY_SUM_UNIT 16     /* bits behind the point */
#define TINY_SUM_ABOVE_MAX 7 /* 2 * 127 * 2^(16 + 7), and what rounding adds, are below 2^31 */

/* Operands as they are read, and their factors. */
typedef struct tiny_gradient_terms {
    const int8_t *a, *b; /* where there is no b: a, with a factor of 0 */
    int32_t a_factor, b_factor;
} tiny_gradient_terms;

/* Returns whether the factors fit. b->d may be null. to: of the result, whose exponent is set. */
static inline int tiny_gradient_terms_of(const tiny_gradient *a, const tiny_gradient *b,
                                         const tiny_scale *to, tiny_gradient_terms *terms) {
    const int32_t of_a = a->scale->exponent - to->exponent;
    const int32_t of_b = b->d ? b->scale->exponent - to->exponent : of_a;
    const int fits = of_a >= -TINY_SUM_UNIT && of_a <= TINY_SUM_ABOVE_MAX &&
                     of_b >= -TINY_SUM_UNIT && of_b <= TINY_SUM_ABOVE_MAX;
    terms->a = a->d;
    terms->b = b->d ? b->d : a->d;
    terms->a_factor = fits ? 1 << (TINY_SUM_UNIT + of_a) : 0;
    terms->b_factor = fits && b->d ? 1 << (TINY_SUM_UNIT + of_b) : 0;
    return fits;
}

#endif
