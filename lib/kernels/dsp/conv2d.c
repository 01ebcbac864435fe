/* Convolution with one group: the window of each position is copied into one row of terms, and then
 * it is a fully connected layer, four positions at a time (tile.h).
 *
 * A window has as many terms as an output channel has weights, in the order of the weights, so its
 * two parts are apart: the trained channels of all taps, then the frozen ones. The copy costs less
 * than one instruction per byte, and is shared by all output channels.
 */
#include <stddef.h>
#include <string.h>

#include "../../arith.h"
#include "../../update.h"
#include "gradient.h"
#include "store.h"
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
    if (op->window.dilation_w == 1 && (kept == 0 || frozen == 0)) { /* all of them are adjacent */
        int8_t *all = kept ? to->kept : to->frozen;
        tiny_copy_bytes(all + tap * op->depth, from, count * op->depth);
        return;
    }
    for (uint32_t i = 0; i < count; i++, tap++, from += step) {
        tiny_copy_bytes(to->kept + tap * kept, from, kept);
        tiny_copy_bytes(to->frozen + tap * frozen, from + kept, frozen);
    }
}

/* Taps [first, end) of a window row are inside the map at output column `column`. */
typedef struct span {
    int32_t first, end;
} span;

static span inside(const tiny_window *win, int32_t column) {
    span taps = {0, win->kernel_w};
    while (taps.first < taps.end && tiny_window_column(win, column, taps.first) < 0) {
        taps.first++;
    }
    while (taps.first < taps.end && tiny_window_column(win, column, taps.end - 1) >= win->x.width) {
        taps.end--;
    }
    return taps;
}

/* Copies the window at a position of y. */
static void gather(const tiny_conv2d *op, const int8_t *x, int32_t row, int32_t column,
                   const patch *to) {
    const tiny_window *win = &op->window;
    const uint32_t taps = win->kernel_w;
    const span in_map = inside(win, column);
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
        if (end - first < taps) {
            pad_taps(op, to, tap, first);
            pad_taps(op, to, tap + end, taps - end);
        }
    }
}

/* Fills the column of a position in the tile's x. */
static void fill(const tiny_conv2d *op, const tiny_tile *tile, const int8_t *x, int32_t row,
                 int32_t column, uint32_t position, int8_t *scratch) {
    const uint32_t taps = (uint32_t)op->window.kernel_h * op->window.kernel_w;
    const patch to = {scratch, scratch + taps * op->kept};
    const uint32_t first = tile->part[0].terms, second = tile->part[1].terms;
    uint32_t *words = tile->x + 2 * position;
    gather(op, x, row, column, &to);
    tiny_tile_unpack(scratch, first, op->requant.x_zero, words);
    if (second) {
        tiny_tile_unpack(scratch + first, second, op->requant.x_zero,
                         words + tiny_tile_words(first));
    }
}

/* One row of y. */
static void forward_row(const tiny_conv2d *op, const tiny_tiling *tiling, const int8_t *x,
                        int32_t row, int8_t *y) {
    const tiny_map *out = &op->window.y;
    int8_t *terms = tiling->spare + TINY_TILE * out->channels;
    for (int32_t column = 0; column < out->width; column += TINY_TILE) {
        const int32_t count = tiny_min(out->width - column, TINY_TILE);
        for (int32_t p = 0; p < count; p++) {
            fill(op, &tiling->tile, x, row, column + p, (uint32_t)p, terms);
        }
        tiny_tiling_run(tiling, y + column * out->channels, (uint32_t)count);
    }
}

static void forward(const tiny_conv2d *op, const int8_t *x, const tiny_weights *w, const int32_t *b,
                    int8_t *y, tiny_band band, uint32_t *scratch) {
    const tiny_map *out = &op->window.y;
    const uint32_t taps = (uint32_t)op->window.kernel_h * op->window.kernel_w;
    const tiny_tiling tiling = tiny_tiling_begin(&op->requant, w, b, out->channels, taps * op->kept,
                                                 taps * (op->depth - op->kept), scratch);
    for (int32_t row = band.first; row < band.first + band.count; row++) {
        forward_row(op, &tiling, x, row, tiny_map_row_out(out, y, row));
    }
}

TINY_OP(conv2d_forward_dsp) {
    const tiny_weights w = {buffers[1], buffers[2]};
    forward(record, buffers[0], &w, buffers[3], buffers[4], band, buffers[TINY_SCRATCH]);
}

/* ---- Input gradient ---- */

/* A call of the input gradient. The terms of a sum are pairs of output channels, for each tap. */
typedef struct descending {
    const tiny_conv2d *op;
    const tiny_gradient *dy;
    const tiny_gradient_out *dx;
    uint32_t tap_pairs; /* of output channels */
    uint32_t pairs;     /* of all taps */
    uint32_t *t;        /* [tiles][pairs][TINY_TILE]: rescaled gradients */
    uint32_t *w;        /* [TINY_COLUMNS][pairs] */
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
                       width - channel, 0, d->w + tap * d->tap_pairs, places);
    }
}

/* The `width` input channels from `first` on, at positions [n, n + count). */
static void backward_panel(const descending *d, const int8_t *w, uint32_t first, uint32_t width,
                           uint32_t n, uint32_t count) {
    const uint32_t channels = d->op->window.x.channels;
    tiny_row_store store = tiny_begin_store(d->dx, d->op->descent.factor, d->dy->scale->exponent);
    int32_t sums[TINY_TILE];
    for (uint32_t i = 0; i < width; i++) {
        if (i % TINY_COLUMNS == 0) {
            transpose(d, w, width, i);
        }
        for (uint32_t p = 0; p < count; p++) {
            if (p % TINY_TILE == 0) {
                tiny_gradient_sums(d->t + p * d->pairs, d->w + i % TINY_COLUMNS * d->pairs,
                                   d->pairs, sums);
            }
            tiny_store_sum(&store, (n + p) * channels + first + i, sums[p % TINY_TILE]);
        }
    }
    tiny_end_store(&store);
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
    const descending d = {op, &dy, &dx, tap_pairs, pairs, scratch, scratch + most * pairs};
    tiny_follow(dy.scale, NULL, dx.scale);
    for (uint32_t n = 0; n < positions; n += most) {
        const uint32_t count = positions - n < most ? positions - n : most;
        for (uint32_t p = 0; p < count; p++) {
            gather_gradients(&d, n + p, d.t + p / TINY_TILE * TINY_TILE * pairs + p % TINY_TILE);
        }
        backward_panel(&d, buffers[2], 0, op->kept, n, count);
        backward_panel(&d, buffers[3], op->kept, op->depth - op->kept, n, count);
    }
}

/* ---- Update ---- */

/* A call of the update. Sums of gradients are over positions of y, in pairs. */
typedef struct updating {
    const tiny_conv2d *op;
    const int8_t *x;
    tiny_update update;
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
        for (uint32_t i = 0; i < kept; i++, next++) {
            tiny_update_weight(&u->update, &row, next, sums[i]);
        }
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
    const updating u = {op,
                        buffers[0],
                        tiny_begin_update(&op->descent, &dy, &w, buffers[4]),
                        pairs,
                        tiny_quads(op->kept) * TINY_TILE,
                        scratch,
                        taken,
                        (int32_t *)(taken + TINY_TILE * pairs)};
    for (uint32_t o = 0; o < out; o += TINY_ROWS) {
        update_channels(&u, dy.d, o, out - o < TINY_ROWS ? out - o : TINY_ROWS);
    }
}
