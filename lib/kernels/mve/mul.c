/* The product of two maps, four elements at a time (SPEC 3.5): 13 instructions. */
#include "../../arith.h"
#include "helium.h"
#include "tinyflash/ops.h"

#if TINY_MVE_ASM

/* A rounding shift rounds ties up: so 1 is subtracted from what is negative, if it is shifted. */
TINY_APART static void multiply(const tiny_mul *op, const int8_t *a, const int8_t *b,
                                uint32_t count, int8_t *y) {
    /* In 32 bits: of a narrower operand the upper bits of the register are unknown. */
    const int32_t least = op->y_min, most = op->y_max, zero = op->y_zero;
    const int32_t a_zero = op->a_zero, b_zero = op->b_zero;
    __asm__ volatile(
        "vdup.32 q2, %[least]\n"
        "vdup.32 q3, %[most]\n"
        "vdup.32 q4, %[a_zero]\n"
        "vdup.32 q5, %[b_zero]\n"
        "vdup.32 q6, %[multiplier]\n"
        "dlstp.32 lr, %[count]\n"
        "1:\n"
        "vldrb.s32 q0, [%[a]], #4\n"
        "vldrb.s32 q1, [%[b]], #4\n"
        "vsub.i32 q0, q0, q4\n"
        "vsub.i32 q1, q1, q5\n"
        "vmul.i32 q0, q0, q1\n"
        "vqrdmulh.s32 q0, q0, q6\n"
        "vpt.s32 lt, q0, zr\n"
        "vsubt.i32 q0, q0, %[one]\n"
        "vrshl.s32 q0, %[shift]\n"
        "vadd.i32 q0, q0, %[zero]\n"
        "vmax.s32 q0, q0, q2\n"
        "vmin.s32 q0, q0, q3\n"
        "vstrb.32 q0, [%[y]], #4\n"
        "letp lr, 1b\n"
        : [a] "+&l"(a), [b] "+&l"(b), [y] "+&l"(y)
        : [count] "r"(count), [least] "r"(least), [most] "r"(most), [a_zero] "r"(a_zero),
          [b_zero] "r"(b_zero), [multiplier] "r"(op->multiplier), [one] "r"(op->shift < 0),
          [shift] "r"(op->shift), [zero] "r"(zero)
        : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "cc", "memory");
}

#else

/* The C twin. */
static void multiply(const tiny_mul *op, const int8_t *a, const int8_t *b, uint32_t count,
                     int8_t *y) {
    for (uint32_t i = 0; i < count; i++) {
        const int32_t product = (a[i] - op->a_zero) * (b[i] - op->b_zero);
        const int32_t of = tiny_multiply(product, op->multiplier, op->shift) + op->y_zero;
        y[i] = (int8_t)tiny_clamp(of, op->y_min, op->y_max);
    }
}

#endif

TINY_OP(mul_forward_mve) {
    const tiny_mul *op = record;
    const int8_t *a = buffers[0], *b = buffers[1];
    int8_t *y = buffers[2];
    const uint32_t size = op->rows * op->size / op->height; /* of a row of the map */
    const uint32_t step = op->rows == 1 ? size : op->size;  /* a b for each row, or the same */
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        const int8_t *from = a + tiny_slot(row, op->a_ring) * size;
        const int8_t *by = op->rows == 1 ? b + tiny_slot(row, op->b_ring) * size : b;
        int8_t *to = y + tiny_slot(row, op->y_ring) * size;
        for (uint32_t i = 0; i < size; i += step) {
            multiply(op, from + i, by, step, to + i);
        }
    }
}
