/* The product of two maps, four elements at a time (SPEC 3.5): 13 instructions. And its gradients, by
 * either operand: sums of dy times the other one, over the rows that share an element.
 */
#include <stddef.h>

#include "../../arith.h"
#include "../../buffers.h"
#include "tiles.h"
#include "tinyflash/ops.h"

#if TINY_MVE_ASM

/* A rounding shift rounds ties up: so 1 is subtracted from what is negative, if it is shifted. */
TINY_APART static void multiply(const tiny_mul *op, const int8_t *a, const int8_t *b,
                                uint32_t count, int8_t *y) {
    /* In 32 bits: of a narrower operand the upper bits of the register are unknown. GCC takes upper
     * registers by itself only when it optimises. */
    register const int32_t least __asm__("r8") = op->y_min;
    register const int32_t most __asm__("r9") = op->y_max;
    register const int32_t a_zero __asm__("r10") = op->a_zero;
    register const int32_t b_zero __asm__("r11") = op->b_zero;
    register const int32_t zero __asm__("r12") = op->y_zero;
    register uint32_t left __asm__("lr") = count;
    __asm__ volatile(
        "vdup.32 q2, %[least]\n"
        "vdup.32 q3, %[most]\n"
        "vdup.32 q4, %[a_zero]\n"
        "vdup.32 q5, %[b_zero]\n"
        "vdup.32 q6, %[multiplier]\n"
        "dlstp.32 lr, lr\n"
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
        : [a] "+&l"(a), [b] "+&l"(b), [y] "+&l"(y), "+r"(left)
        : [least] "r"(least), [most] "r"(most), [a_zero] "r"(a_zero), [b_zero] "r"(b_zero),
          [multiplier] "r"(op->multiplier), [one] "r"(op->shift < 0), [shift] "r"(op->shift),
          [zero] "r"(zero)
        : "q0", "q1", "q2", "q3", "q4", "q5", "q6", "cc", "memory");
}

/* Adds gradients times the other operand, less its zero point, to sums. */
static inline void add_products(const int8_t *dy, const int8_t *other, int32_t zero, uint32_t count,
                                int32_t *sums) {
    __asm__ volatile(
        "vdup.32 q2, %[zero]\n"
        "dlstp.32 lr, %[count]\n"
        "1:\n"
        "vldrb.s32 q0, [%[other]], #4\n"
        "vldrb.s32 q1, [%[dy]], #4\n"
        "vsub.i32 q0, q0, q2\n"
        "vmul.i32 q0, q0, q1\n"
        "vldrw.u32 q1, [%[sums]]\n"
        "vadd.i32 q0, q0, q1\n"
        "vstrw.32 q0, [%[sums]], #16\n"
        "letp lr, 1b\n"
        : [other] "+&l"(other), [dy] "+&l"(dy), [sums] "+&r"(sums)
        : [count] "r"(count), [zero] "r"(zero)
        : "lr", "q0", "q1", "q2", "cc", "memory");
}

#else

/* The C twins. */
static void add_products(const int8_t *dy, const int8_t *other, int32_t zero, uint32_t count,
                         int32_t *sums) {
    for (uint32_t i = 0; i < count; i++) {
        sums[i] += dy[i] * (other[i] - zero);
    }
}

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

/* ---- Gradients (SPEC 4.6) ---- */

/* Stores `size` elements from `at` on: each a sum over `rows` rows of dy and the other operand. */
static void store_sums(const tiny_gradient_store *store, const int8_t *dy, const int8_t *other,
                       int32_t zero, uint32_t rows, uint32_t size, uint32_t at) {
    for (uint32_t i = 0; i < size; i += TINY_STORED_AT_ONCE) {
        const uint32_t left = size - i;
        const uint32_t count = left < TINY_STORED_AT_ONCE ? left : TINY_STORED_AT_ONCE;
        int32_t sums[TINY_STORED_AT_ONCE] = {0};
        for (uint32_t at_row = i, n = 0; n < rows; n++, at_row += size) {
            add_products(dy + at_row, other + at_row, zero, count, sums);
        }
        tiny_gradient_store_adjacent(store, at + i, sums, count);
    }
}

TINY_OP(mul_backward_a_mve) {
    (void)band;
    const tiny_mul *op = record;
    const tiny_gradient dy = tiny_gradient_at(buffers + 1);
    const tiny_gradient_out da = tiny_following(&dy, buffers + 3);
    tiny_gradient_store store;
    tiny_gradient_store_begin(&store, &da, &op->b_scale, dy.scale->exponent, op->rows * op->size);
    for (uint32_t at = 0; at < op->rows * op->size; at += op->size) {
        store_sums(&store, dy.d + at, buffers[0], op->b_zero, 1, op->size, at);
    }
}

TINY_OP(mul_backward_b_mve) {
    (void)band;
    const tiny_mul *op = record;
    const tiny_gradient dy = tiny_gradient_at(buffers + 1);
    const tiny_gradient_out db = tiny_following(&dy, buffers + 3);
    tiny_gradient_store store;
    tiny_gradient_store_begin(&store, &db, &op->a_scale, dy.scale->exponent, op->size);
    store_sums(&store, dy.d, buffers[0], op->a_zero, op->rows, op->size, 0);
}
