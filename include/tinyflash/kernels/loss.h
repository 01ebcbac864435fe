/* Losses that compare the output with a target of its shape (SPEC 4.8). */
#ifndef TINYFLASH_KERNELS_LOSS_H
#define TINYFLASH_KERNELS_LOSS_H

#include "tinyflash/kernels/arguments.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tiny_target_loss {
    uint32_t count;     /* up to 65,535; the compiler refuses more */
    tiny_factor factor; /* squared: 2 * x scale / count; sigmoid: 2^-15 / count */
} tiny_target_loss;

/* Computes dy[i] = (x[i] - target[i]) * factor, the gradient of the mean squared error.
 *
 *   x, target  int8  [count]  of one scale and one zero point
 *   state      error is set to the sum of (x - target)^2, exact in uint32 up to 65,535 elements
 *   dy         int8  [count]  ties to even; exponent and peak are set, nothing is counted, no mask
 *                             is read (SPEC 4.8)
 *
 * The exponent is the smallest, not below -40 nor the factor's own, at which |dy| < 127.5.
 * Cost: 3 * count.
 */
void tiny_squared_loss(const tiny_target_loss *op, const int8_t *x, const int8_t *target,
                       tiny_state *state, const tiny_gradient_out *dy);

/* Computes dy[i] = (sigmoid(x[i]) - target[i]) * factor, the gradient of the binary cross-entropy
 * of each logit by itself.
 *
 *   x              int8    [count]
 *   target         int8    [count]  a probability, from 0 at -128 to 1 at 127
 *   probabilities  uint16  [256]    Q15 of sigmoid, by the byte of x (SPEC 7)
 *   state          error is set to the sum of |sigmoid - target|, Q15, exact in uint32
 *   dy             int8    [count]  as in tiny_squared_loss
 *
 * Cost: 3 * count, each with a division.
 */
void tiny_sigmoid_loss(const tiny_target_loss *op, const int8_t *x, const int8_t *target,
                       const uint16_t *probabilities, tiny_state *state,
                       const tiny_gradient_out *dy);

#ifdef __cplusplus
}
#endif

#endif
