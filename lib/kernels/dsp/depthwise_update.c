/* Update of depthwise convolutions with one output for each channel.
 *
 * Four channels at a time are unpacked into planes of int16: x without its zero point and with its
 * padding, and dy. The sum for a tap is then a product of two planes, shifted against each other: words
 * of dy begin at even columns, those of x at any. With a stride s, columns of x are sorted by their rest
 * modulo s, so that what a tap reads for adjacent outputs is adjacent. Three taps share the words of dy:
 * 15 instructions for 12 products, 8 for the end of a row.
 */
#include <stddef.h>

#include "../../arith.h"
#include "../../buffers.h"
#include "../../update.h"
#include "lanes.h"
#include "tinyflash/ops.h"

#define CHANNELS 4u        /* of a group */
#define TAPS 3u            /* that are summed together */
#define PLANES_BYTES 4096u /* that a block of rows may need, if it has more than one row */

/* A call. Rows of planes are halves of words, those of dy an even number. */
typedef struct planes {
    const tiny_depthwise *op;
    uint32_t x_phase; /* halves between columns of x with one rest and those with the next */
    uint32_t x_row, dy_row;
    uint32_t x_rows, block; /* rows of the x and dy planes, at most */
    uint32_t taps;          /* rounded up to TAPS */
    int8_t *x, *dy;         /* [CHANNELS][x_rows][x_row], [CHANNELS][block][dy_row] */
    int32_t *sums;          /* [CHANNELS][taps] */
} planes;

/* Rows of x that `rows` rows of outputs read. */
static uint32_t rows_read(const tiny_window *win, uint32_t rows) {
    return (rows - 1) * win->stride_h + (win->kernel_h - 1u) * win->dilation_h + 1;
}

static uint32_t bytes_of(const planes *p, uint32_t rows) {
    return CHANNELS * 2 * (rows_read(&p->op->window, rows) * p->x_row + rows * p->dy_row);
}

/* Divides scratch; compiler/kernels/dsp.py counts the same bytes. */
static planes divide(const tiny_depthwise *op, uint32_t *scratch) {
    const tiny_window *win = &op->window;
    const uint32_t reach = (win->kernel_w - 1u) * win->dilation_w / win->stride_w;
    planes p = {.op = op};
    p.dy_row = (win->y.width + 1u) / 2 * 2;
    p.x_phase = (p.dy_row + reach + 2) / 2 * 2;
    p.x_row = win->stride_w * p.x_phase;
    p.taps = ((uint32_t)win->kernel_h * win->kernel_w + TAPS - 1) / TAPS * TAPS;
    p.block = 1;
    while (p.block < win->y.height && bytes_of(&p, p.block + 1) <= PLANES_BYTES) {
        p.block++;
    }
    p.x_rows = rows_read(win, p.block);
    p.sums = (int32_t *)scratch;
    p.x = (int8_t *)(scratch + CHANNELS * p.taps);
    p.dy = p.x + CHANNELS * 2 * p.x_rows * p.x_row;
    return p;
}

/* ---- Planes ---- */

/* Stores a column of four channels at the same place of each plane. */
static inline void put(uint32_t bytes, uint32_t minus_zeros, int8_t *to, uint32_t plane) {
    const uint32_t even = tiny_add_even_bytes(minus_zeros, bytes);
    const uint32_t odd = tiny_add_odd_bytes(minus_zeros, bytes);
    tiny_store_half(to, even & 0xFFFFu);
    tiny_store_half(to + plane, odd & 0xFFFFu);
    tiny_store_half(to + 2 * plane, even >> 16);
    tiny_store_half(to + 3 * plane, odd >> 16);
}

/* One row of x, of which the columns that no tap reads are left out. */
static void put_row(const planes *p, const int8_t *x, uint32_t count, int8_t *to) {
    const tiny_window *win = &p->op->window;
    const uint32_t minus_zeros = tiny_pair(-p->op->requant.x_zero, -p->op->requant.x_zero);
    uint32_t phase = win->pad_left % win->stride_w, at = win->pad_left / win->stride_w;
    for (uint32_t column = 0; column < win->x.width && at < p->x_phase;
         column++, x += p->op->kept) {
        put(tiny_load_some(x, count), minus_zeros, to + 2 * (phase * p->x_phase + at),
            2 * p->x_rows * p->x_row);
        phase++;
        if (phase == win->stride_w) {
            phase = 0;
            at++;
        }
    }
}

