/* The product of two maps of one shape by arm_elementwise_mul_s8. */
#include "adapter.h"

#if TINY_CMSIS_NN

TINY_OP(mul_forward_cmsis_nn) {
    const tiny_mul *op = record;
    const int8_t *a = buffers[0], *b = buffers[1];
    int8_t *y = buffers[2];
    const uint32_t size = op->size / op->height;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        (void)arm_elementwise_mul_s8(
            a + tiny_slot(row, op->a_ring) * size, b + tiny_slot(row, op->b_ring) * size,
            -op->a_zero, -op->b_zero, y + tiny_slot(row, op->y_ring) * size, op->y_zero,
            op->multiplier, op->shift, op->y_min, op->y_max, (int32_t)size);
    }
}

#endif
