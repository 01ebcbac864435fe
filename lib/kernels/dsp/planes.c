/* Planes of four channels and their paired weights; see planes.h. */
#include "planes.h"

#include <stddef.h>

#include "../../arith.h"

uint32_t *tiny_planes_divide(tiny_correlation *c, uint32_t rows, uint32_t *scratch) {
    const uint32_t outputs = (c->out_width + TINY_QUAD - 1) / TINY_QUAD * TINY_QUAD;
    c->row_words = (outputs * c->stride + c->kernel_w + 2) / 2;
    c->words = c->stride == 1 ? c->kernel_w / 2 + 1 : (c->kernel_w + 1) / 2;
    c->weight_words = c->kernel_h * c->words * (c->stride == 1 ? 2 : 1);
    const uint32_t fit = TINY_PLANES_BYTES / (c->row_words * 4 * TINY_PLANES);
    const uint32_t most = fit < c->kernel_h ? 1 : (fit - c->kernel_h) / c->stride_h + 1;
    c->block = most < rows ? most : rows;
    c->plane_rows = (c->block - 1) * c->stride_h + c->kernel_h;
    c->planes = scratch;
    c->weights = scratch + TINY_PLANES * c->plane_rows * c->row_words;
    return c->weights + TINY_PLANES * c->weight_words;
}

/* ---- Planes ---- */

/* The columns of a plane that are inside the map: others are padding. */
typedef struct columns {
    uint32_t first, end;
} columns;

static columns inside(const tiny_correlation *c) {
    const int32_t all = (int32_t)c->row_words * 2;
    const columns in_map = {(uint32_t)tiny_max(c->pad_left, 0),
                            (uint32_t)tiny_max(tiny_min(c->source.width + c->pad_left, all), 0)};
    return in_map;
}

/* Rows of the source that outputs [first, first + rows) read, as rows of a plane. */
static uint32_t rows_read(const tiny_correlation *c, uint32_t rows) {
    return (rows - 1) * c->stride_h + c->kernel_h;
}

static int32_t first_read(const tiny_correlation *c, uint32_t first) {
    return (int32_t)(first * c->stride_h) - c->pad_top;
}

/* Clears a part of one row in all planes. */
static void clear_row(const tiny_correlation *c, uint32_t *row, uint32_t words) {
    for (uint32_t p = 0; p < TINY_PLANES; p++, row += c->plane_rows * c->row_words) {
        tiny_clear_words(row, words);
    }
}

/* Words that are only partly padding are cleared, too. */
void tiny_planes_clear(const tiny_correlation *c, uint32_t first, uint32_t rows) {
    const columns in_map = inside(c);
    int32_t row = first_read(c, first);
    uint32_t *to = c->planes;
    for (uint32_t i = rows_read(c, rows); i; i--, row++, to += c->row_words) {
        if (row < 0 || row >= c->source.height) {
            clear_row(c, to, c->row_words);
            continue;
        }
        clear_row(c, to, in_map.first / 2 + 1);
        clear_row(c, to + in_map.end / 2, c->row_words - in_map.end / 2);
    }
}

#if TINY_DSP_ASM

/* Two columns of four channels: 3 instructions to load, 4 to unpack, 4 to pair, 4 to store. */
#define TWO_COLUMNS                                 \
    "ldr.w %[a], [%[from]]\n"                       \
    "ldr.w %[b], [%[from], %[channels]]\n"          \
    "add.w %[from], %[from], %[channels], lsl #1\n" \
    "sxtab16 %[c], %[zeros], %[a]\n"                \
    "sxtab16 %[d], %[zeros], %[b]\n"                \
    "sxtab16 %[a], %[zeros], %[a], ror #8\n"        \
    "sxtab16 %[b], %[zeros], %[b], ror #8\n"        \
    "pkhbt %[e], %[c], %[d], lsl #16\n"             \
    "pkhtb %[c], %[d], %[c], asr #16\n"             \
    "str.w %[e], [%[at0]], #4\n"                    \
    "pkhbt %[d], %[a], %[b], lsl #16\n"             \
    "pkhtb %[a], %[b], %[a], asr #16\n"             \
    "str.w %[c], [%[at2]], #4\n"                    \
    "str.w %[d], [%[at1]], #4\n"                    \
    "str.w %[a], [%[at3]], #4\n"

