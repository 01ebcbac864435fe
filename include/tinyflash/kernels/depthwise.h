/* Depthwise convolution: output channel c * multiplier + m reads input channel c only. */
#ifndef TINYFLASH_KERNELS_DEPTHWISE_H
#define TINYFLASH_KERNELS_DEPTHWISE_H

#include "tinyflash/kernels/arguments.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `out` below is y.channels. Weights are tap-major, unlike those of conv2d: kept
 * [kernel_h][kernel_w][kept], frozen [kernel_h][kernel_w][out - kept], so that adjacent channels
 * are adjacent bytes. */
typedef struct tiny_depthwise {
    tiny_window window;
    uint32_t multiplier; /* output channels for each input channel */
    uint32_t kept;       /* output channels trained, a multiple of the multiplier */
    tiny_requant requant;
    tiny_descent descent;
} tiny_depthwise;

/* Computes y[oy][ox][o] = requantize(b[o] + sum over ky, kx of w[ky][kx][o] * (x[iy][ix][o /
 * multiplier] - x_zero)), iy and ix as in tiny_window. A tap in the padding adds 0.
 *
 *   x   int8   [x.height][x.width][x.channels], or a ring of its rows
 *   w   int8   [kernel_h][kernel_w][kept] and [..][out - kept]
 *   b   int32  [out], or null
 *   y   int8   [y.height][y.width][out], in [y_min, y_max], or a ring of its rows (SPEC 2.1, 2.2)
 *
 * The compiler bounds b such that no sum leaves int32. Cost: y.height * y.width * out * kernel_h *
 * kernel_w.
 */
void tiny_depthwise_forward(const tiny_depthwise *op, const int8_t *x, const tiny_weights *w,
                            const int32_t *b, int8_t *y, tiny_band band);

/* Computes dx[iy][ix][c] = sum of dy[oy][ox][o] * w[ky][kx][o] * its weight scale, over all taps
 * and the `multiplier` output channels that read the element.
 *
 *   dy  int8   [y.height][y.width][out]          in [-127, 127]
 *   w   int8   [kernel_h][kernel_w][kept] and [..][out - kept]
 *   dx  int8   [x.height][x.width][x.channels]   stored (SPEC 4.2, 4.3)
 *
 * No sum leaves int32: with multiplier 1, 255 * 255 taps cannot; with others, ratio_shift scales dy
 * down first, which is enough up to the limit of SPEC 10.34. Cost: as forward.
 */
void tiny_depthwise_backward_input(const tiny_depthwise *op, const tiny_gradient *dy,
                                   const tiny_weights *w, const tiny_gradient_out *dx);

/* Updates the weights in place: w[ky][kx][o] -= rate[o] * sum over oy, ox of dy[oy][ox][o] *
 * (x[iy][ix][o / multiplier] - x_zero), o < kept. A position in the padding adds 0.
 *
 *   x      int8   [x.height][x.width][kept / multiplier]  the trained channels of the forward
 *                                                         input, unchanged since
 *   dy     int8   [y.height][y.width][out]                in [-127, 127]
 *   w      int8   [kernel_h][kernel_w][kept]              moved (SPEC 6)
 *   state  weights_saturated and updates_skipped are raised
 *
 * A row of SPEC 6.3 is one output channel, its elements the taps. The sum is exact up to
 * 66,311 positions of y; the compiler refuses more (SPEC 6.1, 10.16).
 * Cost: y.height * y.width * kept * kernel_h * kernel_w.
 */
void tiny_depthwise_update(const tiny_depthwise *op, const int8_t *x, const tiny_gradient *dy,
                           const tiny_trained *w, tiny_state *state);

#ifdef __cplusplus
}
#endif

#endif
