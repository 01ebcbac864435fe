/* What training needs besides the operators: clip masks, and the exponents of gradients. */
#ifndef TINYFLASH_KERNELS_TRAIN_H
#define TINYFLASH_KERNELS_TRAIN_H

#include "tinyflash/kernels/arguments.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tiny_mask {
    uint32_t count;
    uint16_t height, ring; /* of y, with count / height elements in each row */
    int16_t y_min, y_max;
} tiny_mask;

/* Computes bit i of mask = y_min < y[i] < y_max: the output was not clipped, so a gradient passes.
 *
 *   y     int8   [count], or a ring of its rows
 *   mask  uint8  [ceil(count / 8)], element i in bit i mod 8 of byte i / 8 (SPEC 4.4); never a
 *                ring. A band sets the bits of its rows, even if they begin inside a byte; the
 *                band of the last row clears the padding bits
 *
 * Cost: 2 * count comparisons.
 */
void tiny_mask_forward(const tiny_mask *op, const int8_t *y, uint8_t *mask, tiny_band band);

/* Gives the gradient `to` its exponent, before a kernel computes it from `from` and `also`: their
 * level in this step plus its own gain (SPEC 5.2).
 *
 *   from  the scale of the gradient that is read
 *   also  the scale of the other one, in a sum of two gradients; else null
 *   to    exponent is set, in [-40, 15]; or, where all that is read is zero, gain rises by 1
 */
void tiny_follow(const tiny_scale *from, const tiny_scale *also, tiny_scale *to);

typedef struct tiny_advance {
    uint8_t headroom; /* bits kept free above the largest magnitude, 0 to 6 */
} tiny_advance;

/* Ends a training step: moves every gain by the peak of this step, clears peaks and `clipped`, and
 * counts the step (SPEC 5.3). Gains stay in [-64, 63]. Cost: scale_count. */
void tiny_advance_scales(const tiny_advance *op, tiny_state *state);

#ifdef __cplusplus
}
#endif

#endif
