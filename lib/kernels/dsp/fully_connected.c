/* Fully connected layers, and so pointwise convolutions, some vectors at a time: forward as tile.h
 * says, or as position.h does where there are not enough, the input gradient as gradient.h says.
 */
#include <stddef.h>

#include "../../arith.h"
#include "../../buffers.h"
#include "gradient.h"
#include "panel.h"
#include "position.h"
#include "single.h"
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

/* Whether there are too few vectors for a tile. */
static int is_few(const tiny_fully_connected *op) {
    return op->rows <= TINY_FEW_POSITIONS && tiny_is_long(op->kept) &&
           tiny_is_long(op->in - op->kept);
}

/* Vectors one by one. */
TINY_APART static void forward_few(const tiny_fully_connected *op, void *const *buffers,
                                   tiny_band band) {
    const tiny_weights w = tiny_weights_at(buffers + 1);
    const uint32_t vectors = op->rows / op->height; /* in a row of the map */
    const tiny_position position = tiny_position_begin(
        &op->requant, &w, buffers[3], op->out, op->kept, op->in - op->kept, buffers[TINY_SCRATCH]);
    const int8_t *x = buffers[0];
    int8_t *y = buffers[4];
    const uint32_t end = (uint32_t)band.first + band.count;
    for (uint32_t row = band.first; row < end; row++) {
        const int8_t *from = x + tiny_slot(row, op->x_ring) * vectors * op->in;
        int8_t *to = y + tiny_slot(row, op->y_ring) * vectors * op->out;
        for (uint32_t i = 0; i < vectors; i++, from += op->in, to += op->out) {
            tiny_position_run(&position, from, to);
        }
    }
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
    const tiny_weights w = tiny_weights_at(buffers + 1);
    if (is_few(record)) {
        forward_few(record, buffers, band);
    } else {
        forward(record, buffers[0], &w, buffers[3], buffers[4], band, buffers[TINY_SCRATCH]);
    }
}

/* ---- Input gradient ---- */

/* A call of the input gradient. */
typedef struct descending {
    const tiny_fully_connected *op;
    const tiny_gradient *dy;
    uint32_t pairs; /* of output channels */
    uint32_t *t;    /* [tiles][pairs][TINY_TILE]: rescaled gradients */
    tiny_columns columns;
} descending;

/* Vectors [first, first + count) of dy; what is missing in the last tile is left as it is. */
static void rescale_vectors(const descending *d, uint32_t first, uint32_t count) {
    const int8_t *dy = d->dy->d + first * d->op->out;
    for (uint32_t n = 0; n < count; n++, dy += d->op->out) {
        tiny_rescale(&d->op->descent, dy, d->op->out,
                     d->t + n / TINY_TILE * TINY_TILE * d->pairs + n % TINY_TILE);
    }
}

/* The `width` input channels from `channel` on, whose weights are w[out][width]. */
static void backward_panel(descending *d, const int8_t *w, uint32_t channel, uint32_t width,
                           uint32_t first, uint32_t count) {
    const uint32_t in = d->op->in;
    for (uint32_t i = 0; i < width; i += TINY_COLUMNS) {
        const tiny_places places = {d->pairs, 1};
        tiny_pair_rows(w + i, d->op->out, width, width - i, 0, d->columns.w, places);
        tiny_columns_store(&d->columns, width - i, count, first * in + channel + i, in);
    }
}

/* The order of SPEC holds by groups of vectors: all of dy that a group needs is in scratch before the
 * first of its dx is written. */
static void backward(const tiny_fully_connected *op, const tiny_gradient *dy, const tiny_weights *w,
                     const tiny_gradient_out *dx, uint32_t *scratch) {
    const uint32_t pairs = (op->out + 1) / 2, kept = op->kept;
    const uint32_t most = tiny_positions_at_once(op->rows, pairs);
    descending d = {.op = op, .dy = dy, .pairs = pairs, .t = scratch};
    d.columns = tiny_columns_begin(dx, op->descent.factor, dy->scale->exponent, pairs);
    d.columns.t = scratch;
    d.columns.w = scratch + most * pairs;
    d.columns.values = d.columns.w + TINY_COLUMNS * pairs;
    for (uint32_t n = 0; n < op->rows; n += most) {
        const uint32_t count = op->rows - n < most ? op->rows - n : most;
        rescale_vectors(&d, n, count);
        backward_panel(&d, w->kept, 0, kept, n, count);
        backward_panel(&d, w->frozen, kept, op->in - kept, n, count);
    }
    tiny_stripe_end(dx, d.columns.peaks);
}

TINY_OP(fully_connected_backward_input_dsp) {
    (void)band;
    const tiny_gradient dy = tiny_gradient_at(buffers);
    const tiny_weights w = tiny_weights_at(buffers + 2);
    const tiny_gradient_out dx = tiny_following(&dy, buffers + 4);
    const tiny_fully_connected *op = record;
    if (op->rows == 1) {
        tiny_single_backward(op, &dy, &w, &dx, buffers[TINY_SCRATCH]);
    } else {
        backward(op, &dy, &w, &dx, buffers[TINY_SCRATCH]);
    }
}

/* ---- Update ---- */

/* The sums of `count` output channels from o on. */
static void sum_tiles(const tiny_panel *panel, const int8_t *x, int32_t zero, uint32_t o,
                      uint32_t count) {
    const tiny_places places = {1, TINY_TILE};
    for (uint32_t tile = 0; tile < panel->tiles; tile++) {
        const uint32_t first = tile * TINY_TILE;
        int paired;
        uint32_t *t = tiny_panel_tile(panel, tile, o, &paired);
        if (!paired) {
            tiny_pair_rows(x + first, panel->positions, panel->kept, panel->kept - first, zero, t,
                           places);
        }
        tiny_panel_sum(panel, tile, t, count);
    }
}

static void update(const tiny_fully_connected *op, void *const *buffers) {
    const tiny_panel panel =
        tiny_panel_begin(&op->descent, op->rows, op->out, 1, op->kept, buffers);
    for (uint32_t o = 0; o < panel.out; o += TINY_ROWS) {
        const uint32_t count = tiny_panel_pair(&panel, o);
        sum_tiles(&panel, buffers[0], op->requant.x_zero, o, count);
        tiny_panel_move(&panel, o, count);
    }
}

TINY_OP(fully_connected_update_dsp) {
    (void)band;
    const tiny_fully_connected *op = record;
    if (op->rows == 1) {
        tiny_single_update(op, buffers);
    } else {
        update(op, buffers);
    }
}
