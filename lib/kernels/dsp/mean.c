/* The mean over adjacent axes, and its gradient. x is [outer][count][inner]: sums of columns, where a
 * row has 4 bytes or more; where it has one, a mean is over adjacent bytes, and words are rows. */
#include "../../arith.h"
#include "../../buffers.h"
#include "columns.h"
#include "store_four.h"
#include "tinyflash/ops.h"

#define SPARE 24 /* bits that int32 has above those of a gradient */

/* The sum is that of stored numbers. */
static int8_t mean_of(const tiny_mean *op, int32_t sum) {
    return tiny_mean_of(op, sum - (int32_t)op->count * op->x_zero);
}

/* The sum of `count` adjacent bytes. */
static int32_t sum_of(const int8_t *x, uint32_t count) {
    int32_t sums[TINY_SUMS] = {0};
    tiny_add_columns(x, TINY_SUMS, count / TINY_SUMS, TINY_SUMS, sums);
    tiny_add_columns(x + count / TINY_SUMS * TINY_SUMS, 1, 1, count % TINY_SUMS, sums);
    return sums[0] + sums[1] + sums[2] + sums[3];
}

/* The means of the columns of one map. */
static void means_of(const tiny_mean *op, const int8_t *x, int8_t *y) {
    for (uint32_t i = 0; i < op->inner; i += TINY_SUMS) {
        const uint32_t columns = op->inner - i < TINY_SUMS ? op->inner - i : TINY_SUMS;
        int32_t sums[TINY_SUMS] = {0};
        tiny_add_columns(x + i, op->inner, op->count, columns, sums);
        for (uint32_t c = 0; c < columns; c++) {
            y[i + c] = mean_of(op, sums[c]);
        }
    }
}

TINY_OP(mean_forward_dsp) {
    (void)band;
    const tiny_mean *op = record;
    const int8_t *x = buffers[0];
    int8_t *y = buffers[1];
    for (uint32_t outer = 0; outer < op->outer; outer++) {
        if (op->inner == 1) {
            *y = mean_of(op, sum_of(x, op->count));
        } else {
            means_of(op, x, y);
        }
        x += op->count * op->inner;
        y += op->inner;
    }
}

/* By elements of dx, in order: every `count` of them have the same dy. */
TINY_OP(mean_backward_input_dsp) {
    (void)band;
    const tiny_mean *op = record;
    const tiny_gradient dy = tiny_gradient_at(buffers);
    const tiny_gradient_out dx = tiny_following(&dy, buffers + 2);
    tiny_fours store = tiny_begin_fours(&dx, &op->reciprocal, dy.scale->exponent, SPARE);
    uint32_t at = 0;
    for (uint32_t outer = 0; outer < op->outer; outer++) {
        const int8_t *d = dy.d + outer * op->inner;
        for (uint32_t n = 0; n < op->count; n++) {
            uint32_t i = 0;
            for (; i + 4 <= op->inner; i += 4, at += 4) {
                tiny_store_four(&store, at, d[i], d[i + 1], d[i + 2], d[i + 3]);
            }
            for (; i < op->inner; i++, at++) {
                tiny_store_one(&store, at, d[i]);
            }
        }
    }
    tiny_end_fours(&store);
}
