/* The bias of any layer that has one. */
#include "arith.h"
#include "update.h"

void tiny_bias_update(const tiny_bias *op, const tiny_gradient *dy, int32_t *b, tiny_state *state) {
    uint32_t key = tiny_row_key(state, op->id, 0);
    for (uint32_t o = 0; o < op->out; o++) {
        const tiny_rate rate = tiny_row_rate(state, &op->rate[o], dy);
        const int32_t draw = tiny_draw(&key);
        if (rate.mantissa == 0) {
            continue;
        }
        int32_t sum = 0;
        for (uint32_t n = 0; n < op->rows; n++) {
            sum += dy->d[n * op->out + o];
        }
        const int32_t moved = tiny_saturate32((int64_t)b[o] + tiny_descend(&rate, sum, draw));
        b[o] = tiny_clamp(moved, -op->limit, op->limit);
    }
}
