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
        tiny_store_word(at0, tiny_low_halves(even, next_even));
        tiny_store_word(at2, tiny_high_halves(even, next_even));
        tiny_store_word(at0 + plane, tiny_low_halves(odd, next_odd));
        tiny_store_word(at2 + plane, tiny_high_halves(odd, next_odd));
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

/* Rows of taps of four adjacent channels, and where their pairs go. */
typedef struct tap_rows {
    uint32_t *to[TINY_PLANES];
    const int8_t *w;
    int32_t step; /* from tap to tap */
    int32_t down; /* from behind a row to the next one */
    uint32_t taps, rows;
} tap_rows;

#if TINY_DSP_ASM

/* Unpacks the taps of a word that is in `odd`. */
#define UNPACK(even, odd)   \
    "sxtb16 " even ", " odd \
    "\n"                    \
    "sxtb16 " odd ", " odd ", ror #8\n"
#define DOUBLE(even, odd)              \
    "sadd16 " even ", " even ", " even \
    "\n"                               \
    "sadd16 " odd ", " odd ", " odd "\n"
#define SINGLE(even, odd)

/* Stores two taps as a pair for each channel; `where` is what follows a pointer. */
#define PAIR(even, odd, next_even, next_odd, where) \
    "pkhbt lr, " even ", " next_even                \
    ", lsl #16\n"                                   \
    "str.w lr, [r4" where                           \
    "\n"                                            \
    "pkhbt lr, " odd ", " next_odd                  \
    ", lsl #16\n"                                   \
    "str.w lr, [r5" where                           \
    "\n"                                            \
    "pkhtb lr, " next_even ", " even                \
    ", asr #16\n"                                   \
    "str.w lr, [r6" where                           \
    "\n"                                            \
    "pkhtb lr, " next_odd ", " odd                  \
    ", asr #16\n"                                   \
    "str.w lr, [r8" where "\n"

/* The last tap, or none, and nothing behind it. */
#define LAST               \
    "uxth lr, r9\n"        \
    "str.w lr, [r4], #4\n" \
    "uxth lr, r10\n"       \
    "str.w lr, [r5], #4\n" \
    "lsr.w lr, r9, #16\n"  \
    "str.w lr, [r6], #4\n" \
    "lsr.w lr, r10, #16\n" \
    "str.w lr, [r8], #4\n"

/* The tap to the left is in r11 and r12, the next one in r9 and r10. With stride 1, pairs for odd columns
 * are behind those for even ones; with stride 2 there are none. */
#define BOTH(scale) \
    "2:\n"                                                                            \
    "ldr.w r10, [r1]\n" UNPACK("r9", "r10") scale("r9", "r10")                        \
        PAIR("r11", "r12", "r9", "r10", ", #4]")                                      \
    "ldr.w r12, [r1, r2]\n"                                                           \
    "add.w r1, r1, r2, lsl #1\n" UNPACK("r11", "r12") scale("r11", "r12")             \
        PAIR("r9", "r10", "r11", "r12", "], #8")                                      \
    "subs r3, #2\n"                                                                   \
    "bgt 2b\n"                                                                        \
    "3:\n"                                                                            \
    "mov.w r9, #0\n"                                                                  \
    "mov.w r10, #0\n"                                                                 \
    "adds r3, #1\n"                                                                   \
    "beq 4f\n"                                                                        \
    "ldr.w r10, [r1]\n"                                                               \
    "add r1, r1, r2\n" UNPACK("r9", "r10") scale("r9", "r10")                         \
    "4:\n" PAIR("r11", "r12", "r9", "r10", ", #4]") LAST                              \
    "add.w r4, r4, #4\n"                                                              \
    "add.w r5, r5, #4\n"                                                              \
    "add.w r6, r6, #4\n"                                                              \
    "add.w r8, r8, #4\n"
#define EVEN(scale) \
    "2:\n"                                                                            \
    "ldr.w r10, [r1]\n"                                                               \
    "ldr.w r12, [r1, r2]\n"                                                           \
    "add.w r1, r1, r2, lsl #1\n" UNPACK("r9", "r10") scale("r9", "r10")               \
        UNPACK("r11", "r12") scale("r11", "r12")                                      \
        PAIR("r9", "r10", "r11", "r12", "], #4")                                      \
    "subs r3, #2\n"                                                                   \
    "bgt 2b\n"                                                                        \
    "3:\n"                                                                            \
    "adds r3, #1\n"                                                                   \
    "beq 4f\n"                                                                        \
    "ldr.w r10, [r1]\n"                                                               \
    "add r1, r1, r2\n" UNPACK("r9", "r10") scale("r9", "r10") LAST                    \
    "4:\n"

