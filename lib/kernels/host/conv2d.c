/* Convolution in one group on a PC: the windows of two positions, copied without zero point. */
#include <string.h>

#include "../../arith.h"
#include "tinyflash/ops.h"
#include "wide.h"

#if TINY_HOST_ASM

/* One window: the kept channels of all taps, then the frozen ones. Padding adds 0 (SPEC 2.4). */
static void copy_window(const tiny_conv2d *op, const int8_t *x, int32_t row, int32_t column,
                        int16_t *to) {
    const tiny_window *win = &op->window;
    const uint32_t frozen = op->depth - op->kept;
    int16_t *others = to + tiny_host_padded(op->kept * win->kernel_h * win->kernel_w);
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t iy = tiny_window_row(win, row, ky);
        for (int32_t kx = 0; kx < win->kernel_w; kx++, to += op->kept, others += frozen) {
            const int32_t ix = tiny_window_column(win, column, kx);
            if (iy < 0 || iy >= win->x.height || ix < 0 || ix >= win->x.width) {
                memset(to, 0, op->kept * sizeof *to);
                memset(others, 0, frozen * sizeof *others);
                continue;
            }
            const int8_t *at = tiny_map_row(&win->x, x, iy) + ix * win->x.channels;
            tiny_host_centre(at, op->requant.x_zero, op->kept, to);
            tiny_host_centre(at + op->kept, op->requant.x_zero, frozen, others);
        }
    }
}

TINY_OP(conv2d_forward_host) {
    const tiny_conv2d *op = record;
    const tiny_window *win = &op->window;
    const uint32_t taps = (uint32_t)win->kernel_h * win->kernel_w;
    const uint32_t kept = taps * op->kept, frozen = taps * (op->depth - op->kept);
    const uint32_t terms = tiny_host_padded(kept) + tiny_host_padded(frozen);
    const tiny_host_layer layer = {&op->requant, {buffers[1], buffers[2]}, buffers[3], kept,
                                   frozen,       win->y.channels};
    int16_t inputs[TINY_HOST_ROWS][TINY_HOST_TERMS];
    if (op->depth != win->x.channels || terms > TINY_HOST_TERMS || !tiny_host_is_wide()) {
        tiny_op_conv2d_forward(record, buffers, band);
        return;
    }
    for (uint32_t i = 0; i < TINY_HOST_ROWS; i++) {
        memset(inputs[i], 0, terms * sizeof inputs[i][0]);
    }
    for (int32_t row = band.first; row < band.first + band.count; row++) {
        int8_t *to = tiny_map_row_out(&win->y, buffers[4], row);
        for (int32_t column = 0; column < win->y.width; column += (int32_t)TINY_HOST_ROWS) {
            const int32_t count = tiny_min(win->y.width - column, (int32_t)TINY_HOST_ROWS);
            for (int32_t i = 0; i < count; i++) {
                copy_window(op, buffers[0], row, column + i, inputs[i]);
            }
            tiny_host_outputs(&layer, (const int16_t (*)[TINY_HOST_TERMS])inputs, (uint32_t)count,
                              to + column * win->y.channels);
        }
    }
}

#else

TINY_OP(conv2d_forward_host) { tiny_op_conv2d_forward(record, buffers, band); }

#endif
