/* Depthwise convolution with multiplier 1: forward and its input gradient are sums over windows
 * (planes.h).
 *
 * A call is cut into blocks of rows, so that the planes of a block stay small. All channels of a block
 * are computed one after the other: rows of the output are written before all of the input has been
 * read, so the two are apart (at_once in compiler/kernels/dsp.py).
 *
 * The input gradient gathers: element (row, column) sums over the taps that read it. With a stride s
 * only every s-th tap does, the same ones for every s-th row and column. So each of s * s phases of dx
 * is a correlation of dy, with stride 1, with those taps in reverse order.
 */
#include <stddef.h>

#include "../../arith.h"
#include "planes.h"
#include "store.h"
#include "tinyflash/ops.h"

/* The weights of output channel `o`: w[tap * step]. */
typedef struct channel {
    const int8_t *w;
    int32_t step;
} channel;

static channel channel_of(const tiny_depthwise *op, const tiny_weights *w, uint32_t o) {
    const uint32_t kept = op->kept, frozen = op->window.y.channels - kept;
    const channel trained = {w->kept + o, (int32_t)kept};
    const channel other = {w->frozen + (o - kept), (int32_t)frozen};
    return o < kept ? trained : other;
}

/* ---- Forward ---- */

typedef struct forward_call {
    const tiny_depthwise *op;
    const tiny_weights *w;
    const int32_t *b;
    tiny_correlation c;
} forward_call;

/* Output `o` of a row, as SPEC 2.2 says it. */
static void compute_exception(const forward_call *f, const tiny_outputs_row *row, uint32_t o,
                              int8_t *y) {
    const uint32_t step = f->op->window.y.channels;
    tiny_outputs_row at = *row;
    for (uint32_t column = 0; column < f->c.out_width; column++, y += step) {
        const uint32_t in_quad = column % TINY_QUAD;
        const int32_t sum = tiny_outputs_sum(&f->c, &at, in_quad) / 2 + (f->b ? f->b[o] : 0);
        *y = tiny_requantize(&f->op->requant, o, sum);
        at.x += in_quad == TINY_QUAD - 1 ? at.x_advance / 4 : 0;
    }
}

/* The outputs of a row in channel `o`; y points to the first of them. */
static void compute_row(const forward_call *f, tiny_outputs_row *row, uint32_t o, int8_t *y) {
    const uint32_t step = f->op->window.y.channels;
    const uint32_t quads = f->c.out_width / TINY_QUAD, left = f->c.out_width % TINY_QUAD;
    if (row->multiplier < 0) {
        compute_exception(f, row, o, y);
        return;
    }
    row->y = y;
    row->y_step = step;
    tiny_outputs_run(&f->c, row, quads);
    if (left) {
        int8_t last[TINY_QUAD] = {0};
        row->y = last;
        row->y_step = 1;
        tiny_outputs_run(&f->c, row, 1);
        y += quads * TINY_QUAD * step;
        for (uint32_t i = 0; i < left; i++, y += step) {
            *y = last[i];
        }
    }
}

/* The loops saturate to int8. Few layers have narrower bounds. */
static void narrow_row(const forward_call *f, int8_t *y) {
    const tiny_requant *q = &f->op->requant;
    if (q->y_min == -128 && q->y_max == 127) {
        return;
    }
    for (uint32_t i = 0; i < f->c.out_width; i++, y += f->op->window.y.channels) {
        *y = (int8_t)tiny_clamp(*y, q->y_min, q->y_max);
    }
}

