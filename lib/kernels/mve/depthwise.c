/* Depthwise convolution forward, multiplier 1: a channel's window in few vectors.
 *
 * Eight channels at a time are copied into planes, padding included: there neighbours of a row are
 * adjacent bytes. A load that gathers then takes up to 16 taps of a window, as many rows of it as fit,
 * and one instruction multiplies them by the weights and adds up all products. So a window of 3 x 3 is
 * one vector, 5 x 5 are two, 7 x 7 are four. Dilations and strides only change the offsets.
 *
 * What the zero point of x takes off is the same for all positions, those in the padding included, whose
 * inputs are the zero point. So the sums of a channel begin with it.
 */
#include <stddef.h>

#include "../../arith.h"
#include "../../buffers.h"
#include "gather.h"
#include "helium.h"
#include "tinyflash/ops.h"

/* Rows of outputs of one channel. Assembly knows the order of these fields. */
typedef struct lines {
    const int8_t *x;       /* in the plane: the first window of a row */
    int8_t *y;             /* the first output of a row */
    uint32_t x_row, y_row; /* bytes from row to row */
    const int8_t *w;       /* [vectors][TINY_VECTOR] */
    uint32_t vectors;
    uint32_t x_vector; /* bytes from what a vector reads to what the next one does */
    uint32_t x_pair;   /* bytes from an output to the one after the next */
    uint32_t width;    /* outputs of a row */
    uint32_t rows;     /* that are left */
    int32_t bias, zero;
    int32_t multiplier, right; /* right: of a rounding shift, 0 or negative */
    int32_t left, one;         /* one: 1 where right is not 0, else 0 */
    uint32_t y_four;           /* bytes from four outputs to the next four */
    int32_t least[4], most[4];
    uint32_t y_offset[4]; /* of four outputs */
    const uint8_t (
        *offset)[TINY_VECTOR]; /* [TINY_PAIR]: of the taps of a vector, for two outputs */
} lines;

/* A call. */
typedef struct call {
    const tiny_depthwise *op;
    uint32_t pitch;                 /* bytes of a row of a plane */
    uint32_t plane;                 /* bytes of a plane */
    uint32_t block;                 /* rows of outputs at a time */
    uint32_t taps, vectors;         /* taps of a vector */
    int8_t *planes;                 /* [TINY_PLANES][plane], and what is read behind them */
    int8_t *w;                      /* [vectors][TINY_VECTOR] */
    uint8_t (*offset)[TINY_VECTOR]; /* [TINY_PAIR] */
} call;

#if TINY_MVE_ASM

#define AT(field) [field] "i"(offsetof(lines, field))

/* A row begins. */
#define BEGIN_ROW                    \
    "ldrd r5, r8, [r12]\n"           \
    "ldrd r0, r2, [r12, %[x_row]]\n" \
    "add r0, r5\n"                   \
    "add r2, r8\n"                   \
    "strd r0, r2, [r12]\n"           \
    "ldr r7, [r12, %[width]]\n"
/* Sums in r0, r2, r4, r6 to int8; r3, lr, r9, r10, r11: y_four, zero, bias, multiplier, right. */
#define STORE_FOUR                  \
    "vmov d2, r0, r2\n"             \
    "vmov d3, r4, r6\n"             \
    "ldrd r0, r2, [r12, %[left]]\n" \
    "vadd.i32 q1, q1, r9\n"         \
    "vshl.s32 q1, r0\n"             \
    "vqrdmulh.s32 q1, q1, r10\n"    \
    "vpt.s32 lt, q1, zr\n"          \
    "vsubt.i32 q1, q1, r2\n"        \
    "vrshl.s32 q1, r11\n"           \
    "vadd.i32 q1, q1, lr\n"         \
    "vmax.s32 q1, q1, q2\n"         \
    "vmin.s32 q1, q1, q3\n"         \
    "vctp.32 r7\n"                  \
    "vpst\n"                        \
    "vstrbt.32 q1, [r8, q6]\n"      \
    "add r8, r3\n"                  \
    "subs r7, #4\n"
