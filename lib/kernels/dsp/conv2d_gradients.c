/* Input gradient and update of convolutions with one group; sums as gradient.h says.
 *
 * The input gradient gathers: the terms of an input position are the gradients of the outputs that
 * read it, tap by tap, and zeros where a tap reads it from no output.
 *
 * The update sums over positions. For one tap, what it reads of four channels is paired once for
 * TINY_ROWS output channels.
 */
#include <stddef.h>

#include "../../arith.h"
#include "gradient.h"
#include "steps.h"
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
    const tiny_gradient dy = {buffers[0], buffers[1]};
    const tiny_gradient_out dx = {buffers[5], buffers[6], buffers[4]};
    const uint32_t positions = (uint32_t)op->window.x.height * op->window.x.width;
    const uint32_t tap_pairs = (op->window.y.channels + 1u) / 2;
    const uint32_t pairs = tap_pairs * op->window.kernel_h * op->window.kernel_w;
    const uint32_t most = tiny_positions_at_once(positions, pairs);
    uint32_t *scratch = buffers[TINY_SCRATCH];
    descending d = {.op = op, .dy = &dy, .tap_pairs = tap_pairs, .pairs = pairs, .t = scratch};
    tiny_follow(dy.scale, NULL, dx.scale);
    d.columns = tiny_columns_begin(&dx, op->descent.factor, dy.scale->exponent, pairs);
    d.columns.t = scratch;
    d.columns.w = scratch + most * pairs;
    d.columns.values = (uint16_t *)(void *)(d.columns.w + TINY_COLUMNS * pairs);
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

/* A call of the update. Sums of gradients are over positions of y, in pairs. */
typedef struct updating {
    const tiny_conv2d *op;
    const int8_t *x;
    tiny_update update;
    int32_t spare;   /* bits of a sum */
    uint32_t pairs;  /* of positions */
    uint32_t width;  /* trained input channels, rounded up to whole tiles */
    uint32_t *dy;    /* [TINY_ROWS][pairs] */
    uint32_t *taken; /* [pairs][TINY_TILE]: what one tap reads of four channels */
    int32_t *sums;   /* [TINY_ROWS][taps][width] */
} updating;

/* What a tap reads at output position n, from its first trained channel on; null: padding, or no
 * position. */
static const int8_t *taken_at(const updating *u, uint32_t n, int32_t ky, int32_t kx) {
    const tiny_window *win = &u->op->window;
    const int32_t row = (int32_t)(n / win->y.width), column = (int32_t)(n % win->y.width);
    const int32_t iy = tiny_window_row(win, row, ky), ix = tiny_window_column(win, column, kx);
    const int inside =
        row < win->y.height && iy >= 0 && iy < win->x.height && ix >= 0 && ix < win->x.width;
    return inside ? u->x + (uint32_t)(iy * win->x.width + ix) * u->op->kept : NULL;
}

/* Pairs what a tap reads of four channels from `first` on, at all positions. */
static void take(const updating *u, uint32_t tap, uint32_t first) {
    const uint32_t taps = u->op->window.kernel_w;
    const int32_t ky = (int32_t)(tap / taps), kx = (int32_t)(tap % taps);
    for (uint32_t k = 0; k < u->pairs; k++) {
        const int8_t *a = taken_at(u, 2 * k, ky, kx), *b = taken_at(u, 2 * k + 1, ky, kx);
        tiny_pair_two(a ? a + first : NULL, b ? b + first : NULL, u->op->kept - first,
                      u->op->requant.x_zero, u->taken + k * TINY_TILE, 1);
    }
}

/* The sums of `count` output channels for one tap. */
static void sum_tap(const updating *u, uint32_t tap, uint32_t taps, uint32_t count) {
    for (uint32_t i = 0; i < u->width; i += TINY_TILE) {
        take(u, tap, i);
        for (uint32_t o = 0; o < count; o++) {
            tiny_gradient_sums(u->taken, u->dy + o * u->pairs, u->pairs,
                               u->sums + (o * taps + tap) * u->width + i);
        }
    }
}

/* Moves the weights of output channel o, whose sums are sums[taps][width]. */
static void update_row(const updating *u, uint32_t o, uint32_t taps, const int32_t *sums) {
    const uint32_t kept = u->op->kept;
    tiny_row row = tiny_begin_row(&u->update, &u->op->descent.rate[o], o);
    uint32_t next = o * taps * kept;
    for (uint32_t tap = 0; tap < taps && row.moves; tap++, sums += u->width) {
        tiny_update_row(&u->update, &row, next, sums, kept, u->spare);
        next += kept;
    }
}

/* Output channels [o, o + count). Their sums are complete before the first weight moves. */
static void update_channels(const updating *u, const int8_t *dy, uint32_t o, uint32_t count) {
    const tiny_window *win = &u->op->window;
    const uint32_t out = win->y.channels, taps = (uint32_t)win->kernel_h * win->kernel_w;
    const uint32_t positions = (uint32_t)win->y.height * win->y.width;
    const tiny_places places = {u->pairs, 1};
    for (uint32_t i = 0; i < count; i += TINY_COLUMNS) {
        tiny_pair_rows(dy + o + i, positions, out, out - o - i, 0, u->dy + i * u->pairs, places);
    }
    for (uint32_t tap = 0; tap < taps; tap++) {
        sum_tap(u, tap, taps, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        update_row(u, o + i, taps, u->sums + i * taps * u->width);
    }
}

TINY_OP(conv2d_update_dsp) {
    (void)band;
    const tiny_conv2d *op = record;
    const tiny_gradient dy = {buffers[1], buffers[2]};
    const tiny_trained w = {buffers[3], buffers[5], buffers[6]};
    const uint32_t out = op->window.y.channels;
    const uint32_t pairs = ((uint32_t)op->window.y.height * op->window.y.width + 1) / 2;
    uint32_t *scratch = buffers[TINY_SCRATCH], *taken = scratch + TINY_ROWS * pairs;
    const updating u = {
        .op = op,
        .x = buffers[0],
        .update = tiny_begin_update(&op->descent, &dy, &w, buffers[4]),
        .spare = tiny_spare_bits(2 * pairs),
        .pairs = pairs,
        .width = tiny_quads(op->kept) * TINY_TILE,
        .dy = scratch,
        .taken = taken,
        .sums = (int32_t *)(taken + TINY_TILE * pairs),
    };
    for (uint32_t o = 0; o < out; o += TINY_ROWS) {
        update_channels(&u, dy.d, o, out - o < TINY_ROWS ? out - o : TINY_ROWS);
    }
}
