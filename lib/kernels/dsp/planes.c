/* Sums over windows of one channel; see planes.h.
 *
 * Four outputs of one row of taps, three taps wide, with stride 1: 1 load of three words of x, 2 loads
 * of two words of weights, 8 multiply-adds for 12 products, 5 for the end of the row.
 */
#include "planes.h"

#include <stddef.h>

#include "../../arith.h"

void tiny_planes_divide(tiny_correlation *c, uint32_t rows, uint32_t *scratch) {
    const uint32_t outputs = (c->out_width + TINY_QUAD - 1) / TINY_QUAD * TINY_QUAD;
    c->row_words = (outputs * c->stride + c->kernel_w + 2) / 2;
    c->words = c->stride == 1 ? c->kernel_w / 2 + 1 : (c->kernel_w + 1) / 2;
    const uint32_t fit = TINY_PLANES_BYTES / (c->row_words * 4 * TINY_PLANES);
    const uint32_t most = fit < c->kernel_h ? 1 : (fit - c->kernel_h) / c->stride_h + 1;
    c->block = most < rows ? most : rows;
    c->plane_rows = (c->block - 1) * c->stride_h + c->kernel_h;
    c->planes = scratch;
    c->weights = scratch + TINY_PLANES * c->plane_rows * c->row_words;
}

/* Clears one row in all planes. */
static void clear_row(const tiny_correlation *c, uint32_t *row, uint32_t words) {
    for (uint32_t p = 0; p < TINY_PLANES; p++, row += c->plane_rows * c->row_words) {
        tiny_clear_words(row, words);
    }
}

/* Unpacks `left` columns of four channels, two at a time: to the planes from `at` on, which are `plane`
 * bytes apart. They may begin at an odd column; then words are not aligned. */
TINY_APART static void unpack_columns(const int8_t *from, uint32_t channels, uint32_t minus_zeros,
                                      int32_t left, int8_t *at, size_t plane) {
    int8_t *at2 = at + 2 * plane;
    for (; left >= 2; left -= 2, from += 2 * channels, at += 4, at2 += 4) {
        const uint32_t bytes = tiny_load(from), next = tiny_load(from + channels);
        const uint32_t even = tiny_add_even_bytes(minus_zeros, bytes);
        const uint32_t odd = tiny_add_odd_bytes(minus_zeros, bytes);
        const uint32_t next_even = tiny_add_even_bytes(minus_zeros, next);
        const uint32_t next_odd = tiny_add_odd_bytes(minus_zeros, next);
        tiny_store(at, tiny_low_halves(even, next_even));
        tiny_store(at2, tiny_high_halves(even, next_even));
        tiny_store(at + plane, tiny_low_halves(odd, next_odd));
        tiny_store(at2 + plane, tiny_high_halves(odd, next_odd));
    }
    if (left == 1) {
        const uint32_t bytes = tiny_load(from);
        const uint32_t even = tiny_add_even_bytes(minus_zeros, bytes);
        const uint32_t odd = tiny_add_odd_bytes(minus_zeros, bytes);
        tiny_store_half(at, even);
        tiny_store_half(at2, even >> 16);
        tiny_store_half(at + plane, odd);
        tiny_store_half(at2 + plane, odd >> 16);
    }
}

/* Unpacks four channels of one row of the source into the same row of four planes. Columns of the
 * plane before `first` and from `end` on are padding. */
static void unpack_row(const tiny_correlation *c, const int8_t *from, uint32_t *to) {
    const uint32_t minus_zeros = tiny_pair(-c->zero, -c->zero);
    const size_t plane = (size_t)c->plane_rows * c->row_words * 4; /* in bytes */
    const uint32_t channels = c->source.channels;
    const int32_t columns = (int32_t)c->row_words * 2;
    const int32_t first = tiny_max(c->pad_left, 0);
    const int32_t end = tiny_min(c->source.width + c->pad_left, columns);
    clear_row(c, to, (uint32_t)first / 2 + 1);
    clear_row(c, to + end / 2, (uint32_t)(columns - end + 1) / 2);
    from += (uint32_t)(first - c->pad_left) * channels;
    unpack_columns(from, channels, minus_zeros, end - first, (int8_t *)to + 2 * first, plane);
}

void tiny_planes_fill(const tiny_correlation *c, const int8_t *from, uint32_t first,
                      uint32_t rows) {
    const uint32_t used = (rows - 1) * c->stride_h + c->kernel_h;
    int32_t row = (int32_t)(first * c->stride_h) - c->pad_top;
    uint32_t *to = c->planes;
    for (uint32_t i = 0; i < used; i++, row++, to += c->row_words) {
        if (row >= 0 && row < c->source.height) {
            unpack_row(c, tiny_map_row(&c->source, from, row), to);
        } else {
            clear_row(c, to, c->row_words);
        }
    }
}

