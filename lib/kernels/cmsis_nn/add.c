/* The sum of two maps of one shape by arm_elementwise_add_s8. */
#include "adapter.h"

#if TINY_CMSIS_NN

#define HEADROOM 20 /* bits that operands are shifted up before they meet (SPEC 3.1) */

TINY_OP(add_forward_cmsis_nn) {
    const tiny_add *op = record;
    const int8_t *a = buffers[0], *b = buffers[1];
    int8_t *y = buffers[2];
    const uint32_t size = op->count / op->height;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        (void)arm_elementwise_add_s8(
            a + tiny_slot(row, op->a_ring) * size, b + tiny_slot(row, op->b_ring) * size,
            -op->a_zero, op->a_multiplier, op->a_shift, -op->b_zero, op->b_multiplier, op->b_shift,
            HEADROOM, y + tiny_slot(row, op->y_ring) * size, op->y_zero, op->y_multiplier,
            op->y_shift, op->y_min, op->y_max, (int32_t)size);
    }
}

#endif
