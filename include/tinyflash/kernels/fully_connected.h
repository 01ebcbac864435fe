/* Fully connected layers over rows; a 1x1 convolution of stride 1 without padding is one, too. */
#ifndef TINYFLASH_KERNELS_FULLY_CONNECTED_H
#define TINYFLASH_KERNELS_FULLY_CONNECTED_H

#include "tinyflash/kernels/arguments.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `rows` counts the vectors that the layer is applied to: the positions of a map, or 1. */
typedef struct tiny_fully_connected {
    uint32_t rows, in, out, kept;
    uint16_t height, x_ring, y_ring; /* of maps with rows / height positions in each row */
    tiny_requant requant;
    tiny_descent descent;
} tiny_fully_connected;

/* Computes y[n][o] = requantize(b[o] + sum over i of w[o][i] * (x[n][i] - x_zero)).
 *
 *   x   int8   [rows][in]
 *   w   int8   [out][kept] and [out][in - kept]
 *   b   int32  [out], or null
 *   y   int8   [rows][out], in [y_min, y_max] (SPEC 2.1, 2.2)
 *
 * The compiler refuses more than 65,793 terms in a sum, and bounds b such that no sum leaves int32.
 * Cost: rows * out * in.
 */
void tiny_fully_connected_forward(const tiny_fully_connected *op, const int8_t *x,
                                  const tiny_weights *w, const int32_t *b, int8_t *y,
                                  tiny_band band);

/* Computes dx[n][i] = sum over o of dy[n][o] * w[o][i] * its weight scale.
 *
 *   dy  int8   [rows][out]  in [-127, 127]
 *   w   int8   [out][kept] and [out][in - kept]
 *   dx  int8   [rows][in]   stored (SPEC 4.1, 4.3)
 *
 * No sum leaves int32: ratio_shift scales dy down first, which is enough up to 524,287 outputs; the
 * compiler refuses more (SPEC 10.34). Cost: rows * out * in.
 */
void tiny_fully_connected_backward_input(const tiny_fully_connected *op, const tiny_gradient *dy,
                                         const tiny_weights *w, const tiny_gradient_out *dx);

/* Updates the weights in place: w[o][i] -= rate[o] * sum over n of dy[n][o] * (x[n][i] - x_zero).
 *
 *   x      int8   [rows][kept]  the trained channels of the forward input, unchanged since
 *   dy     int8   [rows][out]   in [-127, 127]
 *   w      int8   [out][kept]   moved (SPEC 6)
 *   state  weights_saturated and updates_skipped are raised
 *
 * The sum is exact up to 66,311 rows; the compiler refuses more (SPEC 6.1, 10.16).
 * Cost: rows * out * kept.
 */
void tiny_fully_connected_update(const tiny_fully_connected *op, const int8_t *x,
                                 const tiny_gradient *dy, const tiny_trained *w, tiny_state *state);

#ifdef __cplusplus
}
#endif

#endif