/* Row of taps w[tap * step]. With stride 1, pairs for even and for odd columns alternate. */
static uint32_t *pair_row(const tiny_correlation *c, const int8_t *w, int32_t step, int32_t times,
                          uint32_t *to) {
    const int alternate = c->stride == 1;
    uint32_t before = 0; /* the tap to the left */
    uint32_t left = c->kernel_w;
    for (; left >= 2; left -= 2, w += 2 * step) {
        const uint32_t first = (uint32_t)(times * w[0]), second = (uint32_t)(times * w[step]);
        *to++ = tiny_low_halves(first, second);
        if (alternate) {
            *to++ = tiny_low_halves(before, first);
        }
        before = second;
    }
    const uint32_t last = left ? (uint32_t)(times * w[0]) : 0;
    if (left || alternate) {
        *to++ = tiny_low_halves(last, 0);
    }
    if (alternate) {
        *to++ = tiny_low_halves(before, last);
    }
    return to;
}

void tiny_planes_pair(const tiny_correlation *c, const int8_t *w, int32_t step, int32_t row_step,
                      int32_t times) {
    uint32_t *to = c->weights;
    for (uint32_t ky = 0; ky < c->kernel_h; ky++, w += row_step) {
        to = pair_row(c, w, step, times, to);
    }
}

tiny_outputs_row tiny_outputs_begin(const tiny_correlation *c) {
    const uint32_t loaded = c->words + (c->stride == 1 ? 1 : TINY_QUAD - 1);
    tiny_outputs_row outputs; /* field by field: an initializer becomes a call of memset */
    outputs.multiplier = 0;
    outputs.offset = 0;
    outputs.shift = 0;
    outputs.bias = 0;
    outputs.x = NULL;
    outputs.w = c->weights;
    outputs.w_end = c->weights + c->kernel_h * c->words * (c->stride == 1 ? 2 : 1);
    outputs.x_step = (c->row_words - loaded) * 4;
    outputs.x_advance = TINY_QUAD * 2 * c->stride;
    outputs.quads = 0;
    outputs.y = NULL;
    outputs.y_step = 0;
    outputs.sums = NULL;
    return outputs;
}

int32_t tiny_outputs_sum(const tiny_correlation *c, const tiny_outputs_row *row, uint32_t column) {
    const uint32_t at = column * c->stride, step = c->stride == 1 ? 2 : 1;
    const uint32_t *x = row->x + at / 2;
    int32_t sum = 0;
    for (const uint32_t *w = row->w + at % 2; w < row->w_end; x += c->row_words - c->words) {
        for (uint32_t i = 0; i < c->words; i++, w += step, x++) {
            sum = tiny_add_dual(sum, *x, *w);
        }
    }
    return sum;
}

#if TINY_DSP_ASM

#define WORDS_MAX 4 /* of a row of weights, paired */

/* The sums are in r1, r9, r10, r11; the row of outputs in r0; x in r12; weights in lr. Pairs of weights
 * times pairs of x, for windows that begin at words a, a, b, b and at words a, b, c, d. */
#define SUM(sum, w, x) "smlad " sum ", " w ", " x ", " sum "\n"
#define EVEN_ODD(a, b)                                                                  \
    "ldmia.w lr!, {r6, r8}\n" SUM("r1", "r6", a) SUM("r9", "r8", a) SUM("r10", "r6", b) \
        SUM("r11", "r8", b)
#define EVEN(a, b, c, d)                                                             \
    "ldr.w r8, [lr], #4\n" SUM("r1", "r8", a) SUM("r9", "r8", b) SUM("r10", "r8", c) \
        SUM("r11", "r8", d)

/* One row of taps with 1 to 4 words of weights, for stride 1 and for stride 2. */
#define TAPS_1_1 "ldmia.w r12!, {r2, r3}\n" EVEN_ODD("r2", "r3")
#define TAPS_1_2 "ldmia.w r12!, {r2, r3, r4}\n" EVEN_ODD("r2", "r3") EVEN_ODD("r3", "r4")
#define TAPS_1_3                                                                 \
    "ldmia.w r12!, {r2, r3, r4, r5}\n" EVEN_ODD("r2", "r3") EVEN_ODD("r3", "r4") \
        EVEN_ODD("r4", "r5")
#define TAPS_1_4 TAPS_1_3 "ldr.w r2, [r12], #4\n" EVEN_ODD("r5", "r2")
#define TAPS_2_1 "ldmia.w r12!, {r2, r3, r4, r5}\n" EVEN("r2", "r3", "r4", "r5")
#define TAPS_2_2 \
    "ldmia.w r12!, {r2, r3, r4, r5, r6}\n" EVEN("r2", "r3", "r4", "r5") EVEN("r3", "r4", "r5", "r6")
