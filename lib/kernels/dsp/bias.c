/* The bias of any layer that has one: four channels at a time, whose gradients are one word of each
 * position. */
#include "../../buffers.h"
#include "../../update.h"
#include "columns.h"
#include "tinyflash/ops.h"

/* A call, with what holds for all channels. */
typedef struct biases {
    const tiny_bias *op;
    tiny_course course;
    int32_t *b, *velocity;
} biases;

/* Channels [first, first + count) with the sums of their gradients; a dead one stays (SPEC 6.6). */
static void move(const biases *m, uint32_t first, uint32_t count, const int32_t *sums) {
    for (uint32_t i = 0; i < count; i++) {
        if (m->op->rate[first + i].mantissa) {
            tiny_move_bias(m->op, &m->course, first + i, sums[i], m->b, m->velocity);
        }
    }
}

TINY_OP(bias_update_dsp) {
    (void)band;
    const tiny_bias *op = record;
    const tiny_gradient dy = tiny_gradient_at(buffers);
    biases m;
    m.op = op;
    m.course = tiny_begin_course(&op->rule, op->id, &dy, buffers[3]);
    m.b = buffers[2];
    m.velocity = buffers[4];
    for (uint32_t o = 0; o < op->out; o += TINY_SUMS) {
        const uint32_t count = op->out - o < TINY_SUMS ? op->out - o : TINY_SUMS;
        int32_t sums[TINY_SUMS] = {0};
        tiny_add_columns(dy.d + o, op->out, op->rows, count, sums);
        move(&m, o, count, sums);
    }
}
