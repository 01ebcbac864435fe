/* The bias of any layer that has one, eight channels at a time. */
#include "../../buffers.h"
#include "../../update.h"
#include "column_sums.h"
#include "tinyflash/ops.h"

TINY_OP(bias_update_mve) {
    (void)band;
    const tiny_bias *op = record;
    const tiny_gradient dy = tiny_gradient_at(buffers);
    const tiny_course course = tiny_begin_course(&op->rule, op->id, &dy, buffers[3]);
    for (uint32_t o = 0; o < op->out; o += TINY_EIGHT) {
        const uint32_t count = op->out - o < TINY_EIGHT ? op->out - o : TINY_EIGHT;
        tiny_eight eight;
        tiny_eight_begin(&eight);
        tiny_eight_add(&eight, dy.d + o, op->out, op->rows, count);
        for (uint32_t i = 0; i < count; i++) {
            if (op->rate[o + i].mantissa) { /* a dead channel stays (SPEC 6.6) */
                tiny_move_bias(op, &course, o + i, tiny_eight_sum(&eight, i), buffers[2],
                               buffers[4]);
            }
        }
    }
}
