/* Fully connected layers, and so pointwise convolutions, four vectors at a time: forward as tile.h
 * says, the input gradient as gradient.h says.
 */
#include <stddef.h>

#include "../../arith.h"
#include "../../update.h"
#include "gradient.h"
#include "store.h"
#include "tile.h"
#include "tinyflash/ops.h"

/* `count` vectors that are adjacent in x and in y. */
static void forward_vectors(const tiny_fully_connected *op, tiny_tiling *tiling, const int8_t *x,
                            int8_t *y, uint32_t count) {
    while (count) {
        const uint32_t some = tiny_tiling_shape(tiling, count);
        tiny_tiling_unpack(tiling, 0, some, x);
        tiny_tiling_run(tiling, y, some);
        x += some * op->in;
        y += some * op->out;
        count -= some;
    }
}

/* Rows of the map from `row` on, at most `count`, that no end of a ring separates. */
static uint32_t adjacent_rows(const tiny_fully_connected *op, uint32_t row, uint32_t count) {
    const uint32_t x_left = op->x_ring - tiny_slot(row, op->x_ring);
    const uint32_t y_left = op->y_ring - tiny_slot(row, op->y_ring);
    const uint32_t left = x_left < y_left ? x_left : y_left;
    return left < count ? left : count;
}

static void forward(const tiny_fully_connected *op, const int8_t *x, const tiny_weights *w,
                    const int32_t *b, int8_t *y, tiny_band band, uint32_t *scratch) {
    const uint32_t vectors = op->rows / op->height; /* in a row of the map */
    tiny_tiling tiling =
        tiny_tiling_begin(&op->requant, w, b, op->out, op->kept, op->in - op->kept, scratch);
    const uint32_t end = (uint32_t)band.first + band.count;
    uint32_t row = band.first;
    while (row < end) {
        const uint32_t rows = adjacent_rows(op, row, end - row);
        forward_vectors(op, &tiling, x + tiny_slot(row, op->x_ring) * vectors * op->in,
                        y + tiny_slot(row, op->y_ring) * vectors * op->out, rows * vectors);
        row += rows;
    }
}

TINY_OP(fully_connected_forward_dsp) {
    const tiny_weights w = {buffers[1], buffers[2]};
    forward(record, buffers[0], &w, buffers[3], buffers[4], band, buffers[TINY_SCRATCH]);
}

/* ---- Input gradient ---- */

/* A call of the input gradient. */
typedef struct descending {
    const tiny_fully_connected *op;
    const tiny_gradient *dy;
    const tiny_gradient_out *dx;
    uint32_t pairs; /* of output channels */
    uint32_t *t;    /* [tiles][pairs][TINY_TILE]: rescaled gradients */
    uint32_t *w;    /* [TINY_COLUMNS][pairs] */
} descending;

/* Vectors [first, first + count) of dy; what is missing in the last tile is left as it is. */
static void rescale_vectors(const descending *d, uint32_t first, uint32_t count) {
    const int8_t *dy = d->dy->d + first * d->op->out;
    for (uint32_t n = 0; n < count; n++, dy += d->op->out) {
        tiny_rescale(&d->op->descent, dy, d->op->out,
                     d->t + n / TINY_TILE * TINY_TILE * d->pairs + n % TINY_TILE);
    }
}

/* Input channel `channel` of vectors [first, first + count), its weights transposed to w. */
static void backward_channel(const descending *d, tiny_row_store *store, const uint32_t *w,
                             uint32_t channel, uint32_t first, uint32_t count) {
    const uint32_t in = d->op->in;
    uint32_t at = first * in + channel;
    int32_t sums[TINY_TILE];
    for (uint32_t n = 0; n < count; n += TINY_TILE) {
        tiny_gradient_sums(d->t + n * d->pairs, w, d->pairs, sums);
        const uint32_t some = count - n < TINY_TILE ? count - n : TINY_TILE;
        for (uint32_t p = 0; p < some; p++, at += in) {
            tiny_store_sum(store, at, sums[p]);
        }
    }
}

/* The `width` input channels from `channel` on, whose weights are w[out][width]. */
static void backward_panel(const descending *d, const int8_t *w, uint32_t channel, uint32_t width,
                           uint32_t first, uint32_t count) {
    tiny_row_store store = tiny_begin_store(d->dx, d->op->descent.factor, d->dy->scale->exponent);
    for (uint32_t i = 0; i < width; i += TINY_COLUMNS) {
        const tiny_places places = {d->pairs, 1};
        tiny_pair_rows(w + i, d->op->out, width, width - i, 0, d->w, places);
        for (uint32_t c = 0; c < TINY_COLUMNS && i + c < width; c++) {
            backward_channel(d, &store, d->w + c * d->pairs, channel + i + c, first, count);
        }
    }
    tiny_end_store(&store);
}

