/* The sum and the difference of two maps, and the sum of two gradients. */
#ifndef TINYFLASH_KERNELS_ADD_H
#define TINYFLASH_KERNELS_ADD_H

#include "tinyflash/kernels/arguments.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Multipliers: the scales of a and b over twice the larger one, and that over 2^20 times the scale
 * of y (SPEC 7). */
typedef struct tiny_add {
    uint32_t count;
    uint32_t b_count; /* count, or the size of the one row that b is; b_ring is then unused */
    uint16_t height, a_ring, b_ring, y_ring; /* of maps with count / height elements in each row */
    int16_t a_zero, b_zero, y_zero, y_min, y_max;
    int16_t b_sign; /* 1, or -1 for a difference */
    int32_t a_multiplier, b_multiplier, y_multiplier;
    int32_t a_shift, b_shift, y_shift;
} tiny_add;

/* Computes y[i] = a[i] + b_sign * b[i] in real units; of a row b, b[i mod b_count].
 *
 *   a     int8  [count], or a ring of its rows
 *   b     int8  [b_count], or a ring of its rows
 *   y     int8  [count], in [y_min, y_max], or a ring; may be a or b. Each operand is rounded at a
 *               common scale, then their sum (SPEC 3.1)
 *
 * The sum is below 2^28, since the common scale is twice the larger one. Cost: 3 * count products.
 */
void tiny_add_forward(const tiny_add *op, const int8_t *a, const int8_t *b, int8_t *y,
                      tiny_band band);

typedef struct tiny_gradient_sum {
    uint32_t count;
} tiny_gradient_sum;

/* Computes dx[i] = a[i] + b[i] from element `first` on, each with its own exponent. This is the
 * gradient of every tensor with two readers; without b it is the gradient of either operand of a sum.
 *
 *   a, b  int8  [count]  in [-127, 127]; b->d may be null: then dx = a, and b->scale is not read
 *   dx    int8  [count]  may be a or b; the sum is rounded once, and stored (SPEC 4.5, 4.3)
 *
 * The sum is below 2^62, since exponents are in [-40, 15]. Cost: count shifts of 64 bits.
 */
void tiny_gradient_add(const tiny_gradient_sum *op, uint32_t first, const tiny_gradient *a,
                       const tiny_gradient *b, const tiny_gradient_out *dx);

/* Computes db[i] = -dy[i], where y = a - b. The gradient of a is dy itself.
 *
 *   dy  int8  [count]  in [-127, 127]
 *   db  int8  [count]  stored (SPEC 4.6, 4.3)
 *
 * Cost: count shifts.
 */
void tiny_sub_backward_b(const tiny_gradient_sum *op, const tiny_gradient *dy,
                         const tiny_gradient_out *db);

#ifdef __cplusplus
}
#endif

#endif
