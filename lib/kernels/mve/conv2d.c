/* Convolution with one group, forward: the windows of two positions are copied into rows of terms, and
 * then it is a fully connected layer (forward.h).
 *
 * A window has as many terms as an output channel has weights, in the order of the weights, so its
 * two parts are apart: the trained channels of all taps, then the frozen ones.
 */
#include <string.h>

#include "../../buffers.h"
#include "../../windows.h"
#include "forward.h"
#include "tinyflash/ops.h"

/* A window as one row of terms. */
typedef struct patch {
    int8_t *kept;   /* [kernel_h][kernel_w][kept] */
    int8_t *frozen; /* [kernel_h][kernel_w][depth - kept] */
} patch;

#if TINY_MVE_ASM

static inline void copy_bytes(int8_t *to, const int8_t *from, uint32_t count) {
    if (count) {
        __asm__ volatile(
            "dlstp.8 lr, %[count]\n"
            "1:\n"
            "vldrb.u8 q0, [%[from]], #16\n"
            "vstrb.8 q0, [%[to]], #16\n"
            "letp lr, 1b\n"
            : [from] "+&r"(from), [to] "+&r"(to)
            : [count] "r"(count)
            : "lr", "q0", "cc", "memory");
    }
}

/* Copies `rows` rows of `count` bytes, one at least, `step` bytes apart, to adjacent bytes. */
static inline void copy_rows(int8_t *to, const int8_t *from, uint32_t count, uint32_t step,
                             uint32_t rows) {
    const uint32_t whole = (count + 15) / 16 * 16;
    __asm__ volatile(
        "1:\n"
        "dlstp.8 lr, %[count]\n"
        "2:\n"
        "vldrb.u8 q0, [%[from]], #16\n"
        "vstrb.8 q0, [%[to]], #16\n"
        "letp lr, 2b\n"
        "add.w %[from], %[from], %[ahead]\n"
        "sub.w %[to], %[to], %[behind]\n"
        "subs.w %[rows], %[rows], #1\n"
        "bne 1b\n"
        : [from] "+&r"(from), [to] "+&r"(to), [rows] "+&r"(rows)
        : [count] "r"(count), [ahead] "r"(step - whole), [behind] "r"(whole - count)
        : "lr", "q0", "cc", "memory");
}

#else

/* The C twins. */
static inline void copy_bytes(int8_t *to, const int8_t *from, uint32_t count) {
    memcpy(to, from, count);
}

static inline void copy_rows(int8_t *to, const int8_t *from, uint32_t count, uint32_t step,
                             uint32_t rows) {
    for (; rows; rows--, from += step, to += count) {
        memcpy(to, from, count);
    }
}

#endif

static void fill_bytes(int8_t *to, int8_t with, uint32_t count) {
    if (count) {
        tiny_fill_bytes(to, count, with);
    }
}

/* Fills taps that are in the padding: their inputs equal the zero point, so they add 0. */
static void pad_taps(const tiny_conv2d *op, const patch *to, uint32_t tap, uint32_t count) {
    const uint32_t frozen = op->depth - op->kept;
    const int8_t zero = (int8_t)op->requant.x_zero;
    fill_bytes(to->kept + tap * op->kept, zero, count * op->kept);
    fill_bytes(to->frozen + tap * frozen, zero, count * frozen);
}

/* Copies taps that are inside the map; `from` is the position of the first one. */
static void copy_taps(const tiny_conv2d *op, const int8_t *from, const patch *to, uint32_t tap,
                      uint32_t count) {
    const uint32_t kept = op->kept, frozen = op->depth - op->kept;
    const uint32_t step = op->window.dilation_w * op->depth;
    if (op->window.dilation_w == 1 && (kept == 0 || frozen == 0)) { /* all of them are adjacent */
        copy_bytes((kept ? to->kept : to->frozen) + tap * op->depth, from, count * op->depth);
        return;
    }
    for (uint32_t i = 0; i < count; i++, tap++, from += step) {
        copy_bytes(to->kept + tap * kept, from, kept);
        copy_bytes(to->frozen + tap * frozen, from + kept, frozen);
    }
}

/* Whether a window of adjacent bytes in each row is inside the map, and its rows are not separated by
 * the end of a ring. */
static int is_plain(const tiny_conv2d *op, int32_t row, const tiny_taps *columns) {
    const tiny_window *win = &op->window;
    const int32_t top = tiny_window_row(win, row, 0), rows = (win->kernel_h - 1) * win->dilation_h;
    return (op->kept == 0 || op->kept == op->depth) && win->dilation_w == 1 &&
           columns->first == 0 && columns->end == win->kernel_w && top >= 0 &&
           top + rows < win->x.height &&
           tiny_slot((uint32_t)top, win->x.ring) + (uint32_t)rows < win->x.ring;
}

/* Copies the window at a position of y. */
static void gather(const tiny_conv2d *op, const int8_t *x, int32_t row, int32_t column,
                   int8_t *terms) {
    const tiny_window *win = &op->window;
    const uint32_t taps = win->kernel_w;
    const patch to = {terms, terms + win->kernel_h * taps * op->kept};
    const tiny_taps in_map = tiny_taps_inside(win, column);
    const uint32_t first = (uint32_t)in_map.first, end = (uint32_t)in_map.end;
    const int32_t left = tiny_window_column(win, column, in_map.first) * win->x.channels;
    if (is_plain(op, row, &in_map)) {
        const uint32_t step = (uint32_t)win->x.width * win->x.channels;
        copy_rows(terms, tiny_map_row(&win->x, x, tiny_window_row(win, row, 0)) + left,
                  taps * op->depth, win->dilation_h * step, win->kernel_h);
        return;
    }
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t iy = tiny_window_row(win, row, ky);
        const uint32_t tap = (uint32_t)ky * taps;
        if (iy < 0 || iy >= win->x.height || first == end) {
            pad_taps(op, &to, tap, taps);
            continue;
        }
        copy_taps(op, tiny_map_row(&win->x, x, iy) + left, &to, tap + first, end - first);
        if (end - first < taps) {
            pad_taps(op, &to, tap, first);
            pad_taps(op, &to, tap + end, taps - end);
        }
    }
}

/* One row of y. Of an odd number of columns the last is both of two. */
static void forward_row(const tiny_conv2d *op, const tiny_forward *f, const int8_t *x, int32_t row,
                        int8_t *y) {
    const tiny_map *out = &op->window.y;
    const uint32_t terms = f->part[0].terms + f->part[1].terms;
    int8_t *patch = tiny_forward_rest(f);
    for (int32_t column = 0; column < out->width; column += (int32_t)TINY_PLACES) {
        const uint32_t other = column + 1 < out->width;
        gather(op, x, row, column, patch);
        if (other) {
            gather(op, x, row, column + 1, patch + terms);
        }
        tiny_forward_two(f, patch, patch + other * terms, y, y + other * out->channels);
        y += TINY_PLACES * out->channels;
    }
}

TINY_OP(conv2d_forward_mve) {
    const tiny_conv2d *op = record;
    const tiny_map *out = &op->window.y;
    const tiny_weights w = tiny_weights_at(buffers + 1);
    const uint32_t taps = (uint32_t)op->window.kernel_h * op->window.kernel_w;
    const tiny_forward f =
        tiny_forward_begin(&op->requant, &w, buffers[3], out->channels, taps * op->kept,
                           taps * (op->depth - op->kept), buffers[TINY_SCRATCH]);
    for (int32_t row = band.first; row < band.first + band.count; row++) {
        forward_row(op, &f, buffers[0], row, tiny_map_row_out(out, buffers[4], row));
    }
}
