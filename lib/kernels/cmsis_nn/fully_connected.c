/* Fully connected layers, and so pointwise convolutions, by arm_convolve_1x1_s8_fast: its vectors are
 * positions of a map, and every output has its own multiplier. */
#include "adapter.h"

#if TINY_CMSIS_NN

static void multiply(const tiny_fully_connected *op, const int8_t *x, const int8_t *w,
                     const int32_t *b, uint32_t vectors, int8_t *y) {
    const tiny_requant *q = &op->requant;
    const int32_t inputs = (int32_t)op->in, outputs = (int32_t)op->out;
    const cmsis_nn_context context = {NULL, 0};
    const cmsis_nn_conv_params params = {
        .input_offset = -q->x_zero,
        .output_offset = q->y_zero,
        .stride = {1, 1},
        .padding = {0, 0},
        .dilation = {1, 1},
        .activation = {q->y_min, q->y_max},
    };
    /* CMSIS-NN reads both, though its types do not say so */
    const cmsis_nn_per_channel_quant_params quant = {(int32_t *)(uintptr_t)q->multiplier,
                                                     (int32_t *)(uintptr_t)q->shift};
    const cmsis_nn_dims in = {1, 1, (int32_t)vectors, inputs};
    const cmsis_nn_dims filter = {outputs, 1, 1, inputs};
    const cmsis_nn_dims bias = {1, 1, 1, outputs};
    const cmsis_nn_dims out = {1, 1, (int32_t)vectors, outputs};
    (void)arm_convolve_1x1_s8_fast(&context, &params, &quant, &in, x, &filter, w, &bias, b, &out,
                                   y);
}

TINY_OP(fully_connected_forward_cmsis_nn) {
    const tiny_fully_connected *op = record;
    const int8_t *x = buffers[0], *w = op->kept ? buffers[1] : buffers[2];
    int8_t *y = buffers[4];
    const uint32_t vectors = op->rows / op->height; /* in a row of the map */
    const int whole = op->x_ring == op->height && op->y_ring == op->height;
    const uint32_t step = whole ? band.count : 1;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row += step) {
        multiply(op, x + tiny_slot(row, op->x_ring) * vectors * op->in, w, buffers[3],
                 step * vectors, y + tiny_slot(row, op->y_ring) * vectors * op->out);
    }
}

#endif
