/* The input gradient of depthwise layers with multiplier 1: sums of windows of dy (gather.h).
 *
 * It gathers: element (row, column) of dx sums over the taps that read it. That is a window with stride 1
 * and the taps in reverse order, of planes in which neighbours of dy are a stride apart, with zeros
 * between: a window of 3 x 3 is one vector, zeros or not. Larger windows are not multiplied by zeros:
 * every stride-th element is read by the same taps, so dx falls into phases, along both axes, and each
 * of them has windows of dy as it is. Sums of all channels of a group, in all phases, are in
 * scratch before the first of them is stored: four channels at a time, position by position.
 */
#include <stddef.h>

#include "../../buffers.h"
#include "gather.h"
#include "tiles.h"
#include "tinyflash/ops.h"

#define SUMS_BYTES 2048u /* that a block of rows may need, if it has more than one of each phase */

/* The taps along one axis that read the places of a phase, the last one first. */
typedef struct axis {
    int32_t first; /* tap */
    int32_t taps;
    int32_t step;    /* of taps */
    int32_t from;    /* the place in a plane that it takes for the first one of dx */
    int32_t between; /* places of a plane from tap to tap */
} axis;

/* Places of dx that the same taps read. */
typedef struct dx_phase {
    axis y, x;
    uint32_t rows, vectors; /* of taps: rows in a vector */
    uint8_t offset[TINY_PAIR][TINY_VECTOR];
} dx_phase;

/* A call. */
typedef struct call {
    const tiny_depthwise *op;
    const tiny_gradient *dy;
    const tiny_gradient_out *dx;
    uint32_t spread_h, spread_w; /* places of a plane from neighbour to neighbour of dy */
    uint32_t split_h, split_w;   /* phases */
    uint32_t pitch;              /* bytes of a row of a plane */
    uint32_t plane;              /* bytes of a plane */
    uint32_t block;              /* rows of each phase at a time */
    int32_t top, left;           /* row and column that a plane begins with, for row 0 of dx */
    uint32_t vectors;            /* of weights: the most in a phase */
    uint32_t row_bytes;          /* sums of a row of dx */
    uint32_t phases;
    uint32_t taken; /* the phase whose weights are in w */
    tiny_windows windows;
    int32_t *sums;   /* [rows of a block][width, or more][TINY_PLANES] */
    int8_t *planes;  /* [TINY_PLANES][plane], and what is read behind them */
    dx_phase only;   /* if there is one */
    dx_phase *phase; /* [split_h][split_w] */
    int8_t *w;       /* [TINY_PLANES][vectors][TINY_VECTOR] */
} call;

/* Divides, and rounds down. */
static int32_t floor_of(int32_t n, int32_t by) { return n >= 0 ? n / by : -((by - 1 - n) / by); }

static uint32_t over(uint32_t n, uint32_t by) { return (n + by - 1) / by; }

/* split: phases; at: one of them. */
static axis axis_of(int32_t kernel, int32_t dilation, int32_t split, int32_t pad, int32_t at) {
    axis a = {0, 0, 1, 0, 0};
    for (int32_t tap = kernel - 1, last = tap; tap >= 0; tap--) {
        if ((at + pad - tap * dilation) % split == 0) {
            a.first = a.taps ? a.first : tap;
            a.step = a.taps ? last - tap : 1;
            a.taps++;
            last = tap;
        }
    }
    a.from = a.taps ? (at + pad - a.first * dilation) / split : 0;
    a.between = a.step * dilation / split;
    return a;
}

/* How many places of a plane some places of each phase read, along an axis: from `*from` on. */
static uint32_t extent_of(int32_t kernel, int32_t dilation, uint32_t split, int32_t pad,
                          uint32_t places, int32_t *from) {
    const int32_t by = (int32_t)split;
    *from = floor_of(pad - (kernel - 1) * dilation, by);
    return places + (uint32_t)((pad + by - 1) / by - *from);
}

static uint32_t rows_read(const call *c, uint32_t places, int32_t *from) {
    const tiny_window *win = &c->op->window;
    return extent_of(win->kernel_h, win->dilation_h, c->split_h, win->pad_top, places, from);
}

/* The rows of a block: of each phase so many. */
static uint32_t block_of(const call *c) {
    const uint32_t most = over(c->op->window.x.height, c->split_h);
    uint32_t block = 1;
    int32_t top;
    while (block < most && (block + 1) * c->split_h * c->row_bytes <= SUMS_BYTES &&
           TINY_PLANES * rows_read(c, block + 1, &top) * c->pitch <= TINY_PLANES_BYTES) {
        block++;
    }
    return block;
}

/* There are phases where one vector does not hold a window. */
static void choose_phases(call *c) {
    const tiny_window *win = &c->op->window;
    const int whole = (uint32_t)win->kernel_h * win->kernel_w <= TINY_VECTOR;
    c->spread_h = whole ? win->stride_h : 1;
    c->spread_w = whole ? win->stride_w : 1;
    c->split_h = whole ? 1 : win->stride_h;
    c->split_w = whole ? 1 : win->stride_w;
    c->phases = c->split_h * c->split_w;
}