/* `pairs` times two columns of four channels, to planes that are `plane` bytes apart. Columns may begin
 * at an odd one; then words are not aligned. */
TINY_APART static void unpack_pairs(const int8_t *from, uint32_t channels, uint32_t zeros,
                                    uint32_t pairs, int8_t *at0, size_t plane) {
    int8_t *at1 = at0 + plane, *at2 = at1 + plane, *at3 = at2 + plane;
    uint32_t a, b, c, d, e;
    __asm__ volatile(
        "tst %[pairs], #1\n"
        "bne 2f\n"
        "1:\n" TWO_COLUMNS "2:\n" TWO_COLUMNS
        "subs %[pairs], %[pairs], #2\n"
        "bgt 1b\n"
        : [from] "+r"(from), [pairs] "+r"(pairs), [at0] "+r"(at0), [at1] "+r"(at1), [at2] "+r"(at2),
          [at3] "+r"(at3), [a] "=&r"(a), [b] "=&r"(b), [c] "=&r"(c), [d] "=&r"(d), [e] "=&r"(e)
        : [channels] "r"(channels), [zeros] "r"(zeros)
        : "cc", "memory");
}

#else

/* The C twin. */
static void unpack_pairs(const int8_t *from, uint32_t channels, uint32_t zeros, uint32_t pairs,
                         int8_t *at0, size_t plane) {
    int8_t *at2 = at0 + 2 * plane;
    for (; pairs; pairs--, from += 2 * channels, at0 += 4, at2 += 4) {
        const uint32_t bytes = tiny_load(from), next = tiny_load(from + channels);
        const uint32_t even = tiny_add_even_bytes(zeros, bytes);
        const uint32_t odd = tiny_add_odd_bytes(zeros, bytes);
        const uint32_t next_even = tiny_add_even_bytes(zeros, next);
        const uint32_t next_odd = tiny_add_odd_bytes(zeros, next);
        tiny_store(at0, tiny_low_halves(even, next_even));
        tiny_store(at2, tiny_high_halves(even, next_even));
        tiny_store(at0 + plane, tiny_low_halves(odd, next_odd));
        tiny_store(at2 + plane, tiny_high_halves(odd, next_odd));
    }
}

#endif

/* One column. */
static void unpack_column(const int8_t *from, uint32_t zeros, int8_t *at, size_t plane) {
    const uint32_t bytes = tiny_load(from);
    const uint32_t even = tiny_add_even_bytes(zeros, bytes);
    const uint32_t odd = tiny_add_odd_bytes(zeros, bytes);
    tiny_store_half(at, even);
    tiny_store_half(at + plane, odd);
    tiny_store_half(at + 2 * plane, even >> 16);
    tiny_store_half(at + 3 * plane, odd >> 16);
}

void tiny_planes_fill(const tiny_correlation *c, const int8_t *from, uint32_t first,
                      uint32_t rows) {
    const columns in_map = inside(c);
    const uint32_t channels = c->source.channels, zeros = tiny_pair(-c->zero, -c->zero);
    const uint32_t count = in_map.end > in_map.first ? in_map.end - in_map.first : 0;
    const size_t plane = (size_t)c->plane_rows * c->row_words * 4; /* in bytes */
    int8_t *to = (int8_t *)c->planes + 2 * in_map.first;
    int32_t row = first_read(c, first);
    from += (in_map.first - (uint32_t)c->pad_left) * channels;
    for (uint32_t i = rows_read(c, rows); i; i--, row++, to += c->row_words * 4) {
        if (row < 0 || row >= c->source.height) {
            continue;
        }
        const int8_t *at = tiny_map_row(&c->source, from, row);
        if (count / 2) {
            unpack_pairs(at, channels, zeros, count / 2, to, plane);
        }
        if (count % 2) {
            unpack_column(at + (count - 1) * channels, zeros, to + 2 * (count - 1), plane);
        }
    }
}

/* ---- Weights ---- */

/* A tap of four channels: (0, 2) and (1, 3). */
typedef struct tap {
    uint32_t even, odd;
} tap;

