/* Sums of columns; see columns.h. */
#include "columns.h"

void tiny_add_columns(const int8_t *from, uint32_t step, uint32_t rows, uint32_t columns,
                      int32_t *sums) {
    if (columns < TINY_SUMS) { /* a word would reach beyond the last row */
        for (uint32_t c = 0; c < columns; c++) {
            int32_t sum = sums[c];
            for (uint32_t row = 0; row < rows; row++) {
                sum += from[row * step + c];
            }
            sums[c] = sum;
        }
        return;
    }
    const tiny_column_pairs none = {0, 0};
    while (rows) {
        const uint32_t some = rows < TINY_SUM_ROWS ? rows : TINY_SUM_ROWS;
        tiny_add_pairs(tiny_add_words(none, from, step, some), sums);
        from += some * step;
        rows -= some;
    }
}
