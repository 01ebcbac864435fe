/* The bias of any layer that has one.
 *
 * Walks output channels, and for each of them all positions of dy: the sum is in a register. A bias
 * is int32, at the scale of the layer's sums, and a row of one element (SPEC 6.5): no remainder is
 * handed on. Decay and low bytes are for weights only.
 */
#include "../../arith.h"
#include "../../update.h"

#define HALF 0x8000 /* of a unit, in units of 2^-16 */

/* SPEC 6.8, for biases: the step that momentum and accumulation make of `delta`, in units of 2^-16.
 * C's division rounds towards zero, which lets a velocity come to rest. */
static int32_t gathered(int32_t *velocity, int32_t momentum, int32_t delta) {
    const int64_t sum = (int64_t)*velocity * momentum / 0x8000 + delta;
    *velocity = tiny_clamp(tiny_saturate32(sum), -TINY_DELTA_MAX, TINY_DELTA_MAX);
    return *velocity;
}

void tiny_bias_update(const tiny_bias *op, const tiny_gradient *dy, int32_t *b, int32_t *velocity,
                      tiny_state *state) {
    const tiny_course course = tiny_begin_course(&op->rule, op->id, dy, state);
    for (uint32_t o = 0; o < op->out; o++) {
        if (op->rate[o].mantissa == 0) { /* a dead channel (SPEC 6.6) */
            continue;
        }
        const tiny_rate rate = tiny_row_rate(&course, &op->rate[o]);
        int32_t sum = 0;
        for (uint32_t n = 0; n < op->rows; n++) {
            sum += dy->d[n * op->out + o];
        }
        int32_t delta = tiny_delta(&rate, sum);
        if (velocity) {
            delta = gathered(&velocity[o], course.momentum, delta);
        }
        if (course.moves) {
            const uint32_t bits = tiny_row_bits(course.key, op->source, o);
            const int32_t fraction = course.nearest ? HALF : (int32_t)(bits >> 16);
            /* Down by delta, with a random part of a unit added before it is rounded down. */
            const int64_t moved = (int64_t)b[o] + ((fraction - delta) >> 16);
            b[o] = tiny_clamp(tiny_saturate32(moved), -op->limit, op->limit);
        }
    }
}