static inline tap tap_of(const int8_t *w, int doubled) {
    const uint32_t bytes = tiny_load(w);
    tap t = {tiny_add_even_bytes(0, bytes), tiny_add_odd_bytes(0, bytes)};
    if (doubled) {
        t.even = tiny_add_halves(t.even, t.even);
        t.odd = tiny_add_halves(t.odd, t.odd);
    }
    return t;
}

/* Where pairs go: those of channels 0 and 2, and `step` words on those of 1 and 3. */
typedef struct pairs {
    uint32_t *at0, *at2;
    uint32_t step;
} pairs;

static inline void store_pair(pairs *to, tap first, tap second) {
    to->at0[to->step] = tiny_low_halves(first.odd, second.odd);
    to->at2[to->step] = tiny_high_halves(first.odd, second.odd);
    *to->at0++ = tiny_low_halves(first.even, second.even);
    *to->at2++ = tiny_high_halves(first.even, second.even);
}

/* `count` taps of a row, `step` bytes apart, for stride 1: pairs for even and for odd columns
 * alternate. */
static void pair_both(const int8_t *w, int32_t step, uint32_t count, int doubled, pairs *to) {
    const tap none = {0, 0};
    pairs at = *to;
    tap before = none; /* the tap to the left */
    for (; count >= 2; count -= 2, w += 2 * step) {
        const tap first = tap_of(w, doubled), second = tap_of(w + step, doubled);
        store_pair(&at, first, second);
        store_pair(&at, before, first);
        before = second;
    }
    const tap last = count ? tap_of(w, doubled) : none;
    store_pair(&at, last, none);
    store_pair(&at, before, last);
    *to = at;
}

/* The same for stride 2: all windows begin at even columns. */
static void pair_even(const int8_t *w, int32_t step, uint32_t count, int doubled, pairs *to) {
    const tap none = {0, 0};
    pairs at = *to;
    for (; count >= 2; count -= 2, w += 2 * step) {
        store_pair(&at, tap_of(w, doubled), tap_of(w + step, doubled));
    }
    if (count) {
        store_pair(&at, tap_of(w, doubled), none);
    }
    *to = at;
}

/* Gathers row `ky` of the taps of channels that are not adjacent. */
static void gather_row(const tiny_taps *taps, int32_t ky, uint32_t count, int8_t *to) {
    for (uint32_t p = 0; p < TINY_PLANES; p++) {
        const int8_t *w = taps->w[p] + ky * taps->row_step[p];
        for (uint32_t kx = 0; kx < count; kx++, w += taps->step[p]) {
            to[kx * TINY_PLANES + p] = *w;
        }
    }
}

void tiny_planes_pair(const tiny_correlation *c, const tiny_taps *taps, int doubled) {
    pairs to = {c->weights, c->weights + 2 * c->weight_words, c->weight_words};
    int8_t row[TINY_KERNEL_MAX * TINY_PLANES];
    for (int32_t ky = 0; ky < (int32_t)c->kernel_h; ky++) {
        const int8_t *w = taps->w[0] + ky * taps->row_step[0];
        int32_t step = taps->step[0];
        if (!taps->adjacent) {
            gather_row(taps, ky, c->kernel_w, row);
            w = row;
            step = TINY_PLANES;
        }
        if (c->stride == 1) {
            pair_both(w, step, c->kernel_w, doubled, &to);
        } else {
            pair_even(w, step, c->kernel_w, doubled, &to);
        }
    }
}

int32_t tiny_planes_sum(const tiny_correlation *c, uint32_t plane, uint32_t row, uint32_t column) {
    const uint32_t at = column * c->stride, step = c->stride == 1 ? 2 : 1;
    const uint32_t *x =
        c->planes + (plane * c->plane_rows + row * c->stride_h) * c->row_words + at / 2;
    const uint32_t *w = c->weights + plane * c->weight_words + at % 2,
                   *end = w - at % 2 + c->weight_words;
    int32_t sum = 0;
    for (; w < end; x += c->row_words - c->words) {
        for (uint32_t i = 0; i < c->words; i++, w += step, x++) {
            sum = tiny_add_dual(sum, *x, *w);
        }
    }
    return sum;
}
