/* Input gradients of pools and of means: some channels of a position at a time, whose sums are stored as
 * those of layers are (tiles.h).
 *
 * Maximum: 16 channels at a time, position after position of a window is compared with the one whose
 * gradient is wanted. It gets the window's dy where no position before is as large and none behind is
 * larger.
 */
#include <string.h>

#include "../../buffers.h"
#include "../../windows.h"
#include "tiles.h"
#include "tinyflash/ops.h"

#define PANEL TINY_STORED_AT_ONCE
#define SIXTEEN 16u /* channels of a maximum */

#if TINY_MVE_ASM

/* Adds gradients times a factor to sums. */
static inline void add_times(const int8_t *dy, int32_t factor, uint32_t count, int32_t *sums) {
    __asm__ volatile(
        "dlstp.32 lr, %[count]\n"
        "1:\n"
        "vldrb.s32 q0, [%[dy]], #4\n"
        "vldrw.u32 q1, [%[sums]]\n"
        "vmla.s32 q1, q0, %[factor]\n"
        "vstrw.32 q1, [%[sums]], #16\n"
        "letp lr, 1b\n"
        : [dy] "+&l"(dy), [sums] "+&r"(sums)
        : [count] "r"(count), [factor] "r"(factor)
        : "lr", "q0", "q1", "cc", "memory");
}

/* Gradients as sums. */
static inline void widen(const int8_t *dy, uint32_t count, int32_t *sums) {
    __asm__ volatile(
        "dlstp.32 lr, %[count]\n"
        "1:\n"
        "vldrb.s32 q0, [%[dy]], #4\n"
        "vstrw.32 q0, [%[sums]], #16\n"
        "letp lr, 1b\n"
        : [dy] "+&l"(dy), [sums] "+&r"(sums)
        : [count] "r"(count)
        : "lr", "q0", "cc", "memory");
}

/* Clears bytes of `keep`, of `some` channels, whose x is not above that of all positions, one at least,
 * from `from` on; or is below one. */
#define COMPARE_FUNCTION(name, condition)                                                         \
    static inline void name(const int8_t *from, uint32_t step, uint32_t positions, uint32_t some, \
                            const int8_t *x, int8_t *keep) {                                      \
        __asm__ volatile(                                                                         \
            "vctp.8 %[some]\n"                                                                    \
            "vpstt\n"                                                                             \
            "vldrbt.u8 q0, [%[x]]\n"                                                              \
            "vldrbt.u8 q2, [%[keep]]\n"                                                           \
            "dls lr, %[positions]\n"                                                              \
            "1:\n"                                                                                \
            "vctp.8 %[some]\n"                                                                    \
            "vpst\n"                                                                              \
            "vldrbt.u8 q1, [%[from]]\n"                                                           \
            "add.w %[from], %[from], %[step]\n"                                                   \
            "vpt.s8 " condition                                                                   \
            ", q1, q0\n"                                                                          \
            "vmovt.i8 q2, #0\n"                                                                   \
            "le lr, 1b\n"                                                                         \
            "vctp.8 %[some]\n"                                                                    \
            "vpst\n"                                                                              \
            "vstrbt.8 q2, [%[keep]]\n"                                                            \
            : [from] "+&r"(from)                                                                  \
            : [step] "r"(step), [positions] "r"(positions), [some] "r"(some), [x] "r"(x),         \
              [keep] "r"(keep)                                                                    \
            : "lr", "q0", "q1", "q2", "cc", "memory");                                            \
    }

COMPARE_FUNCTION(clear_unless_above, "ge")
COMPARE_FUNCTION(clear_where_below, "gt")

#else

/* The C twins. */
static void clear_from(const int8_t *from, uint32_t step, uint32_t positions, uint32_t some,
                       const int8_t *x, int8_t *keep, int32_t least) {
    for (; positions; positions--, from += step) {
        for (uint32_t i = 0; i < some; i++) {
            keep[i] = from[i] >= x[i] + least ? 0 : keep[i];
        }
    }
}

static void clear_unless_above(const int8_t *from, uint32_t step, uint32_t positions, uint32_t some,
                               const int8_t *x, int8_t *keep) {
    clear_from(from, step, positions, some, x, keep, 0);
}

static void clear_where_below(const int8_t *from, uint32_t step, uint32_t positions, uint32_t some,
                              const int8_t *x, int8_t *keep) {
    clear_from(from, step, positions, some, x, keep, 1);
}

static void add_times(const int8_t *dy, int32_t factor, uint32_t count, int32_t *sums) {
    for (uint32_t i = 0; i < count; i++) {
        sums[i] += dy[i] * factor;
    }
}

static void widen(const int8_t *dy, uint32_t count, int32_t *sums) {
    for (uint32_t i = 0; i < count; i++) {
        sums[i] = dy[i];
    }
}

#endif

/* ---- Average ---- */

/* Channels [first, first + count) of a position, whose elements in dx begin at `at`. */
static void average_panel(const tiny_pool *op, const tiny_gradient_store *s, const int8_t *dy,
                          tiny_extent over, uint32_t first, uint32_t count, uint32_t at) {
    const tiny_map *y = &op->window.y;
    int32_t sums[PANEL] = {0};
    for (int32_t oy = over.top; oy < over.bottom; oy++) {
        for (int32_t ox = over.left; ox < over.right; ox++) {
            add_times(dy + (oy * y->width + ox) * y->channels + first, tiny_share_of(op, oy, ox),
                      count, sums);
        }
    }
    tiny_gradient_store_adjacent(s, at, sums, count);
}

