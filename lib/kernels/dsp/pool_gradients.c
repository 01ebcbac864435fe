/* Input gradients of pools. They walk dx, and find the windows over each position once for all of its
 * channels; the reference finds them for each element.
 *
 * Average: sums of a panel of channels are on the stack. Maximum: four channels at a time, position
 * after position of a window is compared with the one whose gradient is wanted. It gets the window's dy
 * where no position before is as large and none behind is larger.
 */
#include <stddef.h>

#include "../../buffers.h"
#include "../../windows.h"
#include "lanes.h"
#include "store_four.h"
#include "tinyflash/ops.h"

#define PANEL 32 /* channels whose sums are on the stack */
#define WORD 4

/* A call. */
typedef struct pooling {
    const tiny_pool *op;
    const int8_t *x; /* null: an average */
    const int8_t *dy;
    tiny_fours store;
} pooling;

static const int8_t *output_at(const pooling *p, int32_t oy, int32_t ox) {
    const tiny_map *out = &p->op->window.y;
    return p->dy + (oy * out->width + ox) * out->channels;
}

static const int8_t *input_at(const pooling *p, int32_t iy, int32_t ix) {
    const tiny_map *in = &p->op->window.x;
    return p->x + (iy * in->width + ix) * in->channels;
}

/* Elements of dx from `at` on. */
static inline void store_sums(pooling *p, uint32_t at, const int32_t *sums, uint32_t count) {
    uint32_t i = 0;
    for (; i + 4 <= count; i += 4) {
        tiny_store_four(&p->store, at + i, sums[i], sums[i + 1], sums[i + 2], sums[i + 3]);
    }
    for (; i < count; i++) {
        tiny_store_one(&p->store, at + i, sums[i]);
    }
}

/* ---- Average ---- */

static void add_shares(const int8_t *dy, int32_t share, uint32_t count, int32_t *sums) {
    for (uint32_t c = 0; c < count; c++) {
        sums[c] += dy[c] * share;
    }
}

/* Channels [first, first + count) of a position, whose elements in dx begin at `at`. */
static void average_panel(pooling *p, tiny_extent over, uint32_t first, uint32_t count,
                          uint32_t at) {
    int32_t sums[PANEL] = {0};
    for (int32_t oy = over.top; oy < over.bottom; oy++) {
        for (int32_t ox = over.left; ox < over.right; ox++) {
            add_shares(output_at(p, oy, ox) + first, tiny_share_of(p->op, oy, ox), count, sums);
        }
    }
    store_sums(p, at, sums, count);
}

static TINY_APART void average_position(pooling *p, int32_t row, int32_t column, uint32_t at) {
    const tiny_extent over = tiny_windows_over(&p->op->window, row, column);
    const uint32_t channels = p->op->window.x.channels;
    for (uint32_t c = 0; c < channels; c += PANEL) {
        average_panel(p, over, c, channels - c < PANEL ? channels - c : PANEL, at + c);
    }
}

/* ---- Maximum ---- */

/* The bytes of `keep` whose x is above all in positions [first, end) of a row from `from` on: so they
 * are if no position behind is larger. */
static inline uint32_t above_all(const int8_t *from, uint32_t step, int32_t count, uint32_t some,
                                 uint32_t x, uint32_t keep) {
    for (; count > 0; count--, from += step) {
        keep = tiny_where_above(x, tiny_load_some(from, some), keep);
    }
    return keep;
}

/* The same where no position may be larger. */
static inline uint32_t below_none(const int8_t *from, uint32_t step, int32_t count, uint32_t some,
                                  uint32_t x, uint32_t keep) {
    for (; count > 0; count--, from += step) {
        keep = tiny_where_at_least(x, tiny_load_some(from, some), keep);
    }
    return keep;
}

