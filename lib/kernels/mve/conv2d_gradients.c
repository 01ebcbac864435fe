/* Input gradient and update of convolutions with one group; of fully connected layers, too, which are
 * convolutions of 1x1 (fully_connected_gradients.c).
 *
 * The input gradient gathers: the terms of an input position are the rescaled gradients of the outputs
 * that read it, tap by tap, and zeros where a tap would read it from outside of y. With a stride only
 * some taps read a position: the same ones for every stride-th row and column. So some positions side
 * by side are sorted into such phases, and each phase has the columns of its taps only.
 *
 * The update sums over positions. What one tap reads of two channels is transposed once for
 * TINY_BLOCK output channels; their weights move when some sums of each are complete.
 */
#include <stddef.h>

#include "gradient.h"
#include "tinyflash/ops.h"

/* ---- Input gradient ---- */

/* The same in compiler/kernels/mve.py. */
#define POSITIONS 18u         /* that are in scratch at a time, at most */
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
    tiny_store store;
    uint32_t pitch;     /* of a row of t, in terms: as many as any phase has, in whole vectors */
    uint32_t positions; /* that are in scratch at a time */
    phase *phases;      /* that these positions have */
    uint32_t *at;       /* [rows] the position of each row of t */
    int16_t *t;         /* [rows][pitch] rescaled gradients */
    int8_t *w;          /* [TINY_TILE_COLUMNS][pitch] */
    int32_t *sums;      /* [rows of a phase][TINY_STORED_AT_ONCE] */
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

static uint32_t phase_terms(const tiny_window *win, uint32_t row, uint32_t column) {
    return taps_of(row, win->pad_top, win->kernel_h, win->dilation_h, win->stride_h) *
           taps_of(column, win->pad_left, win->kernel_w, win->dilation_w, win->stride_w) *
           win->y.channels;
}

/* Terms in whole vectors, one at least. */
static uint32_t whole(uint32_t terms) { return terms ? (terms + 7) / 8 * 8 : 8; }

static void clear(int16_t *t, uint32_t count) {
    for (; count; count--) {
        *t++ = 0;
    }
}

/* The rescaled gradients that input position (row, column) is read by. */
static void gather(const descending *d, uint32_t row, uint32_t column, int16_t *t,
                   const int16_t *end) {
    const tiny_window *win = &d->op->window;
    const uint32_t out = win->y.channels;
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
                tiny_rescale_all(&d->op->descent,
                                 d->dy->d + (uint32_t)(oy * win->y.width + ox) * out, out, t);
            } else {
                clear(t, out);
            }
            t += out;
        }
    }
    clear(t, (uint32_t)(end - t));
}

/* Gathers those of positions [n, n + count) that are of a phase, from row p->first of t on. */
static void gather_phase(const descending *d, phase *p, uint32_t n, uint32_t count) {
    const tiny_window *win = &d->op->window;
    uint32_t row = n / win->x.width, column = n % win->x.width;
    uint32_t next = p->first;
    int16_t *t = d->t + p->first * d->pitch;
    for (uint32_t i = 0; i < count; i++) {
        if (row % win->stride_h == p->row && column % win->stride_w == p->column) {
            d->at[next] = n + i;
            gather(d, row, column, t, t + p->pitch);
            t += p->pitch;
            next++;
        }
        column++;
        if (column == win->x.width) {
            column = 0;
            row++;
        }
    }
    p->rows = next - p->first;
}

/* Transposes two columns of the weights w[out][taps][width], of the taps of a phase. */
static void transpose(const descending *d, const phase *p, const int8_t *w, uint32_t width,
                      uint32_t second) {
    const tiny_window *win = &d->op->window;
    const uint32_t taps = (uint32_t)win->kernel_h * win->kernel_w;
    int8_t *to = d->w;
    for (uint32_t tap = 0; tap < taps; tap++, w += width) {
        if (reads_row(win, p->row, tap / win->kernel_w) &&
            reads_column(win, p->column, tap % win->kernel_w)) {
            tiny_transpose_two(w, taps * width, win->y.channels, second, to, d->pitch);
            to += win->y.channels;
        }
    }
}

/* The sums of `count` channels at the positions of a phase; w: of the first of these channels, of
 * which a tap has `width`. */
