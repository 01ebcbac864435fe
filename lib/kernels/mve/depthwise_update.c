/* Update of depthwise layers with multiplier 1: sums of windows of x (gather.h).
 *
 * The sum for a tap is a window of x by all of dy, and the taps are such windows side by side: so dy is
 * in vectors as weights are forward, 16 positions in one, and strides and dilations change places. A map
 * with more columns than a vector has is cut into strips, and one with many rows into blocks.
 */
#include <stddef.h>

#include "../../buffers.h"
#include "gather.h"
#include "tiles.h"
#include "tinyflash/ops.h"

/* A call. */
typedef struct call {
    const tiny_depthwise *op;
    const int8_t *x, *dy;
    tiny_update update;
    tiny_moving moving;
    uint32_t pitch, plane; /* bytes of a row of a plane, and of a plane */
    uint32_t block, strip; /* rows and columns of y at a time */
    uint32_t rows, taps;   /* of y in a vector; of the kernel */
    int parts;             /* whether there is more than one block or strip */
    tiny_windows windows;
    tiny_movers *movers; /* [TINY_PLANES / TINY_LANES] */
    int32_t *sums;       /* [taps][TINY_PLANES] */
    int32_t *some;       /* the same of a block; TINY_TOGETHER - 1 more */
    int8_t *planes;      /* [TINY_PLANES][plane], and what is read behind them */
    int8_t *w;           /* [TINY_PLANES][vectors][TINY_VECTOR] */
} call;

/* A part of y, of some channels. */
typedef struct part {
    uint32_t row, rows, column, columns;
    uint32_t o, channels;
} part;

#if TINY_MVE_ASM

/* Adds `some` and `first`, one for each channel, to the sums of all taps. */
static inline void add_sums(int32_t *sums, const int32_t *some, const int32_t *first,
                            uint32_t taps) {
    __asm__ volatile(
        "vldrw.u32 q4, [%[first]]\n"
        "vldrw.u32 q5, [%[first], #16]\n"
        "dls lr, %[taps]\n"
        "1:\n"
        "vldrw.u32 q0, [%[some]], #16\n"
        "vldrw.u32 q1, [%[some]], #16\n"
        "vldrw.u32 q2, [%[sums]]\n"
        "vldrw.u32 q3, [%[sums], #16]\n"
        "vadd.i32 q0, q0, q4\n"
        "vadd.i32 q1, q1, q5\n"
        "vadd.i32 q0, q0, q2\n"
        "vadd.i32 q1, q1, q3\n"
        "vstrw.32 q0, [%[sums]], #16\n"
        "vstrw.32 q1, [%[sums]], #16\n"
        "le lr, 1b\n"
        : [sums] "+&r"(sums), [some] "+&r"(some)
        : [first] "r"(first), [taps] "r"(taps)
        : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "cc", "memory");
}

#else

/* The C twin. */
static void add_sums(int32_t *sums, const int32_t *some, const int32_t *first, uint32_t taps) {
    for (uint32_t i = 0; i < TINY_PLANES * taps; i++) {
        sums[i] =
            (int32_t)((uint32_t)sums[i] + (uint32_t)some[i] + (uint32_t)first[i % TINY_PLANES]);
    }
}

#endif

/* The rows of a plane that `rows` rows of y are read from. */
static uint32_t rows_read(const tiny_window *win, uint32_t rows) {
    return (rows - 1) * win->stride_h + (win->kernel_h - 1u) * win->dilation_h + 1;
}

/* How much of y is taken at a time. */
static void cut(call *c) {
    const tiny_window *win = &c->op->window;
    c->strip = 1;
    while (c->strip < win->y.width && c->strip < TINY_VECTOR &&
           c->strip * win->stride_w + win->dilation_w <= TINY_OFFSET_MAX) {
        c->strip++;
    }
    c->pitch = (c->strip - 1) * win->stride_w + (win->kernel_w - 1u) * win->dilation_w + 1;
    c->block = 1;
    while (c->block < win->y.height &&
           TINY_PLANES * rows_read(win, c->block + 1) * c->pitch <= TINY_PLANES_BYTES) {
        c->block++;
    }
    c->plane = rows_read(win, c->block) * c->pitch;
    c->parts = c->block < win->y.height || c->strip < win->y.width;
}

/* What a part leaves out: of x the zero point, of dy zeros. */
static void clear(const call *c) {
    tiny_fill_bytes(c->planes, TINY_PLANES * c->plane, (int8_t)c->op->requant.x_zero);
    tiny_fill_bytes(c->w, TINY_PLANES * c->windows.vectors * TINY_VECTOR, 0);
}

