/* Depthwise convolution with multiplier 1, kernels up to 7 wide, strides 1 and 2.
 *
 * Four channels at a time are unpacked into planes, one for each channel: rows of int16 without the
 * zero point, the padding included, so that no tap is tested later. In a plane neighbours of a row
 * are neighbours in memory, and one word holds two of them.
 *
 * Windows of outputs side by side begin at even and at odd columns of the plane, while words begin at
 * even ones. So a row of weights w0 w1 w2 is paired in two ways: (w0 w1)(w2 0) for a window that
 * begins at an even column, and (0 w0)(w1 w2) for the window to its right. Both then read the same
 * words. With stride 2 every window begins at an even column.
 *
 * A call is cut into blocks of rows, so that the planes of a block stay small. All channels of a
 * block are computed one after the other: rows of y are written before all of x has been read, so y
 * and x are apart (at_once in compiler/kernels/dsp.py).
 */
#include <stddef.h>
#include <string.h>

#include "../../arith.h"
#include "output.h"
#include "tinyflash/ops.h"

#define CHANNELS 4         /* of a group of planes */
#define COLUMNS 4          /* outputs that are computed together */
#define WORDS_MAX 4        /* of a row of weights, paired: (7 + 1) / 2 */
#define PLANES_BYTES 4096u /* that a block of rows may need, if it has more than one row */

/* How a call is divided; the same as in compiler/kernels/dsp.py. */
typedef struct layout {
    uint32_t row_words;  /* of a plane */
    uint32_t plane_rows; /* at most, in a block */
    uint32_t block;      /* rows of y in a block */
    uint32_t words;      /* of a row of weights, paired */
    uint32_t *planes;    /* [CHANNELS][plane_rows][row_words] */
    uint32_t *weights; /* [kernel_h][words][2]: for even columns, for odd ones; stride 2: [..][1] */
} layout;

static layout divided(const tiny_window *win, uint32_t rows, uint32_t *scratch) {
    const uint32_t outputs = ((uint32_t)win->y.width + COLUMNS - 1) / COLUMNS * COLUMNS;
    const uint32_t columns = outputs * win->stride_w + win->kernel_w + 1u;
    layout l = {.row_words = (columns + 1) / 2,
                .words = win->stride_w == 1 ? win->kernel_w / 2u + 1 : (win->kernel_w + 1u) / 2};
    const uint32_t row_bytes = l.row_words * 4 * CHANNELS;
    const uint32_t fit = PLANES_BYTES / row_bytes;
    l.block = fit < win->kernel_h ? 1 : (fit - win->kernel_h) / win->stride_h + 1;
    l.block = l.block < rows ? l.block : rows;
    l.plane_rows = (l.block - 1) * win->stride_h + win->kernel_h;
    l.planes = scratch;
    l.weights = scratch + CHANNELS * l.plane_rows * l.row_words;
    return l;
}

/* Unpacks four channels of one row of x into the same row of four planes, padding included. */
static void unpack_row(const tiny_window *win, const layout *l, const int8_t *x, int32_t zero,
                       uint32_t *to) {
    const uint32_t minus_zeros = tiny_pair(-zero, -zero);
    const size_t plane = (size_t)l->plane_rows * l->row_words * 2; /* in halves */
    const uint32_t channels = win->x.channels;
    const uint32_t left = win->pad_left / 2u, end = ((uint32_t)win->pad_left + win->x.width) / 2;
    for (uint32_t c = 0; c < CHANNELS; c++) {
        uint32_t *row = to + c * l->plane_rows * l->row_words;
        tiny_clear_words(row, left + 1);
        tiny_clear_words(row + end, l->row_words - end);
    }
    int16_t *at = (int16_t *)(void *)to + win->pad_left;
    int16_t *at2 = at + 2 * plane;
    for (uint32_t left_over = win->x.width; left_over; left_over--, x += channels) {
        const uint32_t bytes = tiny_load(x);
        const uint32_t even = tiny_add_even_bytes(minus_zeros, bytes);
        const uint32_t odd = tiny_add_odd_bytes(minus_zeros, bytes);
        at[plane] = (int16_t)odd;
        at2[plane] = (int16_t)(odd >> 16);
        *at++ = (int16_t)even;
        *at2++ = (int16_t)(even >> 16);
    }
}

/* Fills the rows of x that `rows` rows of y from `first` on read; x points to the first of the four
 * channels. */
