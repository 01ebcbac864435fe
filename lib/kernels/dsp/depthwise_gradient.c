/* The input gradient of depthwise layers with multiplier 1: sums over windows of dy (planes.h).
 *
 * It gathers: element (row, column) of dx sums over the taps that read it. With a stride s only every
 * s-th tap does, the same ones for every s-th row and column. So each of s * s phases of dx is a
 * correlation of dy, with stride 1, with those taps in reverse order.
 */
#include <stddef.h>

#include <string.h>
#include "../../arith.h"
#include "../../buffers.h"
#include "planes.h"

#include "stripe.h"
#include "tinyflash/ops.h"

#define VALUES_BYTES 512u /* that some rows may need, if they are more than one */

typedef struct backward_call {
    const tiny_depthwise *op;
    const tiny_gradient *dy;
    const tiny_weights *w;
    const tiny_gradient_out *dx;
    tiny_correlation c;   /* of the phase */
    uint32_t row, column; /* the phase: its first row and column of dx */
    tiny_tap_order order; /* its taps, the last one first */
    uint32_t quads;       /* of outputs in a row */
    uint32_t rows_at_once;
    uint16_t *values; /* [rows_at_once][quads * TINY_QUAD][TINY_PLANES] */
    uint32_t peaks;
} backward_call;

/* Four channels, of which those before `first` have been stored before. */
typedef struct group {
    uint32_t from, first;
    int tied; /* in one of them at least a small element may be a tie */
    tiny_rounding rounding[TINY_PLANES];
} group;

/* The exponent of what channel `o` stores, for its mantissa. */
static int32_t exponent_of(const backward_call *g, uint32_t o) {
    return g->op->descent.factor[o].exponent + g->dy->scale->exponent - g->dx->scale->exponent;
}

static group group_of(const backward_call *g, uint32_t from, uint32_t first) {
    group four = {.from = from, .first = first};
    for (uint32_t p = 0; p < TINY_PLANES; p++) {
        const uint32_t mantissa = g->op->descent.factor[from + p].mantissa;
        four.tied |= !tiny_untied(mantissa, exponent_of(g, from + p), &four.rounding[p]);
    }
    return four;
}

/* Element (row, column) of a block in plane p, as SPEC says it. */
static int32_t element(const backward_call *g, const group *four, uint32_t p, uint32_t row,
                       uint32_t column) {
    const uint32_t o = four->from + p, mantissa = g->op->descent.factor[o].mantissa;
    return tiny_scale_by(tiny_planes_sum(&g->c, p, row, column), mantissa, exponent_of(g, o));
}

/* Rows [first, first + rows) of a block in channels whose elements may be ties: they are computed
 * again. */
static void compute_ties(const backward_call *g, const group *four, uint32_t first, uint32_t rows) {
    const uint32_t width = g->quads * TINY_QUAD;
    tiny_rounding r;
    for (uint32_t p = 0; p < TINY_PLANES; p++) {
        const uint32_t o = four->from + p, mantissa = g->op->descent.factor[o].mantissa;
        uint16_t *to = g->values + tiny_half_of(p);
        if (tiny_untied(mantissa, exponent_of(g, o), &r)) {
            continue;
        }
        for (uint32_t n = 0; n < rows * g->c.out_width; n++) {
            const uint32_t row = n / g->c.out_width, column = n % g->c.out_width;
            const int32_t v = element(g, four, p, first + row, column);
            to[(row * width + column) * TINY_PLANES] = (uint16_t)tiny_saturate_15(v);
        }
    }
}

/* Stores rows [first, first + rows) of a block, from element `at` of dx on. A position with a large
 * element is stored as SPEC says it. */
static void store_rows(backward_call *g, const group *four, uint32_t first, uint32_t rows,
                       uint32_t at) {
    const tiny_window *win = &g->op->window;
    const uint32_t width = g->c.out_width, step = win->stride_w * (uint32_t)win->x.channels;
    tiny_stripe stripe = {
        .values = (const uint32_t *)(const void *)g->values,
        .left = width,
        .rows = rows,
        .at = at,
        .step = step,
        .width = width,
        .down = win->stride_h * (uint32_t)win->x.width * win->x.channels - width * step,
        .values_down = (g->quads * TINY_QUAD - width) * TINY_PLANES * 2,
        .peaks = g->peaks,
    };
    for (tiny_stripe_store(&stripe, g->dx); stripe.rows; tiny_stripe_store(&stripe, g->dx)) {
        const uint32_t row = first + rows - stripe.rows, column = width - stripe.left;
        for (uint32_t p = four->first; p < TINY_PLANES; p++) {
            tiny_store_gradient(g->dx, stripe.at + p, element(g, four, p, row, column));
        }
        tiny_stripe_skip(&stripe);
    }
    g->peaks = stripe.peaks;
}

/* Computes rows [first, first + rows) of a block in four channels. */
static void compute_group(const backward_call *g, const group *four, uint32_t first,
                          uint32_t rows) {
    tiny_outputs outputs = tiny_outputs_begin(&g->c, 0, first, rows, 0, g->quads);
    const uint32_t *x = outputs.x, *x_end = outputs.x_end;
    const uint32_t plane = g->c.plane_rows * g->c.row_words;
    for (uint32_t p = 0; p < TINY_PLANES; p++, x += plane, x_end += plane) {
        outputs.multiplier = four->rounding[p].multiplier;
        outputs.offset = four->rounding[p].half;
        outputs.shift = four->rounding[p].shift;
        outputs.x = x;
        outputs.x_end = x_end;
        outputs.rows = rows;
        outputs.values = g->values + tiny_half_of(p);
        tiny_outputs_run(&g->c, &outputs);
        outputs.w = outputs.w_end;
        outputs.w_end += g->c.weight_words;
    }
}

