/* The bias of a layer with weights. Forward it is part of the layer's kernel. */
#ifndef TINYFLASH_KERNELS_BIAS_H
#define TINYFLASH_KERNELS_BIAS_H

#include "tinyflash/kernels/arguments.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tiny_bias {
    uint32_t rows, out;
    const tiny_factor *rate; /* [out] 1 / (x scale * weight scale); 0: dead channel */
    tiny_rule rule;
    const uint16_t *source; /* as in tiny_descent */
    uint32_t id;            /* of the bias in the source model */
    int32_t limit;          /* |b| stays within, so that no sum overflows (SPEC 6.5) */
} tiny_bias;

/* Updates the biases in place: b[o] -= rate[o] * sum over n of dy[n][o].
 *
 *   dy        int8   [rows][out]  in [-127, 127]; rows: the positions of y
 *   b         int32  [out]        stochastic rounding, clamped to +-limit, not counted (SPEC 6.5)
 *   velocity  int32  [out]        in units of 2^-16 (SPEC 6.8), or null
 *   state     updates_skipped is raised
 *
 * The sum is exact up to 16,909,320 rows; the compiler refuses more (SPEC 10.17).
 * Cost: rows * out additions.
 */
void tiny_bias_update(const tiny_bias *op, const tiny_gradient *dy, int32_t *b, int32_t *velocity,
                      tiny_state *state);

#ifdef __cplusplus
}
#endif

#endif
