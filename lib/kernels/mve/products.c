/* Products of rows and columns; see tiles.h.
 *
 * A round of a tile is five loads, six sums and the end of the loop, 12 instructions: 48 products of
 * an input gradient, whose rows are int16, and 96 of an update. Sums are in even registers, because
 * the instruction adds to such.
 */
#include <stddef.h>
#include <string.h>

#include "tiles.h"

#define AT(type, field) [field] "i"(offsetof(type, field))
#define CLOBBERED                                                                               \
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "lr", "q0", "q1", "q2", \
        "q3", "q4", "cc", "memory"

#if TINY_MVE_ASM

/* Two columns at r1, r3, three rows at r5, r9, r11; "a" adds to the sums, "" begins them. */
#define SIX(begin, type, by, rows)                                     \
    "vldrb." type " q0, [r1], #" by                                    \
    "\n"                                                               \
    "vldrb." type " q1, [r3], #" by "\n" rows "vmladav" begin "." type \
    " r0, q2, q0\n"                                                    \
    "vmladav" begin "." type                                           \
    " r2, q2, q1\n"                                                    \
    "vmladav" begin "." type                                           \
    " r4, q3, q0\n"                                                    \
    "vmladav" begin "." type                                           \
    " r6, q3, q1\n"                                                    \
    "vmladav" begin "." type                                           \
    " r8, q4, q0\n"                                                    \
    "vmladav" begin "." type " r10, q4, q1\n"
#define ROWS_16 "vldrh.u16 q2, [r5], #16\nvldrh.u16 q3, [r9], #16\nvldrh.u16 q4, [r11], #16\n"
#define ROWS_8 "vldrb.u8 q2, [r5], #16\nvldrb.u8 q3, [r9], #16\nvldrb.u8 q4, [r11], #16\n"
/* r7, which may be the frame pointer, counts tiles. Each tile begins with its columns, the first row
 * and the pitch. When it is done, r11 is where the next one begins. */
#define BEGIN_TILES                \
    "push {r7}\n"                  \
    "ldr r7, [r12, %[tiles]]\n"    \
    "ldr.w r11, [r12, %[rows]]\n"  \
    "1:\n"                         \
    "mov r5, r11\n"                \
    "ldr.w r9, [r12, %[pitch]]\n"  \
    "ldrd r1, r3, [r12]\n"         \
    "ldr.w lr, [r12, %[rounds]]\n" \
    "add.w r11, r5, r9, lsl #1\n"  \
    "add r9, r5\n"
#define END_TILES   \
    "subs r7, #1\n" \
    "bne 1b\n"      \
    "pop {r7}\n"
#define TILES_FIELDS                                                                            \
    AT(tiny_tiles, rows), AT(tiny_tiles, pitch), AT(tiny_tiles, rounds), AT(tiny_tiles, tiles), \
        AT(tiny_tiles, sums)

TINY_APART void tiny_descent_tiles(tiny_tiles *tiles) {
    register tiny_tiles *at __asm__("r12") = tiles;
    __asm__ volatile(BEGIN_TILES SIX("", "s16", "8", ROWS_16)
                     "subs.w lr, lr, #1\n"
                     "wls lr, lr, 3f\n"
                     "2:\n" SIX("a", "s16", "8", ROWS_16)
                     "le lr, 2b\n"
                     "3:\n"
                     "ldr.w r1, [r12, %[sums]]\n"
                     "strd r0, r2, [r1]\n"
                     "strd r4, r6, [r1, %[row]]\n"
                     "strd r8, r10, [r1, %[row2]]\n"
                     "add.w r1, r1, %[row3]\n"
                     "str.w r1, [r12, %[sums]]\n" END_TILES
                     :
                     : "r"(at), TILES_FIELDS, [row] "i"(TINY_STORED_AT_ONCE * 4),
                       [row2] "i"(TINY_STORED_AT_ONCE * 8), [row3] "i"(TINY_STORED_AT_ONCE * 12)
                     : CLOBBERED);
}

TINY_APART void tiny_update_tiles(tiny_tiles *tiles) {
    register tiny_tiles *at __asm__("r12") = tiles;
    __asm__ volatile(BEGIN_TILES
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
                     "add r3, r1\n"
                     "stmia.w r3, {r2, r6, r10}\n"
                     "stmia.w r1!, {r0, r4, r8}\n"
                     "str.w r1, [r12, %[sums]]\n" END_TILES
                     :
                     : "r"(at), TILES_FIELDS, AT(tiny_tiles, first)
                     : CLOBBERED);
}

/* A stride is below 9362: seven and 1 fit in the 16 bits of an offset. r0, r1: from and to; r2: 8 rows; r3: rows of a line; r8 to r11: lines that are left, bytes from line
 * to line, of both; from column to column. */
static void transpose_two(const tiny_columns *columns) {
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
        : CLOBBERED);
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
static int16_t half_at(const int8_t *row, uint32_t i) {
    int16_t half;
    memcpy(&half, row + 2 * i, sizeof half);
    return half;
}

void tiny_descent_tiles(tiny_tiles *t) {
    for (; t->tiles; t->tiles--, t->rows += TINY_TILE_ROWS * t->pitch) {
        for (uint32_t row = 0; row < TINY_TILE_ROWS; row++, t->sums += TINY_STORED_AT_ONCE) {
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

static void transpose_two(const tiny_columns *c) {
    for (uint32_t line = 0; line < c->lines; line++) {
        const int8_t *from = c->from + line * c->line;
        int8_t *to = c->to + line * c->to_line;
        for (uint32_t i = 0; i < c->count; i++, from += c->stride, to++) {
            to[0] = from[0];
            to[c->pitch] = from[c->second];
        }
    }
}

static void rescale(const tiny_descent *descent, const int8_t *dy, uint32_t count, int32_t shift,
                    int16_t *t) {
    for (uint32_t o = 0; o < count; o++) {
        t[o] = (int16_t)((2 * dy[o] * (1 << shift) * descent->ratio[o] + (1 << 15)) >> 16);
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

void tiny_transpose_two(const tiny_columns *columns) { transpose_two(columns); }

#define RATIO_SHIFT_MAX 7 /* no layer with more has this kernel */

/* Halves of a doubled product, rounded, are a shift by 15: what is missing to it is shifted before. */
void tiny_rescale_all(const tiny_descent *descent, const int8_t *dy, uint32_t count, int16_t *t) {
    rescale(descent, dy, count, RATIO_SHIFT_MAX - descent->ratio_shift, t);
}
