/* Convolution in one group on a PC: windows are copied without the zero point. */
#include <string.h>

#include "../../arith.h"
#include "tinyflash/ops.h"
#include "wide.h"

#if TINY_HOST_ASM

/* The kept channels of all taps, then the frozen ones: where the next ones go. */
typedef struct terms {
    int16_t *kept, *frozen;
} terms;

static void add_padding(const tiny_conv2d *op, terms *to) {
    const uint32_t kept = op->kept, frozen = op->depth - kept;
    memset(to->kept, 0, kept * sizeof *to->kept);
    memset(to->frozen, 0, frozen * sizeof *to->frozen);
    to->kept += kept;
    to->frozen += frozen;
}

static void add_tap(const tiny_conv2d *op, const int8_t *x, terms *to) {
    const uint32_t kept = op->kept, frozen = op->depth - kept;
    tiny_host_centre(x, op->requant.x_zero, kept, to->kept);
    tiny_host_centre(x + kept, op->requant.x_zero, frozen, to->frozen);
    to->kept += kept;
    to->frozen += frozen;
}

/* Padding adds 0 (SPEC 2.4). */
static void copy_row(const tiny_conv2d *op, const int8_t *x, int32_t iy, int32_t column,
                     terms *to) {
    const tiny_window *win = &op->window;
    const int inside = iy >= 0 && iy < win->x.height;
    for (int32_t kx = 0; kx < win->kernel_w; kx++) {
        const int32_t ix = tiny_window_column(win, column, kx);
        if (inside && ix >= 0 && ix < win->x.width) {
            add_tap(op, tiny_map_row(&win->x, x, iy) + ix * win->x.channels, to);
        } else {
            add_padding(op, to);
        }
    }
}

/* A row of the window whose taps are side by side in x and in the terms. */
static int is_one_piece(const tiny_conv2d *op, int32_t iy, int32_t column) {
    const tiny_window *win = &op->window;
    const int32_t first = tiny_window_column(win, column, 0);
    return win->dilation_w == 1 && (op->kept == 0 || op->kept == op->depth) && iy >= 0 &&
           iy < win->x.height && first >= 0 && first + win->kernel_w <= win->x.width;
}

static void copy_window(const tiny_conv2d *op, const int8_t *x, int32_t row, int32_t column,
                        int16_t *terms_of_window) {
    const tiny_window *win = &op->window;
    const uint32_t width = win->kernel_w * op->depth;
    terms to = {terms_of_window, terms_of_window + op->kept * win->kernel_h * win->kernel_w};
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t iy = tiny_window_row(win, row, ky);
        if (is_one_piece(op, iy, column)) {
            const int32_t first = tiny_window_column(win, column, 0);
            tiny_host_centre(tiny_map_row(&win->x, x, iy) + first * win->x.channels,
                             op->requant.x_zero, width, op->kept ? to.kept : to.frozen);
            to.kept += op->kept ? width : 0;
            to.frozen += op->kept ? 0 : width;
        } else {
            copy_row(op, x, iy, column, &to);
        }
    }
}

static void forward(const tiny_conv2d *op, const tiny_host_layer *layer, const int8_t *x, int8_t *y,
                    tiny_band band) {
    const tiny_map *out = &op->window.y;
    tiny_host_chunk chunk;
    chunk.count = 0;
    for (int32_t row = band.first; row < band.first + band.count; row++) {
        int8_t *to = tiny_map_row_out(out, y, row);
        for (int32_t column = 0; column < out->width; column++, to += out->channels) {
            copy_window(op, x, row, column, tiny_host_place(layer, &chunk, to));
        }
    }
    tiny_host_finish(layer, &chunk);
}

TINY_OP(conv2d_forward_host) {
    const tiny_conv2d *op = record;
    const tiny_map *out = &op->window.y;
    const uint32_t taps = (uint32_t)op->window.kernel_h * op->window.kernel_w;
    const tiny_host_layer layer = {&op->requant,    {buffers[1], buffers[2]},      buffers[3],
                                   taps * op->kept, taps * (op->depth - op->kept), out->channels};
    if (op->depth == op->window.x.channels &&
        tiny_host_suits(&layer, (uint32_t)out->width * band.count)) {
        forward(op, &layer, buffers[0], buffers[4], band);
    } else {
        tiny_op_conv2d_forward(record, buffers, band);
    }
}

#else

TINY_OP(conv2d_forward_host) { tiny_op_conv2d_forward(record, buffers, band); }

#endif
