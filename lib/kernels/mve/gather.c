/* Sums of windows of a plane; see gather.h. */
#include "gather.h"

#include <stddef.h>

#include "../../arith.h"

tiny_split tiny_split_window(uint32_t height, uint32_t width, uint32_t row, uint32_t column,
                             uint32_t next, uint8_t (*offset)[TINY_VECTOR]) {
    tiny_split s = {1, 0};
    while (s.rows < height && (s.rows + 1) * width <= TINY_VECTOR &&
           s.rows * row + (width - 1) * column + next <= TINY_OFFSET_MAX) {
        s.rows++;
    }
    s.vectors = (height + s.rows - 1) / s.rows;
    for (uint32_t i = 0; i < TINY_VECTOR; i++) {
        const uint32_t at = i < s.rows * width ? i / width * row + i % width * column : 0;
        offset[0][i] = (uint8_t)at;
        offset[1][i] = (uint8_t)(at + next);
    }
    return s;
}

#if TINY_MVE_ASM

#define AT(field) [field] "i"(offsetof(tiny_windows, field))
/* r5: x, r8: sums; q6: where four sums go. */
#define BEGIN                    \
    "ldr r0, [r12, %[offset]]\n" \
    "vldrb.u8 q4, [r0]\n"        \
    "vldrb.u8 q5, [r0, #16]\n"   \
    "movs r2, #0\n"              \
    "vidup.u32 q6, r2, #1\n"     \
    "ldr r0, [r12, %[apart]]\n"  \
    "vmul.i32 q6, q6, r0\n"      \
    "ldrd r5, r8, [r12]\n"
#define STORE_FOUR(by)        \
    "vmov d2, r0, r2\n"       \
    "vmov d3, r4, r6\n"       \
    "vstrw.32 q1, [r8, q6]\n" \
    "add r8, " by "\n"
#define CLOBBERED                                                                               \
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "lr", "q0", "q1", "q4", \
        "q5", "q6", "cc", "memory"
#define FIELDS                                                                                  \
    AT(x_row), AT(sums_row), AT(apart), AT(quad_apart), AT(w), AT(x_pair), AT(quads), AT(rows), \
        AT(offset), AT(x_vector)

/* Windows of one vector, whose weights stay in q0. */
TINY_APART static void sum_one(tiny_windows *windows) {
    register tiny_windows *at __asm__("r12") = windows;
    __asm__ volatile(BEGIN
                     "ldr r0, [r12, %[w]]\n"
                     "vldrb.u8 q0, [r0]\n"
                     "ldr r3, [r12, %[x_row]]\n"
                     "ldr.w r11, [r12, %[quad_apart]]\n"
                     "ldr r1, [r12, %[x_pair]]\n"
                     "ldrd r10, r9, [r12, %[quads]]\n"
                     "1:\n"
                     "dls lr, r10\n"
                     "2:\n" TINY_SUM_FOUR("vmladav.s8", "r5", "r1", "r1") STORE_FOUR("r11")
                     "le lr, 2b\n"
                     "ldr r0, [r12, %[sums_row]]\n"
                     "add r5, r3\n"
                     "add r8, r0\n"
                     "subs.w r9, r9, #1\n"
                     "bne 1b\n"
                     : "+r"(at)
                     : FIELDS
                     : CLOBBERED);
}

/* Windows of more vectors. r1, r3: of this vector, x and weights; r9, r10: from vector to vector, and
 * from two windows to the next two. */
TINY_APART static void sum_more(tiny_windows *windows) {
    register tiny_windows *at __asm__("r12") = windows;
    __asm__ volatile(BEGIN
                     "1:\n"
                     "ldr.w r11, [r12, %[quads]]\n"
                     "2:\n"
                     "mov r1, r5\n"
                     "ldrd r3, lr, [r12, %[w]]\n"
                     "ldrd r9, r10, [r12, %[x_vector]]\n"
                     "movs r0, #0\n"
                     "movs r2, #0\n"
                     "movs r4, #0\n"
                     "movs r6, #0\n"
                     "add.w r5, r5, r10, lsl #1\n"
                     "sub.w r9, r9, r10\n"
                     "dls lr, lr\n"
                     "3:\n"
                     "vldrb.u8 q0, [r3], #16\n" TINY_SUM_FOUR("vmladava.s8", "r1", "r10",
                                                              "r9") "le lr, 3b\n"
                     "ldr r1, [r12, %[quad_apart]]\n" STORE_FOUR("r1")
                                                                    "subs.w r11, r11, #1\n"
                                                                    "bne 2b\n"
                                                                    "ldrd r0, r2, [r12, %[x_row]]\n"
                                                                    "add r5, r0\n"
                                                                    "add r8, r2\n"
                                                                    "ldr r0, [r12, %[rows]]\n"
                                                                    "subs r0, #1\n"
                                                                    "str r0, [r12, %[rows]]\n"
                                                                    "bne 1b\n"
                     : "+r"(at)
                     : FIELDS
                     : CLOBBERED);
}

#else

/* The C twins. */
static void sum_more(tiny_windows *l) {
    const uint32_t count = TINY_TOGETHER * l->quads;
    for (; l->rows; l->rows--) {
        for (uint32_t i = 0; i < count; i++, l->sums += l->apart / 4) {
            const int8_t *x = l->x + i * l->x_pair / TINY_PAIR;
            *l->sums = tiny_window_sum(x, l->w, l->vectors, l->x_vector, l->offset[0]);
        }
        l->x += (int32_t)(count * l->x_pair / TINY_PAIR + l->x_row);
        l->sums += (int32_t)l->sums_row / 4;
    }
}

static void sum_one(tiny_windows *l) { sum_more(l); }

#endif

void tiny_sum_windows(tiny_windows *windows) {
    if (windows->vectors == 1) {
        sum_one(windows);
    } else {
        sum_more(windows);
    }
}