#define END_ROW                \
    "ldr r0, [r12, %[rows]]\n" \
    "subs r0, #1\n"            \
    "str r0, [r12, %[rows]]\n" \
    "bne 1b\n"                 \
    "pop {r7}\n"
#define BEGIN                    \
    "push {r7}\n"                \
    "add.w r0, r12, %[least]\n"  \
    "vldrw.u32 q2, [r0]\n"       \
    "vldrw.u32 q3, [r0, #16]\n"  \
    "vldrw.u32 q6, [r0, #32]\n"  \
    "ldr r0, [r12, %[offset]]\n" \
    "vldrb.u8 q4, [r0]\n"        \
    "vldrb.u8 q5, [r0, #16]\n"
#define CLOBBERED                                                                               \
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "lr", "q0", "q1", "q2", \
        "q3", "q4", "q5", "q6", "cc", "memory"
#define FIELDS                                                                        \
    AT(x_row), AT(width), AT(left), AT(rows), AT(least), AT(offset), AT(w), AT(bias), \
        AT(multiplier), AT(y_four), AT(x_pair), AT(x_vector), AT(vectors)

/* Windows of one vector, whose weights stay in q0. r1: from two outputs to the next two. */
TINY_APART static void run_one(lines *l) {
    register lines *at __asm__("r12") = l;
    __asm__ volatile(BEGIN
                     "ldr r0, [r12, %[w]]\n"
                     "vldrb.u8 q0, [r0]\n"
                     "ldrd r9, lr, [r12, %[bias]]\n"
                     "ldrd r10, r11, [r12, %[multiplier]]\n"
                     "ldr r3, [r12, %[y_four]]\n"
                     "ldr r1, [r12, %[x_pair]]\n"
                     "1:\n" BEGIN_ROW "2:\n" TINY_SUM_FOUR("vmladav.s8", "r5", "r1", "r1")
                         STORE_FOUR "bgt 2b\n" END_ROW
                     :
                     : "r"(at), FIELDS
                     : CLOBBERED);
}

/* Windows of more vectors. r1, r3: of this vector, x and weights; r9, r10: from vector to vector, and
 * from two outputs to the next two. */
TINY_APART static void run_more(lines *l) {
    register lines *at __asm__("r12") = l;
    __asm__ volatile(BEGIN "1:\n" BEGIN_ROW
                           "2:\n"
                           "mov r1, r5\n"
                           "ldrd r3, lr, [r12, %[w]]\n"
                           "ldrd r9, r10, [r12, %[x_vector]]\n"
                           "movs r0, #0\n"
                           "movs r2, #0\n"
                           "movs r4, #0\n"
                           "movs r6, #0\n"
                           "add.w r5, r5, r10, lsl #1\n"
                           "sub r9, r10\n"
                           "dls lr, lr\n"
                           "3:\n"
                           "vldrb.u8 q0, [r3], #16\n"
                           TINY_SUM_FOUR("vmladava.s8", "r1", "r10", "r9")
                           "le lr, 3b\n"
                           "ldrd r9, lr, [r12, %[bias]]\n"
                           "ldrd r10, r11, [r12, %[multiplier]]\n"
                           "ldr r3, [r12, %[y_four]]\n" STORE_FOUR "bgt 2b\n" END_ROW
                     :
                     : "r"(at), FIELDS
                     : CLOBBERED);
}

/* Takes `count` weights, `step` bytes apart, to adjacent bytes; returns their sum. */
static inline int32_t take_weights(const int8_t *w, uint32_t step, uint32_t count, int8_t *to) {
    register uint32_t sum __asm__("r2") = 0;
    __asm__ volatile(
        "vidup.u16 q1, r2, #1\n"
        "vmul.i16 q1, q1, %[step]\n"
        "movs r2, #0\n"
        "dlstp.16 lr, %[count]\n"
        "1:\n"
        "vldrb.s16 q0, [%[w], q1]\n"
        "vstrb.16 q0, [%[to]], #8\n"
        "vaddva.s16 r2, q0\n"
        "add.w %[w], %[w], %[step], lsl #3\n"
        "letp lr, 1b\n"
        : [w] "+&r"(w), [to] "+&l"(to), "+r"(sum)
        : [step] "r"(step), [count] "r"(count)
        : "lr", "q0", "q1", "cc", "memory");
    return (int32_t)sum;
}