/* A phase without taps has one, whose weight is 0. */
static void begin_phase(call *c, dx_phase *p, uint32_t y, uint32_t x) {
    const tiny_window *win = &c->op->window;
    p->y = axis_of(win->kernel_h, win->dilation_h, (int32_t)c->split_h, win->pad_top, (int32_t)y);
    p->x = axis_of(win->kernel_w, win->dilation_w, (int32_t)c->split_w, win->pad_left, (int32_t)x);
    const tiny_split split =
        tiny_split_window((uint32_t)tiny_max(p->y.taps, 1), (uint32_t)tiny_max(p->x.taps, 1),
                          (uint32_t)p->y.between * c->pitch, (uint32_t)p->x.between, 1, p->offset);
    p->rows = split.rows;
    p->vectors = split.vectors;
    c->vectors = split.vectors > c->vectors ? split.vectors : c->vectors;
}

/* Divides scratch; compiler/kernels/mve.py counts the same bytes. */
TINY_APART static void divide(call *c, int8_t *scratch) {
    const tiny_window *win = &c->op->window;
    choose_phases(c);
    const uint32_t places = over(win->x.width, c->split_w), quads = over(places, TINY_TOGETHER);
    c->pitch =
        extent_of(win->kernel_w, win->dilation_w, c->split_w, win->pad_left, places, &c->left);
    /* Without phases, what the last quad of a row writes behind it is not yet computed. */
    const uint32_t width = c->phases == 1 ? win->x.width : quads * TINY_TOGETHER * c->split_w;
    c->row_bytes = width * TINY_PLANES * 4;
    c->block = block_of(c);
    c->plane = rows_read(c, c->block, &c->top) * c->pitch;
    c->sums = (int32_t *)(void *)scratch;
    int8_t *behind =
        scratch + c->block * c->split_h * c->row_bytes + (TINY_TOGETHER - 1) * TINY_PLANES * 4;
    c->phase = c->phases == 1 ? &c->only : (dx_phase *)(void *)behind;
    c->planes = c->phases == 1 ? behind : (int8_t *)(c->phase + c->phases);
    c->w = c->planes + TINY_PLANES * c->plane + TINY_OFFSET_MAX + TINY_TOGETHER;
    c->vectors = 0;
    for (uint32_t i = 0; i < c->phases; i++) {
        begin_phase(c, c->phase + i, i / c->split_w, i % c->split_w);
    }
    c->windows.x_pair = TINY_PAIR;
    c->windows.x_row = c->pitch - quads * TINY_TOGETHER;
    c->windows.apart = c->split_w * TINY_PLANES * 4;
    c->windows.quad_apart = TINY_TOGETHER * c->windows.apart;
    c->windows.sums_row = c->split_h * c->row_bytes - quads * c->windows.quad_apart;
    c->windows.quads = quads;
    tiny_fill_bytes(c->w, TINY_PLANES * c->vectors * TINY_VECTOR, 0);
    tiny_fill_bytes(c->planes, TINY_PLANES * c->plane, 0);
}

/* The first output along an axis that is not before place `from`. */
static int32_t output_from(int32_t from, int32_t spread) {
    return from > 0 ? (from + spread - 1) / spread : 0;
}

/* Copies what the rows of a block from place `first` on read of a group of channels. What lies between is
 * not touched. */
TINY_APART static void fill(const call *c, uint32_t first, uint32_t o, uint32_t channels) {
    const tiny_map *y = &c->op->window.y;
    const int32_t down = (int32_t)c->spread_h, across = (int32_t)c->spread_w;
    const int32_t top = c->top + (int32_t)first;
    const int32_t end =
        tiny_min(output_from(top + (int32_t)(c->plane / c->pitch), down), y->height);
    const int32_t begin = output_from(c->left, across);
    const int32_t columns =
        tiny_min(output_from(c->left + (int32_t)c->pitch, across), y->width) - begin;
    for (int32_t row = output_from(top, down); row < end && columns > 0; row++) {
        tiny_fill_planes(
            c->dy->d + (uint32_t)(row * y->width + begin) * y->channels + o, y->channels,
            (uint32_t)columns,
            c->planes + (uint32_t)(row * down - top) * c->pitch + begin * across - c->left,
            c->spread_w, c->plane, channels);
    }
}

