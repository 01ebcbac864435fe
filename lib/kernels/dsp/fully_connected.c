/* Fully connected layers, and so pointwise convolutions, four vectors at a time (tile.h). */
#include "../../arith.h"
#include "tile.h"
#include "tinyflash/ops.h"

/* Unpacks `count` vectors, those of a tile or fewer. */
static void unpack(const tiny_fully_connected *op, const tiny_tile *tile, const int8_t *x,
                   uint32_t count) {
    const uint32_t first = tile->part[0].terms, second = tile->part[1].terms;
    for (uint32_t p = 0; p < count; p++, x += op->in) {
        uint32_t *column = tile->x + 2 * p;
        tiny_tile_unpack(x, first, op->requant.x_zero, column);
        if (second) {
            tiny_tile_unpack(x + first, second, op->requant.x_zero,
                             column + tiny_tile_words(first));
        }
    }
}

/* `count` vectors that are adjacent in x and in y. */
static void forward_vectors(const tiny_fully_connected *op, const tiny_tiling *tiling,
                            const int8_t *x, int8_t *y, uint32_t count) {
    while (count) {
        const uint32_t some = count < TINY_TILE ? count : TINY_TILE;
        unpack(op, &tiling->tile, x, some);
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
    const tiny_tiling tiling =
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
    forward(record, buffers[0], &w, buffers[3], buffers[4], band, buffers[5]);
}
