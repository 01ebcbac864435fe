/* A map whose negative elements are multiplied by constant slopes, mostly one per channel. */
#ifndef TINYFLASH_KERNELS_PRELU_H
#define TINYFLASH_KERNELS_PRELU_H

#include "tinyflash/kernels/arguments.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x[i] has the slope alpha[i % slopes]; slopes divides count. */
typedef struct tiny_prelu {
    uint32_t count, slopes;
    uint16_t height, x_ring, y_ring; /* of maps with count / height elements in each row */
    int16_t x_zero, alpha_zero, y_zero, y_min, y_max;
    int32_t above_multiplier, above_shift; /* of x at its zero point or above */
    int32_t below_multiplier, below_shift; /* of x times its slope */
    tiny_factor alpha_scale;               /* for the gradient */
} tiny_prelu;

/* Computes y[i] = x[i] if x[i] >= 0, else alpha[i % slopes] * x[i], in real units.
 *
 *   x      int8  [count], or a ring of its rows
 *   alpha  int8  [slopes]
 *   y      int8  [count], in [y_min, y_max], or a ring; may be x
 *
 * The product is exact and is rounded twice, as TensorFlow Lite does (SPEC 3.9).
 * Cost: 2 * count products.
 */
void tiny_prelu_forward(const tiny_prelu *op, const int8_t *x, const int8_t *alpha, int8_t *y,
                        tiny_band band);

/* Computes dx[i] = dy[i] if x[i] > 0, else alpha[i % slopes] * dy[i], in real units.
 *
 *   x      int8  [count]   the forward operand, unchanged since
 *   alpha  int8  [slopes]
 *   dy     int8  [count]   in [-127, 127]
 *   dx     int8  [count]   stored (SPEC 4.6, 4.3)
 *
 * Cost: 2 * count products.
 */
void tiny_prelu_backward_input(const tiny_prelu *op, const int8_t *x, const int8_t *alpha,
                               const tiny_gradient *dy, const tiny_gradient_out *dx);

#ifdef __cplusplus
}
#endif

#endif
