/* Products of rows and columns; see tiles.h.
 *
 * A round of a tile is six loads and eight products of vectors, and two rounds share the end of the
 * loop: 15 instructions for 64 products of an input gradient, whose rows are int16, and for 128 of an
 * update. Sums are in even registers, because the instruction adds to such.
 */
#include <stddef.h>

#include "tiles.h"

#define AT(type, field) [field] "i"(offsetof(type, field))
#define CLOBBERED                                                                               \
    "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "lr", "q0", "q1", "q2", \
        "q3", "q4", "cc", "memory"

#if TINY_MVE_ASM

/* Two columns at r3, r5, four rows at r11; "a" adds to the sums, "" begins them. */
#define EIGHT_HALVES(begin)       \
    "vldrb.s16 q0, [r3], #8\n"    \
    "vldrb.s16 q1, [r5], #8\n"    \
    "vldrh.u16 q2, [r11], #64\n"  \
    "vldrh.u16 q3, [r11, #-48]\n" \
    "vldrh.u16 q4, [r11, #-32]\n" \
    "vldrh.u16 q5, [r11, #-16]\n" \
    "vmladav" begin               \
    ".s16 r0, q2, q0\n"           \
    "vmladav" begin               \
    ".s16 r2, q2, q1\n"           \
    "vmladav" begin               \
    ".s16 r4, q3, q0\n"           \
    "vmladav" begin               \
    ".s16 r6, q3, q1\n"           \
    "vmladav" begin               \
    ".s16 r8, q4, q0\n"           \
    "vmladav" begin               \
    ".s16 r10, q4, q1\n"          \
    "vmladav" begin               \
    ".s16 r12, q5, q0\n"          \
    "vmladav" begin ".s16 lr, q5, q1\n"

/* The same of bytes. */
#define EIGHT_BYTES(begin)       \
    "vldrb.u8 q0, [r3], #16\n"   \
    "vldrb.u8 q1, [r5], #16\n"   \
    "vldrb.u8 q2, [r11], #64\n"  \
    "vldrb.u8 q3, [r11, #-48]\n" \
    "vldrb.u8 q4, [r11, #-32]\n" \
    "vldrb.u8 q5, [r11, #-16]\n" \
    "vmladav" begin              \
    ".s8 r0, q2, q0\n"           \
    "vmladav" begin              \
    ".s8 r2, q2, q1\n"           \
    "vmladav" begin              \
    ".s8 r4, q3, q0\n"           \
    "vmladav" begin              \
    ".s8 r6, q3, q1\n"           \
    "vmladav" begin              \
    ".s8 r8, q4, q0\n"           \
    "vmladav" begin              \
    ".s8 r10, q4, q1\n"          \
    "vmladav" begin              \
    ".s8 r12, q5, q0\n"          \
    "vmladav" begin ".s8 lr, q5, q1\n"

/* Where the sums of a tile go, at r9. */
#define BY_ROWS                  \
    "strd r0, r2, [r9]\n"        \
    "strd r4, r6, [r9, #64]\n"   \
    "strd r8, r10, [r9, #128]\n" \
    "strd r12, lr, [r9, #192]\n" \
    "add.w r9, r9, #256\n"
#define BY_COLUMNS                     \
    "stmia.w r9!, {r0, r4, r8, r12}\n" \
    "stmia.w r9, {r2, r6, r10, lr}\n"  \
    "add.w r9, r9, #368\n"

/* Sums are in all even registers. So columns are found on the stack, and the end of the first one, in
 * r1, ends the loop. r7, which may be the frame pointer, counts tiles. Behind the round that begins the
 * sums, `enter` enters a loop of two rounds, in its middle if one is missing. */
#define TILES_FUNCTION(name, type, round, enter, store)                                               \
    TINY_APART static void name(const type *tile) {                                                   \
        register const type *at __asm__("r12") = tile;                                                \
        __asm__ volatile(                                                                           \
            "ldmia.w r12, {r0, r1, r2, r3, r4, r5}\n"                                               \
            "push {r0, r1, r7}\n"                                                                   \
            "mov r1, r2\n"                                                                          \
            "mov r11, r3\n"                                                                         \
            "mov r7, r4\n"                                                                          \
            "mov r9, r5\n"                                                                          \
            "1:\n"                                                                                  \
            "ldrd r3, r5, [sp]\n" round("") enter "2:\n" round("a") "3:\n" round("a")               \
            "cmp r3, r1\n"                                                                          \
            "bne 2b\n"                                                                              \
            "4:\n" store                                                                             \
            "subs r7, #1\n"                                                                         \
            "bne 1b\n"                                                                              \
            "pop {r0, r1, r7}\n"                                                                    \
            : "+r"(at) : : CLOBBERED, "q5"); \
    }