#define TAPS_2_3 TAPS_2_2 "ldr.w r2, [r12], #4\n" EVEN("r4", "r5", "r6", "r2")
#define TAPS_2_4 TAPS_2_3 "ldr.w r3, [r12], #4\n" EVEN("r5", "r6", "r2", "r3")

#define AT(field) [field] "i"(offsetof(tiny_outputs_row, field))

/* A function for each stride and width of weights. */
#define RUN(stride, words)                                                                     \
    TINY_APART static void run_##stride##_##words(tiny_outputs_row *outputs) {                 \
        register tiny_outputs_row *row __asm__("r0") = outputs;                                \
        __asm__ volatile(                                                                    \
            "1:\n"                                                                           \
            "ldr r1, [r0, %[bias]]\n"                                                        \
            "ldr.w r12, [r0, %[x]]\n"                                                        \
            "ldr.w lr, [r0, %[w]]\n"                                                         \
            "mov r9, r1\n mov r10, r1\n mov r11, r1\n"                                       \
            "2:\n" TAPS_##stride##_##words                                                   \
            "ldr r2, [r0, %[x_step]]\n"                                                      \
            "ldr r3, [r0, %[w_end]]\n"                                                       \
            "add r12, r12, r2\n"                                                             \
            "cmp lr, r3\n"                                                                   \
            "bne 2b\n"                                                                       \
            "ldr r3, [r0, %[y]]\n"                                                           \
            "cbz r3, 3f\n"                                                                   \
            "ldmia.w r0, {r4, r5, r6}\n" TINY_REQUANTIZE("r1") TINY_REQUANTIZE("r9")         \
                TINY_REQUANTIZE("r10") TINY_REQUANTIZE("r11")                                \
            "ldr r4, [r0, %[y_step]]\n"                                                      \
            "strb.w r1, [r3]\n"                                                              \
            "strb.w r9, [r3, r4]\n"                                                          \
            "strb.w r10, [r3, r4, lsl #1]\n"                                                 \
            "add r5, r3, r4\n"                                                               \
            "strb.w r11, [r5, r4, lsl #1]\n"                                                 \
            "add r3, r3, r4, lsl #2\n"                                                       \
            "str r3, [r0, %[y]]\n"                                                           \
            "b 4f\n"                                                                         \
            "3:\n"                                                                           \
            "ldr r3, [r0, %[sums]]\n"                                                        \
            "stmia.w r3!, {r1, r9, r10, r11}\n"                                              \
            "str r3, [r0, %[sums]]\n"                                                        \
            "4:\n"                                                                           \
            "ldr r2, [r0, %[x]]\n"                                                           \
            "ldr r3, [r0, %[x_advance]]\n"                                                   \
            "ldr r4, [r0, %[quads]]\n"                                                       \
            "add r2, r2, r3\n"                                                               \
            "str r2, [r0, %[x]]\n"                                                           \
            "subs r4, #1\n"                                                                  \
            "str r4, [r0, %[quads]]\n"                                                       \
            "bne.w 1b\n"                                                                     \
            :                                                                                \
            : "r"(row), AT(bias), AT(x), AT(w), AT(w_end), AT(x_step), AT(x_advance),        \
              AT(quads), AT(y), AT(y_step), AT(sums)                                         \
            : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr",     \
              "cc", "memory"); \
    }

RUN(1, 1)
RUN(1, 2)
RUN(1, 3)
RUN(1, 4)
RUN(2, 1)
RUN(2, 2)
RUN(2, 3)
RUN(2, 4)

static void run(const tiny_correlation *c, tiny_outputs_row *row) {
    switch (c->words + (c->stride == 1 ? 0 : WORDS_MAX)) {
        case 1:
            run_1_1(row);
            break;
        case 2:
            run_1_2(row);
            break;
        case 3:
            run_1_3(row);
            break;
        case 4:
            run_1_4(row);
            break;
        case WORDS_MAX + 1:
            run_2_1(row);
            break;
        case WORDS_MAX + 2:
            run_2_2(row);
            break;
        case WORDS_MAX + 3:
            run_2_3(row);
            break;
        default:
            run_2_4(row);
            break;
    }
}

#else

/* The C twin of the loops. */
static void run(const tiny_correlation *c, tiny_outputs_row *row) {
    for (; row->quads; row->quads--, row->x += row->x_advance / 4) {
        for (uint32_t i = 0; i < TINY_QUAD; i++) {
            if (!row->y) {
                *row->sums++ = row->bias + tiny_outputs_sum(c, row, i);
                continue;
            }
            const tiny_output output = {row->bias, row->multiplier, row->offset, row->shift};
            *row->y = tiny_output_byte(&output, tiny_outputs_sum(c, row, i) / 2);
            row->y += row->y_step;
        }
    }
}

#endif

void tiny_outputs_run(const tiny_correlation *c, tiny_outputs_row *row, uint32_t quads) {
    row->quads = quads;
    if (quads) {
        run(c, row);
    }
}