/* Of up to four channels from c on, the bytes of dy that window (oy, ox) passes to (row, column). */
static inline uint32_t passed(const pooling *p, int32_t oy, int32_t ox, int32_t row, int32_t column,
                              uint32_t c, uint32_t some) {
    const tiny_extent e = tiny_extent_of(&p->op->window, oy, ox);
    const uint32_t step = p->op->window.x.channels;
    const int8_t *at = input_at(p, row, column) + c;
    const uint32_t x = tiny_load_some(at, some);
    uint32_t keep = tiny_load_some(output_at(p, oy, ox) + c, some);
    for (int32_t iy = e.top; iy < row; iy++) {
        keep = above_all(input_at(p, iy, e.left) + c, step, e.right - e.left, some, x, keep);
    }
    keep = above_all(input_at(p, row, e.left) + c, step, column - e.left, some, x, keep);
    keep = below_none(at, step, e.right - column, some, x, keep);
    for (int32_t iy = row + 1; iy < e.bottom; iy++) {
        keep = below_none(input_at(p, iy, e.left) + c, step, e.right - e.left, some, x, keep);
    }
    return keep;
}

/* Up to four channels from c on of a position. */
static inline void maximum_word(pooling *p, tiny_extent over, int32_t row, int32_t column,
                                uint32_t at, uint32_t c, uint32_t some) {
    int32_t sums[WORD] = {0};
    for (int32_t oy = over.top; oy < over.bottom; oy++) {
        for (int32_t ox = over.left; ox < over.right; ox++) {
            const uint32_t dy = passed(p, oy, ox, row, column, c, some);
            for (uint32_t i = 0; i < WORD; i++) {
                sums[i] += tiny_byte_of(dy, i);
            }
        }
    }
    store_sums(p, at + c, sums, some);
}

static TINY_APART void maximum_position(pooling *p, int32_t row, int32_t column, uint32_t at) {
    const tiny_extent over = tiny_windows_over(&p->op->window, row, column);
    const uint32_t channels = p->op->window.x.channels;
    uint32_t c = 0;
    for (; c + WORD <= channels; c += WORD) {
        maximum_word(p, over, row, column, at, c, WORD);
    }
    if (c < channels) {
        maximum_word(p, over, row, column, at, c, channels - c);
    }
}

/* ---- Both ---- */

static inline void pool_gradient(pooling *p) {
    const tiny_map *in = &p->op->window.x;
    uint32_t at = 0;
    for (int32_t row = 0; row < in->height; row++) {
        for (int32_t column = 0; column < in->width; column++, at += in->channels) {
            if (p->x) {
                maximum_position(p, row, column, at);
            } else {
                average_position(p, row, column, at);
            }
        }
    }
    tiny_end_fours(&p->store);
}

/* Begins the store; the factor 1 has a mantissa of 2^15. spare: of a sum, which is below 2^30 for an
 * average (SPEC 4.6), and below 2^23 for a maximum. */
static tiny_fours begin(const tiny_gradient *dy, const tiny_gradient_out *dx, int32_t shift,
                        int32_t spare) {
    const tiny_factor one = {0x8000, (int16_t)(-15 - shift)};
    tiny_follow(dy->scale, NULL, dx->scale);
    return tiny_begin_fours(dx, &one, dy->scale->exponent, spare);
}

TINY_OP(average_pool_backward_input_dsp) {
    (void)band;
    const tiny_pool *op = record;
    const tiny_gradient dy = tiny_gradient_at(buffers);
    const tiny_gradient_out dx = {buffers[3], buffers[4], buffers[2]};
    pooling p = {op, NULL, dy.d, begin(&dy, &dx, op->reciprocal_shift, 1)};
    pool_gradient(&p);
}

TINY_OP(max_pool_backward_input_dsp) {
    (void)band;
    const tiny_gradient dy = tiny_gradient_at(buffers + 1);
    const tiny_gradient_out dx = {buffers[4], buffers[5], buffers[3]};
    pooling p = {record, buffers[0], dy.d, begin(&dy, &dx, 0, 8)};
    pool_gradient(&p);
}
