/* The bias of any layer that has one.
 *
 * Walks output channels, and for each of them all positions of dy: the sum is in a register. A bias
 * is int32, at the scale of the layer's sums, and a row of one element (SPEC 6.5): no remainder is
 * handed on. Decay and low bytes are for weights only.
 */
#include "../../arith.h"
#include "../../update.h"

void tiny_bias_update(const tiny_bias *op, const tiny_gradient *dy, int32_t *b, int32_t *velocity,
                      tiny_state *state) {
    const tiny_course course = tiny_begin_course(&op->rule, op->id, dy, state);
    for (uint32_t o = 0; o < op->out; o++) {
        if (op->rate[o].mantissa == 0) { /* a dead channel (SPEC 6.6) */
            continue;
        }
        int32_t sum = 0;
        for (uint32_t n = 0; n < op->rows; n++) {
            sum += dy->d[n * op->out + o];
        }
        tiny_move_bias(op, &course, o, sum, b, velocity);
    }
}