TINY_OP(average_pool_backward_input_mve) {
    (void)band;
    const tiny_pool *op = record;
    const tiny_map *x = &op->window.x;
    const tiny_gradient dy = tiny_gradient_at(buffers);
    const tiny_gradient_out dx = tiny_following(&dy, buffers + 2);
    const tiny_factor one = {0x8000, (int16_t)(-15 - op->reciprocal_shift)};
    const uint32_t elements = (uint32_t)x->height * x->width * x->channels;
    tiny_gradient_store s;
    uint32_t at = 0;
    tiny_gradient_store_begin(&s, &dx, &one, dy.scale->exponent, elements);
    for (int32_t row = 0; row < x->height; row++) {
        for (int32_t column = 0; column < x->width; column++, at += x->channels) {
            const tiny_extent over = tiny_windows_over(&op->window, row, column);
            for (uint32_t c = 0; c < x->channels; c += PANEL) {
                const uint32_t left = x->channels - c;
                average_panel(op, &s, dy.d, over, c, left < PANEL ? left : PANEL, at + c);
            }
        }
    }
}

/* ---- Maximum ---- */

/* Some channels of a position. */
typedef struct place {
    const tiny_map *map;
    const int8_t *x; /* of channel 0 of the map on */
    int32_t row, column;
    uint32_t c, some;
} place;

/* Positions [left, right) of a row of a window, which are before the place, or not. */
static void compare(const place *p, int32_t row, int32_t left, int32_t right, int before,
                    int8_t *keep) {
    const uint32_t channels = p->map->channels;
    const int8_t *x = p->x + (uint32_t)(p->row * p->map->width + p->column) * channels + p->c;
    const int8_t *from = p->x + (uint32_t)(row * p->map->width + left) * channels + p->c;
    if (left < right && before) {
        clear_unless_above(from, channels, (uint32_t)(right - left), p->some, x, keep);
    } else if (left < right) {
        clear_where_below(from, channels, (uint32_t)(right - left), p->some, x, keep);
    } else {
        /* nothing of the row is on this side */
    }
}

/* What a window passes to a place, of its gradients in `keep`. */
static void pass(const place *p, tiny_extent e, int8_t *keep) {
    for (int32_t row = e.top; row < e.bottom; row++) {
        const int32_t end = row < p->row ? e.right : (row > p->row ? e.left : p->column);
        compare(p, row, e.left, end, 1, keep);
        compare(p, row, end, e.right, 0, keep);
    }
}

static void maximum_panel(const tiny_pool *op, const tiny_gradient_store *s, const int8_t *dy,
                          tiny_extent over, const place *p, uint32_t at) {
    const tiny_map *y = &op->window.y;
    int32_t sums[SIXTEEN] = {0};
    int8_t keep[SIXTEEN];
    for (int32_t oy = over.top; oy < over.bottom; oy++) {
        for (int32_t ox = over.left; ox < over.right; ox++) {
            memcpy(keep, dy + (uint32_t)(oy * y->width + ox) * y->channels + p->c, p->some);
            pass(p, tiny_extent_of(&op->window, oy, ox), keep);
            add_times(keep, 1, p->some, sums);
        }
    }
    tiny_gradient_store_adjacent(s, at, sums, p->some);
}

TINY_OP(max_pool_backward_input_mve) {
    (void)band;
    const tiny_pool *op = record;
    const tiny_map *x = &op->window.x;
    const tiny_gradient dy = tiny_gradient_at(buffers + 1);
    const tiny_gradient_out dx = tiny_following(&dy, buffers + 3);
    const tiny_factor one = {0x8000, -15};
    tiny_gradient_store s;
    uint32_t at = 0;
    tiny_gradient_store_begin(&s, &dx, &one, dy.scale->exponent,
                              (uint32_t)x->height * x->width * x->channels);
    for (int32_t row = 0; row < x->height; row++) {
        for (int32_t column = 0; column < x->width; column++, at += x->channels) {
            const tiny_extent over = tiny_windows_over(&op->window, row, column);
            for (uint32_t c = 0; c < x->channels; c += SIXTEEN) {
                const uint32_t left = x->channels - c;
                const place p = {x, buffers[0], row, column, c, left < SIXTEEN ? left : SIXTEEN};
                maximum_panel(op, &s, dy.d, over, &p, at + c);
            }
        }
    }
}

/* ---- Mean ---- */

/* By elements of dx, in order: every `count` of them have the same dy. */
TINY_OP(mean_backward_input_mve) {
    (void)band;
    const tiny_mean *op = record;
    const tiny_gradient dy = tiny_gradient_at(buffers);
    const tiny_gradient_out dx = tiny_following(&dy, buffers + 2);
    tiny_gradient_store s;
    tiny_gradient_store_begin(&s, &dx, &op->reciprocal, dy.scale->exponent,
                              op->outer * op->count * op->inner);
    uint32_t at = 0;
    for (uint32_t n = 0; n < op->outer * op->count; n++) {
        const int8_t *d = dy.d + n / op->count * op->inner;
        for (uint32_t i = 0; i < op->inner; i += PANEL) {
            const uint32_t count = op->inner - i < PANEL ? op->inner - i : PANEL;
            int32_t sums[PANEL];
            widen(d + i, count, sums);
            tiny_gradient_store_adjacent(&s, at, sums, count);
            at += count;
        }
    }
}
