/* The sum and the difference of two maps (SPEC 3.1).
 *
 * TensorFlow Lite adds at twice the larger of the two scales. So one operand is only shifted, by 2^20 /
 * 2, which is exact; the other is multiplied and rounded twice. For whole words there are assembly
 * loops; a clip is a pass of its own. What is left is computed element by element, with what is the
 * same for all of them computed before.
 */
#include "../../arith.h"
#include "lanes.h"
#include "output.h"
#include "tinyflash/ops.h"

#if TINY_DSP_ASM

/* The constants of a sum of x, which is only shifted, and of z, which is multiplied. */
typedef struct constants {
    int32_t x_zero; /* to be added to x * 2^19, or to what it is subtracted from */
    int32_t z_zero; /* to be added to z * 2^21, or 2^22 */
    int32_t z_multiplier;
    int32_t z_shift; /* the second one, less 1: the last place is left for a half */
    int32_t multiplier, offset, shift; /* of y, as in tiny_output */
} constants;

/* The next byte of x and of z; whether each is added or subtracted, and the shift of z. */
#define ELEMENT(add_x, add_z, z_unit)                    \
    "ldrsb %[t], [%[z]], #1\n"                           \
    "ldrsb %[u], [%[x]], #1\n"                           \
    "add %[t], %[z_zero], %[t], lsl #" z_unit "\n" add_x \
    " %[u], %[x_zero], %[u], lsl #19\n"                  \
    "smmulr %[t], %[t], %[z_multiplier]\n"               \
    "add %[t], %[t], %[t], asr #31\n"                    \
    "asr %[t], %[t], %[z_shift]\n"                       \
    "add %[t], %[t], #1\n" add_z                         \
    " %[u], %[u], %[t], asr #1\n"                        \
    "lsl %[u], %[u], #1\n"                               \
    "smmulr %[u], %[u], %[multiplier]\n"                 \
    "add %[u], %[u], %[u], asr #31\n"                    \
    "add %[u], %[u], %[offset]\n"                        \
    "asr %[u], %[u], %[shift]\n"                         \
    "ssat %[u], #8, %[u]\n"                              \
    "strb %[u], [%[y]], #1\n"

/* Some elements at a time, until y is at `end`. */
#define LOOP(name, elements)                                                                     \
    TINY_APART static void name(const constants *c, const int8_t *x, const int8_t *z, int8_t *y, \
                                const int8_t *end) {                                             \
        uint32_t t, u;                                                                           \
        __asm__ volatile("1:\n" elements                                                         \
                         "ldr %[t], %[end]\n"                                                    \
                         "cmp %[y], %[t]\n"                                                      \
                         "bne 1b\n"                                                              \
                         : [x] "+r"(x), [z] "+r"(z), [y] "+r"(y), [t] "=&r"(t), [u] "=&r"(u)     \
                         : [x_zero] "r"(c->x_zero), [z_zero] "r"(c->z_zero),                     \
                           [z_multiplier] "r"(c->z_multiplier), [z_shift] "r"(c->z_shift),       \
                           [multiplier] "r"(c->multiplier), [offset] "r"(c->offset),             \
                           [shift] "r"(c->shift), [end] "m"(end)                                 \
                         : "cc", "memory");                                                      \
    }
#define TWO(add_x, add_z, z_unit) ELEMENT(add_x, add_z, z_unit) ELEMENT(add_x, add_z, z_unit)

/* x + z, x - z, z - x; and the first two of equal scales, where z is exact, too. */
LOOP(sum, TWO("add", "add", "21") TWO("add", "add", "21"))
LOOP(difference, TWO("add", "sub", "21"))
LOOP(difference_from, TWO("sub", "add", "21"))
LOOP(equal_sum, TWO("add", "add", "22"))
LOOP(equal_difference, TWO("add", "sub", "22"))

#endif

/* Whether a is the operand of the larger scale, which is multiplied by a half. Of one without a multiplier
 * the shift is 0, too. */
static int a_is_exact(const tiny_add *op) {
    return op->a_shift == 0 && op->a_multiplier == 1 << 30;
}

/* A sum of any operands: the exact one is x, the other is z. */
typedef struct terms {
    int32_t x_unit, x_zero; /* x * x_unit + x_zero: its part of the sum, with its sign */
    int32_t z_unit, z_zero; /* z * z_unit + z_zero: to be multiplied */
    int32_t z_multiplier, z_half, z_shift, z_sign;
    int32_t multiplier, half, shift; /* of y */
    int32_t y_zero, y_min, y_max;
} terms;

/* If both scales are equal, both operands are exact. z then has one bit more and the shift 1, so that
 * what rounds it changes nothing. */
