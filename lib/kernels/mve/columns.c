/* What products read: channels transposed into columns, gradients rescaled into rows; see tiles.h. */
#include <string.h>

#include "tiles.h"

#if TINY_MVE_ASM

/* A stride is below 9362: seven and 1 fit in the 16 bits of an offset. r0, r1: from and to; r2: 8 rows; r3: rows of a line; r8 to r11: lines that are left, bytes from line
 * to line, of both; from column to column. */
void tiny_transpose_two(const tiny_columns *columns) {
    register const tiny_columns *at __asm__("r12") = columns;
    __asm__ volatile(
        "ldmia.w r12!, {r0, r1, r4, r5}\n"
        "movs r2, #0\n"
        "vidup.u16 q2, r2, #1\n"
        "vmul.i16 q2, q2, r4\n"
        "vadd.i16 q3, q2, r5\n"
        "lsls r2, r4, #3\n"
        "ldmia.w r12, {r3, r8, r9, r10, r11}\n"
        "1:\n"
        "mov r4, r0\n"
        "mov r5, r1\n"
        "add.w r6, r1, r10\n"
        "dlstp.16 lr, r3\n"
        "2:\n"
        "vldrb.u16 q0, [r4, q2]\n"
        "vldrb.u16 q1, [r4, q3]\n"
        "add r4, r2\n"
        "vstrb.16 q0, [r5], #8\n"
        "vstrb.16 q1, [r6], #8\n"
        "letp lr, 2b\n"
        "add r0, r9\n"
        "add r1, r11\n"
        "subs.w r8, r8, #1\n"
        "bne 1b\n"
        : "+r"(at)
        :
        : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "lr", "q0", "q1",
          "q2", "q3", "cc", "memory");
}

void tiny_transpose_pair(const int8_t *from, uint32_t stride, uint32_t second, uint32_t count,
                         int8_t *to, uint32_t pitch) {
    int8_t *other = to + pitch;
    register uint32_t at __asm__("r4") = 0;
    __asm__ volatile(
        "vidup.u16 q2, %[at], #1\n"
        "vmul.i16 q2, q2, %[stride]\n"
        "vadd.i16 q3, q2, %[second]\n"
        "dlstp.16 lr, %[count]\n"
        "1:\n"
        "vldrb.u16 q0, [%[from], q2]\n"
        "vldrb.u16 q1, [%[from], q3]\n"
        "add.w %[from], %[from], %[stride], lsl #3\n"
        "vstrb.16 q0, [%[to]], #8\n"
        "vstrb.16 q1, [%[other]], #8\n"
        "letp lr, 1b\n"
        : [from] "+&r"(from), [to] "+&l"(to), [other] "+&l"(other), [at] "+&r"(at)
        : [stride] "r"(stride), [second] "r"(second), [count] "r"(count)
        : "lr", "q0", "q1", "q2", "q3", "cc", "memory");
}

/* q4 to q7: offsets of 16 rows, the last one's behind it. Words of four bytes are gathered side by side,
 * and a load of every fourth byte sorts them. */
