/* The product of two maps, or of a map and one row that meets all of its rows. */
#ifndef TINYFLASH_KERNELS_MUL_H
#define TINYFLASH_KERNELS_MUL_H

#include "tinyflash/kernels/arguments.h"

#ifdef __cplusplus
extern "C" {
#endif

/* a and y are [rows][size], b is [size]: two maps of one shape are one row, and then b may
 * be a ring, too. */
typedef struct tiny_mul {
    uint32_t rows, size;
    /* Of maps with rows * size / height elements in each row; if rows > 1, height divides them. */
    uint16_t height, a_ring, b_ring, y_ring;
    int16_t a_zero, b_zero, y_zero, y_min, y_max;
    int32_t multiplier, shift;
    tiny_factor a_scale, b_scale; /* for the gradients */
} tiny_mul;

/* Computes y[n][i] = a[n][i] * b[i] in real units.
 *
 *   a   int8  [rows][size], or a ring of its rows
 *   b   int8  [size]; where rows is 1, a ring is possible
 *   y   int8  [rows][size], in [y_min, y_max], or a ring; may be a and, where rows is 1, b
 *
 * The product is exact and is rounded twice, as TensorFlow Lite does (SPEC 3.5).
 * Cost: 2 * rows * size products.
 */
void tiny_mul_forward(const tiny_mul *op, const int8_t *a, const int8_t *b, int8_t *y,
                      tiny_band band);

/* Computes da[n][i] = dy[n][i] * b[i] in real units.
 *
 *   b   int8  [size]        the forward operand, unchanged since
 *   dy  int8  [rows][size]  in [-127, 127]
 *   da  int8  [rows][size]  stored (SPEC 4.6, 4.3)
 *
 * Cost: 2 * rows * size products.
 */
void tiny_mul_backward_a(const tiny_mul *op, const int8_t *b, const tiny_gradient *dy,
                         const tiny_gradient_out *da);

/* Computes db[i] = sum over n of dy[n][i] * a[n][i] in real units.
 *
 *   a   int8  [rows][size]  the forward operand, unchanged since
 *   dy  int8  [rows][size]  in [-127, 127]
 *   db  int8  [size]        stored (SPEC 4.6, 4.3)
 *
 * Exact in int32 while rows <= 66,311; the compiler refuses more. Cost: rows * size.
 */
void tiny_mul_backward_b(const tiny_mul *op, const int8_t *a, const tiny_gradient *dy,
                         const tiny_gradient_out *db);

#ifdef __cplusplus
}
#endif

#endif