static void fill_planes(const tiny_window *win, const layout *l, const int8_t *x, int32_t zero,
                        int32_t first, uint32_t rows) {
    const uint32_t used = (rows - 1) * win->stride_h + win->kernel_h;
    for (uint32_t i = 0; i < used; i++) {
        const int32_t row = tiny_window_row(win, first, 0) + (int32_t)i;
        uint32_t *to = l->planes + i * l->row_words;
        if (row >= 0 && row < win->x.height) {
            unpack_row(win, l, tiny_map_row(&win->x, x, row), zero, to);
            continue;
        }
        for (uint32_t c = 0; c < CHANNELS; c++) {
            tiny_clear_words(to + c * l->plane_rows * l->row_words, l->row_words);
        }
    }
}

/* Row `ky` of a channel's weights, w[tap * stride], doubled and paired. With stride 1 pairs for even
 * and for odd columns alternate, with stride 2 there are only those for even ones. Returns the end. */
static uint32_t *pair_row(const tiny_window *win, const layout *l, const int8_t *w, uint32_t stride,
                          uint32_t *to) {
    int32_t before = 0; /* the tap to the left */
    for (uint32_t tap = 0; tap < 2 * l->words; tap += 2) {
        const int32_t first = tap < win->kernel_w ? 2 * w[tap * stride] : 0;
        const int32_t second = tap + 1 < win->kernel_w ? 2 * w[(tap + 1) * stride] : 0;
        *to++ = tiny_pair(first, second);
        if (win->stride_w == 1) {
            *to++ = tiny_pair(before, first);
        }
        before = second;
    }
    return to;
}

/* Four outputs side by side. */
typedef struct quad {
    int32_t multiplier, offset, shift; /* of tiny_output */
    int32_t bias;
    const uint32_t *x; /* the word of the plane where the first window begins */
    const uint32_t *w, *w_end;
    uint32_t x_step; /* bytes from the end of the words of a row to the next row */
    int8_t *y;
    uint32_t y_step; /* bytes from output to output */
} quad;

#if TINY_DSP_ASM

/* The sums are in r1, r9, r10, r11; the quad in r0; x in r12; weights in lr. Pairs of weights times
 * pairs of x, for windows that begin at words a, a, b, b and at words a, b, c, d. */
#define SUM(sum, w, x) "smlad " sum ", " w ", " x ", " sum "\n"
#define EVEN_ODD(a, b)                                                                  \
    "ldmia.w lr!, {r6, r8}\n" SUM("r1", "r6", a) SUM("r9", "r8", a) SUM("r10", "r6", b) \
        SUM("r11", "r8", b)
#define EVEN(a, b, c, d)                                                             \
    "ldr.w r8, [lr], #4\n" SUM("r1", "r8", a) SUM("r9", "r8", b) SUM("r10", "r8", c) \
        SUM("r11", "r8", d)

/* The words of one row of weights, 1 to 4, with stride 1 and with stride 2. */
#define ROW_1_1 "ldmia.w r12!, {r2, r3}\n" EVEN_ODD("r2", "r3")
#define ROW_1_2 "ldmia.w r12!, {r2, r3, r4}\n" EVEN_ODD("r2", "r3") EVEN_ODD("r3", "r4")
#define ROW_1_3                                                                  \
    "ldmia.w r12!, {r2, r3, r4, r5}\n" EVEN_ODD("r2", "r3") EVEN_ODD("r3", "r4") \
        EVEN_ODD("r4", "r5")
#define ROW_1_4                                                                  \
    "ldmia.w r12!, {r2, r3, r4, r5}\n" EVEN_ODD("r2", "r3") EVEN_ODD("r3", "r4") \
        EVEN_ODD("r4", "r5") "ldr.w r2, [r12], #4\n" EVEN_ODD("r5", "r2")
#define ROW_2_1 "ldmia.w r12!, {r2, r3, r4, r5}\n" EVEN("r2", "r3", "r4", "r5")
#define ROW_2_2 \
    "ldmia.w r12!, {r2, r3, r4, r5, r6}\n" EVEN("r2", "r3", "r4", "r5") EVEN("r3", "r4", "r5", "r6")
#define ROW_2_3 ROW_2_2 "ldr.w r2, [r12], #4\n" EVEN("r4", "r5", "r6", "r2")
#define ROW_2_4 ROW_2_3 "ldr.w r3, [r12], #4\n" EVEN("r5", "r6", "r2", "r3")

#define ROWS(row)               \
    "1:\n" row                  \
    "ldr r2, [r0, %[x_step]]\n" \
    "ldr r3, [r0, %[w_end]]\n"  \
    "add r12, r12, r2\n"        \
    "cmp lr, r3\n"              \
    "bne 1b\n"