/* The x that outputs [first, first + rows) read, of `count` channels from x on. */
static void fill_x(const planes *p, const int8_t *x, uint32_t count, uint32_t first,
                   uint32_t rows) {
    const tiny_window *win = &p->op->window;
    tiny_clear_words((uint32_t *)(void *)p->x, CHANNELS * p->x_rows * p->x_row / 2);
    for (uint32_t row = 0; row < rows_read(win, rows); row++) {
        const int32_t iy = tiny_window_row(win, (int32_t)first, 0) + (int32_t)row;
        if (iy >= 0 && iy < win->x.height) {
            put_row(p, x + (uint32_t)iy * win->x.width * p->op->kept, count,
                    p->x + 2 * row * p->x_row);
        }
    }
}

static void fill_dy(const planes *p, const int8_t *dy, uint32_t count, uint32_t first,
                    uint32_t rows) {
    const tiny_map *out = &p->op->window.y;
    const int8_t *from = dy + first * out->width * out->channels;
    tiny_clear_words((uint32_t *)(void *)p->dy, CHANNELS * p->block * p->dy_row / 2);
    for (uint32_t row = 0; row < rows; row++) {
        int8_t *to = p->dy + 2 * row * p->dy_row;
        for (uint32_t column = 0; column < out->width; column++, from += out->channels, to += 2) {
            put(tiny_load_some(from, count), 0, to, 2 * p->block * p->dy_row);
        }
    }
}

/* ---- Sums ---- */

/* Products of some rows of a plane of dy with a plane of x at three places. */
typedef struct products {
    const int8_t *dy;
    const int8_t *x[TAPS];
    int32_t *sums;      /* [TAPS], which are added to */
    uint32_t row_bytes; /* of dy; less 4, since a row ends with one pair or with none */
    uint32_t x_step;    /* bytes from the end of what a row reads of x to the next */
    uint32_t rows;
} products;

#if TINY_DSP_ASM

#define AT(name, field) [name] "i"(offsetof(products, field))

/* Two pairs of one tap, and one. */
#define TWO(x, sum)                \
    "ldr.w r11, [" x               \
    "], #4\n"                      \
    "smlad " sum ", r9, r11, " sum \
    "\n"                           \
    "ldr.w r11, [" x               \
    "], #4\n"                      \
    "smlad " sum ", r10, r11, " sum "\n"
#define ONE(x, sum)  \
    "ldr.w r11, [" x \
    "], #4\n"        \
    "smlad " sum ", r9, r11, " sum "\n"

static TINY_APART void add_products(const products *p) {
    __asm__ volatile(
        "ldr r1, [%[p], %[dy]]\n"
        "ldr r2, [%[p], %[x]]\n"
        "ldr r3, [%[p], %[x] + 4]\n"
        "ldr r4, [%[p], %[x] + 8]\n"
        "ldr.w r12, [%[p], %[sums]]\n"
        "ldr.w lr, [%[p], %[rows]]\n"
        "ldmia.w r12, {r5, r6, r8}\n"
        "1:\n"
        "ldr.w r12, [%[p], %[row_bytes]]\n"
        "add.w r12, r12, r1\n"
        "b 3f\n"
        "2:\n"
        "ldmia.w r1!, {r9, r10}\n" TWO("r2", "r5") TWO("r3", "r6") TWO("r4", "r8")
        "3:\n"
        "cmp r1, r12\n"
        "blo 2b\n"
        "bne 4f\n"
        "ldr.w r9, [r1], #4\n" ONE("r2", "r5") ONE("r3", "r6") ONE("r4", "r8")
        "4:\n"
        "ldr.w r11, [%[p], %[x_step]]\n"
        "add r2, r2, r11\n"
        "add r3, r3, r11\n"
        "add r4, r4, r11\n"
        "subs.w lr, lr, #1\n"
        "bne 1b\n"
        "ldr.w r12, [%[p], %[sums]]\n"
        "stmia.w r12, {r5, r6, r8}\n"
        :
        : [p] "r"(p), AT(dy, dy), AT(x, x), AT(sums, sums), AT(rows, rows),
          AT(row_bytes, row_bytes), AT(x_step, x_step)
        : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc",
          "memory");
}