static terms terms_of(const tiny_add *op) {
    const int exact = a_is_exact(op);
    const int32_t z_shift = exact ? op->b_shift : op->a_shift;
    const int32_t shift = z_shift == 0 ? 1 : -z_shift, z_unit = 1 << (z_shift == 0 ? 22 : 21);
    const int32_t x_unit = (exact ? 1 : op->b_sign) * (1 << 19);
    const terms t = {
        x_unit,
        -(exact ? op->a_zero : op->b_zero) * x_unit,
        z_unit,
        -(exact ? op->b_zero : op->a_zero) * z_unit,
        exact ? op->b_multiplier : op->a_multiplier,
        1 << (shift - 1),
        shift,
        exact ? op->b_sign : 1,
        op->y_multiplier,
        1 << (-op->y_shift - 1),
        -op->y_shift,
        op->y_zero,
        op->y_min,
        op->y_max,
    };
    return t;
}

/* The multiplication and both roundings of SPEC 1.2, of a doubled number. */
static inline int32_t rescaled(int32_t twice, int32_t multiplier, int32_t half, int32_t shift) {
    const int32_t upper = tiny_upper_product(twice, multiplier);
    return (upper - (upper < 0) + half) >> shift;
}

static void add_elements(const terms *t, const int8_t *x, const int8_t *z, uint32_t count,
                         int8_t *y) {
    for (uint32_t i = 0; i < count; i++) {
        const int32_t v =
            rescaled(z[i] * t->z_unit + t->z_zero, t->z_multiplier, t->z_half, t->z_shift);
        const int32_t sum = x[i] * t->x_unit + t->x_zero + v * t->z_sign;
        const int32_t rounded = rescaled(2 * sum, t->multiplier, t->half, t->shift);
        y[i] = (int8_t)tiny_clamp(rounded + t->y_zero, t->y_min, t->y_max);
    }
}

#if TINY_DSP_ASM

/* `words` words of one row, at least one. */
static void add_words(const tiny_add *op, const terms *t, const int8_t *x, const int8_t *z,
                      uint32_t words, int8_t *y) {
    const constants c = {
        .x_zero = t->x_zero,
        .z_zero = t->z_zero,
        .z_multiplier = t->z_multiplier,
        .z_shift = t->z_shift - 1,
        .multiplier = op->y_multiplier,
        .offset = (2 * op->y_zero + 1) * t->half,
        .shift = t->shift,
    };
    const int8_t *const end = y + 4 * words;
    if (t->x_unit < 0) {
        difference_from(&c, x, z, y, end);
    } else if (t->z_unit == 1 << 21) {
        if (t->z_sign < 0) {
            difference(&c, x, z, y, end);
        } else {
            sum(&c, x, z, y, end);
        }
    } else if (t->z_sign < 0) {
        equal_difference(&c, x, z, y, end);
    } else {
        equal_sum(&c, x, z, y, end);
    }
}

/* The clip of a fused activation, in a pass of its own: a word takes 9 instructions. */
static void clip_words(const tiny_add *op, uint32_t words, int8_t *y) {
    const uint32_t low = tiny_four(op->y_min), high = tiny_four(op->y_max);
    const int8_t *const end = y + 4 * words;
    for (; y != end; y += 4) {
        const uint32_t word = tiny_smaller_bytes(tiny_larger_bytes(tiny_load(y), low), high);
        memcpy(y, &word, sizeof word);
    }
}

/* Computes whole words, if the offset of y fits; returns how many elements that is. */
static uint32_t add_fast(const tiny_add *op, const terms *t, const int8_t *x, const int8_t *z,
                         uint32_t count, int8_t *y) {
    const uint32_t words = count / 4;
    if (words == 0 || t->shift > TINY_OUTPUT_SHIFT_MAX) {
        return 0;
    }
    add_words(op, t, x, z, words, y);
    if (op->y_min > -128 || op->y_max < 127) {
        clip_words(op, words, y);
    }
    return words * 4;
}

#else

/* The C twin has no words: elements are computed one by one. */
static uint32_t add_fast(const tiny_add *op, const terms *t, const int8_t *x, const int8_t *z,
                         uint32_t count, int8_t *y) {
    (void)op, (void)t, (void)x, (void)z, (void)count, (void)y;
    return 0;
}

#endif

static void add_row(const tiny_add *op, const terms *t, const int8_t *a, const int8_t *b,
                    uint32_t count, int8_t *y) {
    const int8_t *x = a_is_exact(op) ? a : b, *z = a_is_exact(op) ? b : a;
    const uint32_t done = add_fast(op, t, x, z, count, y);
    add_elements(t, x + done, z + done, count - done, y + done);
}

/* b is a map, or one row that a repeats. */
TINY_OP(add_forward_dsp) {
    const tiny_add *op = record;
    const int8_t *a = buffers[0], *b = buffers[1];
    int8_t *y = buffers[2];
    const terms t = terms_of(op);
    const uint32_t size = op->count / op->height;
    const int repeats = op->b_count < op->count;
    const uint32_t strip = repeats ? op->b_count : size;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        const int8_t *from = a + tiny_slot(row, op->a_ring) * size;
        const int8_t *other = repeats ? b : b + tiny_slot(row, op->b_ring) * size;
        int8_t *to = y + tiny_slot(row, op->y_ring) * size;
        for (uint32_t i = 0; i < size; i += strip) {
            add_row(op, &t, from + i, other, strip, to + i);
        }
    }
}
