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

#include "../../buffers.h"
#include "tiles.h"
#include "tinyflash/ops.h"

/* ---- Input gradient ---- */

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

/* Whether each position of x and y reads itself alone, as in a fully connected layer. */
static int is_point(const tiny_window *win) {
    return win->kernel_h * win->kernel_w == 1 && win->stride_h * win->stride_w == 1 &&
           win->pad_top + win->pad_left == 0 && win->x.width == win->y.width &&
           win->x.height == win->y.height;
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
    descending d = {.op = op, .dy = dy, .pitch = whole(terms), .point = is_point(win)};
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

/* ---- Update ---- */

/* The same in compiler/kernels/mve.py. */
#define BLOCK 24u       /* output channels whose weights move together */
#define LARGE_BLOCK 48u /* the same of LARGE_PITCH positions at most */
#define LARGE_PITCH 32u
#define SMALL_BLOCK 12u /* the same where BLOCK gradients at all positions were too many bytes */
#define BLOCK_BYTES 6144u
#define FEW 16u /* positions, which are one vector: rows then stay in registers for all columns */
#define FEW_SUMS 64u /* of these, of each output channel, before weights move */

/* A call of the update. Rows and columns are over positions of y, in whole vectors of 16. */
typedef struct learning {
    const tiny_conv2d *op;
    const int8_t *x;
    tiny_update update;
    tiny_moving moving;
    int point;           /* whether each position of y reads the same one of x alone */
    uint32_t pitch;      /* positions in whole vectors */
    uint32_t block;      /* BLOCK, LARGE_BLOCK or SMALL_BLOCK */
    int few;             /* pitch is FEW: sums are made when weights move */
    int fours;           /* few, point: what four channels are is transposed together */
    uint32_t most;       /* sums of a row that wait: FEW_SUMS or TINY_UPDATE_SUMS */
    tiny_movers *movers; /* [block / TINY_LANES] */
    int32_t *sums;       /* [block / TINY_LANES; few: 1][most][TINY_LANES] */
    int8_t *dy;          /* [block][pitch], four rows together as tiles.h has them */
    int8_t *taken;       /* [TINY_TILE_COLUMNS; few: most][pitch]: what a tap reads of a channel */
} learning;

/* Sums of a block that wait for their weights to move. */
typedef struct waiting {
    uint32_t output, outputs; /* of the block */
    uint32_t weight;          /* the first of a row that has not moved */
    uint32_t count;
} waiting;

static uint32_t gradient_row(const learning *l, uint32_t i) {
    return i / TINY_LANES * TINY_LANES * l->pitch + i % TINY_LANES * 16;
}

/* Transposes the gradients of a block: rows of the tiles, with zeros behind the last position. To a sum
 * is added what the zero point of x takes off. */
TINY_APART static void take_gradients(const learning *l, const int8_t *dy, const waiting *b) {
    const tiny_map *y = &l->op->window.y;
    const uint32_t positions = (uint32_t)y->height * y->width;
    if (positions < l->pitch) {
        tiny_fill_bytes(l->dy, l->block * l->pitch, 0);
    }
    for (uint32_t i = 0; i < b->outputs; i += TINY_TILE_COLUMNS) {
        tiny_transpose_apart(dy + b->output + i, y->channels, i + 1 < b->outputs, positions,
                             l->dy + gradient_row(l, i));
    }
    for (uint32_t i = 0; i < b->outputs; i++) {
        l->movers[i / TINY_LANES].first[i % TINY_LANES] =
            -l->op->requant.x_zero * tiny_sum_apart(l->dy + gradient_row(l, i), l->pitch);
    }
}

/* The outputs [first, end) along an axis at which a tap reads a position of the map, not padding; from:
 * what it reads at output 0. */
typedef struct span {
    int32_t first, end;
} span;

static span span_of(int32_t from, int32_t stride, int32_t extent, int32_t outputs) {
    const int32_t first = from < 0 ? (stride - 1 - from) / stride : 0;
    const int32_t end = extent > from ? (extent - 1 - from) / stride + 1 : 0;
    const span s = {first, tiny_min(end, outputs)};
    return s;
}

/* What a tap reads of channel i and the next one, at all positions: two columns. */
TINY_APART static void take(const learning *l, uint32_t tap, uint32_t i, int8_t *to) {
    const tiny_window *win = &l->op->window;
    const uint32_t kept = l->op->kept;
    const int32_t top = tiny_window_row(win, 0, (int32_t)(tap / win->kernel_w));
    const int32_t left = tiny_window_column(win, 0, (int32_t)(tap % win->kernel_w));
    const span rows = span_of(top, win->stride_h, win->x.height, win->y.height);
    const span columns = span_of(left, win->stride_w, win->x.width, win->y.width);
    const int32_t height = rows.end - rows.first, width = columns.end - columns.first;
    if (height != win->y.height || width != win->y.width) {
        tiny_fill_bytes(to, TINY_TILE_COLUMNS * l->pitch, (int8_t)l->op->requant.x_zero);
    }
    if (height <= 0 || width <= 0) {
        return;
    }
    const int32_t row = top + rows.first * win->stride_h;
    const int32_t column = left + columns.first * win->stride_w;
    const int unbroken =
        win->stride_h == 1 && win->stride_w == 1 && width == win->x.width && width == win->y.width;
    const tiny_columns from_x = {
        .from = l->x + (uint32_t)(row * win->x.width + column) * kept + i,
        .to = to + rows.first * win->y.width + columns.first,
        .stride = kept * win->stride_w,
        .second = i + 1 < kept,
        .count = (uint32_t)(unbroken ? height * width : width),
        .lines = (uint32_t)(unbroken ? 1 : height),
        .line = (uint32_t)win->stride_h * win->x.width * kept,
        .pitch = l->pitch,
        .to_line = win->y.width,
    };
    tiny_transpose_two(&from_x);
}

/* Moves the weights whose sums are complete, or whose columns are. */
TINY_APART static void move_waiting(const learning *l, waiting *b) {
    const uint32_t row_bytes = l->moving.row_bytes, count = b->count;
    const int8_t *dy = l->dy;
    const int32_t *sums = l->sums;
    uint32_t at = b->output * row_bytes + b->weight, clamped = 0;
    tiny_movers *end = l->movers + (b->outputs + TINY_LANES - 1) / TINY_LANES;
    for (tiny_movers *m = l->movers; m < end; m++, at += TINY_LANES * row_bytes) {
        if (l->few) {
            tiny_update_few(l->taken, dy, l->sums, count);
            dy += TINY_LANES * FEW;
        }
        if (m->vector && m->words) {
            clamped += tiny_move_words(m, l->update.plain + at, sums, count / 4);
        } else {
            tiny_movers_move(m, &l->update, at, 1, sums, TINY_LANES, count);
        }
        sums += l->few ? 0 : TINY_UPDATE_SUMS * TINY_LANES;
    }
    tiny_count_clamped(l->update.state, clamped);
    b->weight += count;
    b->count = 0;
}

/* Begins the rows of a block. */
static void begin_block(const learning *l, const int8_t *dy, const waiting *b) {
    for (uint32_t i = 0; i < b->outputs; i += TINY_LANES) {
        const uint32_t rows = b->outputs - i < TINY_LANES ? b->outputs - i : TINY_LANES;
        tiny_movers_begin(&l->movers[i / TINY_LANES], &l->moving, b->output + i, rows);
    }
    take_gradients(l, dy, b);
}

/* The weights of a block by the channels of each position, of which there are few. */
static void learn_fours(const learning *l, waiting *b) {
    const uint32_t kept = l->op->kept;
    const uint32_t positions = (uint32_t)l->op->window.y.height * l->op->window.y.width;
    for (uint32_t i = 0; i < kept; i += FEW_SUMS) {
        b->count = kept - i < FEW_SUMS ? kept - i : FEW_SUMS;
        tiny_transpose_fours(l->x + i, kept, positions, b->count / 4, l->taken);
        move_waiting(l, b);
    }
}

/* The same by what each tap reads of two channels. */
static void learn_pairs(const learning *l, waiting *b) {
    const tiny_window *win = &l->op->window;
    const uint32_t taps = (uint32_t)win->kernel_h * win->kernel_w, kept = l->op->kept;
    const uint32_t positions = (uint32_t)win->y.height * win->y.width;
    tiny_update_tile tile = {
        .column = {l->taken, l->taken + l->pitch},
        .end = l->taken + l->pitch,
        .rows = l->dy,
        .quads = (b->outputs + TINY_LANES - 1) / TINY_LANES,
    };
    for (uint32_t tap = 0; tap < taps; tap++) {
        for (uint32_t i = 0; i < kept; i += TINY_TILE_COLUMNS) {
            int8_t *to = l->taken + (l->few ? b->count * FEW : 0);
            if (l->point) {
                tiny_transpose_pair(l->x + i, kept, i + 1 < kept, positions, to, l->pitch);
            } else {
                take(l, tap, i, to);
            }
            if (!l->few) {
                tile.sums = l->sums + b->count * TINY_LANES;
                tiny_update_tiles(&tile);
            }
            b->count += kept - i < TINY_TILE_COLUMNS ? 1 : TINY_TILE_COLUMNS;
            if (b->count + TINY_TILE_COLUMNS > l->most) {
                move_waiting(l, b);
            }
        }
    }
    if (b->count) {
        move_waiting(l, b);
    }
}

/* Begins a call and divides scratch. Four weights of a row move at a time where sums wait until there are
 * multiples of four. */
TINY_APART static learning prepare(const tiny_conv2d *op, const int8_t *x, const tiny_gradient *dy,
                                   const tiny_trained *w, tiny_state *state, void *scratch) {
    const tiny_window *win = &op->window;
    const uint32_t positions = (uint32_t)win->y.height * win->y.width;
    const uint32_t row_bytes = (uint32_t)win->kernel_h * win->kernel_w * op->kept;
    learning l = {
        .op = op,
        .x = x,
        .update = tiny_begin_update(&op->descent, dy, w, state),
        .pitch = (positions + 15) / 16 * 16,
        .movers = scratch,
        .point = is_point(win),
    };
    l.moving =
        tiny_moving_begin(&l.update, op->descent.rate, row_bytes, positions, op->kept % 2 == 0);
    l.few = l.pitch == FEW;
    l.fours = l.few && l.point && op->kept % 4 == 0 && (uintptr_t)x % 4 == 0;
    l.most = l.few ? FEW_SUMS : TINY_UPDATE_SUMS;
    l.block = BLOCK * l.pitch <= BLOCK_BYTES ? BLOCK : SMALL_BLOCK;
    l.block = l.pitch <= LARGE_PITCH ? LARGE_BLOCK : l.block;
    l.sums = (int32_t *)(void *)(l.movers + l.block / TINY_LANES);
    l.dy = (int8_t *)(l.sums + l.most * (l.few ? TINY_LANES : l.block));
    l.taken = l.dy + l.block * l.pitch;
    return l;
}

void tiny_learn(const tiny_conv2d *op, const int8_t *x, const tiny_gradient *dy,
                const tiny_trained *w, tiny_state *state, void *scratch) {
    const uint32_t out = op->window.y.channels;
    learning l = prepare(op, x, dy, w, state, scratch);
    l.moving.update = &l.update;
    for (uint32_t o = 0; o < out; o += l.block) {
        waiting b = {o, out - o < l.block ? out - o : l.block, 0, 0};
        begin_block(&l, dy->d, &b);
        if (l.fours) {
            learn_fours(&l, &b);
        } else {
            learn_pairs(&l, &b);
        }
    }
}

TINY_OP(conv2d_update_mve) {
    (void)band;
    const tiny_gradient dy = tiny_gradient_at(buffers + 1);
    const tiny_trained w = {buffers[3], buffers[5], buffers[6]};
    tiny_learn(record, buffers[0], &dy, &w, buffers[4], buffers[TINY_SCRATCH]);
}
