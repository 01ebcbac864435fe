/* Update of convolutions with one group; of fully connected layers, too, which are convolutions of 1x1
 * (fully_connected_gradients.c).
 *
 * The update sums over positions. What one tap reads of two channels is transposed once for
 * TINY_BLOCK output channels; their weights move when some sums of each are complete.
 */
#include <stddef.h>

#include "../../buffers.h"
#include "tiles.h"
#include "tinyflash/ops.h"

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
        .point = tiny_is_point(win),
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