static void sum_channels(const descending *d, const phase *p, const int8_t *w, uint32_t width,
                         uint32_t count) {
    for (uint32_t i = 0; i < count; i += TINY_TILE_COLUMNS) {
        transpose(d, p, w + i, width, i + 1 < count);
        tiny_tiles tiles = {
            .column = {d->w, d->w + d->pitch},
            .rows = (const int8_t *)(d->t + p->first * d->pitch),
            .pitch = p->pitch * 2,
            .rounds = p->pitch / 8,
            .tiles = (p->rows + TINY_TILE_ROWS - 1) / TINY_TILE_ROWS,
            .sums = d->sums + i,
            .step = TINY_STORED_AT_ONCE * 4,
        };
        tiny_descent_tiles(&tiles);
    }
}

/* The `width` channels from `first` on, of a phase. */
static void descend_panel(const descending *d, const phase *p, const int8_t *w, uint32_t first,
                          uint32_t width) {
    const uint32_t channels = d->op->window.x.channels;
    for (uint32_t i = 0; i < width; i += TINY_STORED_AT_ONCE) {
        const uint32_t count = width - i < TINY_STORED_AT_ONCE ? width - i : TINY_STORED_AT_ONCE;
        sum_channels(d, p, w + i, width, count);
        for (uint32_t row = 0; row < p->rows; row++) {
            tiny_store_some(&d->store, d->at[p->first + row] * channels + first + i,
                            d->sums + row * TINY_STORED_AT_ONCE, count);
        }
    }
}

