/* Sums of columns: of a bias, of a mean, of a pool. */
#ifndef TINYFLASH_KERNELS_DSP_COLUMNS_H
#define TINYFLASH_KERNELS_DSP_COLUMNS_H

#include "words.h"

#define TINY_SUMS 4       /* columns that are added together: a word of each row */
#define TINY_SUM_ROWS 256 /* whose bytes a half can add up: 256 * -128 = -2^15 */

/* Sums of columns 0 and 2, and of 1 and 3. */
typedef struct tiny_column_pairs {
    uint32_t even, odd;
} tiny_column_pairs;

static inline tiny_column_pairs tiny_add_word(tiny_column_pairs sums, uint32_t bytes) {
    sums.even = tiny_add_even_bytes(sums.even, bytes);
    sums.odd = tiny_add_odd_bytes(sums.odd, bytes);
    return sums;
}

/* Adds rows of four bytes. Four rows in a round: to step and to count costs as much as to add. */
static inline tiny_column_pairs tiny_add_words(tiny_column_pairs sums, const int8_t *from,
                                               uint32_t step, uint32_t rows) {
    for (; rows >= 4; rows -= 4, from += step) {
        sums = tiny_add_word(sums, tiny_load(from));
        from += step;
        sums = tiny_add_word(sums, tiny_load(from));
        from += step;
        sums = tiny_add_word(sums, tiny_load(from));
        from += step;
        sums = tiny_add_word(sums, tiny_load(from));
    }
    for (; rows; rows--, from += step) {
        sums = tiny_add_word(sums, tiny_load(from));
    }
    return sums;
}

/* From pairs to a sum for each column. */
static inline void tiny_add_pairs(tiny_column_pairs pairs, int32_t *sums) {
    sums[0] += tiny_low(pairs.even);
    sums[1] += tiny_low(pairs.odd);
    sums[2] += tiny_high(pairs.even);
    sums[3] += tiny_high(pairs.odd);
}

/* Adds `rows` rows of `columns` bytes, 1 to 4, that are `step` bytes apart, to a sum for each column.
 * Sums of columns beyond stay as they are. */
void tiny_add_columns(const int8_t *from, uint32_t step, uint32_t rows, uint32_t columns,
                      int32_t *sums);

#endif
