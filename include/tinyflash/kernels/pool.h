/* Average and max pooling over windows, and the mean over adjacent axes. */
#ifndef TINYFLASH_KERNELS_POOL_H
#define TINYFLASH_KERNELS_POOL_H

#include "tinyflash/kernels/arguments.h"

#ifdef __cplusplus
extern "C" {
#endif

/* x and y have the same channels. The dilations of the window are not read. */
typedef struct tiny_pool {
    tiny_window window;
    int16_t y_min, y_max;
    uint8_t reciprocal_shift; /* q of SPEC 4.6: 23 less the bits of its cover */
} tiny_pool;

/* Computes y[oy][ox][c] = the mean of x[..][..][c] over the positions of the window inside the map.
 * x and y have one scale and one zero point.
 *
 *   x   int8  [x.height][x.width][channels], or a ring of its rows
 *   y   int8  [y.height][y.width][channels], in [y_min, y_max], or a ring of its rows; rounded to
 *             nearest, ties away from 0 (SPEC 3.2)
 *
 * Cost: y.height * y.width * channels * kernel_h * kernel_w additions, and a division for each
 * element of y.
 */
void tiny_average_pool_forward(const tiny_pool *op, const int8_t *x, int8_t *y, tiny_band band);

/* Computes dx[iy][ix][c] = sum of dy[oy][ox][c] / n over the windows that cover the position, n the
 * positions of each of them inside the map.
 *
 *   dy  int8  [y.height][y.width][channels]  in [-127, 127]
 *   dx  int8  [x.height][x.width][channels]  1 / n rounded to units of 2^-q; stored (SPEC 4.6, 4.3)
 *
 * |sum| <= 127 * 2^23, by the choice of q. 2^q / n has 8 bits or more (SPEC 10.13).
 * Cost: as forward, with a division for each product.
 */
void tiny_average_pool_backward_input(const tiny_pool *op, const tiny_gradient *dy,
                                      const tiny_gradient_out *dx);

/* Computes y[oy][ox][c] = the largest x[..][..][c] of the window inside the map, clamped.
 *
 *   x   int8  [x.height][x.width][channels], or a ring of its rows
 *   y   int8  [y.height][y.width][channels], in [y_min, y_max], or a ring of its rows (SPEC 3.2)
 *
 * Exact: nothing is rounded. Cost: y.height * y.width * channels * kernel_h * kernel_w comparisons.
 */
void tiny_max_pool_forward(const tiny_pool *op, const int8_t *x, int8_t *y, tiny_band band);

/* Computes dx[iy][ix][c] = sum of dy[oy][ox][c] over the windows whose largest x is at (iy, ix). Of
 * equal ones a window's first counts, by rows (SPEC 4.6). No index is stored: x is searched again.
 *
 *   x   int8  [x.height][x.width][channels]  the forward input, unchanged since
 *   dy  int8  [y.height][y.width][channels]  in [-127, 127]
 *   dx  int8  [x.height][x.width][channels]  stored (SPEC 4.3)
 *
 * |sum| <= 127 * 255 * 255. Cost in kernels/ref: each element of x reads every window over it up to
 * twice, about y.height * y.width * channels * 2 * (kernel_h * kernel_w)^2 reads.
 */
void tiny_max_pool_backward_input(const tiny_pool *op, const int8_t *x, const tiny_gradient *dy,
                                  const tiny_gradient_out *dx);

/* x is [outer][count][inner], y is [outer][inner]. */
typedef struct tiny_mean {
    uint32_t outer, count, inner;
    int32_t multiplier, shift; /* input scale / (output scale * count) */
    int16_t x_zero, y_zero;
    tiny_factor reciprocal; /* 1 / count, for the gradient */
} tiny_mean;

/* Computes y[outer][inner] = the mean of x[outer][n][inner] over n < count.
 *
 *   x   int8  [outer][count][inner]
 *   y   int8  [outer][inner]  rounded as TensorFlow Lite does, clamped to [-128, 127] (SPEC 3.3)
 *
 * The compiler refuses a count with which the sum could leave int32 (SPEC 10.10).
 *
 * Cost: outer * count * inner additions.
 */
void tiny_mean_forward(const tiny_mean *op, const int8_t *x, int8_t *y);

/* Computes dx[outer][n][inner] = dy[outer][inner] / count for all n.
 *
 *   dy  int8  [outer][inner]         in [-127, 127]
 *   dx  int8  [outer][count][inner]  stored (SPEC 4.6, 4.3)
 *
 * Cost: outer * count * inner products.
 */
void tiny_mean_backward_input(const tiny_mean *op, const tiny_gradient *dy,
                              const tiny_gradient_out *dx);

#ifdef __cplusplus
}
#endif

#endif
