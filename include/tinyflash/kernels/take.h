/* Slices, and maps in another size: every element of y is one of x (SPEC 3.8). */
#ifndef TINYFLASH_KERNELS_TAKE_H
#define TINYFLASH_KERNELS_TAKE_H

#include "tinyflash/kernels/arguments.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The place of x that place i of y is, along one axis: (first + i * step) / unit, rounded down. */
typedef struct tiny_steps {
    int32_t first, step, unit; /* first >= 0; step, unit >= 1 */
} tiny_steps;

typedef struct tiny_take {
    tiny_map x, y;
    tiny_steps rows, columns, channels;
} tiny_take;

/* Copies y[i][j][k] = x[rows(i)][columns(j)][channels(k)]: a slice, or a map in another size, whose
 * every element is one of x.
 *
 *   x   int8  [x.height][x.width][x.channels], or a ring of its rows
 *   y   int8  [y.height][y.width][y.channels], or a ring of its rows
 *
 * No place is outside of x (the compiler checks it), and no number leaves int32 (SPEC 10.24).
 * Cost: y.height * y.width * y.channels bytes, with a division for each where a unit is not 1.
 */
void tiny_take_forward(const tiny_take *op, const int8_t *x, int8_t *y, tiny_band band);

/* Computes dx[i][j][k] = sum of dy over the elements of y that are this element of x; 0 if none is.
 *
 *   dy  int8  [y.height][y.width][y.channels]  in [-127, 127]
 *   dx  int8  [x.height][x.width][x.channels]  stored (SPEC 4.6, 4.3)
 *
 * The sum is exact: SPEC 10.25. Cost: x.height * x.width * x.channels divisions, and as many
 * additions as y has elements.
 */
void tiny_take_backward_input(const tiny_take *op, const tiny_gradient *dy,
                              const tiny_gradient_out *dx);

#ifdef __cplusplus
}
#endif

#endif