#else

/* The C twins. */
static void run_more(lines *l) {
    for (; l->rows; l->rows--, l->x += l->x_row, l->y += l->y_row) {
        for (uint32_t i = 0; i < l->width; i++) {
            const int32_t sum = tiny_window_sum(l->x + i * l->x_pair / TINY_PAIR, l->w, l->vectors,
                                                l->x_vector, l->offset[0]);
            const int32_t y = tiny_multiply((int32_t)((uint32_t)sum + (uint32_t)l->bias),
                                            l->multiplier, l->left + l->right);
            l->y[i * l->y_four / TINY_TOGETHER] =
                (int8_t)tiny_clamp(y + l->zero, l->least[0], l->most[0]);
        }
    }
}

static void run_one(lines *l) { run_more(l); }

static int32_t take_weights(const int8_t *w, uint32_t step, uint32_t count, int8_t *to) {
    int32_t sum = 0;
    for (; count; count--, w += step) {
        *to++ = *w;
        sum += *w;
    }
    return sum;
}

#endif

/* The rows of a plane that `rows` rows of outputs read. */
static uint32_t rows_read(const tiny_window *win, uint32_t rows) {
    return (rows - 1) * win->stride_h + (win->kernel_h - 1u) * win->dilation_h + 1;
}

/* Divides scratch, for at most `most` rows of outputs. */
static call divide(const tiny_depthwise *op, uint32_t most, int8_t *scratch) {
    const tiny_window *win = &op->window;
    call c;
    c.op = op;
    c.pitch = (win->y.width - 1u) * win->stride_w + (win->kernel_w - 1u) * win->dilation_w + 1;
    c.block = 1;
    while (c.block < most &&
           TINY_PLANES * rows_read(win, c.block + 1) * c.pitch <= TINY_PLANES_BYTES) {
        c.block++;
    }
    c.plane = rows_read(win, c.block) * c.pitch;
    c.planes = scratch;
    c.offset = (uint8_t (*)[TINY_VECTOR])(void *)(c.planes + TINY_PLANES * c.plane +
                                                  TINY_OFFSET_MAX + TINY_TOGETHER * win->stride_w);
    c.w = (int8_t *)c.offset[TINY_PAIR];
    const tiny_split split =
        tiny_split_window(win->kernel_h, win->kernel_w, win->dilation_h * c.pitch, win->dilation_w,
                          win->stride_w, c.offset);
    c.taps = split.rows * win->kernel_w;
    c.vectors = split.vectors;
    tiny_fill_bytes(c.w, c.vectors * TINY_VECTOR, 0);
    return c;
}

/* Copies what rows [first, first + rows) of outputs read of a group of channels from x on. What is in
 * the padding is not touched. */
static void fill_planes(const call *c, const int8_t *x, uint32_t first, uint32_t rows,
                        uint32_t channels) {
    const tiny_window *win = &c->op->window;
    const int32_t top = tiny_window_row(win, (int32_t)first, 0);
    const int32_t end = tiny_min(top + (int32_t)rows_read(win, rows), win->x.height);
    const int32_t columns = tiny_min((int32_t)c->pitch - win->pad_left, win->x.width);
    for (int32_t row = tiny_max(top, 0); row < end && columns > 0; row++) {
        tiny_fill_planes(tiny_map_row(&win->x, x, row), win->x.channels, (uint32_t)columns,
                         c->planes + (uint32_t)(row - top) * c->pitch + win->pad_left, 1, c->plane,
                         channels);
    }
}

