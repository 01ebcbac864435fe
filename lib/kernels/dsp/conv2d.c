/* Convolution with one group: the window of each position is copied into one row of terms, and then
 * it is a fully connected layer, four positions at a time (tile.h).
 *
 * A window has as many terms as an output channel has weights, in the order of the weights, so its
 * two parts are apart: the trained channels of all taps, then the frozen ones. The copy costs less
 * than one instruction per byte, and is shared by all output channels.
 */
#include <string.h>

#include "../../buffers.h"
#include "../../windows.h"
#include "tile.h"
#include "tinyflash/ops.h"

/* A window as one row of terms. */
typedef struct patch {
    int8_t *kept;   /* [kernel_h][kernel_w][kept] */
    int8_t *frozen; /* [kernel_h][kernel_w][depth - kept] */
} patch;

/* Fills taps that are in the padding: their inputs equal the zero point, so they add 0. */
static void pad_taps(const tiny_conv2d *op, const patch *to, uint32_t tap, uint32_t count) {
    const uint32_t frozen = op->depth - op->kept;
    const uint8_t zero = (uint8_t)op->requant.x_zero;
    memset(to->kept + tap * op->kept, zero, count * op->kept);
    memset(to->frozen + tap * frozen, zero, count * frozen);
}

/* Copies taps that are inside the map; `from` is the position of the first one. */
static void copy_taps(const tiny_conv2d *op, const int8_t *from, const patch *to, uint32_t tap,
                      uint32_t count) {
    const uint32_t kept = op->kept, frozen = op->depth - op->kept;
    const uint32_t step = op->window.dilation_w * op->depth;
    for (uint32_t i = 0; i < count; i++, tap++, from += step) {
        tiny_copy_bytes(to->kept + tap * kept, from, kept);
        tiny_copy_bytes(to->frozen + tap * frozen, from + kept, frozen);
    }
}

/* Copies a window row by row of the map, where the taps of a row are adjacent and inside. */
static void gather_rows(const tiny_conv2d *op, const int8_t *x, int32_t row, int32_t left,
                        int8_t *to) {
    const tiny_window *win = &op->window;
    const uint32_t bytes = (uint32_t)win->kernel_w * win->x.channels;
    const int8_t *from = x + (uint32_t)left * win->x.channels;
    int32_t iy = tiny_window_row(win, row, 0);
    for (int32_t ky = 0; ky < win->kernel_h; ky++, iy += win->dilation_h, to += bytes) {
        if (iy >= 0 && iy < win->x.height) {
            tiny_copy_bytes(to, tiny_map_row(&win->x, from, iy), bytes);
        } else {
            memset(to, (uint8_t)op->requant.x_zero, bytes);
        }
    }
}

/* Copies the window at a position of y tap by tap. */
static void gather_taps(const tiny_conv2d *op, const int8_t *x, int32_t row, int32_t column,
                        const patch *to) {
    const tiny_window *win = &op->window;
    const uint32_t taps = win->kernel_w;
    const tiny_taps in_map = tiny_taps_inside(win, column);
    const uint32_t first = (uint32_t)in_map.first, end = (uint32_t)in_map.end;
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t iy = tiny_window_row(win, row, ky);
        const uint32_t tap = (uint32_t)ky * taps;
        if (iy < 0 || iy >= win->x.height || first == end) {
            pad_taps(op, to, tap, taps);
            continue;
        }
        const int8_t *from = tiny_map_row(&win->x, x, iy) +
                             tiny_window_column(win, column, in_map.first) * win->x.channels;
        copy_taps(op, from, to, tap + first, end - first);
        pad_taps(op, to, tap, first);
        pad_taps(op, to, tap + end, taps - end);
    }
}

static void gather(const tiny_conv2d *op, const int8_t *x, int32_t row, int32_t column,
                   const patch *to) {
    const tiny_window *win = &op->window;
    const int32_t left = tiny_window_column(win, column, 0);
    const int one_part = op->kept == 0 || op->kept == op->depth;
    if (one_part && win->dilation_w == 1 && left >= 0 && left + win->kernel_w <= win->x.width) {
        gather_rows(op, x, row, left, op->kept ? to->kept : to->frozen);
    } else {
        gather_taps(op, x, row, column, to);
    }
}

/* One row of y. */
static void forward_row(const tiny_conv2d *op, tiny_tiling *tiling, const int8_t *x, int32_t row,
                        int8_t *y) {
    const tiny_map *out = &op->window.y;
    const uint32_t taps = (uint32_t)op->window.kernel_h * op->window.kernel_w;
    const patch to = {tiling->window, tiling->window + taps * op->kept};
    uint32_t count;
    for (uint32_t column = 0; column < out->width; column += count) {
        count = tiny_tiling_shape(tiling, out->width - column);
        for (uint32_t p = 0; p < count; p++) {
            gather(op, x, row, (int32_t)(column + p), &to);
            tiny_tiling_unpack(tiling, p, 1, tiling->window);
        }
        tiny_tiling_run(tiling, y + column * out->channels, count);
    }
}

static void forward(const tiny_conv2d *op, const int8_t *x, const tiny_weights *w, const int32_t *b,
                    int8_t *y, tiny_band band, uint32_t *scratch) {
    const tiny_map *out = &op->window.y;
    const uint32_t taps = (uint32_t)op->window.kernel_h * op->window.kernel_w;
    tiny_tiling tiling = tiny_tiling_begin(&op->requant, w, b, out->channels, taps * op->kept,
                                           taps * (op->depth - op->kept), scratch);
    for (int32_t row = band.first; row < band.first + band.count; row++) {
        forward_row(op, &tiling, x, row, tiny_map_row_out(out, y, row));
    }
}

TINY_OP(conv2d_forward_dsp) {
    const tiny_weights w = tiny_weights_at(buffers + 1);
    forward(record, buffers[0], &w, buffers[3], buffers[4], band, buffers[TINY_SCRATCH]);
}
