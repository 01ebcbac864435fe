/* Input gradient of convolutions with one group; of fully connected layers, too, which are
 * convolutions of 1x1 (fully_connected_gradients.c).
 *
 * The input gradient gathers: the terms of an input position are the rescaled gradients of the outputs
 * that read it, tap by tap, and zeros where a tap would read it from outside of y. With a stride only
 * some taps read a position: the same ones for every stride-th row and column. So some positions side
 * by side are sorted into such phases, and each phase has the columns of its taps only.
 */
#include <stddef.h>

#include "../../buffers.h"
#include "tiles.h"
#include "tinyflash/ops.h"

/* The same in compiler/kernels/mve.py. */
#define POSITIONS 32u         /* that are in scratch at a time, at most */
#define POSITIONS_BYTES 6144u /* of their gradients, if they are more than a tile */

/* Positions in rows and columns that are a stride apart. */
typedef struct phase {
    uint32_t row, column; /* below the strides */
    uint32_t pitch;       /* of its rows of t, in terms: whole vectors */
    uint32_t first, rows; /* its rows of t */
} phase;

/* A call of the input gradient. */
typedef struct descending {
    const tiny_conv2d *op;
    const tiny_gradient *dy;
    tiny_gradient_store store;
    uint32_t pitch;     /* of a row of t, in terms: as many as any phase has, in whole vectors */
    uint32_t positions; /* that are in scratch at a time */
    int point;          /* whether each of them reads itself alone */
    phase *phases;      /* that these positions have */
    uint32_t *at;       /* [rows] the position of each row of t */
    int16_t *t;    /* [rows][pitch] rescaled gradients, four rows together as tiles.h has them */
    int8_t *w;     /* [TINY_TILE_COLUMNS][pitch] */
    int32_t *sums; /* [rows of a phase][TINY_SIXTEEN] */
} descending;

/* Whether a tap reads input row or column `at` from some output. */
static inline int reads(uint32_t at, uint32_t pad, uint32_t tap, uint32_t dilation,
                        uint32_t stride) {
    return stride == 1 || ((int32_t)(at + pad) - (int32_t)(tap * dilation)) % (int32_t)stride == 0;
}

/* How many taps do. */
static uint32_t taps_of(uint32_t at, uint32_t pad, uint32_t kernel, uint32_t dilation,
                        uint32_t stride) {
    uint32_t taps = 0;
    for (uint32_t tap = 0; tap < kernel; tap++) {
        taps += (uint32_t)reads(at, pad, tap, dilation, stride);
    }
    return taps;
}

static inline int reads_row(const tiny_window *win, uint32_t row, uint32_t ky) {
    return reads(row, win->pad_top, ky, win->dilation_h, win->stride_h);
}

static inline int reads_column(const tiny_window *win, uint32_t column, uint32_t kx) {
    return reads(column, win->pad_left, kx, win->dilation_w, win->stride_w);
}

static inline int is_of_phase(const tiny_window *win, uint32_t row, uint32_t column,
                              const phase *p) {
    return (win->stride_h == 1 || row % win->stride_h == p->row) &&
           (win->stride_w == 1 || column % win->stride_w == p->column);
}

static uint32_t phase_terms(const tiny_window *win, uint32_t row, uint32_t column) {
    return taps_of(row, win->pad_top, win->kernel_h, win->dilation_h, win->stride_h) *
           taps_of(column, win->pad_left, win->kernel_w, win->dilation_w, win->stride_w) *
           win->y.channels;
}

/* Terms in whole vectors, one at least. */
static uint32_t whole(uint32_t terms) { return terms ? (terms + 7) / 8 * 8 : 8; }

/* Terms [i, end) of a row. */
static void clear(int16_t *t, uint32_t i, uint32_t end) {
    for (; i < end; i++) {
        t[tiny_descent_term(i)] = 0;
    }
}

/* The rescaled gradients that input position (row, column) is read by. */
static void gather(const descending *d, uint32_t row, uint32_t column, int16_t *t, uint32_t pitch) {
    const tiny_window *win = &d->op->window;
    const uint32_t out = win->y.channels;
    uint32_t i = 0;
    for (uint32_t ky = 0; ky < win->kernel_h; ky++) {
        if (!reads_row(win, row, ky)) {
            continue;
        }
        const int32_t oy = tiny_window_source((int32_t)row, win->pad_top, (int32_t)ky,
                                              win->dilation_h, win->stride_h, win->y.height);
        for (uint32_t kx = 0; kx < win->kernel_w; kx++) {
            if (!reads_column(win, column, kx)) {
                continue;
            }
            const int32_t ox = tiny_window_source((int32_t)column, win->pad_left, (int32_t)kx,
                                                  win->dilation_w, win->stride_w, win->y.width);
            if (oy >= 0 && ox >= 0) {
                tiny_rescale_row(&d->op->descent,
                                 d->dy->d + (uint32_t)(oy * win->y.width + ox) * out, out, t, i);
            } else {
                clear(t, i, i + out);
            }
            i += out;
        }
    }
    clear(t, i, pitch);
}

