/* Depthwise convolution with multiplier 1: sums over windows (planes.h).
 *
 * A call is cut into blocks of rows, so that the planes of a block stay small. All channels of a block
 * are computed one after the other: rows of the output are written before all of the input has been
 * read, so the two are apart (at_once in compiler/kernels/dsp.py).
 */
#include "planes.h"

#include <stddef.h>

#include "../../arith.h"
#include "../../buffers.h"
#include "tinyflash/ops.h"

/* A call. */
typedef struct forward_call {
    const tiny_depthwise *op;
    const tiny_weights *w;
    const int32_t *b;
    tiny_correlation c;
    int8_t *spare; /* [block][TINY_QUAD]: the last outputs of rows */
} forward_call;

/* Rows of one channel that are adjacent in y; its plane is filled. */
typedef struct channel_rows {
    uint32_t plane, o;
    uint32_t first, count; /* rows of the block */
    int8_t *y;             /* the first output */
    tiny_output output;
} channel_rows;

/* Computes them as SPEC 2.2 says it. */
static void compute_exceptions(const forward_call *f, const channel_rows *r) {
    const uint32_t width = f->c.out_width, bias = f->b ? (uint32_t)f->b[r->o] : 0;
    int8_t *y = r->y;
    for (uint32_t i = 0; i < r->count * width; i++, y += f->op->window.y.channels) {
        const int32_t sum = tiny_planes_sum(&f->c, r->plane, r->first + i / width, i % width) / 2;
        *y = tiny_requantize(&f->op->requant, r->o, (int32_t)((uint32_t)sum + bias));
    }
}

/* Outputs from `column` on, by the loop. */
static tiny_outputs outputs_of(const forward_call *f, const channel_rows *r, uint32_t column,
                               uint32_t quads) {
    tiny_outputs outputs = tiny_outputs_begin(&f->c, r->plane, r->first, r->count, column, quads);
    outputs.multiplier = r->output.multiplier;
    outputs.offset = r->output.offset;
    outputs.shift = r->output.shift;
    outputs.bias = r->output.bias;
    return outputs;
}

/* The last outputs of each row, fewer than four. */
static void compute_rest(const forward_call *f, const channel_rows *r, uint32_t quads) {
    const uint32_t left = f->c.out_width % TINY_QUAD, step = f->op->window.y.channels;
    tiny_outputs outputs = outputs_of(f, r, quads * TINY_QUAD, 1);
    const int8_t *from = f->spare;
    int8_t *y = r->y + quads * TINY_QUAD * step;
    outputs.y = f->spare;
    outputs.y_step = 1;
    tiny_outputs_run(&f->c, &outputs);
    for (uint32_t i = 0; i < r->count; i++, from += TINY_QUAD, y += f->c.out_width * step) {
        for (uint32_t n = 0; n < left; n++) {
            y[n * step] = from[n];
        }
    }
}

/* The last four outputs of each row, of which some have been computed before. */
static void compute_again(const forward_call *f, const channel_rows *r) {
    const uint32_t first = f->c.out_width - TINY_QUAD, step = f->op->window.y.channels;
    tiny_outputs outputs = outputs_of(f, r, first, 1);
    outputs.y = r->y + first * step;
    outputs.y_step = step;
    outputs.y_down = first * step;
    tiny_outputs_run(&f->c, &outputs);
}

static void compute(const forward_call *f, const channel_rows *r) {
    const uint32_t quads = f->c.out_width / TINY_QUAD, left = f->c.out_width % TINY_QUAD;
    if (r->output.multiplier < 0) {
        compute_exceptions(f, r);
        return;
    }
    if (quads) {
        tiny_outputs outputs = outputs_of(f, r, 0, quads);
        outputs.y = r->y;
        outputs.y_step = f->op->window.y.channels;
        outputs.y_down = left * outputs.y_step;
        tiny_outputs_run(&f->c, &outputs);
    }
    if (left == 0) {
        return;
    }
    if (quads && (f->c.out_width - TINY_QUAD) * f->c.stride % 2 == 0) {
        compute_again(f, r);
    } else {
        compute_rest(f, r, quads);
    }
}

/* The loops saturate to int8. Few layers have narrower bounds. */
static void narrow(const forward_call *f, const channel_rows *r) {
    const tiny_requant *q = &f->op->requant;
    if (q->y_min == -128 && q->y_max == 127) {
        return;
    }
    int8_t *y = r->y;
    for (uint32_t i = r->count * f->c.out_width; i; i--, y += f->op->window.y.channels) {
        *y = (int8_t)tiny_clamp(*y, q->y_min, q->y_max);
    }
}

/* Rows [first, first + rows) of channel `o`. */
static void compute_channel(const forward_call *f, uint32_t plane, uint32_t o, uint32_t first,
                            uint32_t rows, int8_t *y) {
    const tiny_map *map = &f->op->window.y;
    channel_rows r = {plane, o, 0, 0, NULL, {0, 0, 0, 0}};
    r.output = tiny_output_of(&f->op->requant, f->b, o, f->c.kernel_h * f->c.kernel_w);
    for (; r.first < rows; r.first += r.count) {
        const uint32_t left = map->ring - tiny_slot(first + r.first, map->ring);
        r.count = rows - r.first < left ? rows - r.first : left;
        r.y = tiny_map_row_out(map, y, (int32_t)(first + r.first)) + o;
        compute(f, &r);
        narrow(f, &r);
    }
}

static tiny_correlation correlation_of(const tiny_depthwise *op) {
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
    tiny_planes_clear(&f->c, first, rows);
    for (uint32_t o = 0; o < channels; o += TINY_PLANES) {
        const uint32_t from = o + TINY_PLANES <= channels ? o : channels - TINY_PLANES;
        const tiny_plane_taps taps = {
            f->w, f->op->kept, channels - f->op->kept, from, {0, 1, f->op->window.kernel_w}};
        tiny_planes_fill(&f->c, x + from, first, rows);
        tiny_planes_pair(&f->c, &taps, 1);
        for (uint32_t p = o - from; p < TINY_PLANES; p++) {
            compute_channel(f, p, from + p, first, rows, y);
        }
    }
}

TINY_OP(depthwise_forward_dsp) {
    const tiny_weights w = tiny_weights_at(buffers + 1);
    forward_call f = {record, &w, buffers[3], correlation_of(record), NULL};
    const uint32_t end = (uint32_t)band.first + band.count;
    f.spare = (int8_t *)tiny_planes_divide(&f.c, band.count, buffers[TINY_SCRATCH]);
    for (uint32_t row = band.first; row < end; row += f.c.block) {
        const uint32_t rows = end - row < f.c.block ? end - row : f.c.block;
        forward_block(&f, buffers[0], buffers[4], row, rows);
    }
}
