/* Operators that move bytes: copy, pad, transpose, lookup (SPEC 3.6). Forward they are exact. */
#ifndef TINYFLASH_KERNELS_MOVE_H
#define TINYFLASH_KERNELS_MOVE_H

#include "tinyflash/kernels/arguments.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Strips of `size` bytes: one operand of a concatenation, or the trained channels of a map. */
typedef struct tiny_copy {
    uint32_t rows, size, x_stride, y_stride;
    uint16_t height, x_ring, y_ring; /* of maps whose every row has rows / height of those */
} tiny_copy;

/* Copies y[row][0..size) = x[row][0..size).
 *
 *   x   int8  rows x_stride bytes apart, or a ring
 *   y   int8  rows y_stride bytes apart, or a ring; the bytes between strips are left as they are
 *
 * Cost: rows * size bytes.
 */
void tiny_copy_forward(const tiny_copy *op, const int8_t *x, int8_t *y, tiny_band band);

/* Copies back: dx[row][i] = dy[row][i], the part of dy that came from x, with a new exponent. Needs
 * x_stride = size.
 *
 *   dy  int8  rows y_stride bytes apart  in [-127, 127]
 *   dx  int8  [rows][size]               stored (SPEC 4.6, 4.3)
 *
 * Cost: rows * size shifts.
 */
void tiny_copy_backward_input(const tiny_copy *op, const tiny_gradient *dy,
                              const tiny_gradient_out *dx);

typedef struct tiny_pad {
    tiny_map x, y;
    uint16_t top, left, front; /* rows, columns, channels of `value` before the map */
    int16_t value;
} tiny_pad;

/* Copies x to y at (top, left, front), and fills the rest of y with `value`.
 *
 *   x   int8  [x.height][x.width][x.channels], or a ring of its rows
 *   y   int8  [y.height][y.width][y.channels], or a ring of its rows
 *
 * Cost: y.height * y.width * y.channels bytes.
 */
void tiny_pad_forward(const tiny_pad *op, const int8_t *x, int8_t *y, tiny_band band);

/* Copies back the part of dy that came from x, with a new exponent.
 *
 *   dy  int8  [y.height][y.width][y.channels]  in [-127, 127]
 *   dx  int8  [x.height][x.width][x.channels]  stored (SPEC 4.6, 4.3)
 *
 * Cost: x.height * x.width * x.channels shifts.
 */
void tiny_pad_backward_input(const tiny_pad *op, const tiny_gradient *dy,
                             const tiny_gradient_out *dx);

/* Up to four dimensions; missing ones come first, with length 1 and stride 0. */
typedef struct tiny_transpose {
    uint16_t shape[4];  /* of y */
    uint32_t stride[4]; /* in x, in elements, of each dimension of y */
} tiny_transpose;

/* Copies y[i][j][k][l] = x[i * stride[0] + j * stride[1] + k * stride[2] + l * stride[3]].
 *
 *   x, y  int8  as many elements as the product of `shape`
 *
 * Cost in kernels/ref: a division and a remainder for each dimension of each element.
 */
void tiny_transpose_forward(const tiny_transpose *op, const int8_t *x, int8_t *y);

/* Copies back: each element of dx from its place in dy, with a new exponent.
 *
 *   dy  int8  [shape]          in [-127, 127]
 *   dx  int8  in the order of x, stored (SPEC 4.6, 4.3)
 *
 * Cost in kernels/ref: as forward.
 */
void tiny_transpose_backward_input(const tiny_transpose *op, const tiny_gradient *dy,
                                   const tiny_gradient_out *dx);

typedef struct tiny_lookup {
    uint32_t count;
    uint16_t height, x_ring, y_ring; /* of maps with count / height elements in each row */
} tiny_lookup;

/* Computes y[i] = table[(uint8_t)x[i]]: any function of one element, which the compiler tabulates.
 *
 *   x      int8  [count], or a ring of its rows
 *   table  int8  [256]; the entry of x = 0 is the first, that of -128 the 129th
 *   y      int8  [count], or a ring of its rows; may be x
 *
 * Cost: count loads.
 */
void tiny_lookup_forward(const tiny_lookup *op, const int8_t *x, const int8_t *table, int8_t *y,
                         tiny_band band);

/* Computes dx[i] = dy[i] * slope[(uint8_t)x[i]].
 *
 *   x      int8   [count]  the forward input, unchanged since
 *   slope  int16  [256]    Q14, the derivative at each x, 0 where y is clipped (SPEC 4.6, 7)
 *   dy     int8   [count]  in [-127, 127]
 *   dx     int8   [count]  stored (SPEC 4.3)
 *
 * |product| <= 127 * 2^15. Cost: count products.
 */
void tiny_lookup_backward_input(const tiny_lookup *op, const int8_t *x, const int16_t *slope,
                                const tiny_gradient *dy, const tiny_gradient_out *dx);

#ifdef __cplusplus
}
#endif

#endif
