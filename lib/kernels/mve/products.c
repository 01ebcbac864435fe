/* Products of rows and columns; see gradient.h.
 *
 * A round of a tile is five loads, six sums and the end of the loop, 12 instructions: 48 products of
 * an input gradient, whose rows are int16, and 96 of an update. Sums are in even registers, because
 * the instruction adds to such.
 */
#include <stddef.h>
#include <string.h>

#include "gradient.h"

#define AT(field) [field] "i"(offsetof(tiny_tiles, field))
#define CLOBBERED                                                                               \
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "lr", "q0", "q1", "q2", \
        "q3", "q4", "cc", "memory"

#if TINY_MVE_ASM

/* Two columns at r1, r3, three rows at r5, r9, r11; "a" adds to the sums, "" begins them. */
#define SIX(begin, type, by_8, by_16)                                     \
    "vldrb." type " q0, [r1], #" by_8                                     \
    "\n"                                                                  \
    "vldrb." type " q1, [r3], #" by_8 "\n" by_16 "vmladav" begin "." type \
    " r0, q2, q0\n"                                                       \
    "vmladav" begin "." type                                              \
    " r2, q2, q1\n"                                                       \
    "vmladav" begin "." type                                              \
    " r4, q3, q0\n"                                                       \
    "vmladav" begin "." type                                              \
    " r6, q3, q1\n"                                                       \
    "vmladav" begin "." type                                              \
    " r8, q4, q0\n"                                                       \
    "vmladav" begin "." type " r10, q4, q1\n"
#define ROWS_16 "vldrh.u16 q2, [r5], #16\nvldrh.u16 q3, [r9], #16\nvldrh.u16 q4, [r11], #16\n"
#define ROWS_8 "vldrb.u8 q2, [r5], #16\nvldrb.u8 q3, [r9], #16\nvldrb.u8 q4, [r11], #16\n"
/* The columns, the first row and the pitch; the other rows; rounds. After it r11 is at the next tile. */
#define BEGIN_TILE                    \
    "1:\n"                            \
    "ldmia.w r12, {r1, r3, r5, r9}\n" \
    "ldr.w lr, [r12, %[rounds]]\n"    \
    "add.w r11, r5, r9, lsl #1\n"     \
    "add r9, r5\n"
#define END_TILE                  \
    "ldr.w r1, [r12, %[tiles]]\n" \
    "subs r1, #1\n"               \
    "str.w r1, [r12, %[tiles]]\n" \
    "bne 1b\n"

TINY_APART void tiny_descent_tiles(tiny_tiles *tiles) {
    register tiny_tiles *at __asm__("r12") = tiles;
    __asm__ volatile(BEGIN_TILE SIX("", "s16", "8", ROWS_16)
                     "subs.w lr, lr, #1\n"
                     "wls lr, lr, 3f\n"
                     "2:\n" SIX("a", "s16", "8", ROWS_16)
                     "le lr, 2b\n"
                     "3:\n"
                     "ldrd r1, r3, [r12, %[sums]]\n"
                     "str.w r11, [r12, %[rows]]\n"
                     "strd r0, r2, [r1]\n"
                     "add r1, r3\n"
                     "strd r4, r6, [r1]\n"
                     "add r1, r3\n"
                     "strd r8, r10, [r1]\n"
                     "add r1, r3\n"
                     "str.w r1, [r12, %[sums]]\n" END_TILE
                     :
                     : "r"(at), AT(rows), AT(rounds), AT(tiles), AT(sums)
                     : CLOBBERED);
}

TINY_APART void tiny_update_tiles(tiny_tiles *tiles) {
    register tiny_tiles *at __asm__("r12") = tiles;
    __asm__ volatile(BEGIN_TILE
                     "ldr.w r10, [r12, %[first]]\n"
                     "ldmia.w r10!, {r0, r4, r8}\n"
                     "str.w r10, [r12, %[first]]\n"
                     "mov r2, r0\n"
                     "mov r6, r4\n"
                     "mov r10, r8\n"
                     "dls lr, lr\n"
                     "2:\n" SIX("a", "s8", "16", ROWS_8)
                     "le lr, 2b\n"
                     "ldrd r1, r3, [r12, %[sums]]\n"
                     "str.w r11, [r12, %[rows]]\n"
                     "add r3, r1\n"
                     "stmia.w r3, {r2, r6, r10}\n"
                     "stmia.w r1!, {r0, r4, r8}\n"
                     "str.w r1, [r12, %[sums]]\n" END_TILE
                     :
                     : "r"(at), AT(rows), AT(rounds), AT(tiles), AT(sums), AT(first)
                     : CLOBBERED);
}

