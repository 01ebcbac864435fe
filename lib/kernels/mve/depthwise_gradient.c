/* The input gradient of depthwise layers with multiplier 1: sums of windows of dy (windows.h).
 *
 * It gathers: element (row, column) of dx sums over the taps that read it. In planes where neighbours of
 * dy are a stride apart, with zeros between and around them, that is a window with stride 1 and the taps
 * in reverse order. A window of 3 x 3 is one vector, zeros or not. Sums of all channels of a group are
 * in scratch before the first of them is stored: four channels at a time, position by position.
 */
#include <stddef.h>

#include "tiles.h"
#include "tinyflash/ops.h"
#include "windows.h"

#define SUMS_BYTES 2048u /* that a block of rows may need, if it has more than one row */

/* A call. */
typedef struct call {
    const tiny_depthwise *op;
    const tiny_gradient *dy;
    const tiny_gradient_out *dx;
    uint32_t pitch;     /* bytes of a row of a plane */
    uint32_t plane;     /* bytes of a plane */
    uint32_t block;     /* rows of dx at a time */
    int32_t top, left;  /* what plane row and column 0 are for row 0 of dx, in strides of dy */
    uint32_t taps;      /* of a vector */
    uint32_t row_bytes; /* sums of a row of dx */
    tiny_windows windows;
    int32_t *sums;  /* [block * width + TINY_TOGETHER - 1][TINY_PLANES] */
    int8_t *planes; /* [TINY_PLANES][plane], and what is read behind them */
    int8_t *w;      /* [TINY_PLANES][vectors][TINY_VECTOR] */
} call;

/* Rows of a plane that `rows` rows of dx read. */
static uint32_t rows_read(const tiny_window *win, uint32_t rows) {
    return rows + (win->kernel_h - 1u) * win->dilation_h;
}

/* Divides scratch; compiler/kernels/mve.py counts the same bytes. */
TINY_APART static void divide(call *c, int8_t *scratch) {
    const tiny_window *win = &c->op->window;
    const uint32_t width = win->x.width, reach = (win->kernel_w - 1u) * win->dilation_w;
    c->pitch = width + reach;
    c->row_bytes = width * TINY_PLANES * 4;
    c->block = 1;
    while (c->block < win->x.height && (c->block + 1) * c->row_bytes <= SUMS_BYTES &&
           TINY_PLANES * rows_read(win, c->block + 1) * c->pitch <= TINY_PLANES_BYTES) {
        c->block++;
    }
    c->plane = rows_read(win, c->block) * c->pitch;
    c->top = win->pad_top - (int32_t)((win->kernel_h - 1u) * win->dilation_h);
    c->left = win->pad_left - (int32_t)reach;
    c->sums = (int32_t *)(void *)scratch;
    c->planes = scratch + c->block * c->row_bytes + (TINY_TOGETHER - 1) * TINY_PLANES * 4;
    uint8_t (*offset)[TINY_VECTOR] = (uint8_t (*)[TINY_VECTOR])(
        void *)(c->planes + TINY_PLANES * c->plane + TINY_OFFSET_MAX + TINY_TOGETHER);
    c->w = (int8_t *)offset[TINY_PAIR];
    const tiny_split split = tiny_split_window(
        win->kernel_h, win->kernel_w, win->dilation_h * c->pitch, win->dilation_w, 1, offset);
    const uint32_t quads = (width + TINY_TOGETHER - 1) / TINY_TOGETHER;
    c->taps = split.rows * win->kernel_w;
    c->windows.vectors = split.vectors;
    c->windows.x_vector = split.rows * win->dilation_h * c->pitch;
    c->windows.x_pair = TINY_PAIR;
    c->windows.x_row = c->pitch - quads * TINY_TOGETHER;
    c->windows.sums_row = c->row_bytes - quads * TINY_TOGETHER * TINY_PLANES * 4;
    c->windows.quads = quads;
    c->windows.offset = (const uint8_t (*)[TINY_VECTOR])offset;
    tiny_fill_bytes(c->w, TINY_PLANES * split.vectors * TINY_VECTOR, 0);
    tiny_fill_bytes(c->planes, TINY_PLANES * c->plane, 0);
}

/* The first output along an axis that is not before place `from`, in strides. */
static int32_t output_from(int32_t from, int32_t stride) {
    return from > 0 ? (from + stride - 1) / stride : 0;
}

/* Copies what rows [first, first + rows) of dx read of a group of channels. What lies between is not
 * touched. */