/* Rows [first, first + rows) of a phase in four channels, whose planes are filled. */
TINY_APART static void backward_group(backward_call *g, const group *four, uint32_t first,
                                      uint32_t rows) {
    const tiny_window *win = &g->op->window;
    const uint32_t width = win->x.width;
    for (uint32_t i = 0; i < rows; i += g->rows_at_once) {
        const uint32_t some = rows - i < g->rows_at_once ? rows - i : g->rows_at_once;
        const uint32_t row = g->row + (first + i) * win->stride_h;
        compute_group(g, four, i, some);
        if (four->tied) {
            compute_ties(g, four, i, some);
        }
        store_rows(g, four, i, some, (row * width + g->column) * win->x.channels + four->from);
    }
}

/* A block of rows of a phase. The last four channels may repeat some, which are not stored again. */
static void backward_block(backward_call *g, uint32_t first, uint32_t rows) {
    const uint32_t channels = g->op->window.x.channels;
    tiny_planes_clear(&g->c, first, rows);
    for (uint32_t o = 0; o < channels; o += TINY_PLANES) {
        const uint32_t from = o + TINY_PLANES <= channels ? o : channels - TINY_PLANES;
        const group four = group_of(g, from, o - from);
        const tiny_plane_taps taps = {g->w, g->op->kept, channels - g->op->kept, from, g->order};
        tiny_planes_fill(&g->c, g->dy->d + from, first, rows);
        tiny_planes_pair(&g->c, &taps, 0);
        backward_group(g, &four, first, rows);
    }
}

/* A phase that no tap reads: its gradient is 0. */
static void backward_unread(const backward_call *g) {
    const tiny_window *win = &g->op->window;
    for (uint32_t row = g->row; row < win->x.height; row += win->stride_h) {
        for (uint32_t column = g->column; column < win->x.width; column += win->stride_w) {
            memset(g->dx->d + (row * win->x.width + column) * win->x.channels, 0, win->x.channels);
        }
    }
}

/* A phase along one axis: which outputs and taps it has. */
typedef struct phase {
    uint32_t outputs, taps, last_tap;
    int32_t pad;
} phase;

static phase phase_of(uint32_t start, uint32_t extent, uint32_t kernel, uint32_t stride,
                      uint32_t pad) {
    const uint32_t first = (start + pad) % stride;
    const uint32_t taps = first < kernel ? (kernel - first + stride - 1) / stride : 0;
    const phase p = {(extent - start + stride - 1) / stride, taps,
                     first + (taps ? taps - 1 : 0) * stride,
                     (int32_t)taps - 1 - (int32_t)((start + pad) / stride)};
    return p;
}

static void set_correlation(tiny_correlation *c, const tiny_map *y, const phase *rows,
                            const phase *columns) {
    c->source = *y;
    c->source.ring = y->height;
    c->zero = 0;
    c->kernel_h = rows->taps;
    c->kernel_w = columns->taps;
    c->stride_h = 1;
    c->stride = 1;
    c->pad_top = rows->pad;
    c->pad_left = columns->pad;
    c->out_width = columns->outputs;
}

static void backward_phase(backward_call *g, phase rows, phase columns, uint32_t *scratch) {
    const tiny_window *win = &g->op->window;
    if (rows.taps == 0 || columns.taps == 0) {
        backward_unread(g);
        return;
    }
    set_correlation(&g->c, &win->y, &rows, &columns);
    g->order.first = (int32_t)(rows.last_tap * win->kernel_w + columns.last_tap);
    g->order.column = -(int32_t)win->stride_w;
    g->order.row = -(int32_t)win->stride_h * win->kernel_w;
    g->quads = (columns.outputs + TINY_QUAD - 1) / TINY_QUAD;
    g->values = (uint16_t *)tiny_planes_divide(&g->c, rows.outputs, scratch);
    g->rows_at_once = VALUES_BYTES / (g->quads * TINY_QUAD * TINY_PLANES * 2);
    g->rows_at_once += g->rows_at_once == 0;
    for (uint32_t row = 0; row < rows.outputs; row += g->c.block) {
        const uint32_t left = rows.outputs - row;
        backward_block(g, row, left < g->c.block ? left : g->c.block);
    }
}

TINY_OP(depthwise_backward_input_dsp) {
    (void)band;
    const tiny_depthwise *op = record;
    const tiny_window *win = &op->window;
    const tiny_gradient dy = tiny_gradient_at(buffers);
    const tiny_weights w = tiny_weights_at(buffers + 2);
    const tiny_gradient_out dx = tiny_following(&dy, buffers + 4);
    backward_call g;
    g.op = op;
    g.dy = &dy;
    g.w = &w;
    g.dx = &dx;
    g.peaks = 0;
    for (g.row = 0; g.row < win->stride_h && g.row < win->x.height; g.row++) {
        for (g.column = 0; g.column < win->stride_w && g.column < win->x.width; g.column++) {
            const phase rows =
                phase_of(g.row, win->x.height, win->kernel_h, win->stride_h, win->pad_top);
            const phase columns =
                phase_of(g.column, win->x.width, win->kernel_w, win->stride_w, win->pad_left);
            backward_phase(&g, rows, columns, buffers[TINY_SCRATCH]);
        }
    }
    tiny_stripe_end(&dx, g.peaks);
}