TILES_FUNCTION(sum_one_round, tiny_descent_tile, EIGHT_HALVES, "b 4f\n", BY_ROWS)
TILES_FUNCTION(sum_odd_rounds, tiny_descent_tile, EIGHT_HALVES, "", BY_ROWS)
TILES_FUNCTION(sum_even_rounds, tiny_descent_tile, EIGHT_HALVES, "b 3f\n", BY_ROWS)
TILES_FUNCTION(update_one_round, tiny_update_tile, EIGHT_BYTES, "b 4f\n", BY_COLUMNS)
TILES_FUNCTION(update_odd_rounds, tiny_update_tile, EIGHT_BYTES, "", BY_COLUMNS)
TILES_FUNCTION(update_even_rounds, tiny_update_tile, EIGHT_BYTES, "b 3f\n", BY_COLUMNS)

/* The next column and its sums with four rows. */
#define FEW_COLUMN             \
    "vldrb.u8 q0, [r1], #16\n" \
    "vmladav.s8 r0, q1, q0\n"  \
    "vmladav.s8 r2, q2, q0\n"  \
    "vmladav.s8 r4, q3, q0\n"  \
    "vmladav.s8 r6, q4, q0\n"  \
    "stmia.w r8!, {r0, r2, r4, r6}\n"

void tiny_update_few(const int8_t *columns, const int8_t *rows, int32_t *sums, uint32_t count) {
    register const int8_t *column __asm__("r1") = columns;
    register const int8_t *row __asm__("r3") = rows;
    register int32_t *to __asm__("r8") = sums;
    register uint32_t left __asm__("lr") = (count + 3) / 4;
    __asm__ volatile(
        "vldrb.u8 q1, [r3]\n"
        "vldrb.u8 q2, [r3, #16]\n"
        "vldrb.u8 q3, [r3, #32]\n"
        "vldrb.u8 q4, [r3, #48]\n"
        "dls lr, lr\n"
        "1:\n" FEW_COLUMN FEW_COLUMN FEW_COLUMN FEW_COLUMN "le lr, 1b\n"
        : "+r"(column), "+r"(to), "+r"(left)
        : "r"(row)
        : "r0", "r2", "r4", "r6", "q0", "q1", "q2", "q3", "q4", "cc", "memory");
}

/* Both columns stay in registers for all rows, of two vectors each. */
TINY_APART static void update_two_rounds(const tiny_update_tile *tile) {
    register const tiny_update_tile *at __asm__("r12") = tile;
    __asm__ volatile(
        "ldmia.w r12, {r0, r1, r2, r3, r4, r5}\n"
        "vldrb.u8 q0, [r0]\n"
        "vldrb.u8 q1, [r0, #16]\n"
        "vldrb.u8 q2, [r1]\n"
        "vldrb.u8 q3, [r1, #16]\n"
        "mov r1, r4\n"
        "1:\n"
        "vldrw.u32 q4, [r3], #128\n"
        "vldrw.u32 q5, [r3, #-64]\n"
        "vmladav.s8 r0, q4, q0\n"
        "vmladav.s8 r8, q4, q2\n"
        "vmladava.s8 r0, q5, q1\n"
        "vmladava.s8 r8, q5, q3\n"
        "vldrw.u32 q4, [r3, #-112]\n"
        "vldrw.u32 q5, [r3, #-48]\n"
        "vmladav.s8 r2, q4, q0\n"
        "vmladav.s8 r10, q4, q2\n"
        "vmladava.s8 r2, q5, q1\n"
        "vmladava.s8 r10, q5, q3\n"
        "vldrw.u32 q4, [r3, #-96]\n"
        "vldrw.u32 q5, [r3, #-32]\n"
        "vmladav.s8 r4, q4, q0\n"
        "vmladav.s8 r12, q4, q2\n"
        "vmladava.s8 r4, q5, q1\n"
        "vmladava.s8 r12, q5, q3\n"
        "vldrw.u32 q4, [r3, #-80]\n"
        "vldrw.u32 q5, [r3, #-16]\n"
        "vmladav.s8 r6, q4, q0\n"
        "vmladav.s8 lr, q4, q2\n"
        "vmladava.s8 r6, q5, q1\n"
        "vmladava.s8 lr, q5, q3\n"
        "stmia.w r5!, {r0, r2, r4, r6}\n"
        "stmia.w r5, {r8, r10, r12, lr}\n"
        "add.w r5, r5, #368\n"
        "subs r1, #1\n"
        "bne 1b\n"
        : "+r"(at)
        :
        : CLOBBERED, "q5");
}