/* The order of SPEC holds by groups of vectors: all of dy that a group needs is in scratch before the
 * first of its dx is written. */
static void backward(const tiny_fully_connected *op, const tiny_gradient *dy, const tiny_weights *w,
                     const tiny_gradient_out *dx, uint32_t *scratch) {
    const uint32_t pairs = (op->out + 1) / 2, kept = op->kept;
    const uint32_t most = tiny_positions_at_once(op->rows, pairs);
    const descending d = {op, dy, dx, pairs, scratch, scratch + most * pairs};
    for (uint32_t n = 0; n < op->rows; n += most) {
        const uint32_t count = op->rows - n < most ? op->rows - n : most;
        rescale_vectors(&d, n, count);
        backward_panel(&d, w->kept, 0, kept, n, count);
        backward_panel(&d, w->frozen, kept, op->in - kept, n, count);
    }
}

TINY_OP(fully_connected_backward_input_dsp) {
    (void)band;
    const tiny_gradient dy = {buffers[0], buffers[1]};
    const tiny_weights w = {buffers[2], buffers[3]};
    const tiny_gradient_out dx = {buffers[5], buffers[6], buffers[4]};
    tiny_follow(dy.scale, NULL, dx.scale);
    backward(record, &dy, &w, &dx, buffers[TINY_SCRATCH]);
}

/* ---- Update ---- */

/* A call of the update. Sums of gradients are over vectors, in pairs. */
typedef struct updating {
    const tiny_fully_connected *op;
    tiny_update update;
    uint32_t pairs; /* of vectors */
    uint32_t *dy;   /* [TINY_ROWS][pairs] */
    uint32_t *x;    /* [pairs][TINY_TILE] */
    int32_t *sums;  /* [TINY_ROWS][kept] */
} updating;

/* Pairs the gradients of `count` output channels from dy on. */
static void pair_gradients(const updating *u, const int8_t *dy, uint32_t count, uint32_t left) {
    const tiny_places places = {u->pairs, 1};
    for (uint32_t o = 0; o < count; o += TINY_COLUMNS) {
        tiny_pair_rows(dy + o, u->op->rows, u->op->out, left - o, 0, u->dy + o * u->pairs, places);
    }
}

/* The sums of `count` output channels with four input channels from `first` on. */
static void sum_tile(const updating *u, const int8_t *x, uint32_t first, uint32_t count) {
    const tiny_places places = {1, TINY_TILE};
    const uint32_t kept = u->op->kept, width = tiny_quads(kept) * TINY_TILE;
    tiny_pair_rows(x + first, u->op->rows, kept, kept - first, u->op->requant.x_zero, u->x, places);
    for (uint32_t o = 0; o < count; o++) {
        tiny_gradient_sums(u->x, u->dy + o * u->pairs, u->pairs, u->sums + o * width + first);
    }
}

/* Moves the weights of output channel o. */
static void update_row(const updating *u, uint32_t o, const int32_t *sums) {
    const uint32_t kept = u->op->kept;
    tiny_row row = tiny_begin_row(&u->update, &u->op->descent.rate[o], o);
    for (uint32_t i = 0; i < kept && row.moves; i++) {
        tiny_update_weight(&u->update, &row, o * kept + i, sums[i]);
    }
}

/* TINY_ROWS output channels at a time. Their sums are complete before the first weight moves. */
static void update(const tiny_fully_connected *op, const int8_t *x, const tiny_gradient *dy,
                   const tiny_trained *w, tiny_state *state, uint32_t *scratch) {
    const uint32_t pairs = (op->rows + 1) / 2, width = tiny_quads(op->kept) * TINY_TILE;
    uint32_t *taken = scratch + TINY_ROWS * pairs;
    const updating u = {
        .op = op,
        .update = tiny_begin_update(&op->descent, dy, w, state),
        .pairs = pairs,
        .dy = scratch,
        .x = taken,
        .sums = (int32_t *)(taken + TINY_TILE * pairs),
    };
    for (uint32_t o = 0; o < op->out; o += TINY_ROWS) {
        const uint32_t count = op->out - o < TINY_ROWS ? op->out - o : TINY_ROWS;
        pair_gradients(&u, dy->d + o, count, op->out - o);
        for (uint32_t i = 0; i < op->kept; i += TINY_TILE) {
            sum_tile(&u, x, i, count);
        }
        for (uint32_t i = 0; i < count; i++) {
            update_row(&u, o + i, u.sums + i * width);
        }
    }
}

TINY_OP(fully_connected_update_dsp) {
    (void)band;
    const tiny_gradient dy = {buffers[1], buffers[2]};
    const tiny_trained w = {buffers[3], buffers[5], buffers[6]};
    update(record, buffers[0], &dy, &w, buffers[4], buffers[TINY_SCRATCH]);
}