#define AT(field) [field] "i"(offsetof(tap_rows, field))
#define PAIR_ROWS(name, row)                                                                   \
    TINY_APART static void name(tap_rows *taps) {                                              \
        register tap_rows *t __asm__("r0") = taps;                                             \
        __asm__ volatile(                                                                      \
            "ldmia.w r0, {r4, r5, r6, r8}\n"                                                   \
            "ldrd r1, r2, [r0, %[w]]\n"                                                        \
            "1:\n"                                                                             \
            "ldr r3, [r0, %[taps]]\n"                                                          \
            "mov.w r11, #0\n"                                                                  \
            "mov.w r12, #0\n"                                                                  \
            "subs r3, #1\n"                                                                    \
            "ble 3f\n" row                                                                     \
            "ldr r3, [r0, %[down]]\n"                                                          \
            "ldr.w lr, [r0, %[rows]]\n"                                                        \
            "add r1, r1, r3\n"                                                                 \
            "subs.w lr, lr, #1\n"                                                              \
            "str.w lr, [r0, %[rows]]\n"                                                        \
            "bne 1b\n"                                                                         \
            :                                                                                  \
            : "r"(t), AT(w), AT(taps), AT(down), AT(rows)                                      \
            : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", \
              "memory");                                                                       \
    }

PAIR_ROWS(pair_both, BOTH(SINGLE))
PAIR_ROWS(pair_both_doubled, BOTH(DOUBLE))
PAIR_ROWS(pair_even_doubled, EVEN(DOUBLE))

static void pair_rows(tap_rows *taps, int alternate, int doubled) {
    if (!alternate) {
        pair_even_doubled(taps);
    } else if (doubled) {
        pair_both_doubled(taps);
    } else {
        pair_both(taps);
    }
}

#else

/* The C twin: a tap of channel p. */
static uint32_t tap_of(const tap_rows *t, uint32_t tap, uint32_t p, int doubled) {
    const int32_t w = tap < t->taps ? t->w[(int32_t)tap * t->step + (int32_t)p] : 0;
    return (uint32_t)(doubled ? 2 * w : w);
}

static void pair_row(tap_rows *t, int alternate, int doubled) {
    for (uint32_t p = 0; p < TINY_PLANES; p++) {
        uint32_t before = 0;
        for (uint32_t i = 0; i < t->taps + (uint32_t)alternate; i += 2) {
            const uint32_t first = tap_of(t, i, p, doubled), second = tap_of(t, i + 1, p, doubled);
            *t->to[p]++ = tiny_low_halves(first, second);
            if (alternate) {
                *t->to[p]++ = tiny_low_halves(before, first);
            }
            before = second;
        }
    }
}

static void pair_rows(tap_rows *taps, int alternate, int doubled) {
    for (; taps->rows; taps->rows--) {
        pair_row(taps, alternate, doubled);
        taps->w += (int32_t)taps->taps * taps->step + taps->down;
    }
}

#endif

/* The weights of one channel: tap by tap, `width` bytes apart. */
typedef struct channel {
    const int8_t *w;
    int32_t width;
} channel;

static channel channel_of(const tiny_plane_taps *taps, uint32_t o) {
    const channel kept = {taps->w->kept + o, (int32_t)taps->kept};
    const channel frozen = {taps->w->frozen + (o - taps->kept), (int32_t)taps->frozen};
    return o < taps->kept ? kept : frozen;
}

/* Gathers row `ky` of the taps of channels that are not adjacent. */
static void gather_row(const tiny_plane_taps *taps, int32_t ky, uint32_t count, int8_t *to) {
    const tiny_tap_order *order = &taps->order;
    for (uint32_t p = 0; p < TINY_PLANES; p++) {
        const channel from = channel_of(taps, taps->from + p);
        const int8_t *w = from.w + (order->first + ky * order->row) * from.width;
        for (uint32_t kx = 0; kx < count; kx++, w += order->column * from.width) {
            to[kx * TINY_PLANES + p] = *w;
        }
    }
}

/* Channels that are not adjacent are paired row by row. Only a forward pass has stride 2, and it
 * doubles. */
void tiny_planes_pair(const tiny_correlation *c, const tiny_plane_taps *taps, int doubled) {
    const uint32_t each = c->weight_words, row = each / c->kernel_h;
    const int adjacent = taps->from + TINY_PLANES <= taps->kept || taps->from >= taps->kept;
    const channel from = channel_of(taps, taps->from);
    const tiny_tap_order *order = &taps->order;
    int8_t gathered[TINY_KERNEL_MAX * TINY_PLANES];
    tap_rows t;
    t.taps = c->kernel_w;
    t.w = adjacent ? from.w + order->first * from.width : gathered;
    t.step = adjacent ? order->column * from.width : TINY_PLANES;
    t.down = adjacent ? order->row * from.width - (int32_t)c->kernel_w * t.step : 0;
    for (uint32_t ky = 0; ky < c->kernel_h; ky += t.rows) {
        t.rows = adjacent ? c->kernel_h : 1;
        for (uint32_t p = 0; p < TINY_PLANES; p++) {
            t.to[p] = c->weights + p * each + ky * row;
        }
        if (!adjacent) {
            gather_row(taps, (int32_t)ky, c->kernel_w, gathered);
            t.w = gathered;
        }
        pair_rows(&t, c->stride == 1, doubled);
        t.rows = adjacent ? c->kernel_h : 1;
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