#define AT(field) [field] "i"(offsetof(quad, field))

/* A function for each width of weights and each stride. */
#define COMPUTE(stride, words)                                                                \
    TINY_APART static void compute_##stride##_##words(const quad *outputs) {                  \
        register const quad *q __asm__("r0") = outputs;                                       \
        __asm__ volatile("ldr r1, [r0, %[bias]]\n"                                          \
                         "ldr.w r12, [r0, %[x]]\n"                                          \
                         "ldr.w lr, [r0, %[w]]\n"                                           \
                         "mov r9, r1\n mov r10, r1\n mov r11, r1\n"                         \
                         ROWS(ROW_##stride##_##words)                                       \
                         "ldmia.w r0, {r4, r5, r6}\n"                                       \
                         TINY_REQUANTIZE("r1") TINY_REQUANTIZE("r9")                        \
                         TINY_REQUANTIZE("r10") TINY_REQUANTIZE("r11")                      \
                         "ldr r3, [r0, %[y]]\n"                                             \
                         "ldr r4, [r0, %[y_step]]\n"                                        \
                         "strb.w r1, [r3]\n"                                                \
                         "strb.w r9, [r3, r4]\n"                                            \
                         "strb.w r10, [r3, r4, lsl #1]\n"                                   \
                         "add r5, r3, r4\n"                                                 \
                         "strb.w r11, [r5, r4, lsl #1]\n"                                   \
                         :                                                                  \
                         : "r"(q), AT(bias), AT(x), AT(w), AT(w_end), AT(x_step), AT(y),    \
                           AT(y_step)                                                       \
                         : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11",    \
                           "r12", "lr", "cc", "memory"); \
    }

COMPUTE(1, 1)
COMPUTE(1, 2)
COMPUTE(1, 3)
COMPUTE(1, 4)
COMPUTE(2, 1)
COMPUTE(2, 2)
COMPUTE(2, 3)
COMPUTE(2, 4)

/* By stride and by the words of a row of weights. */
static void compute(const tiny_window *win, uint32_t words, const quad *outputs) {
    switch (words + (win->stride_w == 1 ? 0 : WORDS_MAX)) {
        case 1:
            compute_1_1(outputs);
            break;
        case 2:
            compute_1_2(outputs);
            break;
        case 3:
            compute_1_3(outputs);
            break;
        case 4:
            compute_1_4(outputs);
            break;
        case WORDS_MAX + 1:
            compute_2_1(outputs);
            break;
        case WORDS_MAX + 2:
            compute_2_2(outputs);
            break;
        case WORDS_MAX + 3:
            compute_2_3(outputs);
            break;
        default:
            compute_2_4(outputs);
    }
}

#endif

/* The sum of a window that begins `column` outputs after the quad's first, not doubled, no bias. */
static int32_t window_sum(const tiny_window *win, const layout *l, const quad *q, uint32_t column) {
    const uint32_t at = column * win->stride_w; /* columns of the plane */
    const uint32_t step = win->stride_w == 1 ? 2 : 1;
    const uint32_t *x = q->x + at / 2;
    int32_t sum = 0;
    for (const uint32_t *w = q->w + at % 2; w < q->w_end; x += l->row_words - l->words) {
        for (uint32_t i = 0; i < l->words; i++, w += step, x++) {
            sum += tiny_dual(*x, *w);
        }
    }
    return sum / 2;
}

#if !TINY_DSP_ASM

/* The C twin of the loops. */
static void compute_twin(const tiny_window *win, const layout *l, const quad *q) {
    for (uint32_t i = 0; i < COLUMNS; i++) {
        const int32_t sum = window_sum(win, l, q, i) + q->bias / 2;
        const int32_t high = tiny_high_multiply(sum, q->multiplier);
        const int32_t y = (high - (high < 0) + q->offset) >> q->shift;
        q->y[i * q->y_step] = (int8_t)tiny_clamp(y, -128, 127);
    }
}

#endif

/* Computes the outputs of a quad; as SPEC 2.2 says it where channel `o` is an exception. */
static void run(const tiny_depthwise *op, const layout *l, const quad *q, uint32_t o,
                int32_t bias) {
    if (q->multiplier < 0) {
        for (uint32_t i = 0; i < COLUMNS; i++) {
            const int32_t sum = bias + window_sum(&op->window, l, q, i);
            q->y[i * q->y_step] = tiny_requantize(&op->requant, o, sum);
        }
        return;
    }
#if TINY_DSP_ASM
    compute(&op->window, l->words, q);
#else
    compute_twin(&op->window, l, q);
#endif
}

/* The columns of one row of y in channel `o`; y points to the first of them. */
static void compute_row(const tiny_depthwise *op, const layout *l, quad *q, uint32_t o,
                        int32_t bias, int8_t *y) {
    const tiny_map *out = &op->window.y;
    const uint32_t step = out->channels, advance = COLUMNS * op->window.stride_w / 2u;
    uint32_t left = out->width;
    for (; left >= COLUMNS; left -= COLUMNS, y += COLUMNS * step, q->x += advance) {
        q->y = y;
        q->y_step = step;
        run(op, l, q, o, bias);
    }
    int8_t last[COLUMNS];
    q->y = last;
    q->y_step = 1;
    if (left) {
        run(op, l, q, o, bias);
    }
    for (uint32_t i = 0; i < left; i++, y += step) {
        *y = last[i];
    }
}

/* The loops saturate to int8. Few layers have narrower bounds. */
static void narrow_row(const tiny_depthwise *op, int8_t *y) {
    const tiny_map *out = &op->window.y;
    for (uint32_t i = 0; i < out->width; i++, y += out->channels) {
        *y = (int8_t)tiny_clamp(*y, op->requant.y_min, op->requant.y_max);
    }
}

/* A block of rows of y in channel `o`, whose plane is filled. */
static void compute_channel(const tiny_depthwise *op, const layout *l, const uint32_t *plane,
                            const tiny_weights *w, const int32_t *b, uint32_t o, int8_t *y,
                            tiny_band band) {
    const tiny_window *win = &op->window;
    const uint32_t kept = op->kept, frozen = win->y.channels - kept;
    const int8_t *from = o < kept ? w->kept + o : w->frozen + (o - kept);
    const uint32_t stride = o < kept ? kept : frozen;
    const tiny_output output = tiny_output_of(&op->requant, b, o, win->kernel_h * win->kernel_w);
    const uint32_t loaded = l->words + (win->stride_w == 1 ? 1 : COLUMNS - 1);
    quad q = {output.multiplier,
              output.offset,
              output.shift,
              output.bias,
              plane,
              l->weights,
              NULL,
              (l->row_words - loaded) * 4,
              NULL,
              0};
    uint32_t *end = l->weights;
    for (uint32_t ky = 0; ky < win->kernel_h; ky++, from += win->kernel_w * stride) {
        end = pair_row(win, l, from, stride, end);
    }
    q.w_end = end;
    for (int32_t row = 0; row < band.count; row++) {
        int8_t *to = tiny_map_row_out(&win->y, y, band.first + row) + o;
        q.x = plane + (uint32_t)row * win->stride_h * l->row_words;
        compute_row(op, l, &q, o, b ? b[o] : 0, to);
        if (op->requant.y_min > -128 || op->requant.y_max < 127) {
            narrow_row(op, to);
        }
    }
}

/* All channels, four at a time; the last four may repeat some. */
static void compute_block(const tiny_depthwise *op, const layout *l, const int8_t *x,
                          const tiny_weights *w, const int32_t *b, int8_t *y, tiny_band band) {
    const uint32_t channels = op->window.y.channels;
    for (uint32_t o = 0; o < channels; o += CHANNELS) {
        const uint32_t first = o + CHANNELS <= channels ? o : channels - CHANNELS;
        fill_planes(&op->window, l, x + first, op->requant.x_zero, band.first, band.count);
        for (uint32_t c = 0; c < CHANNELS; c++) {
            compute_channel(op, l, l->planes + c * l->plane_rows * l->row_words, w, b, first + c, y,
                            band);
        }
    }
}

static void forward(const tiny_depthwise *op, const int8_t *x, const tiny_weights *w,
                    const int32_t *b, int8_t *y, tiny_band band, uint32_t *scratch) {
    const layout l = divided(&op->window, band.count, scratch);
    const uint32_t end = (uint32_t)band.first + band.count;
    for (uint32_t row = band.first; row < end; row += l.block) {
        const uint32_t rows = end - row < l.block ? end - row : l.block;
        const tiny_band block = {(uint16_t)row, (uint16_t)rows};
        compute_block(op, &l, x, w, b, y, block);
    }
}

TINY_OP(depthwise_forward_dsp) {
    const tiny_weights w = {buffers[1], buffers[2]};
    forward(record, buffers[0], &w, buffers[3], buffers[4], band, buffers[TINY_SCRATCH]);
}
