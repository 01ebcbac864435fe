/* Input gradient and update of convolutions with one group; sums as gradient.h and panel.h say.
 *
 * The input gradient gathers: the terms of an input position are the gradients of the outputs that
 * read it, tap by tap, and zeros where a tap reads it from no output.
 */
#include <stddef.h>

#include "../../arith.h"
#include "../../buffers.h"
#include "gradient.h"
#include "panel.h"
#include "tinyflash/ops.h"

/* ---- Input gradient ---- */

/* A call of the input gradient. The terms of a sum are pairs of output channels, for each tap. */
typedef struct descending {
    const tiny_conv2d *op;
    const tiny_gradient *dy;
    uint32_t tap_pairs; /* of output channels */
    uint32_t pairs;     /* of all taps */
    uint32_t *t;        /* [tiles][pairs][TINY_TILE]: rescaled gradients */
    tiny_columns columns;
} descending;

/* Gathers the rescaled gradients that input position n is read by: 0 where a tap reads it from no
 * output. */
static void gather_gradients(const descending *d, uint32_t n, uint32_t *t) {
    const tiny_window *win = &d->op->window;
    const int32_t row = (int32_t)(n / win->x.width), column = (int32_t)(n % win->x.width);
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t oy = tiny_window_source(row, win->pad_top, ky, win->dilation_h, win->stride_h,
                                              win->y.height);
        for (int32_t kx = 0; kx < win->kernel_w; kx++, t += d->tap_pairs * TINY_TILE) {
            const int32_t ox = tiny_window_source(column, win->pad_left, kx, win->dilation_w,
                                                  win->stride_w, win->y.width);
            if (oy >= 0 && ox >= 0) {
                const int8_t *dy = d->dy->d + (oy * win->y.width + ox) * win->y.channels;
                tiny_rescale(&d->op->descent, dy, win->y.channels, t);
                continue;
            }
            for (uint32_t i = 0; i < d->tap_pairs; i++) {
                t[i * TINY_TILE] = 0;
            }
        }
    }
}

/* Transposes the weights w[out][taps][width] of four input channels from `channel` on. */
static void transpose(const descending *d, const int8_t *w, uint32_t width, uint32_t channel) {
    const uint32_t taps = d->pairs / d->tap_pairs;
    const tiny_places places = {d->pairs, 1};
    for (uint32_t tap = 0; tap < taps; tap++) {
        tiny_pair_rows(w + tap * width + channel, d->op->window.y.channels, taps * width,
                       width - channel, 0, d->columns.w + tap * d->tap_pairs, places);
    }
}

/* The `width` input channels from `first` on, at positions [n, n + count). */
static void backward_panel(descending *d, const int8_t *w, uint32_t first, uint32_t width,
                           uint32_t n, uint32_t count) {
    const uint32_t channels = d->op->window.x.channels;
    for (uint32_t i = 0; i < width; i += TINY_COLUMNS) {
        transpose(d, w, width, i);
        tiny_columns_store(&d->columns, width - i, count, n * channels + first + i, channels);
    }
}

/* All of dy that some positions need is in scratch before the first of their dx is written. */
TINY_OP(conv2d_backward_input_dsp) {
    (void)band;
    const tiny_conv2d *op = record;
    const tiny_gradient dy = tiny_gradient_at(buffers);
    const tiny_gradient_out dx = tiny_following(&dy, buffers + 4);
    const uint32_t positions = (uint32_t)op->window.x.height * op->window.x.width;
    const uint32_t tap_pairs = (op->window.y.channels + 1u) / 2;
    const uint32_t pairs = tap_pairs * op->window.kernel_h * op->window.kernel_w;
    const uint32_t most = tiny_positions_at_once(positions, pairs);
    uint32_t *scratch = buffers[TINY_SCRATCH];
    descending d = {.op = op, .dy = &dy, .tap_pairs = tap_pairs, .pairs = pairs, .t = scratch};
    d.columns = tiny_columns_begin(&dx, op->descent.factor, dy.scale->exponent, pairs);
    d.columns.t = scratch;
    d.columns.w = scratch + most * pairs;
    d.columns.values = d.columns.w + TINY_COLUMNS * pairs;
    for (uint32_t n = 0; n < positions; n += most) {
        const uint32_t count = positions - n < most ? positions - n : most;
        for (uint32_t p = 0; p < count; p++) {
            gather_gradients(&d, n + p, d.t + p / TINY_TILE * TINY_TILE * pairs + p % TINY_TILE);
        }
        backward_panel(&d, buffers[2], 0, op->kept, n, count);
        backward_panel(&d, buffers[3], op->kept, op->depth - op->kept, n, count);
    }
    tiny_stripe_end(&dx, d.columns.peaks);
}

/* ---- Update ---- */

/* What a tap reads at output position n, from its first trained channel on; null: padding, or no
 * position. */
static const int8_t *taken_at(const tiny_conv2d *op, const int8_t *x, uint32_t n, int32_t ky,
                              int32_t kx) {
    const tiny_window *win = &op->window;
    const int32_t row = (int32_t)(n / win->y.width), column = (int32_t)(n % win->y.width);
    const int32_t iy = tiny_window_row(win, row, ky), ix = tiny_window_column(win, column, kx);
    const int inside =
        row < win->y.height && iy >= 0 && iy < win->x.height && ix >= 0 && ix < win->x.width;
    return inside ? x + (uint32_t)(iy * win->x.width + ix) * op->kept : NULL;
}

/* Pairs what a tap reads of four channels from `first` on, at all positions. */
static void take(const tiny_conv2d *op, const int8_t *x, uint32_t tap, uint32_t first,
                 uint32_t pairs, uint32_t *t) {
    const uint32_t taps = op->window.kernel_w;
    const int32_t ky = (int32_t)(tap / taps), kx = (int32_t)(tap % taps);
    for (uint32_t k = 0; k < pairs; k++) {
        const int8_t *a = taken_at(op, x, 2 * k, ky, kx), *b = taken_at(op, x, 2 * k + 1, ky, kx);
        tiny_pair_two(a ? a + first : NULL, b ? b + first : NULL, op->kept - first,
                      op->requant.x_zero, t + k * TINY_TILE, 1);
    }
}

/* The sums of `count` output channels from o on. */
static void sum_tiles(const tiny_panel *panel, const tiny_conv2d *op, const int8_t *x, uint32_t o,
                      uint32_t count) {
    for (uint32_t tile = 0; tile < panel->taps * panel->tiles; tile++) {
        int paired;
        uint32_t *t = tiny_panel_tile(panel, tile, o, &paired);
        if (!paired) {
            take(op, x, tile / panel->tiles, tile % panel->tiles * TINY_TILE, panel->pairs, t);
        }
        tiny_panel_sum(panel, tile, t, count);
    }
}

TINY_OP(conv2d_update_dsp) {
    (void)band;
    const tiny_conv2d *op = record;
    const tiny_window *win = &op->window;
    const uint32_t positions = (uint32_t)win->y.height * win->y.width;
    const uint32_t taps = (uint32_t)win->kernel_h * win->kernel_w;
    const tiny_panel panel =
        tiny_panel_begin(&op->descent, positions, win->y.channels, taps, op->kept, buffers);
    for (uint32_t o = 0; o < panel.out; o += TINY_ROWS) {
        const uint32_t count = tiny_panel_pair(&panel, o);
        sum_tiles(&panel, op, buffers[0], o, count);
        tiny_panel_move(&panel, o, count);
    }
}
