/* Fisher information of the channels of a map: which of them matter to the loss. */
#ifndef TINYFLASH_KERNELS_FISHER_H
#define TINYFLASH_KERNELS_FISHER_H

#include "tinyflash/kernels/arguments.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tiny_fisher {
    uint32_t rows, channels; /* rows: the positions of y */
    int32_t y_zero;
} tiny_fisher;

/* Adds a sample: d[1 + c] += (sum over n of dy[n][c] * (y[n][c] - y_zero))^2, in the unit of d[0].
 *
 *   y   int8    [rows][channels]
 *   dy  int8    [rows][channels]
 *   d   uint32  [1 + channels]  d[0]: the number of the unit; all zero at the start (SPEC 15)
 *
 * The sum is exact up to 66,311 rows; the compiler refuses more (SPEC 10.37).
 * Cost: rows * channels.
 */
void tiny_fisher_add(const tiny_fisher *op, const int8_t *y, const tiny_gradient *dy, uint32_t *d);

#ifdef __cplusplus
}
#endif

#endif