/* Divides scratch; compiler/kernels/mve.py counts the same bytes. */
TINY_APART static void divide(call *c, void *scratch) {
    const tiny_window *win = &c->op->window;
    const uint32_t next = win->dilation_w;
    cut(c);
    c->taps = (uint32_t)win->kernel_h * win->kernel_w;
    c->movers = scratch;
    c->sums = (int32_t *)(void *)(c->movers + TINY_PLANES / TINY_LANES);
    c->some = c->sums + TINY_PLANES * c->taps;
    c->planes = (int8_t *)(c->some + TINY_PLANES * (c->taps + TINY_TOGETHER - 1));
    uint8_t (*offset)[TINY_VECTOR] = (uint8_t (*)[TINY_VECTOR])(
        void *)(c->planes + TINY_PLANES * c->plane + TINY_OFFSET_MAX + TINY_TOGETHER * next);
    c->w = (int8_t *)offset[TINY_PAIR];
    const tiny_split split = tiny_split_window(c->block, c->strip, win->stride_h * c->pitch,
                                               win->stride_w, next, offset);
    const uint32_t quads = (win->kernel_w + TINY_TOGETHER - 1) / TINY_TOGETHER;
    c->rows = split.rows;
    c->windows.vectors = split.vectors;
    c->windows.x_vector = split.rows * win->stride_h * c->pitch;
    c->windows.x_pair = TINY_PAIR * next;
    c->windows.x_row = win->dilation_h * c->pitch - quads * TINY_TOGETHER * next;
    c->windows.apart = TINY_PLANES * 4;
    c->windows.quad_apart = TINY_TOGETHER * c->windows.apart;
    c->windows.sums_row = (win->kernel_w - quads * TINY_TOGETHER) * TINY_PLANES * 4;
    c->windows.quads = quads;
    c->windows.offset = (const uint8_t (*)[TINY_VECTOR])offset;
    clear(c);
}

/* Copies the x that a part of y reads. */
TINY_APART static void fill_x(const call *c, const part *p) {
    const tiny_window *win = &c->op->window;
    const uint32_t kept = c->op->kept;
    const int32_t top = tiny_window_row(win, (int32_t)p->row, 0);
    const int32_t left = tiny_window_column(win, (int32_t)p->column, 0);
    const int32_t end = tiny_min(top + (int32_t)rows_read(win, p->rows), win->x.height);
    const int32_t begin = tiny_max(left, 0);
    const int32_t columns = tiny_min(left + (int32_t)c->pitch, win->x.width) - begin;
    for (int32_t row = tiny_max(top, 0); row < end && columns > 0; row++) {
        tiny_fill_planes(c->x + (uint32_t)(row * win->x.width + begin) * kept + p->o, kept,
                         (uint32_t)columns,
                         c->planes + (uint32_t)(row - top) * c->pitch + (begin - left), 1, c->plane,
                         p->channels);
    }
}

/* Copies the gradients of a part to vectors. */
TINY_APART static void fill_dy(const call *c, const part *p) {
    const tiny_map *y = &c->op->window.y;
    const int8_t *from = c->dy + (p->row * y->width + p->column) * y->channels + p->o;
    int8_t *vector = c->w;
    for (uint32_t row = 0, of = 0; row < p->rows; row++, of++, from += y->width * y->channels) {
        if (of == c->rows) {
            vector += TINY_VECTOR;
            of = 0;
        }
        tiny_fill_planes(from, y->channels, p->columns, vector + of * c->strip, 1,
                         c->windows.vectors * TINY_VECTOR, p->channels);
    }
}

/* Adds what a part gives. Of channels that there are not, sums are of no use. */
TINY_APART static void add_part(call *c, const part *p) {
    const uint32_t bytes = c->windows.vectors * TINY_VECTOR;
    int32_t first[TINY_PLANES];
    if (c->parts) {
        clear(c);
    }
    fill_x(c, p);
    fill_dy(c, p);
    for (uint32_t i = 0; i < p->channels; i++) {
        c->windows.x = c->planes + i * c->plane;
        c->windows.sums = c->some + i;
        c->windows.w = c->w + i * bytes;
        c->windows.rows = c->op->window.kernel_h;
        tiny_sum_windows(&c->windows);
        first[i] = -c->op->requant.x_zero * tiny_sum_bytes(c->windows.w, bytes);
    }
    for (uint32_t i = p->channels; i < TINY_PLANES; i++) {
        first[i] = 0;
    }
    add_sums(c->sums, c->some, first, c->taps);
}

/* Channels [o, o + channels). */
static void learn(call *c, uint32_t o, uint32_t channels) {
    const tiny_map *y = &c->op->window.y;
    tiny_fill_bytes((int8_t *)c->sums, c->taps * TINY_PLANES * 4, 0);
    for (uint32_t row = 0; row < y->height; row += c->block) {
        for (uint32_t column = 0; column < y->width; column += c->strip) {
            const part p = {
                row,    (uint32_t)tiny_min(y->height - (int32_t)row, (int32_t)c->block),
                column, (uint32_t)tiny_min(y->width - (int32_t)column, (int32_t)c->strip),
                o,      channels,
            };
            add_part(c, &p);
        }
    }
    for (uint32_t i = 0; i < channels; i += TINY_LANES) {
        tiny_movers *movers = c->movers + i / TINY_LANES;
        tiny_movers_begin(movers, &c->moving, o + i,
                          channels - i < TINY_LANES ? channels - i : TINY_LANES);
        tiny_movers_move(movers, &c->update, o + i, c->op->kept, c->sums + i, TINY_PLANES, c->taps);
    }
}

TINY_OP(depthwise_update_mve) {
    (void)band;
    const tiny_depthwise *op = record;
    const tiny_gradient dy = tiny_gradient_at(buffers + 1);
    const tiny_trained w = {buffers[3], buffers[5], buffers[6]};
    call c;
    c.op = op;
    c.x = buffers[0];
    c.dy = dy.d;
    c.update = tiny_begin_update(&op->descent, &dy, &w, buffers[4]);
    c.moving = tiny_moving_begin(&c.update, op->descent.rate, 1,
                                 (uint32_t)op->window.y.height * op->window.y.width, 0);
    divide(&c, buffers[TINY_SCRATCH]);
    for (uint32_t o = 0; o < op->kept; o += TINY_PLANES) {
        learn(&c, o, op->kept - o < TINY_PLANES ? op->kept - o : TINY_PLANES);
    }
}