#else

/* The C twin. */
static void add_products(const products *p) {
    const uint32_t bytes = p->row_bytes + 4;
    for (uint32_t tap = 0; tap < TAPS; tap++) {
        const int8_t *dy = p->dy, *x = p->x[tap];
        for (uint32_t row = 0; row < p->rows; row++, dy += bytes, x += bytes + p->x_step) {
            for (uint32_t i = 0; i < bytes; i += 4) {
                p->sums[tap] = tiny_add_dual(p->sums[tap], tiny_load(dy + i), tiny_load(x + i));
            }
        }
    }
}

#endif

/* Bytes from the first x of a row of outputs to what a tap reads; of taps beyond the last, its own. */
static uint32_t place_of(const planes *p, uint32_t tap) {
    const tiny_window *win = &p->op->window;
    const uint32_t last = (uint32_t)win->kernel_h * win->kernel_w - 1;
    const uint32_t ky = (tap < last ? tap : last) / win->kernel_w;
    const uint32_t kx = (tap < last ? tap : last) % win->kernel_w * win->dilation_w;
    return 2 *
           (ky * win->dilation_h * p->x_row + kx % win->stride_w * p->x_phase + kx / win->stride_w);
}

/* Adds what a block of `rows` rows of outputs gives, for all taps of `count` channels. */
static void add_block(const planes *p, uint32_t count, uint32_t rows) {
    const uint32_t bytes = 2 * p->dy_row;
    products of = {.row_bytes = bytes - 4, .rows = rows};
    of.x_step = 2 * p->op->window.stride_h * p->x_row - bytes;
    for (uint32_t tap = 0; tap < p->taps; tap += TAPS) {
        const uint32_t places[TAPS] = {place_of(p, tap), place_of(p, tap + 1),
                                       place_of(p, tap + 2)};
        for (uint32_t c = 0; c < count; c++) {
            const int8_t *x = p->x + c * 2 * p->x_rows * p->x_row;
            of.dy = p->dy + c * p->block * bytes;
            of.x[0] = x + places[0];
            of.x[1] = x + places[1];
            of.x[2] = x + places[2];
            of.sums = p->sums + c * p->taps + tap;
            add_products(&of);
        }
    }
}

/* ---- Update ---- */

/* The sums of `count` channels from x and dy on (SPEC 6.1). */
static void sum_up(const planes *p, const int8_t *x, const int8_t *dy, uint32_t count) {
    const uint32_t height = p->op->window.y.height;
    tiny_clear_words((uint32_t *)p->sums, CHANNELS * p->taps);
    for (uint32_t first = 0; first < height; first += p->block) {
        const uint32_t rows = height - first < p->block ? height - first : p->block;
        fill_x(p, x, count, first, rows);
        fill_dy(p, dy, count, first, rows);
        add_block(p, count, rows);
    }
}

/* Moves the weights of channel c. */
static void move(const planes *p, const tiny_update *update, uint32_t c, const int32_t *sums) {
    const uint32_t taps = (uint32_t)p->op->window.kernel_h * p->op->window.kernel_w;
    tiny_row row = tiny_begin_row(update, &p->op->descent.rate[c], c);
    for (uint32_t tap = 0; tap < taps && row.moves; tap++) {
        tiny_update_weight(update, &row, tap * p->op->kept + c, sums[tap]);
    }
}

TINY_OP(depthwise_update_dsp) {
    (void)band;
    const tiny_depthwise *op = record;
    const int8_t *x = buffers[0];
    const tiny_gradient dy = tiny_gradient_at(buffers + 1);
    const tiny_trained w = {buffers[3], buffers[5], buffers[6]};
    const tiny_update update = tiny_begin_update(&op->descent, &dy, &w, buffers[4]);
    const planes p = divide(op, buffers[TINY_SCRATCH]);
    for (uint32_t c = 0; c < op->kept; c += CHANNELS) {
        const uint32_t count = op->kept - c < CHANNELS ? op->kept - c : CHANNELS;
        sum_up(&p, x + c, dy.d + c, count);
        for (uint32_t i = 0; i < count; i++) {
            move(&p, &update, c + i, p.sums + i * p.taps);
        }
    }
}
