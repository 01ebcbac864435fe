/* The sum of two maps (SPEC 3.1).
 *
 * TensorFlow Lite adds at twice the larger of the two scales. So one operand is only shifted, by 2^20 /
 * 2, which is exact; the other is multiplied and rounded twice. Its second shift is usually 1 or 2:
 * there is a loop for each, and a sum whose record says anything else is left to the reference
 * (compiler/kernels/dsp.py).
 */
#include "../../arith.h"
#include "output.h"
#include "tinyflash/ops.h"

#if TINY_DSP_ASM

/* The constants of a sum of x, which is only shifted, and of z, which is multiplied. */
typedef struct constants {
    int32_t x_zero; /* -zero * 2^19 */
    int32_t z_zero; /* -zero * 2^21 */
    int32_t z_multiplier;
    int32_t multiplier, offset, shift; /* of y, as in tiny_output */
} constants;

/* Byte `byte` of the words of x and z, with the second shift of z. */
#define ELEMENT(byte, z_shift, half)       \
    "sxtb %[t], %[zs], ror #8*" byte       \
    "\n"                                   \
    "sxtb %[u], %[xs], ror #8*" byte       \
    "\n"                                   \
    "add %[t], %[z_zero], %[t], lsl #21\n" \
    "add %[u], %[x_zero], %[u], lsl #19\n" \
    "smmulr %[t], %[t], %[z_multiplier]\n" \
    "add %[t], %[t], %[t], asr #31\n"      \
    "add %[t], %[t], #" half               \
    "\n"                                   \
    "add %[u], %[u], %[t], asr #" z_shift  \
    "\n"                                   \
    "lsl %[u], %[u], #1\n"                 \
    "smmulr %[u], %[u], %[multiplier]\n"   \
    "add %[u], %[u], %[u], asr #31\n"      \
    "add %[u], %[u], %[offset]\n"          \
    "asr %[u], %[u], %[shift]\n"           \
    "ssat %[u], #8, %[u]\n"                \
    "strb %[u], [%[y]], #1\n"

/* Four elements at a time, until y is at `end`. */
#define LOOP(z_shift, half) \
    __asm__ volatile("1:\n"                                                                     \
                     "ldr %[xs], [%[x]], #4\n"                                                  \
                     "ldr %[zs], [%[z]], #4\n"                                                  \
                     ELEMENT("0", z_shift, half) ELEMENT("1", z_shift, half)                    \
                     ELEMENT("2", z_shift, half) ELEMENT("3", z_shift, half)                    \
                     "ldr %[t], %[end]\n"                                                       \
                     "cmp %[y], %[t]\n"                                                         \
                     "bne 1b\n"                                                                 \
                     : [x] "+r"(x), [z] "+r"(z), [y] "+r"(y), [xs] "=&r"(xs), [zs] "=&r"(zs),   \
                       [t] "=&r"(t), [u] "=&r"(u)                                               \
                     : [x_zero] "r"(c->x_zero), [z_zero] "r"(c->z_zero),                        \
                       [z_multiplier] "r"(c->z_multiplier), [multiplier] "r"(c->multiplier),    \
                       [offset] "r"(c->offset), [shift] "r"(c->shift), [end] "m"(end)           \
                     : "cc", "memory")

static void add_words_1(const constants *c, const int8_t *x, const int8_t *z, int8_t *y,
                        const int8_t *end) {
    uint32_t xs, zs, t, u;
    LOOP("1", "1");
}

static void add_words_2(const constants *c, const int8_t *x, const int8_t *z, int8_t *y,
                        const int8_t *end) {
    uint32_t xs, zs, t, u;
    LOOP("2", "2");
}

#endif

/* One element, as SPEC 3.1 says it. */
static int8_t sum_of(const tiny_add *op, int8_t a, int8_t b) {
    const int32_t u = tiny_multiply((a - op->a_zero) * (1 << 20), op->a_multiplier, op->a_shift);
    const int32_t v = tiny_multiply((b - op->b_zero) * (1 << 20), op->b_multiplier, op->b_shift);
    const int32_t y = tiny_multiply(u + v, op->y_multiplier, op->y_shift) + op->y_zero;
    return (int8_t)tiny_clamp(y, -128, 127);
}

#if TINY_DSP_ASM

/* `words` words of one row; the order of a and b does not matter to a sum. */
static void add_words(const tiny_add *op, const int8_t *a, const int8_t *b, uint32_t words,
                      int8_t *y) {
    const int a_is_shifted = op->a_shift == 0;
    const int32_t z_shift = a_is_shifted ? op->b_shift : op->a_shift;
    const constants c = {
        -(a_is_shifted ? op->a_zero : op->b_zero) * (1 << 19),
        -(a_is_shifted ? op->b_zero : op->a_zero) * (1 << 21),
        a_is_shifted ? op->b_multiplier : op->a_multiplier,
        op->y_multiplier,
        (2 * op->y_zero + 1) * (1 << (-op->y_shift - 1)),
        -op->y_shift,
    };
    if (words && z_shift == -1) {
        add_words_1(&c, a_is_shifted ? a : b, a_is_shifted ? b : a, y, y + 4 * words);
    } else if (words) {
        add_words_2(&c, a_is_shifted ? a : b, a_is_shifted ? b : a, y, y + 4 * words);
    }
}

#else

/* The C twin. */
static void add_words(const tiny_add *op, const int8_t *a, const int8_t *b, uint32_t words,
                      int8_t *y) {
    for (uint32_t i = 0; i < 4 * words; i++) {
        y[i] = sum_of(op, a[i], b[i]);
    }
}

#endif

static void add_row(const tiny_add *op, const int8_t *a, const int8_t *b, uint32_t count,
                    int8_t *y) {
    add_words(op, a, b, count / 4, y);
    for (uint32_t i = count / 4 * 4; i < count; i++) {
        y[i] = sum_of(op, a[i], b[i]);
    }
}

TINY_OP(add_forward_dsp) {
    const tiny_add *op = record;
    const int8_t *a = buffers[0], *b = buffers[1];
    int8_t *y = buffers[2];
    const uint32_t size = op->count / op->height;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        add_row(op, a + tiny_slot(row, op->a_ring) * size, b + tiny_slot(row, op->b_ring) * size,
                size, y + tiny_slot(row, op->y_ring) * size);
    }
}