/* The same of positions [n, n + count), each of which reads itself alone. */
TINY_APART static void gather_points(const descending *d, phase *p, uint32_t n, uint32_t count) {
    const uint32_t out = d->op->window.y.channels, pitch = p->pitch;
    const int8_t *dy = d->dy->d + n * out;
    for (uint32_t i = 0; i < count; i++, dy += out) {
        int16_t *t = d->t + tiny_descent_row(i, pitch);
        tiny_rescale_row(&d->op->descent, dy, out, t, 0);
        clear(t, out, pitch);
        d->at[i] = n + i;
    }
    p->rows = count;
}

/* Gathers those of positions [n, n + count) that are of a phase, from row p->first of t on. Apart, so
 * that its variables are not on the stack when sums are stored. */
TINY_APART static void gather_phase(const descending *d, phase *p, uint32_t n, uint32_t count) {
    const tiny_window *win = &d->op->window;
    uint32_t row = n / win->x.width, column = n % win->x.width;
    uint32_t next = p->first;
    int16_t *t = d->t + p->first * d->pitch;
    for (uint32_t i = 0; i < count; i++) {
        if (is_of_phase(win, row, column, p)) {
            gather(d, row, column, t + tiny_descent_row(next - p->first, p->pitch), p->pitch);
            d->at[next++] = n + i;
        }
        if (++column == win->x.width) {
            column = 0;
            row++;
        }
    }
    p->rows = next - p->first;
}

/* Transposes two columns of the weights w[out][taps][width], of the taps of a phase. */
TINY_APART static void transpose(const descending *d, const phase *p, const int8_t *w,
                                 uint32_t width, uint32_t second) {
    const tiny_window *win = &d->op->window;
    const uint32_t stride = (uint32_t)win->kernel_h * win->kernel_w * width;
    const uint32_t count = win->y.channels;
    int8_t *to = d->w;
    for (uint32_t ky = 0; ky < win->kernel_h; ky++) {
        const int row = reads_row(win, p->row, ky);
        for (uint32_t kx = 0; kx < win->kernel_w; kx++, w += width) {
            if (row && reads_column(win, p->column, kx)) {
                tiny_transpose_pair(w, stride, second, count, to, d->pitch);
                to += count;
            }
        }
    }
}

/* The sums of `count` channels at the positions of a phase; w: of the first of these channels, of
 * which a tap has `width`. Apart for the same reason. */
TINY_APART static void sum_channels(const descending *d, const phase *p, const int8_t *w,
                                    uint32_t width, uint32_t count) {
    const uint32_t terms = d->op->window.y.channels, pitch = d->pitch;
    const int point = d->point;
    tiny_descent_tile tile = {
        .column = {d->w, d->w + d->pitch},
        .end = d->w + p->pitch,
        .rows = d->t + p->first * d->pitch,
        .tiles = (p->rows + TINY_DESCENT_ROWS - 2) / TINY_DESCENT_ROWS,
        .sums = d->sums,
        .one = p->rows % TINY_DESCENT_ROWS == 1,
    };
    for (uint32_t i = 0; i < count; i += TINY_TILE_COLUMNS, tile.sums += TINY_TILE_COLUMNS) {
        if (point) {
            tiny_transpose_pair(w + i, width, i + 1 < count, terms, d->w, pitch);
        } else {
            transpose(d, p, w + i, width, i + 1 < count);
        }
        tiny_descent_tiles(&tile);
    }
}

/* The `width` channels from `first` on, of a phase. */
static void descend_panel(const descending *d, const phase *p, const int8_t *w, uint32_t first,
                          uint32_t width) {
    const uint32_t channels = d->op->window.x.channels;
    for (uint32_t i = 0; i < width; i += TINY_SIXTEEN) {
        const uint32_t count = width - i < TINY_SIXTEEN ? width - i : TINY_SIXTEEN;
        sum_channels(d, p, w + i, width, count);
        tiny_gradient_store_sixteen(&d->store, d->at + p->first, p->rows, channels, first + i,
                                    d->sums, count);
    }
}

