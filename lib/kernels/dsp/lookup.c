/* A function of one element by its table, and the gradient by the slopes of the function. */
#include "../../arith.h"
#include "../../buffers.h"
#include "lanes.h"
#include "store_four.h"
#include "tinyflash/ops.h"

#define SPARE 8 /* bits that int32 has above those of a gradient times a slope */

/* The entries of the four bytes of a word, in a word. */
static inline uint32_t entries(const uint8_t *table, uint32_t bytes) {
    return (uint32_t)table[bytes & 0xFFu] | (uint32_t)table[bytes >> 8 & 0xFFu] << 8 |
           (uint32_t)table[bytes >> 16 & 0xFFu] << 16 | (uint32_t)table[bytes >> 24] << 24;
}

static void look_up(const uint8_t *table, const int8_t *x, uint32_t count, int8_t *y) {
    const int8_t *const end = y + count;
    for (; end - y >= 4; x += 4, y += 4) {
        const uint32_t four = entries(table, tiny_load(x));
        memcpy(y, &four, sizeof four);
    }
    for (uint32_t i = 0; i < count % 4; i++) {
        y[i] = (int8_t)table[(uint8_t)x[i]];
    }
}

TINY_OP(lookup_forward_dsp) {
    const tiny_lookup *op = record;
    const int8_t *x = buffers[0];
    int8_t *y = buffers[2];
    const uint32_t size = op->count / op->height;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        look_up(buffers[1], x + tiny_slot(row, op->x_ring) * size, size,
                y + tiny_slot(row, op->y_ring) * size);
    }
}

/* SPEC 4.6: the slope is in Q14; the factor has a mantissa of 2^15. */
TINY_OP(lookup_backward_input_dsp) {
    (void)band;
    const tiny_lookup *op = record;
    const int8_t *x = buffers[0];
    const int16_t *slope = buffers[1];
    const tiny_gradient dy = tiny_gradient_at(buffers + 2);
    const tiny_gradient_out dx = tiny_following(&dy, buffers + 4);
    const tiny_factor factor = {0x8000, -15 - 14};
    tiny_fours store = tiny_begin_fours(&dx, &factor, dy.scale->exponent, SPARE);
    uint32_t i = 0;
    for (; i + 4 <= op->count; i += 4) {
        const uint32_t at = tiny_load(x + i), d = tiny_load(dy.d + i);
        tiny_store_four(&store, i, tiny_byte_of(d, 0) * slope[at & 0xFFu],
                        tiny_byte_of(d, 1) * slope[at >> 8 & 0xFFu],
                        tiny_byte_of(d, 2) * slope[at >> 16 & 0xFFu],
                        tiny_byte_of(d, 3) * slope[at >> 24]);
    }
    for (; i < op->count; i++) {
        tiny_store_one(&store, i, dy.d[i] * slope[(uint8_t)x[i]]);
    }
    tiny_end_fours(&store);
}