/* Rows [first, first + rows) of channel `o`, whose plane is filled. */
static void compute_channel(const forward_call *f, uint32_t plane, uint32_t o, uint32_t first,
                            uint32_t rows, int8_t *y) {
    const tiny_output output =
        tiny_output_of(&f->op->requant, f->b, o, f->c.kernel_h * f->c.kernel_w);
    const channel from = channel_of(f->op, f->w, o);
    tiny_planes_pair(&f->c, from.w, from.step, from.step * (int32_t)f->c.kernel_w, 2);
    tiny_outputs_row row = tiny_outputs_begin(&f->c);
    row.multiplier = output.multiplier;
    row.offset = output.offset;
    row.shift = output.shift;
    row.bias = output.bias;
    for (uint32_t i = 0; i < rows; i++) {
        row.x = tiny_planes_row(&f->c, plane, i);
        int8_t *to = tiny_map_row_out(&f->op->window.y, y, (int32_t)(first + i)) + o;
        compute_row(f, &row, o, to);
        narrow_row(f, to);
    }
}

static tiny_correlation forward_correlation(const tiny_depthwise *op) {
    const tiny_window *win = &op->window;
    const tiny_correlation c = {
        .source = win->x,
        .zero = op->requant.x_zero,
        .kernel_h = win->kernel_h,
        .kernel_w = win->kernel_w,
        .stride_h = win->stride_h,
        .stride = win->stride_w,
        .pad_top = win->pad_top,
        .pad_left = win->pad_left,
        .out_width = win->y.width,
    };
    return c;
}

/* All channels of a block of rows, four at a time; the last four may repeat some. */
static void forward_block(const forward_call *f, const int8_t *x, int8_t *y, uint32_t first,
                          uint32_t rows) {
    const uint32_t channels = f->op->window.y.channels;
    for (uint32_t o = 0; o < channels; o += TINY_PLANES) {
        const uint32_t from = o + TINY_PLANES <= channels ? o : channels - TINY_PLANES;
        tiny_planes_fill(&f->c, x + from, first, rows);
        for (uint32_t p = 0; p < TINY_PLANES; p++) {
            compute_channel(f, p, from + p, first, rows, y);
        }
    }
}

TINY_OP(depthwise_forward_dsp) {
    const tiny_weights w = {buffers[1], buffers[2]};
    forward_call f = {record, &w, buffers[3], forward_correlation(record)};
    const uint32_t end = (uint32_t)band.first + band.count;
    tiny_planes_divide(&f.c, band.count, buffers[TINY_SCRATCH]);
    for (uint32_t row = band.first; row < end; row += f.c.block) {
        const uint32_t rows = end - row < f.c.block ? end - row : f.c.block;
        forward_block(&f, buffers[0], buffers[4], row, rows);
    }
}

/* ---- Input gradient ---- */

typedef struct backward_call {
    const tiny_depthwise *op;
    const tiny_gradient *dy;
    const tiny_weights *w;
    const tiny_gradient_out *dx;
    tiny_correlation c;           /* of the phase */
    uint32_t row, column;         /* the phase: its first row and column of dx */
    uint32_t out_height;          /* its rows */
    uint32_t tap_row, tap_column; /* its last taps, which come first */
    int32_t *sums;                /* of a row */
} backward_call;

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

/* Stores a row of channel `o`: outputs of the phase in row `row` of it. */
static void store_row(const backward_call *g, tiny_row_store *store, uint32_t o, uint32_t row) {
    const tiny_window *win = &g->op->window;
    const uint32_t step = win->stride_w * (uint32_t)win->x.channels;
    uint32_t at = ((g->row + row * win->stride_h) * win->x.width + g->column) * win->x.channels + o;
    for (uint32_t i = 0; i < g->c.out_width; i++, at += step) {
        tiny_store_sum(store, at, g->sums[i]);
    }
}

/* Rows [first, first + rows) of a phase in channel `o`, whose plane is filled. */
static void backward_channel(const backward_call *g, uint32_t plane, uint32_t o, uint32_t first,
                             uint32_t rows) {
    const tiny_window *win = &g->op->window;
    const channel from = channel_of(g->op, g->w, o);
    const int8_t *last = from.w + (int32_t)(g->tap_row * win->kernel_w + g->tap_column) * from.step;
    tiny_planes_pair(&g->c, last, -from.step * win->stride_w,
                     -from.step * win->stride_h * win->kernel_w, 1);
    tiny_row_store store =
        tiny_begin_store(g->dx, &g->op->descent.factor[o], g->dy->scale->exponent);
    tiny_outputs_row row = tiny_outputs_begin(&g->c);
    for (uint32_t i = 0; i < rows; i++) {
        row.x = tiny_planes_row(&g->c, plane, i);
        row.sums = g->sums;
        tiny_outputs_run(&g->c, &row, (g->c.out_width + TINY_QUAD - 1) / TINY_QUAD);
        store_row(g, &store, o, first + i);
    }
    tiny_end_store(&store);
}