void tiny_transpose_fours(const int8_t *from, uint32_t stride, uint32_t count, uint32_t fours,
                          int8_t *to) {
    register uint32_t at __asm__("r4") = 0;
    __asm__ volatile(
        "vidup.u32 q4, %[at], #1\n"
        "vidup.u32 q5, %[at], #1\n"
        "vidup.u32 q6, %[at], #1\n"
        "vidup.u32 q7, %[at], #1\n"
        "vdup.32 q0, %[last]\n"
        "vmin.u32 q4, q4, q0\n"
        "vmin.u32 q5, q5, q0\n"
        "vmin.u32 q6, q6, q0\n"
        "vmin.u32 q7, q7, q0\n"
        "vmul.i32 q4, q4, %[stride]\n"
        "vmul.i32 q5, q5, %[stride]\n"
        "vmul.i32 q6, q6, %[stride]\n"
        "vmul.i32 q7, q7, %[stride]\n"
        "dls lr, %[fours]\n"
        "1:\n"
        "vldrw.u32 q0, [%[from], q4]\n"
        "vldrw.u32 q1, [%[from], q5]\n"
        "vldrw.u32 q2, [%[from], q6]\n"
        "vldrw.u32 q3, [%[from], q7]\n"
        "adds %[from], #4\n"
        "vstrw.32 q0, [%[to]]\n"
        "vstrw.32 q1, [%[to], #16]\n"
        "vstrw.32 q2, [%[to], #32]\n"
        "vstrw.32 q3, [%[to], #48]\n"
        "vld40.8 {q0, q1, q2, q3}, [%[to]]\n"
        "vld41.8 {q0, q1, q2, q3}, [%[to]]\n"
        "vld42.8 {q0, q1, q2, q3}, [%[to]]\n"
        "vld43.8 {q0, q1, q2, q3}, [%[to]]\n"
        "vstrw.32 q0, [%[to]], #64\n"
        "vstrw.32 q1, [%[to], #-48]\n"
        "vstrw.32 q2, [%[to], #-32]\n"
        "vstrw.32 q3, [%[to], #-16]\n"
        "le lr, 1b\n"
        : [from] "+&l"(from), [to] "+&r"(to), [at] "+&r"(at)
        : [stride] "r"(stride), [last] "r"(count - 1), [fours] "r"(fours)
        : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory");
}

void tiny_transpose_apart(const int8_t *from, uint32_t stride, uint32_t second, uint32_t count,
                          int8_t *to) {
    uint32_t step = 8; /* to the other half of a vector, or to the next vector */
    register uint32_t at __asm__("r4") = 0;
    __asm__ volatile(
        "vidup.u16 q2, %[at], #1\n"
        "vmul.i16 q2, q2, %[stride]\n"
        "vadd.i16 q3, q2, %[second]\n"
        "dlstp.16 lr, %[count]\n"
        "1:\n"
        "vldrb.u16 q0, [%[from], q2]\n"
        "vldrb.u16 q1, [%[from], q3]\n"
        "add.w %[from], %[from], %[stride], lsl #3\n"
        "vstrb.16 q0, [%[to]]\n"
        "vstrb.16 q1, [%[to], #16]\n"
        "add %[to], %[step]\n"
        "eor %[step], %[step], #48\n"
        "letp lr, 1b\n"
        : [from] "+&r"(from), [to] "+&l"(to), [step] "+&r"(step), [at] "+&r"(at)
        : [stride] "r"(stride), [second] "r"(second), [count] "r"(count)
        : "lr", "q0", "q1", "q2", "q3", "cc", "memory");
}

int32_t tiny_sum_apart(const int8_t *bytes, uint32_t count) {
    register int32_t sum __asm__("r2") = 0;
    __asm__ volatile(
        "dls lr, %[rounds]\n"
        "1:\n"
        "vldrb.u8 q0, [%[bytes]], #64\n"
        "vaddva.s8 %[sum], q0\n"
        "le lr, 1b\n"
        : [bytes] "+&r"(bytes), [sum] "+&r"(sum)
        : [rounds] "r"(count / 16)
        : "lr", "q0", "cc", "memory");
    return sum;
}

/* q3: where eight terms go. */
static void rescale(const tiny_descent *descent, const int8_t *dy, uint32_t count, int32_t shift,
                    int16_t *t, uint32_t first, uint32_t step) {
    const uint16_t *ratio = descent->ratio;
    register uint32_t at __asm__("r2") = first;
    __asm__ volatile(
        "vidup.u16 q2, %[at], #1\n"
        "vshr.u16 q3, q2, #3\n"
        "vmul.i16 q3, q3, %[beyond]\n"
        "sub %[at], #8\n" /* first again */
        "vsub.i16 q2, q2, %[at]\n"
        "vadd.i16 q2, q2, q2\n"
        "vadd.i16 q3, q3, q2\n"
        "dlstp.16 lr, %[count]\n"
        "1:\n"
        "vldrb.s16 q0, [%[dy]], #8\n"
        "vldrh.u16 q1, [%[ratio]], #16\n"
        "vshl.s16 q0, %[shift]\n"
        "vqrdmulh.s16 q0, q0, q1\n"
        "vstrh.16 q0, [%[t], q3]\n"
        "add %[t], %[t], %[step]\n"
        "letp lr, 1b\n"
        : [dy] "+&l"(dy), [ratio] "+&r"(ratio), [t] "+&r"(t), [at] "+&r"(at)
        : [count] "r"(count), [shift] "r"(shift), [step] "r"(step), [beyond] "r"(step - 16)
        : "lr", "q0", "q1", "q2", "q3", "cc", "memory");
}

void tiny_fill_bytes(int8_t *bytes, uint32_t count, int8_t with) {
    __asm__ volatile(
        "vdup.8 q0, %[with]\n"
        "dlstp.8 lr, %[count]\n"
        "1:\n"
        "vstrb.8 q0, [%[bytes]], #16\n"
        "letp lr, 1b\n"
        : [bytes] "+&r"(bytes)
        : [count] "r"(count), [with] "r"(with)
        : "lr", "q0", "cc", "memory");
}

int32_t tiny_sum_bytes(const int8_t *bytes, uint32_t count) {
    register int32_t sum __asm__("r2") = 0;
    __asm__ volatile(
        "dlstp.8 lr, %[count]\n"
        "1:\n"
        "vldrb.u8 q0, [%[bytes]], #16\n"
        "vaddva.s8 %[sum], q0\n"
        "letp lr, 1b\n"
        : [bytes] "+&r"(bytes), [sum] "+&r"(sum)
        : [count] "r"(count)
        : "lr", "q0", "cc", "memory");
    return sum;
}

#else

/* The C twins. */
void tiny_transpose_fours(const int8_t *from, uint32_t stride, uint32_t count, uint32_t fours,
                          int8_t *to) {
    for (uint32_t i = 0; i < fours * 4 * 16; i++) {
        const uint32_t row = i % 16 < count ? i % 16 : count - 1;
        to[i] = from[row * stride + i / 16];
    }
}

void tiny_transpose_apart(const int8_t *from, uint32_t stride, uint32_t second, uint32_t count,
                          int8_t *to) {
    for (uint32_t i = 0; i < count; i++, from += stride) {
        to[tiny_update_term(i)] = from[0];
        to[tiny_update_term(i) + 16] = from[second];
    }
}

int32_t tiny_sum_apart(const int8_t *bytes, uint32_t count) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        sum += bytes[tiny_update_term(i)];
    }
    return sum;
}