static void transpose_two(const int8_t *from, uint32_t stride, uint32_t count, uint32_t second,
                          int8_t *to, uint32_t pitch) {
    int8_t *other = to + pitch;
    __asm__ volatile(
        "movs r2, #0\n"
        "vidup.u16 q2, r2, #1\n"
        "vmul.i16 q2, q2, %[stride]\n"
        "vadd.i16 q3, q2, %[second]\n"
        "lsl r2, %[stride], #3\n"
        "dlstp.16 lr, %[count]\n"
        "1:\n"
        "vldrb.u16 q0, [%[from], q2]\n"
        "vldrb.u16 q1, [%[from], q3]\n"
        "add %[from], %[from], r2\n"
        "vstrb.16 q0, [%[to]], #8\n"
        "vstrb.16 q1, [%[other]], #8\n"
        "letp lr, 1b\n"
        : [from] "+&r"(from), [to] "+&l"(to), [other] "+&l"(other)
        : [stride] "r"(stride), [second] "r"(second), [count] "r"(count)
        : "r2", "lr", "q0", "q1", "q2", "q3", "cc", "memory");
}

static void rescale(const tiny_descent *descent, const int8_t *dy, uint32_t count, int32_t shift,
                    int16_t *t) {
    const uint16_t *ratio = descent->ratio;
    __asm__ volatile(
        "dlstp.16 lr, %[count]\n"
        "1:\n"
        "vldrb.s16 q0, [%[dy]], #8\n"
        "vldrh.u16 q1, [%[ratio]], #16\n"
        "vshl.s16 q0, %[shift]\n"
        "vqrdmulh.s16 q0, q0, q1\n"
        "vstrh.16 q0, [%[t]], #16\n"
        "letp lr, 1b\n"
        : [dy] "+&l"(dy), [ratio] "+&r"(ratio), [t] "+&r"(t)
        : [count] "r"(count), [shift] "r"(shift)
        : "lr", "q0", "q1", "cc", "memory");
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
static int16_t half_at(const int8_t *row, uint32_t i) {
    int16_t half;
    memcpy(&half, row + 2 * i, sizeof half);
    return half;
}

void tiny_descent_tiles(tiny_tiles *t) {
    for (; t->tiles; t->tiles--, t->rows += TINY_TILE_ROWS * t->pitch) {
        for (uint32_t row = 0; row < TINY_TILE_ROWS; row++, t->sums += t->step / 4) {
            for (uint32_t c = 0; c < TINY_TILE_COLUMNS; c++) {
                t->sums[c] = 0;
                for (uint32_t i = 0; i < 8 * t->rounds; i++) {
                    t->sums[c] += half_at(t->rows + row * t->pitch, i) * t->column[c][i];
                }
            }
        }
    }
}

void tiny_update_tiles(tiny_tiles *t) {
    for (; t->tiles; t->tiles--) {
        for (uint32_t row = 0; row < TINY_TILE_ROWS; row++, t->sums++, t->rows += t->pitch) {
            const int32_t first = *t->first++;
            for (uint32_t c = 0; c < TINY_TILE_COLUMNS; c++) {
                int32_t sum = first;
                for (uint32_t i = 0; i < 16 * t->rounds; i++) {
                    sum += t->rows[i] * t->column[c][i];
                }
                t->sums[c * t->step / 4] = sum;
            }
        }
    }
}

static void transpose_two(const int8_t *from, uint32_t stride, uint32_t count, uint32_t second,
                          int8_t *to, uint32_t pitch) {
    for (; count; count--, from += stride, to++) {
        to[0] = from[0];
        to[pitch] = from[second];
    }
}

static void rescale(const tiny_descent *descent, const int8_t *dy, uint32_t count, int32_t shift,
                    int16_t *t) {
    for (uint32_t o = 0; o < count; o++) {
        t[o] = (int16_t)((2 * dy[o] * (1 << shift) * descent->ratio[o] + (1 << 15)) >> 16);
    }
}

int32_t tiny_sum_bytes(const int8_t *bytes, uint32_t count) {
    int32_t sum = 0;
    for (; count; count--) {
        sum += *bytes++;
    }
    return sum;
}

#endif

#define STRIDE_MAX 9362u /* 7 strides and 1 fit in the 16 bits of an offset */

void tiny_transpose_two(const int8_t *from, uint32_t stride, uint32_t count, uint32_t second,
                        int8_t *to, uint32_t pitch) {
    if (stride < STRIDE_MAX) {
        transpose_two(from, stride, count, second, to, pitch);
        return;
    }
    for (; count; count--, from += stride, to++) {
        to[0] = from[0];
        to[pitch] = from[second];
    }
}

#define RATIO_SHIFT_MAX 7

/* Halves of a doubled product, rounded, are a shift by 15: what is missing to it is shifted before. */
void tiny_rescale_all(const tiny_descent *descent, const int8_t *dy, uint32_t count, int16_t *t) {
    if (descent->ratio_shift <= RATIO_SHIFT_MAX) {
        rescale(descent, dy, count, RATIO_SHIFT_MAX - descent->ratio_shift, t);
        return;
    }
    for (uint32_t o = 0; o < count; o++) {
        t[o] = (int16_t)tiny_rescaled(descent, dy[o], o);
    }
}