/* The phase of position n, if no position from `start` on before it has the same. */
static int is_new_phase(const tiny_window *win, uint32_t start, uint32_t n, phase *p) {
    p->row = n / win->x.width % win->stride_h;
    p->column = n % win->x.width % win->stride_w;
    for (uint32_t i = start; i < n; i++) {
        if (i / win->x.width % win->stride_h == p->row &&
            i % win->x.width % win->stride_w == p->column) {
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
            gather_phase(d, p, n, count);
            gathered += p->rows;
            first += (p->rows + TINY_TILE_ROWS - 1) / TINY_TILE_ROWS * TINY_TILE_ROWS;
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

/* Divides scratch. Each phase may leave two rows of its last tile empty. */
static descending divide(const tiny_conv2d *op, const tiny_gradient *dy,
                         const tiny_gradient_out *dx, void *scratch) {
    const tiny_window *win = &op->window;
    const uint32_t rows_taps =
        most_taps(win->pad_top, win->kernel_h, win->dilation_h, win->stride_h);
    const uint32_t column_taps =
        most_taps(win->pad_left, win->kernel_w, win->dilation_w, win->stride_w);
    const uint32_t terms = rows_taps * column_taps * win->y.channels;
    const uint32_t strides = (uint32_t)win->stride_h * win->stride_w;
    descending d = {.op = op, .dy = dy, .pitch = whole(terms)};
    const uint32_t fit = POSITIONS_BYTES / (d.pitch * 2) / TINY_TILE_ROWS * TINY_TILE_ROWS;
    d.positions = fit < TINY_TILE_ROWS ? TINY_TILE_ROWS : (fit < POSITIONS ? fit : POSITIONS);
    const uint32_t apart = strides < d.positions ? strides : d.positions;
    const uint32_t rows = strides == 1 ? d.positions : d.positions + 2 * apart;
    d.store = tiny_store_begin(dx, op->descent.factor, dy->scale->exponent);
    d.sums = scratch;
    d.at = (uint32_t *)scratch + d.positions * TINY_STORED_AT_ONCE;
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
    const tiny_gradient dy = {buffers[0], buffers[1]};
    const tiny_weights w = {buffers[2], buffers[3]};
    const tiny_gradient_out dx = {buffers[5], buffers[6], buffers[4]};
    tiny_follow(dy.scale, NULL, dx.scale);
    tiny_descend(record, &dy, &w, &dx, buffers[TINY_SCRATCH]);
}

/* ---- Update ---- */

/* The same in compiler/kernels/mve.py. */
#define BLOCK 12u /* output channels whose weights move together: tiles and vectors */
#define SUMS 24u  /* of each of them, complete before weights move */
#define GROUPS (BLOCK / TINY_LANES)

/* A call of the update. Rows and columns are over positions of y, in whole vectors of 16. */
typedef struct learning {
    const tiny_conv2d *op;
    const int8_t *x;
    tiny_update update;
    uint32_t pitch;      /* positions in whole vectors */
    tiny_movers *movers; /* [GROUPS] */
    int32_t *first;      /* [BLOCK] */
    int32_t *sums;       /* [SUMS][BLOCK] */
    int8_t *dy;          /* [BLOCK][pitch] */
    int8_t *taken;       /* [TINY_TILE_COLUMNS][pitch]: what a tap reads of two channels */
} learning;

/* Sums of a block that wait for their weights to move. */
typedef struct waiting {
    uint32_t output, outputs; /* of the block */
    uint32_t weight;          /* the first of a row that has not moved */
    uint32_t count;
} waiting;

static void fill(int8_t *to, uint32_t count, int8_t with) {
    for (; count; count--) {
        *to++ = with;
    }
}

/* Transposes the gradients of a block: rows of the tiles. Those of a last tile that there are not are
 * zeros. A sum begins with what the zero point of x takes off. */
static void take_gradients(const learning *l, const int8_t *dy, const waiting *b) {
    const uint32_t out = l->op->window.y.channels;
    const uint32_t positions = (uint32_t)l->op->window.y.height * l->op->window.y.width;
    const uint32_t rows = (b->outputs + TINY_TILE_ROWS - 1) / TINY_TILE_ROWS * TINY_TILE_ROWS;
    for (uint32_t i = 0; i < b->outputs; i += TINY_TILE_COLUMNS) {
        const uint32_t second = i + 1 < b->outputs;
        int8_t *to = l->dy + i * l->pitch;
        tiny_transpose_two(dy + b->output + i, out, positions, second, to, second ? l->pitch : 0);
    }
    for (uint32_t i = 0; i < rows; i++) {
        const uint32_t count = i < b->outputs ? positions : 0;
        fill(l->dy + i * l->pitch + count, l->pitch - count, 0);
        l->first[i] = -l->op->requant.x_zero * tiny_sum_bytes(l->dy + i * l->pitch, l->pitch);
    }
}

/* A row of what a tap reads of two channels; from: of the first row of x in these channels. */
static void take_row(const learning *l, const int8_t *from, int32_t iy, int32_t kx, uint32_t second,
                     int8_t *to) {
    const tiny_window *win = &l->op->window;
    const int8_t zero = (int8_t)l->op->requant.x_zero;
    const int32_t width = win->y.width, stride = win->stride_w;
    const int32_t left = tiny_window_column(win, 0, kx); /* what the first output reads */
    const int32_t before = tiny_min(left < 0 ? (stride - 1 - left) / stride : 0, width);
    const int32_t reach = win->x.width - 1 - left; /* from there to the last column */
    const int32_t end = tiny_max(before, tiny_min(reach < 0 ? 0 : reach / stride + 1, width));
    const int inside = iy >= 0 && iy < win->x.height && end > before;
    for (uint32_t c = 0; c < TINY_TILE_COLUMNS; c++) {
        int8_t *column = to + c * l->pitch;
        fill(column, (uint32_t)(inside ? before : width), zero);
        fill(column + end, (uint32_t)(inside ? width - end : 0), zero);
    }
    if (inside) {
        const int32_t at = iy * win->x.width + left + before * stride;
        tiny_transpose_two(from + (uint32_t)at * l->op->kept, l->op->kept * win->stride_w,
                           (uint32_t)(end - before), second, to + before, l->pitch);
    }
}

/* Whether a tap reads every position of x, in order. */
static int reads_all(const tiny_window *win, int32_t ky, int32_t kx) {
    return win->stride_h == 1 && win->stride_w == 1 && win->x.height == win->y.height &&
           win->x.width == win->y.width && tiny_window_row(win, 0, ky) == 0 &&
           tiny_window_column(win, 0, kx) == 0;
}

/* What a tap reads of channel i and the next one, at all positions: the columns of the tiles. */
static void take(const learning *l, uint32_t tap, uint32_t i) {
    const tiny_window *win = &l->op->window;
    const int32_t ky = (int32_t)(tap / win->kernel_w), kx = (int32_t)(tap % win->kernel_w);
    const uint32_t kept = l->op->kept, second = i + 1 < kept;
    int8_t *to = l->taken;
    if (reads_all(win, ky, kx)) {
        tiny_transpose_two(l->x + i, kept, (uint32_t)win->y.height * win->y.width, second, to,
                           l->pitch);
        return;
    }
    for (int32_t row = 0; row < win->y.height; row++, to += win->y.width) {
        take_row(l, l->x + i, tiny_window_row(win, row, ky), kx, second, to);
    }
}

/* Moves the weights whose sums are complete. */
static void move_waiting(const learning *l, waiting *b, uint32_t row_bytes) {
    for (uint32_t i = 0; i < b->outputs && b->count; i += TINY_LANES) {
        tiny_movers_move(&l->movers[i / TINY_LANES], &l->update,
                         (b->output + i) * row_bytes + b->weight, 1, l->sums + i, BLOCK, b->count);
    }
    b->weight += b->count;
    b->count = 0;
}

/* Adds the sums of two weights of each row, of channels that have been taken. */
static void sum_two(const learning *l, const waiting *b) {
    tiny_tiles tiles = {
        .column = {l->taken, l->taken + l->pitch},
        .rows = l->dy,
        .pitch = l->pitch,
        .rounds = l->pitch / 16,
        .tiles = (b->outputs + TINY_TILE_ROWS - 1) / TINY_TILE_ROWS,
        .sums = l->sums + b->count * BLOCK,
        .step = BLOCK * 4,
        .first = l->first,
    };
    tiny_update_tiles(&tiles);
}

/* Output channels [o, o + outputs). */
static void learn_block(const learning *l, const int8_t *dy, uint32_t o, uint32_t outputs) {
    const tiny_window *win = &l->op->window;
    const uint32_t taps = (uint32_t)win->kernel_h * win->kernel_w, kept = l->op->kept;
    waiting b = {o, outputs, 0, 0};
    for (uint32_t i = 0; i < outputs; i += TINY_LANES) {
        tiny_movers_begin(&l->movers[i / TINY_LANES], &l->update, l->op->descent.rate, o + i,
                          outputs - i < TINY_LANES ? outputs - i : TINY_LANES, taps * kept,
                          (uint32_t)win->y.height * win->y.width);
    }
    take_gradients(l, dy, &b);
    for (uint32_t tap = 0; tap < taps; tap++) {
        for (uint32_t i = 0; i < kept; i += TINY_TILE_COLUMNS) {
            take(l, tap, i);
            sum_two(l, &b);
            b.count += kept - i < TINY_TILE_COLUMNS ? 1 : TINY_TILE_COLUMNS;
            if (b.count + TINY_TILE_COLUMNS > SUMS) {
                move_waiting(l, &b, taps * kept);
            }
        }
    }
    move_waiting(l, &b, taps * kept);
}

void tiny_learn(const tiny_conv2d *op, const int8_t *x, const tiny_gradient *dy,
                const tiny_trained *w, tiny_state *state, void *scratch) {
    const uint32_t out = op->window.y.channels;
    learning l = {
        .op = op,
        .x = x,
        .update = tiny_begin_update(&op->descent, dy, w, state),
        .pitch = ((uint32_t)op->window.y.height * op->window.y.width + 15) / 16 * 16,
        .movers = scratch,
    };
    l.first = (int32_t *)(void *)(l.movers + GROUPS);
    l.sums = l.first + BLOCK;
    l.dy = (int8_t *)(l.sums + SUMS * BLOCK);
    l.taken = l.dy + BLOCK * l.pitch;
    for (uint32_t o = 0; o < out; o += BLOCK) {
        learn_block(&l, dy->d, o, out - o < BLOCK ? out - o : BLOCK);
    }
}

TINY_OP(conv2d_update_mve) {
    (void)band;
    const tiny_gradient dy = {buffers[1], buffers[2]};
    const tiny_trained w = {buffers[3], buffers[5], buffers[6]};
    tiny_learn(record, buffers[0], &dy, &w, buffers[4], buffers[TINY_SCRATCH]);
}
