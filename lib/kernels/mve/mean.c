/* The mean over adjacent axes. x is [outer][count][inner]: sums of columns, or, where inner is 1, of
 * adjacent bytes. */
#include "../../arith.h"
#include "column_sums.h"
#include "helium.h"
#include "tinyflash/ops.h"

/* The sum is that of stored numbers. */
static int8_t mean_of(const tiny_mean *op, int32_t sum) {
    return tiny_mean_of(op, sum - (int32_t)op->count * op->x_zero);
}

/* The means of the columns of one map. */
static void means_of(const tiny_mean *op, const int8_t *x, int8_t *y) {
    for (uint32_t i = 0; i < op->inner; i += TINY_EIGHT) {
        const uint32_t columns = op->inner - i < TINY_EIGHT ? op->inner - i : TINY_EIGHT;
        tiny_eight eight;
        tiny_eight_begin(&eight);
        tiny_eight_add(&eight, x + i, op->inner, op->count, columns);
        for (uint32_t c = 0; c < columns; c++) {
            y[i + c] = mean_of(op, tiny_eight_sum(&eight, c));
        }
    }
}

TINY_OP(mean_forward_mve) {
    (void)band;
    const tiny_mean *op = record;
    const int8_t *x = buffers[0];
    int8_t *y = buffers[1];
    for (uint32_t outer = 0; outer < op->outer; outer++) {
        if (op->inner == 1) {
            *y = mean_of(op, tiny_sum_bytes(x, op->count));
        } else {
            means_of(op, x, y);
        }
        x += op->count * op->inner;
        y += op->inner;
    }
}