void tiny_transpose_two(const tiny_columns *c) {
    for (uint32_t line = 0; line < c->lines; line++) {
        const int8_t *from = c->from + line * c->line;
        int8_t *to = c->to + line * c->to_line;
        for (uint32_t i = 0; i < c->count; i++, from += c->stride, to++) {
            to[0] = from[0];
            to[c->pitch] = from[c->second];
        }
    }
}

void tiny_transpose_pair(const int8_t *from, uint32_t stride, uint32_t second, uint32_t count,
                         int8_t *to, uint32_t pitch) {
    for (uint32_t i = 0; i < count; i++, from += stride, to++) {
        to[0] = from[0];
        to[pitch] = from[second];
    }
}

static void rescale(const tiny_descent *descent, const int8_t *dy, uint32_t count, int32_t shift,
                    int16_t *t, uint32_t first, uint32_t step) {
    for (uint32_t o = 0; o < count; o++) {
        const uint32_t beyond = (first + o) / 8 * (step - 16) / 2;
        t[o + beyond] = (int16_t)((2 * dy[o] * (1 << shift) * descent->ratio[o] + (1 << 15)) >> 16);
    }
}

void tiny_fill_bytes(int8_t *bytes, uint32_t count, int8_t with) { memset(bytes, with, count); }

int32_t tiny_sum_bytes(const int8_t *bytes, uint32_t count) {
    int32_t sum = 0;
    for (; count; count--) {
        sum += *bytes++;
    }
    return sum;
}

#endif

#define RATIO_SHIFT_MAX 7 /* no layer with more has this kernel */

/* Halves of a doubled product, rounded, are a shift by 15: what is missing to it is shifted before. */
void tiny_rescale_all(const tiny_descent *descent, const int8_t *dy, uint32_t count, int16_t *t) {
    rescale(descent, dy, count, RATIO_SHIFT_MAX - descent->ratio_shift, t, 0, 16);
}

void tiny_rescale_row(const tiny_descent *descent, const int8_t *dy, uint32_t count, int16_t *t,
                      uint32_t first) {
    rescale(descent, dy, count, RATIO_SHIFT_MAX - descent->ratio_shift,
            t + tiny_descent_term(first), first % 8, TINY_DESCENT_ROWS * 16);
}
