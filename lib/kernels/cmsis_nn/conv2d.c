/* Convolution with one group by arm_convolve_wrapper_s8. Rows that a ring divides are left to the
 * reference. */
#include "adapter.h"

#if TINY_CMSIS_NN

static void convolve(const tiny_conv2d *op, const int8_t *x, const tiny_weights *w,
                     const int32_t *b, int8_t *y, int32_t rows, tiny_rows_read read,
                     void *scratch) {
    const tiny_window *win = &op->window;
    const tiny_requant *q = &op->requant;
    const cmsis_nn_context context = {scratch, 0};
    const cmsis_nn_conv_params params = {
        .input_offset = -q->x_zero,
        .output_offset = q->y_zero,
        .stride = {win->stride_w, win->stride_h},
        .padding = {win->pad_left, read.pad},
        .dilation = {win->dilation_w, win->dilation_h},
        .activation = {q->y_min, q->y_max},
    };
    /* CMSIS-NN reads both, though its types do not say so */
    const cmsis_nn_per_channel_quant_params quant = {(int32_t *)(uintptr_t)q->multiplier,
                                                     (int32_t *)(uintptr_t)q->shift};
    const cmsis_nn_dims in = {1, read.count, win->x.width, win->x.channels};
    const cmsis_nn_dims filter = {win->y.channels, win->kernel_h, win->kernel_w,
                                  (int32_t)op->depth};
    const cmsis_nn_dims bias = {1, 1, 1, win->y.channels};
    const cmsis_nn_dims out = {1, rows, win->y.width, win->y.channels};
    const int8_t *weights = op->kept ? w->kept : w->frozen;
    (void)arm_convolve_wrapper_s8(&context, &params, &quant, &in,
                                  tiny_map_row(&win->x, x, read.first), &filter, weights, &bias, b,
                                  &out, y);
}

TINY_OP(conv2d_forward_cmsis_nn) {
    const tiny_conv2d *op = record;
    const tiny_weights w = {buffers[1], buffers[2]};
    const int32_t step = tiny_rows_at_once(&op->window, band);
    for (int32_t row = band.first; row < band.first + band.count; row += step) {
        const tiny_rows_read read = tiny_rows_below(&op->window, row, step, op->window.dilation_h);
        if (tiny_rows_adjacent(&op->window.x, read)) {
            int8_t *y = tiny_map_row_out(&op->window.y, buffers[4], row);
            convolve(op, buffers[0], &w, buffers[3], y, step, read, buffers[TINY_SCRATCH]);
        } else {
            const tiny_band rows = {(uint16_t)row, (uint16_t)step};
            tiny_conv2d_forward(op, buffers[0], &w, buffers[3], buffers[4], rows);
        }
    }
}

#endif