TINY_APART static void fill(const call *c, uint32_t first, uint32_t rows, uint32_t o,
                            uint32_t channels) {
    const tiny_window *win = &c->op->window;
    const int32_t top = c->top + (int32_t)first;
    const int32_t end =
        tiny_min(output_from(top + (int32_t)rows_read(win, rows), win->stride_h), win->y.height);
    const int32_t begin = output_from(c->left, win->stride_w);
    const int32_t columns =
        tiny_min(output_from(c->left + (int32_t)c->pitch, win->stride_w), win->y.width) - begin;
    for (int32_t row = output_from(top, win->stride_h); row < end && columns > 0; row++) {
        tiny_fill_planes(c->dy->d + (uint32_t)(row * win->y.width + begin) * win->y.channels + o,
                         win->y.channels, (uint32_t)columns,
                         c->planes + (uint32_t)(row * win->stride_h - top) * c->pitch +
                             begin * win->stride_w - c->left,
                         win->stride_w, c->plane, channels);
    }
}

/* Takes the weights of a group, the last tap first. */
TINY_APART static void take_weights(const call *c, const tiny_weights *w, uint32_t o,
                                    uint32_t channels) {
    const tiny_window *win = &c->op->window;
    const uint32_t kept = c->op->kept, all = (uint32_t)win->kernel_h * win->kernel_w;
    const uint32_t step = o < kept ? kept : win->y.channels - kept;
    const int8_t *from = o < kept ? w->kept + o : w->frozen + (o - kept);
    int8_t *to = c->w;
    for (uint32_t left = all; left; to += TINY_VECTOR) {
        const uint32_t count = left < c->taps ? left : c->taps;
        tiny_fill_planes(from + (left - 1) * step, 0u - step, count, to, 1,
                         c->windows.vectors * TINY_VECTOR, channels);
        left -= count;
    }
}

/* Rows [first, first + rows) of dx in a group of channels whose planes are filled. */
static void sum_rows(call *c, uint32_t rows, uint32_t channels) {
    for (uint32_t i = 0; i < channels; i++) {
        c->windows.x = c->planes + i * c->plane;
        c->windows.sums = c->sums + i;
        c->windows.w = c->w + i * c->windows.vectors * TINY_VECTOR;
        c->windows.rows = rows;
        tiny_sum_windows(&c->windows);
    }
}

static void store_rows(const call *c, uint32_t first, uint32_t rows, uint32_t o,
                       uint32_t channels) {
    const tiny_map *x = &c->op->window.x;
    const uint32_t elements = (uint32_t)x->height * x->width * x->channels;
    for (uint32_t i = 0; i < channels; i += TINY_LANES) {
        tiny_lanes lanes;
        const int near =
            tiny_lanes_begin(&lanes, c->dx, c->op->descent.factor + o + i, c->dy->scale->exponent,
                             channels - i < TINY_LANES ? channels - i : TINY_LANES);
        tiny_lanes_store(&lanes, near, c->sums + i, first * x->width * x->channels + o + i,
                         x->channels, rows * x->width, elements);
    }
}

/* All rows of a group of channels, all trained or all frozen. */
static void descend_group(call *c, const tiny_weights *w, uint32_t o, uint32_t channels) {
    const uint32_t height = c->op->window.x.height;
    take_weights(c, w, o, channels);
    for (uint32_t row = 0; row < height; row += c->block) {
        const uint32_t rows = height - row < c->block ? height - row : c->block;
        if (c->block < height) {
            tiny_fill_bytes(c->planes, TINY_PLANES * c->plane, 0);
        }
        fill(c, row, rows, o, channels);
        sum_rows(c, rows, channels);
        store_rows(c, row, rows, o, channels);
    }
}

TINY_OP(depthwise_backward_input_mve) {
    (void)band;
    const tiny_depthwise *op = record;
    const uint32_t all = op->window.x.channels;
    const tiny_gradient dy = {buffers[0], buffers[1]};
    const tiny_weights w = {buffers[2], buffers[3]};
    const tiny_gradient_out dx = {buffers[5], buffers[6], buffers[4]};
    call c;
    c.op = op;
    c.dy = &dy;
    c.dx = &dx;
    tiny_follow(dy.scale, NULL, dx.scale);
    divide(&c, buffers[TINY_SCRATCH]);
    for (uint32_t o = 0, channels; o < all; o += channels) {
        const uint32_t end = o < op->kept ? op->kept : all;
        channels = end - o < TINY_PLANES ? end - o : TINY_PLANES;
        descend_group(&c, &w, o, channels);
    }
}
