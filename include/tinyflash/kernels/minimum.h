/* The smaller, or the larger, of two maps, element by element. */
#ifndef TINYFLASH_KERNELS_MINIMUM_H
#define TINYFLASH_KERNELS_MINIMUM_H

#include "tinyflash/kernels/arguments.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tiny_minimum {
    uint32_t count;
    uint16_t height, a_ring, b_ring, y_ring; /* of maps with count / height elements in each row */
    uint16_t larger;                         /* 1: y is the larger one, a maximum; else 0 */
} tiny_minimum;

/* Computes y[i] = min(a[i], b[i]), or their max.
 *
 *   a, b  int8  [count], or rings of their rows, of one scale and zero point
 *   y     int8  [count], or a ring, of that scale and zero point; may be a or b (SPEC 3.7)
 *
 * Nothing is rounded. Cost: count comparisons.
 */
void tiny_minimum_forward(const tiny_minimum *op, const int8_t *a, const int8_t *b, int8_t *y,
                          tiny_band band);

/* Computes da[i] = dy[i] where a[i] = y[i], else 0: of equal operands a gets the gradient.
 *
 *   a, y  int8  [count]  the forward operand and result, unchanged since
 *   dy    int8  [count]  in [-127, 127]
 *   da    int8  [count]  stored (SPEC 4.6, 4.3)
 *
 * Cost: count products.
 */
void tiny_minimum_backward_a(const tiny_minimum *op, const int8_t *a, const int8_t *y,
                             const tiny_gradient *dy, const tiny_gradient_out *da);

/* Computes db[i] = dy[i] where a[i] != y[i], else 0. Operands and cost as above. */
void tiny_minimum_backward_b(const tiny_minimum *op, const int8_t *a, const int8_t *y,
                             const tiny_gradient *dy, const tiny_gradient_out *db);

#ifdef __cplusplus
}
#endif

#endif
