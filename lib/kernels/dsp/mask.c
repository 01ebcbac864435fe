/* Clip masks (SPEC 4.4): eight elements in a byte.
 *
 * A byte of y passes where it is at least y_min + 1, and y_max - 1 at least it. Each comparison
 * leaves of a byte of the mask's weights, 1 2 4 8 in a word, those that pass; their sum is the byte.
 */
#include "../../arith.h"
#include "lanes.h"
#include "tinyflash/ops.h"

/* The bounds, four times each. */
typedef struct bounds {
    uint32_t least, most;
} bounds;

/* If y_min is 127 or y_max is -128, no byte passes: then least is above most. */
static bounds bounds_of(const tiny_mask *op) {
    const int none = op->y_min == 127 || op->y_max == -128;
    const bounds b = {tiny_four(none ? 127 : op->y_min + 1),
                      tiny_four(none ? -128 : op->y_max - 1)};
    return b;
}

/* Of `weights`, the bytes that pass. */
static inline uint32_t passing(const bounds *b, uint32_t bytes, uint32_t weights) {
    return tiny_where_at_least(b->most, bytes, tiny_where_at_least(bytes, b->least, weights));
}

/* Whole bytes of the mask. */
static void mask_bytes(const bounds *b, const int8_t *y, uint32_t count, uint8_t *mask) {
    for (; count; count--, y += 8) {
        const uint32_t low = passing(b, tiny_load(y), 0x08040201u);
        const uint32_t high = passing(b, tiny_load(y + 4), 0x80402010u);
        *mask++ = (uint8_t)tiny_add_bytes(tiny_add_bytes(0, low), high);
    }
}

/* Once in the code, for both ends of a row. */
static TINY_APART void mask_some(const tiny_mask *op, const int8_t *y, uint32_t from, uint32_t end,
                                 uint8_t *mask) {
    tiny_mask_byte(op, y, from, end, mask);
}

/* One row, elements [at, end) of the map. */
static void mask_row(const tiny_mask *op, const bounds *b, const int8_t *y, uint32_t at,
                     uint32_t end, uint8_t *mask) {
    const uint32_t head = (0u - at) % 8;
    if (head) {
        const uint32_t until = head < end - at ? at + head : end;
        mask_some(op, y, at, until, mask);
        y += until - at;
        at = until;
    }
    mask_bytes(b, y, (end - at) / 8, mask + (at >> 3));
    if ((end - at) % 8) {
        mask_some(op, y + (end - at) / 8 * 8, at + (end - at) / 8 * 8, end, mask);
    }
}

TINY_OP(mask_forward_dsp) {
    const tiny_mask *op = record;
    const int8_t *y = buffers[0];
    const bounds b = bounds_of(op);
    const uint32_t size = op->count / op->height;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        mask_row(op, &b, y + tiny_slot(row, op->ring) * size, row * size, (row + 1) * size,
                 buffers[1]);
    }
}
