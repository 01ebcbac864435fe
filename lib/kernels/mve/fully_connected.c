/* Fully connected layers forward, and so pointwise convolutions, two vectors at a time (forward.h). */
#include "../../buffers.h"
#include "forward.h"
#include "tinyflash/ops.h"

/* `count` vectors that are adjacent in x and in y. Of an odd number the last is both of two. */
static void forward_vectors(const tiny_fully_connected *op, const tiny_forward *f, const int8_t *x,
                            int8_t *y, uint32_t count) {
    for (; count; x += TINY_PLACES * op->in, y += TINY_PLACES * op->out) {
        const uint32_t other = count > 1;
        tiny_forward_two(f, x, x + other * op->in, y, y + other * op->out);
        count -= 1 + other;
    }
}

/* Rows of the map from `row` on, at most `count`, that no end of a ring separates. */
static uint32_t adjacent_rows(const tiny_fully_connected *op, uint32_t row, uint32_t count) {
    const uint32_t x_left = op->x_ring - tiny_slot(row, op->x_ring);
    const uint32_t y_left = op->y_ring - tiny_slot(row, op->y_ring);
    const uint32_t left = x_left < y_left ? x_left : y_left;
    return left < count ? left : count;
}

/* The rows of a band. */
static void forward_band(const tiny_fully_connected *op, const tiny_forward *f, const int8_t *x,
                         int8_t *y, tiny_band band) {
    const uint32_t vectors = op->rows / op->height; /* in a row of the map */
    const uint32_t end = (uint32_t)band.first + band.count;
    uint32_t row = band.first;
    while (row < end) {
        const uint32_t rows = adjacent_rows(op, row, end - row);
        forward_vectors(op, f, x + tiny_slot(row, op->x_ring) * vectors * op->in,
                        y + tiny_slot(row, op->y_ring) * vectors * op->out, rows * vectors);
        row += rows;
    }
}

TINY_OP(fully_connected_forward_mve) {
    const tiny_fully_connected *op = record;
    const tiny_weights w = tiny_weights_at(buffers + 1);
    const uint32_t frozen = op->in - op->kept;
    if (op->rows == 1) {
        tiny_forward_single(&op->requant, &w, buffers[3], buffers[0], buffers[4], op->out, op->kept,
                            frozen, buffers[TINY_SCRATCH]);
        return;
    }
    const tiny_forward f = tiny_forward_begin(&op->requant, &w, buffers[3], op->out, op->kept,
                                              frozen, buffers[TINY_SCRATCH]);
    forward_band(op, &f, buffers[0], buffers[4], band);
}
