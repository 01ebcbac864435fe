/* Convolution of any kernel size, stride, dilation, padding and number of groups. */
#ifndef TINYFLASH_KERNELS_CONV2D_H
#define TINYFLASH_KERNELS_CONV2D_H

#include "tinyflash/kernels/arguments.h"

#ifdef __cplusplus
extern "C" {
#endif

/* `out` below is y.channels. There are x.channels / depth groups. Output channel o reads the
 * `depth` input channels of its group. `depth` is the `in` of tiny_weights. */
typedef struct tiny_conv2d {
    tiny_window window;
    uint32_t depth; /* input channels of a group, which an output channel reads (SPEC 2.3) */
    uint32_t kept;  /* input channels trained; with several groups 0 or depth */
    tiny_requant requant;
    tiny_descent descent;
} tiny_conv2d;

/* Computes y[oy][ox][o] = requantize(b[o] + sum over ky, kx, i of w[o][ky][kx][i] * (x[iy][ix][i] -
 * x_zero)), iy and ix as in tiny_window, i over the channels of o's group. A tap in the padding
 * adds 0.
 *
 *   x   int8   [x.height][x.width][x.channels], or a ring of its rows
 *   w   int8   [out][kernel_h][kernel_w][kept] and [..][depth - kept]
 *   b   int32  [out], or null
 *   y   int8   [y.height][y.width][out], in [y_min, y_max], or a ring of its rows (SPEC 2.1, 2.2)
 *
 * The compiler refuses more than 65,793 terms in a sum, and bounds b such that no sum leaves int32.
 * Cost: y.height * y.width * out * kernel_h * kernel_w * depth.
 */
void tiny_conv2d_forward(const tiny_conv2d *op, const int8_t *x, const tiny_weights *w,
                         const int32_t *b, int8_t *y, tiny_band band);

/* Computes dx[iy][ix][i] = sum of dy[oy][ox][o] * w[o][ky][kx][i] * its weight scale, over all taps
 * and output channels that read the element.
 *
 *   dy  int8   [y.height][y.width][out]           in [-127, 127]
 *   w   int8   [out][kernel_h][kernel_w][kept] and [..][depth - kept]
 *   dx  int8   [x.height][x.width][x.channels]    stored (SPEC 4.1, 4.3)
 *
 * No sum leaves int32: ratio_shift scales dy down first, which is enough up to the limit that the
 * compiler checks (SPEC 10.34). Cost: as forward.
 */
void tiny_conv2d_backward_input(const tiny_conv2d *op, const tiny_gradient *dy,
                                const tiny_weights *w, const tiny_gradient_out *dx);

/* Updates the weights in place: w[o][ky][kx][i] -= rate[o] * sum over oy, ox of dy[oy][ox][o] *
 * (x[iy][ix][i] - x_zero), i < kept. A position in the padding adds 0.
 *
 *   x      int8   [x.height][x.width][kept]        the trained channels of the forward input,
 *                                                  unchanged; of several groups all channels
 *   dy     int8   [y.height][y.width][out]         in [-127, 127]
 *   w      int8   [out][kernel_h][kernel_w][kept]  moved; a row of SPEC 6.3 is one output channel
 *   state  weights_saturated and updates_skipped are raised
 *
 * The sum is exact up to 66,311 positions of y; the compiler refuses more (SPEC 6.1, 10.16).
 * Cost: y.height * y.width * out * kernel_h * kernel_w * kept.
 */
void tiny_conv2d_update(const tiny_conv2d *op, const int8_t *x, const tiny_gradient *dy,
                        const tiny_trained *w, tiny_state *state);

#ifdef __cplusplus
}
#endif

#endif
