/* What depthwise kernels share: eight channels in planes of bytes, and sums of windows of a plane.
 *
 * Eight channels at a time are copied into planes, where neighbours of a row are adjacent bytes. A load
 * that gathers then takes up to 16 taps of a window, as many rows of it as fit, and one instruction
 * multiplies them by the weights and adds up all products. Dilations and strides only change offsets.
 */
#ifndef TINYFLASH_KERNELS_MVE_GATHER_H
#define TINYFLASH_KERNELS_MVE_GATHER_H

#include "helium.h"

/* The same in compiler/kernels/mve.py. */
#define TINY_PLANES 8u          /* channels of a group */
#define TINY_PLANES_BYTES 4096u /* that a block of rows may need, if it has more than one row */
#define TINY_VECTOR 16u         /* taps of a vector, at most */
#define TINY_OFFSET_MAX 255u    /* of a tap that is gathered */
#define TINY_TOGETHER 4u        /* windows */
#define TINY_PAIR 2u            /* offsets of so many windows are in registers */

/* How the taps of a window are divided: each vector has `rows` rows of them. */
typedef struct tiny_split {
    uint32_t rows, vectors;
} tiny_split;

/* Divides a window of height x width taps; row, column, next: bytes in the plane from a tap to the one
 * below, to the one beside, and to the same tap of the next window. offset: [TINY_PAIR]. */
tiny_split tiny_split_window(uint32_t height, uint32_t width, uint32_t row, uint32_t column,
                             uint32_t next, uint8_t (*offset)[TINY_VECTOR]);

/* Rows of windows of one plane. Assembly knows the order of these fields. */
typedef struct tiny_windows {
    const int8_t *x; /* the first window */
    int32_t *sums;   /* of windows side by side, `apart` bytes from each to the next */
    uint32_t x_row;  /* bytes from the end of a row of windows, all quads of it, to the next row */
    uint32_t sums_row;
    uint32_t apart;
    uint32_t quad_apart; /* 4 * apart */
    const int8_t *w;     /* [vectors][TINY_VECTOR] */
    uint32_t vectors;
    uint32_t x_vector; /* bytes from what a vector reads to what the next one does */
    uint32_t x_pair;   /* bytes from a window to the one after the next */
    uint32_t quads;    /* of windows in a row */
    uint32_t rows;
    const uint8_t (*offset)[TINY_VECTOR];
} tiny_windows;

/* Computes the sums, rows in order. A row is TINY_TOGETHER * quads windows, and writes as many sums. */
void tiny_sum_windows(tiny_windows *windows);

#if TINY_MVE_ASM

/* Sums in r0, r2, r4, r6 of windows at register x, whose offsets are in q4 and q5, by weights in q0;
 * next: what goes from two windows to the next two, at the end `last`. */
#define TINY_SUM_FOUR(sum, x, next, last) \
    "vldrb.u8 q1, [" x ", q4]\n" sum      \
    " r0, q1, q0\n"                       \
    "vldrb.u8 q1, [" x ", q5]\n" sum      \
    " r2, q1, q0\n"                       \
    "add " x ", " next                    \
    "\n"                                  \
    "vldrb.u8 q1, [" x ", q4]\n" sum      \
    " r4, q1, q0\n"                       \
    "vldrb.u8 q1, [" x ", q5]\n" sum      \
    " r6, q1, q0\n"                       \
    "add " x ", " last "\n"

/* Copies `columns` positions of up to eight channels, `step` bytes apart, to planes, where they are
 * `apart` bytes apart. */
static inline void tiny_fill_planes(const int8_t *from, uint32_t step, uint32_t columns, int8_t *to,
                                    uint32_t apart, uint32_t plane, uint32_t channels) {
    __asm__ volatile(
        "movs.w lr, #0\n"
        "vidup.u16 q1, lr, #1\n"
        "vmul.i16 q1, q1, %[plane]\n"
        "vctp.16 %[channels]\n"
        "dls lr, %[columns]\n"
        "1:\n"
        "vpstt\n"
        "vldrbt.u16 q0, [%[from]]\n"
        "vstrbt.16 q0, [%[to], q1]\n"
        "add.w %[from], %[from], %[step]\n"
        "add.w %[to], %[to], %[apart]\n"
        "le lr, 1b\n"
        : [from] "+&l"(from), [to] "+&r"(to)
        : [step] "r"(step), [columns] "r"(columns), [plane] "r"(plane), [channels] "r"(channels),
          [apart] "rI"(apart)
        : "lr", "q0", "q1", "cc", "memory");
}

#else

/* The sum of a window at x, as TINY_SUM_FOUR has it for each of its vectors, which read `apart` bytes
 * from each other. */
static inline int32_t tiny_window_sum(const int8_t *x, const int8_t *w, uint32_t vectors,
                                      uint32_t apart, const uint8_t *offset) {
    int32_t sum = 0;
    for (uint32_t v = 0; v < vectors; v++) {
        for (uint32_t i = 0; i < TINY_VECTOR; i++) {
            sum += x[v * apart + offset[i]] * w[v * TINY_VECTOR + i];
        }
    }
    return sum;
}

/* The C twin. */
static inline void tiny_fill_planes(const int8_t *from, uint32_t step, uint32_t columns, int8_t *to,
                                    uint32_t apart, uint32_t plane, uint32_t channels) {
    for (uint32_t column = 0; column < columns; column++, to += apart) {
        for (uint32_t i = 0; i < channels; i++) {
            to[i * plane] = from[(int32_t)(column * step) + (int32_t)i];
        }
    }
}

#endif

#endif