/* A block of rows of a phase. The last four channels may repeat some, which are not stored again. */
static void backward_block(const backward_call *g, uint32_t first, uint32_t rows) {
    const uint32_t channels = g->op->window.x.channels;
    for (uint32_t o = 0; o < channels; o += TINY_PLANES) {
        const uint32_t from = o + TINY_PLANES <= channels ? o : channels - TINY_PLANES;
        tiny_planes_fill(&g->c, g->dy->d + from, first, rows);
        for (uint32_t p = o - from; p < TINY_PLANES; p++) {
            backward_channel(g, p, from + p, first, rows);
        }
    }
}

/* A phase that no tap reads: its gradient is 0. */
static void backward_unread(const backward_call *g) {
    for (uint32_t i = 0; i < g->c.out_width; i++) {
        g->sums[i] = 0;
    }
    for (uint32_t o = 0; o < g->op->window.x.channels; o++) {
        tiny_row_store store =
            tiny_begin_store(g->dx, &g->op->descent.factor[o], g->dy->scale->exponent);
        for (uint32_t row = 0; row < g->out_height; row++) {
            store_row(g, &store, o, row);
        }
    }
}

static void backward_phase(backward_call *g, phase rows, phase columns, uint32_t *scratch) {
    const tiny_map *y = &g->op->window.y;
    const tiny_correlation c = {
        .source = {y->height, y->width, y->channels, y->height},
        .kernel_h = rows.taps,
        .kernel_w = columns.taps,
        .stride_h = 1,
        .stride = 1,
        .pad_top = rows.pad,
        .pad_left = columns.pad,
        .out_width = columns.outputs,
    };
    g->c = c;
    g->out_height = rows.outputs;
    g->tap_row = rows.last_tap;
    g->tap_column = columns.last_tap;
    g->sums = (int32_t *)scratch;
    if (rows.taps == 0 || columns.taps == 0) {
        backward_unread(g);
        return;
    }
    scratch += (columns.outputs + TINY_QUAD - 1) / TINY_QUAD * TINY_QUAD;
    tiny_planes_divide(&g->c, rows.outputs, scratch);
    for (uint32_t row = 0; row < rows.outputs; row += g->c.block) {
        const uint32_t left = rows.outputs - row;
        backward_block(g, row, left < g->c.block ? left : g->c.block);
    }
}

TINY_OP(depthwise_backward_input_dsp) {
    (void)band;
    const tiny_depthwise *op = record;
    const tiny_window *win = &op->window;
    const tiny_gradient dy = {buffers[0], buffers[1]};
    const tiny_weights w = {buffers[2], buffers[3]};
    const tiny_gradient_out dx = {buffers[5], buffers[6], buffers[4]};
    backward_call g = {.op = op, .dy = &dy, .w = &w, .dx = &dx};
    tiny_follow(dy.scale, NULL, dx.scale);
    for (g.row = 0; g.row < win->stride_h && g.row < win->x.height; g.row++) {
        for (g.column = 0; g.column < win->stride_w && g.column < win->x.width; g.column++) {
            const phase rows =
                phase_of(g.row, win->x.height, win->kernel_h, win->stride_h, win->pad_top);
            const phase columns =
                phase_of(g.column, win->x.width, win->kernel_w, win->stride_w, win->pad_left);
            backward_phase(&g, rows, columns, buffers[TINY_SCRATCH]);
        }
    }
}