/* The phase of position n, if no position from `start` on before it has the same. */
static int is_new_phase(const tiny_window *win, uint32_t start, uint32_t n, phase *p) {
    p->row = n / win->x.width % win->stride_h;
    p->column = n % win->x.width % win->stride_w;
    for (uint32_t i = start; i < n; i++) {
        if (is_of_phase(win, i / win->x.width, i % win->x.width, p)) {
            return 0;
        }
    }
    return 1;
}

/* Positions [n, n + count). All of dy that they need is in scratch before the first dx is stored. */
static void descend_positions(const descending *d, const tiny_weights *w, uint32_t n,
                              uint32_t count) {
    const tiny_window *win = &d->op->window;
    const uint32_t kept = d->op->kept;
    uint32_t phases = 0, gathered = 0, first = 0;
    for (uint32_t i = 0; gathered < count; i++) {
        phase *p = &d->phases[phases];
        if (is_new_phase(win, n, n + i, p)) {
            p->pitch = whole(phase_terms(win, p->row, p->column));
            p->first = first;
            if (d->point) {
                gather_points(d, p, n, count);
            } else {
                gather_phase(d, p, n, count);
            }
            gathered += p->rows;
            first += (p->rows + TINY_DESCENT_ROWS - 1) / TINY_DESCENT_ROWS * TINY_DESCENT_ROWS;
            phases++;
        }
    }
    for (const phase *p = d->phases; p < d->phases + phases; p++) {
        descend_panel(d, p, w->kept, 0, kept);
        descend_panel(d, p, w->frozen, kept, d->op->depth - kept);
    }
}

/* The most taps along one axis that a phase has. */
static uint32_t most_taps(uint32_t pad, uint32_t kernel, uint32_t dilation, uint32_t stride) {
    uint32_t most = 0;
    for (uint32_t at = 0; at < stride; at++) {
        const uint32_t taps = taps_of(at, pad, kernel, dilation, stride);
        most = taps > most ? taps : most;
    }
    return most;
}

/* Begins a call and divides scratch. Each phase may leave three rows of its last tile empty. */
TINY_APART static descending divide(const tiny_conv2d *op, const tiny_gradient *dy,
                                    const tiny_gradient_out *dx, void *scratch) {
    const tiny_window *win = &op->window;
    const uint32_t rows_taps =
        most_taps(win->pad_top, win->kernel_h, win->dilation_h, win->stride_h);
    const uint32_t column_taps =
        most_taps(win->pad_left, win->kernel_w, win->dilation_w, win->stride_w);
    const uint32_t terms = rows_taps * column_taps * win->y.channels;
    const uint32_t strides = (uint32_t)win->stride_h * win->stride_w;
    descending d = {.op = op, .dy = dy, .pitch = whole(terms), .point = tiny_is_point(win)};
    const uint32_t fit = POSITIONS_BYTES / (d.pitch * 2) / TINY_DESCENT_ROWS * TINY_DESCENT_ROWS;
    d.positions = fit < TINY_DESCENT_ROWS ? TINY_DESCENT_ROWS : (fit < POSITIONS ? fit : POSITIONS);
    const uint32_t apart = strides < d.positions ? strides : d.positions;
    const uint32_t rows =
        strides == 1 ? d.positions : d.positions + (TINY_DESCENT_ROWS - 1) * apart;
    tiny_gradient_store_begin(&d.store, dx, op->descent.factor, dy->scale->exponent,
                              (uint32_t)win->x.height * win->x.width * win->x.channels);
    d.sums = scratch;
    d.at = (uint32_t *)scratch + d.positions * TINY_SIXTEEN;
    d.phases = (phase *)(void *)(d.at + rows);
    d.t = (int16_t *)(void *)(d.phases + apart);
    d.w = (int8_t *)(d.t + rows * d.pitch);
    return d;
}

void tiny_descend(const tiny_conv2d *op, const tiny_gradient *dy, const tiny_weights *w,
                  const tiny_gradient_out *dx, void *scratch) {
    const uint32_t positions = (uint32_t)op->window.x.height * op->window.x.width;
    const descending d = divide(op, dy, dx, scratch);
    for (uint32_t n = 0; n < positions; n += d.positions) {
        descend_positions(&d, w, n, positions - n < d.positions ? positions - n : d.positions);
    }
}

TINY_OP(conv2d_backward_input_mve) {
    (void)band;
    const tiny_gradient dy = tiny_gradient_at(buffers);
    const tiny_weights w = tiny_weights_at(buffers + 2);
    const tiny_gradient_out dx = tiny_following(&dy, buffers + 4);
    tiny_descend(record, &dy, &w, &dx, buffers[TINY_SCRATCH]);
}
