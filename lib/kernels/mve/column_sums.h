/* Sums of columns of int8, eight columns at a time: the work of averages and of means. */
#ifndef TINYFLASH_KERNELS_MVE_COLUMN_SUMS_H
#define TINYFLASH_KERNELS_MVE_COLUMN_SUMS_H

#include <stdint.h>

#define TINY_EIGHT 8u        /* columns */
#define TINY_EIGHT_ROWS 256u /* whose sum int16 holds */

/* Sums that are being made; begin with zeros and `left` = TINY_EIGHT_ROWS. */
typedef struct tiny_eight {
    int16_t some[TINY_EIGHT]; /* of the last rows */
    int32_t sums[TINY_EIGHT]; /* of those before */
    uint32_t left;            /* rows that fit in `some` */
} tiny_eight;

void tiny_eight_begin(tiny_eight *eight);

/* Adds `rows` rows, `step` bytes apart, of `columns` columns, at most eight. */
void tiny_eight_add(tiny_eight *eight, const int8_t *x, uint32_t step, uint32_t rows,
                    uint32_t columns);

/* The sum of a column. */
static inline int32_t tiny_eight_sum(const tiny_eight *eight, uint32_t column) {
    return eight->sums[column] + eight->some[column];
}

#endif