void tiny_update_tiles(const tiny_update_tile *tile) {
    const uint32_t terms = (uint32_t)(tile->end - tile->column[0]);
    if (terms == 32) {
        update_two_rounds(tile);
    } else if (terms & 16u) {
        if (terms == 16) {
            update_one_round(tile);
        } else {
            update_odd_rounds(tile);
        }
    } else {
        update_even_rounds(tile);
    }
}

static void sum_four_rows(const tiny_descent_tile *tile, uint32_t terms) {
    if (terms & 8u) {
        if (terms == 8) {
            sum_one_round(tile);
        } else {
            sum_odd_rounds(tile);
        }
    } else {
        sum_even_rounds(tile);
    }
}

/* One row, which four would take twice as long for. */
static inline void sum_row(const tiny_descent_tile *tile, const int16_t *row, uint32_t terms,
                           int32_t *sums) {
    const int8_t *left = tile->column[0], *right = tile->column[1];
    register int32_t sum __asm__("r0") = 0;
    register int32_t other __asm__("r2") = 0;
    __asm__ volatile(
        "dls lr, %[rounds]\n"
        "1:\n"
        "vldrb.s16 q0, [%[left]], #8\n"
        "vldrb.s16 q1, [%[right]], #8\n"
        "vldrh.u16 q2, [%[row]], #64\n"
        "vmladava.s16 %[sum], q2, q0\n"
        "vmladava.s16 %[other], q2, q1\n"
        "le lr, 1b\n"
        : [sum] "+r"(sum), [other] "+r"(other), [left] "+&l"(left), [right] "+&l"(right),
          [row] "+&r"(row)
        : [rounds] "r"(terms / 8)
        : "lr", "q0", "q1", "q2", "cc", "memory");
    sums[0] = sum;
    sums[1] = other;
}

#else

/* The C twins. Sums wrap, because those of no row may. */
static void sum_row(const tiny_descent_tile *tile, const int16_t *row, uint32_t terms,
                    int32_t *sums) {
    for (uint32_t c = 0; c < TINY_TILE_COLUMNS; c++) {
        uint32_t sum = 0;
        for (uint32_t i = 0; i < terms; i++) {
            sum += (uint32_t)(row[tiny_descent_term(i)] * tile->column[c][i]);
        }
        sums[c] = (int32_t)sum;
    }
}

static void sum_four_rows(const tiny_descent_tile *tile, uint32_t terms) {
    for (uint32_t row = 0; row < tile->tiles * TINY_DESCENT_ROWS; row++) {
        sum_row(tile, tile->rows + tiny_descent_row(row, terms), terms,
                tile->sums + row * TINY_SIXTEEN);
    }
}

void tiny_update_tiles(const tiny_update_tile *tile) {
    const uint32_t terms = (uint32_t)(tile->end - tile->column[0]);
    const int8_t *rows = tile->rows;
    int32_t *sums = tile->sums;
    for (uint32_t quad = 0; quad < tile->quads; quad++, rows += TINY_LANES * terms) {
        for (uint32_t i = 0; i < TINY_TILE_COLUMNS * TINY_LANES; i++) {
            const int8_t *column = tile->column[i / TINY_LANES];
            sums[i] = 0;
            for (uint32_t k = 0; k < terms; k++) {
                sums[i] += rows[tiny_update_term(k) + i % TINY_LANES * 16] * column[k];
            }
        }
        sums += TINY_UPDATE_SUMS * TINY_LANES;
    }
}

void tiny_update_few(const int8_t *columns, const int8_t *rows, int32_t *sums, uint32_t count) {
    for (uint32_t i = 0; i < count * TINY_LANES; i++) {
        const int8_t *column = columns + i / TINY_LANES * 16;
        sums[i] = 0;
        for (uint32_t k = 0; k < 16; k++) {
            sums[i] += rows[i % TINY_LANES * 16 + k] * column[k];
        }
    }
}

#endif

/* Tiles, if there are any, and a row. Apart, so that tiles alone need no registers saved. */
TINY_APART static void sum_rows_and_one(const tiny_descent_tile *tile, uint32_t terms) {
    const uint32_t rows = tile->tiles * TINY_DESCENT_ROWS;
    if (tile->tiles) {
        sum_four_rows(tile, terms);
    }
    sum_row(tile, tile->rows + rows * terms, terms, tile->sums + rows * TINY_SIXTEEN);
}

void tiny_descent_tiles(const tiny_descent_tile *tile) {
    const uint32_t terms = (uint32_t)(tile->end - tile->column[0]);
    if (tile->one) {
        sum_rows_and_one(tile, terms);
    } else {
        sum_four_rows(tile, terms);
    }
}