/* Takes the weights of a group in a phase, the last tap first. */
TINY_APART static void take_weights(const call *c, const dx_phase *p, const tiny_weights *w,
                                    uint32_t o, uint32_t channels) {
    const tiny_window *win = &c->op->window;
    const uint32_t kept = c->op->kept;
    const uint32_t step = o < kept ? kept : win->y.channels - kept;
    const int8_t *from = o < kept ? w->kept + o : w->frozen + (o - kept);
    const uint32_t apart = c->vectors * TINY_VECTOR;
    /* Rows of taps that follow one another are taken at once. */
    const int32_t at_once = c->phases == 1 ? (int32_t)p->rows : 1;
    if (c->phases > 1) {
        tiny_fill_bytes(c->w, TINY_PLANES * apart, 0);
    }
    for (int32_t row = 0; row < p->y.taps && p->x.taps; row += at_once) {
        const int32_t rows = tiny_min(at_once, p->y.taps - row);
        const int32_t tap = (p->y.first - row * p->y.step) * win->kernel_w + p->x.first;
        tiny_fill_planes(from + (uint32_t)tap * step, 0u - (uint32_t)p->x.step * step,
                         (uint32_t)(rows * p->x.taps),
                         c->w + (uint32_t)row / p->rows * TINY_VECTOR +
                             (uint32_t)row % p->rows * (uint32_t)p->x.taps,
                         1, apart, channels);
    }
}

/* The sums of phase (row, column) in a group of channels whose planes and weights are filled. */
static void sum_phase(call *c, const dx_phase *p, uint32_t row, uint32_t column, uint32_t rows,
                      uint32_t channels) {
    const int8_t *x = c->planes + (uint32_t)(p->y.from - c->top) * c->pitch + p->x.from - c->left;
    const int8_t *w = c->w;
    int32_t *sums = c->sums + row * c->row_bytes / 4 + column * TINY_PLANES;
    const uint32_t plane = c->plane, weights = c->vectors * TINY_VECTOR;
    c->windows.vectors = p->vectors;
    c->windows.x_vector = p->rows * (uint32_t)p->y.between * c->pitch;
    c->windows.offset = (const uint8_t (*)[TINY_VECTOR])p->offset;
    for (; channels; channels--, x += plane, w += weights, sums++) {
        c->windows.x = x;
        c->windows.sums = sums;
        c->windows.w = w;
        c->windows.rows = rows;
        tiny_sum_windows(&c->windows);
    }
}

/* Rows [first, first + rows) of dx. */
static void store_rows(const call *c, uint32_t first, uint32_t rows, uint32_t o,
                       uint32_t channels) {
    const tiny_map *x = &c->op->window.x;
    const uint32_t elements = (uint32_t)x->height * x->width * x->channels;
    const uint32_t row_words = x->width * TINY_PLANES;
    const uint32_t at_once = c->row_bytes == row_words * 4 ? rows : 1;
    for (uint32_t i = 0; i < channels; i += TINY_LANES) {
        tiny_lanes lanes;
        const int near =
            tiny_lanes_begin(&lanes, c->dx, c->op->descent.factor + o + i, c->dy->scale->exponent,
                             channels - i < TINY_LANES ? channels - i : TINY_LANES);
        for (uint32_t row = 0; row < rows; row += at_once) {
            tiny_lanes_store(&lanes, near, c->sums + row * c->row_bytes / 4 + i,
                             (first + row) * x->width * x->channels + o + i, x->channels,
                             at_once * x->width, elements);
        }
    }
}

/* The sums of `rows` rows of dx, of all phases, in a group of channels whose planes are filled. */
static void sum_rows(call *c, const tiny_weights *w, uint32_t rows, uint32_t o, uint32_t channels) {
    for (uint32_t i = 0; i < c->phases; i++) {
        const uint32_t y = i / c->split_w, x = i % c->split_w;
        if (c->taken != i) {
            take_weights(c, c->phase + i, w, o, channels);
            c->taken = i;
        }
        if (rows > y && c->op->window.x.width > x) {
            sum_phase(c, c->phase + i, y, x, over(rows - y, c->split_h), channels);
        }
    }
}

/* All rows of a group of channels, all trained or all frozen. */
static void descend_group(call *c, const tiny_weights *w, uint32_t o, uint32_t channels) {
    const uint32_t height = c->op->window.x.height, block = c->block * c->split_h;
    c->taken = c->phases;
    for (uint32_t row = 0; row < height; row += block) {
        const uint32_t rows = height - row < block ? height - row : block;
        if (block < height) {
            tiny_fill_bytes(c->planes, TINY_PLANES * c->plane, 0);
        }
        fill(c, row / c->split_h, o, channels);
        sum_rows(c, w, rows, o, channels);
        store_rows(c, row, rows, o, channels);
    }
}

TINY_OP(depthwise_backward_input_mve) {
    (void)band;
    const tiny_depthwise *op = record;
    const uint32_t all = op->window.x.channels;
    const tiny_gradient dy = tiny_gradient_at(buffers);
    const tiny_weights w = tiny_weights_at(buffers + 2);
    const tiny_gradient_out dx = tiny_following(&dy, buffers + 4);
    call c;
    c.op = op;
    c.dy = &dy;
    c.dx = &dx;
    divide(&c, buffers[TINY_SCRATCH]);
    for (uint32_t o = 0, channels; o < all; o += channels) {
        const uint32_t end = o < op->kept ? op->kept : all;
        channels = end - o < TINY_PLANES ? end - o : TINY_PLANES;
        descend_group(&c, &w, o, channels);
    }
}
