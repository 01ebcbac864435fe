/* Depthwise convolution of multiplier 1 on a PC: 16 or 8 channels at a time. */
#include "../../arith.h"
#include "tinyflash/ops.h"
#include "wide.h"

#if TINY_HOST_ASM

#define TAPS 64u

/* The taps of a window that are inside the map: their number, their place in x, and which they
 * are. */
static uint32_t taps_at(const tiny_window *win, const int8_t *x, int32_t row, int32_t column,
                        const int8_t **at, uint32_t *tap) {
    uint32_t count = 0;
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t iy = tiny_window_row(win, row, ky);
        for (int32_t kx = 0; kx < win->kernel_w && iy >= 0 && iy < win->x.height; kx++) {
            const int32_t ix = tiny_window_column(win, column, kx);
            if (ix >= 0 && ix < win->x.width) {
                at[count] = tiny_map_row(&win->x, x, iy) + ix * win->x.channels;
                tap[count++] = (uint32_t)(ky * win->kernel_w + kx);
            }
        }
    }
    return count;
}

/* Channels [first, first + width) at one position; w is [tap][width]. */
static void channels(const tiny_depthwise *op, const int8_t *const *at, const uint32_t *tap,
                     uint32_t count, const int8_t *w, const int32_t *b, uint32_t first,
                     uint32_t width, int8_t *y) {
    const int8_t *from[TAPS], *weights[TAPS];
    for (uint32_t t = 0; t < count; t++) {
        from[t] = at[t] + first;
        weights[t] = w + tap[t] * width;
    }
    tiny_host_channels(&op->requant, from, weights, count, b, first, width, y + first);
}

/* Each part has enough channels for a register, or none. */
static int is_wide_enough(const tiny_depthwise *op) {
    const uint32_t kept = op->kept, frozen = op->window.y.channels - kept;
    return op->multiplier == 1 && (kept == 0 || kept >= TINY_HOST_CHANNELS) &&
           (frozen == 0 || frozen >= TINY_HOST_CHANNELS) &&
           (uint32_t)op->window.kernel_h * op->window.kernel_w <= TAPS;
}

TINY_OP(depthwise_forward_host) {
    const tiny_depthwise *op = record;
    const tiny_window *win = &op->window;
    const uint32_t out = win->y.channels;
    const int8_t *at[TAPS];
    uint32_t tap[TAPS];
    if (!is_wide_enough(op) || !tiny_host_is_wide()) {
        tiny_op_depthwise_forward(record, buffers, band);
        return;
    }
    for (int32_t row = band.first; row < band.first + band.count; row++) {
        int8_t *to = tiny_map_row_out(&win->y, buffers[4], row);
        for (int32_t column = 0; column < win->y.width; column++, to += out) {
            const uint32_t count = taps_at(win, buffers[0], row, column, at, tap);
            channels(op, at, tap, count, buffers[1], buffers[3], 0, op->kept, to);
            channels(op, at, tap, count, buffers[2], buffers[3], op->kept, out - op->kept, to);
        }
    }
}

#else

TINY_OP(depthwise_forward_host) { tiny_op_depthwise_forward(record, buffers, band); }

#endif