/* Takes the weights of channel o; returns what its sums begin with. */
static int32_t begin_channel(const call *c, const tiny_weights *w, const int32_t *b, uint32_t o) {
    const tiny_window *win = &c->op->window;
    const uint32_t kept = c->op->kept, all = (uint32_t)win->kernel_h * win->kernel_w;
    const uint32_t step = o < kept ? kept : win->y.channels - kept;
    const int8_t *from = o < kept ? w->kept + o : w->frozen + (o - kept);
    int8_t *to = c->w;
    int32_t sum = 0;
    for (uint32_t tap = 0; tap < all; tap += c->taps, to += TINY_VECTOR) {
        const uint32_t count = all - tap < c->taps ? all - tap : c->taps;
        sum += take_weights(from + tap * step, step, count, to);
    }
    return (int32_t)((b ? (uint32_t)b[o] : 0) - (uint32_t)(c->op->requant.x_zero * sum));
}

/* What is the same for all channels. */
static void begin_lines(const call *c, lines *l) {
    const tiny_window *win = &c->op->window;
    const tiny_requant *q = &c->op->requant;
    l->w = c->w;
    l->vectors = c->vectors;
    l->x_vector = c->taps / win->kernel_w * win->dilation_h * c->pitch;
    l->x_row = win->stride_h * c->pitch;
    l->x_pair = TINY_PAIR * win->stride_w;
    l->y_row = (uint32_t)win->y.width * win->y.channels;
    l->y_four = TINY_TOGETHER * win->y.channels;
    l->width = win->y.width;
    l->zero = q->y_zero;
    l->offset = (const uint8_t (*)[TINY_VECTOR])c->offset;
    for (uint32_t i = 0; i < 4; i++) {
        l->least[i] = q->y_min;
        l->most[i] = q->y_max;
        l->y_offset[i] = i * win->y.channels;
    }
}

/* Rows [first, first + rows) of channel o, whose plane is filled. No ring of y ends between them. */
static void run(const call *c, lines *l, const int8_t *plane, uint32_t o, uint32_t rows,
                int8_t *y) {
    const int32_t shift = c->op->requant.shift[o];
    l->x = plane;
    l->y = y + o;
    l->rows = rows;
    l->multiplier = c->op->requant.multiplier[o];
    l->left = tiny_max(shift, 0);
    l->right = tiny_min(shift, 0);
    l->one = shift < 0;
    if (l->vectors == 1) {
        run_one(l);
    } else {
        run_more(l);
    }
}

/* All channels of a block of rows. */
static void forward_block(const call *c, const tiny_weights *w, void *const *buffers,
                          uint32_t first, uint32_t rows) {
    const tiny_window *win = &c->op->window;
    const uint32_t channels = win->y.channels;
    const int8_t *x = buffers[0];
    int8_t *y = tiny_map_row_out(&win->y, buffers[4], (int32_t)first);
    lines l;
    begin_lines(c, &l);
    tiny_fill_bytes(c->planes, TINY_PLANES * c->plane, (int8_t)c->op->requant.x_zero);
    for (uint32_t o = 0; o < channels; o += TINY_PLANES) {
        const uint32_t group = channels - o < TINY_PLANES ? channels - o : TINY_PLANES;
        fill_planes(c, x + o, first, rows, group);
        for (uint32_t i = 0; i < group; i++) {
            l.bias = begin_channel(c, w, buffers[3], o + i);
            run(c, &l, c->planes + i * c->plane, o + i, rows, y);
        }
    }
}

TINY_OP(depthwise_forward_mve) {
    const tiny_depthwise *op = record;
    const tiny_weights w = tiny_weights_at(buffers + 1);
    const call c = divide(op, band.count, buffers[TINY_SCRATCH]);
    const uint32_t end = (uint32_t)band.first + band.count, ring = op->window.y.ring;
    uint32_t row = band.first;
    while (row < end) {
        const uint32_t left = ring - tiny_slot(row, ring); /* before the end of the ring */
        uint32_t rows = end - row < c.block ? end - row : c.block;
        rows = rows < left ? rows : left;
        forward_block(&c, &w, buffers, row, rows);
        row += rows;
    }
}
