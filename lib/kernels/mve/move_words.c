/* Moves weights, four of each of four rows at a time; see tiles.h and move.c.
 *
 * A lane of `remainders` is t of SPEC 6.4 times 2^8, and is never reduced: its highest byte counts the
 * units that the row has moved by, and the bytes of four weights in turn, less those of the weights
 * before, are their steps. So bounds, weights and their count take one instruction for 16 weights. No
 * step is a tie or leaves a byte: move.c knows.
 */
#include <stddef.h>

#include "tiles.h"

#if TINY_MVE_ASM

#define AT(field) [field] "i"(offsetof(tiny_movers, field))

/* What the step of each row, which leaves q7, is made of: sums and q6, `first`; or products of q6 with an
 * element of x without its zero point. */
#define SUMS                          \
    "vldrw.u32 q0, [%[terms]], #16\n" \
    "vadd.i32 q0, q0, q6\n"
#define SHIFTED_SUMS SUMS "vshl.s32 q0, %[before]\n"
#define PRODUCTS                 \
    "ldrsb r5, [%[terms]], #1\n" \
    "sub.w r5, r5, %[x_zero]\n"  \
    "vmul.i32 q0, q6, r5\n"
/* q4: multipliers, q5: shifts. */
#define STEP(made)                  \
    made "vqdmulh.s32 q0, q0, q4\n" \
         "vrshl.s32 q0, q0, q5\n"   \
         "vmla.s32 q7, q0, r2\n"

/* Four weights of each row, in q2, at the addresses of q3 and 4. Units before each of them are gathered
 * in q1, the first one in the highest byte; those behind it come to q2. Less their
 * difference is what a subtraction clamps at -128 and 127, and its negation at 127 and -127. */
#define MOVE(made, some, load, store) \
    "1:\n"                                               \
    "vmov q1, q7\n" STEP(made) "vsri.32 q1, q7, #8\n"    \
    STEP(made) "vsri.32 q1, q7, #16\n"                   \
    STEP(made) "vsri.32 q1, q7, #24\n" STEP(made)        \
    "vshr.u32 q2, q7, #24\n"                             \
    "vsli.32 q2, q1, #8\n"                               \
    "vsub.i8 q1, q1, q2\n"                               \
    "vrev32.8 q1, q1\n" some load " q2, [q3, #4]!\n"     \
    "vsub.i8 q0, q2, q1\n"                               \
    "vqsub.s8 q1, q1, q2\n"                              \
    "vqneg.s8 q1, q1\n" some store " q1, [q3]\n"         \
    "vmov.i8 q2, #1\n"                                   \
    "vpt.i8 ne, q1, q0\n"                                \
    "vaddvat.u8 %[clamped], q2\n"                        \
    "le lr, 1b\n"
#define MOVE_ALL(made) MOVE(made, "", "vldrw.u32", "vstrw.32")
#define MOVE_SOME(made) MOVE(made, "vctp.32 %[rows]\nvpst\n", "vldrwt.u32", "vstrwt.32")

/* Returns how many weights were clamped. */
#define MOVE_FUNCTION(name, type, loop)                                                      \
    TINY_APART static uint32_t name(tiny_movers *movers, int8_t *w, const type *terms,       \
                                    int32_t zero, uint32_t fours) {                          \
        register uint32_t clamped __asm__("r4") = 0;                                         \
        register uint32_t before __asm__("r8") = movers->before;                             \
        register uint32_t rows __asm__("r9") = movers->rows;                                 \
        register int32_t x_zero __asm__("r10") = zero;                                       \
        register uint32_t left __asm__("lr") = fours;                                        \
        __asm__ volatile(                                                                    \
            "vldrw.u32 q3, [%[m], %[offset]]\n"                                              \
            "vldrw.u32 q4, [%[m], %[multiplier]]\n"                                          \
            "vldrw.u32 q5, [%[m], %[shift]]\n"                                               \
            "vldrw.u32 q6, [%[m], %[first]]\n"                                               \
            "vldrw.u32 q7, [%[m], %[remainders]]\n"                                          \
            "sub.w %[w], %[w], #4\n"                                                         \
            "vadd.i32 q3, q3, %[w]\n"                                                        \
            "mvn.w r2, #255\n"                                                               \
            "dls lr, lr\n" loop "vstrw.32 q7, [%[m], %[remainders]]\n"                       \
            : [w] "+&r"(w), [terms] "+&r"(terms), [clamped] "+&r"(clamped), "+r"(left)       \
            : [m] "r"(movers), [before] "r"(before), [rows] "r"(rows), [x_zero] "r"(x_zero), \
              AT(offset), AT(multiplier), AT(shift), AT(first), AT(remainders)               \
            : "r2", "r5", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory");   \
        return clamped;                                                                      \
    }

MOVE_FUNCTION(move_words, int32_t, MOVE_ALL(SUMS))
MOVE_FUNCTION(move_words_shifted, int32_t, MOVE_ALL(SHIFTED_SUMS))
MOVE_FUNCTION(move_words_of_some, int32_t, MOVE_SOME(SHIFTED_SUMS))
MOVE_FUNCTION(move_products, int8_t, MOVE_ALL(PRODUCTS))
MOVE_FUNCTION(move_products_of_some, int8_t, MOVE_SOME(PRODUCTS))

uint32_t tiny_move_words(tiny_movers *movers, int8_t *w, const int32_t *sums, uint32_t fours) {
    if (movers->rows < TINY_LANES) {
        return move_words_of_some(movers, w, sums, 0, fours);
    }
    return movers->before ? move_words_shifted(movers, w, sums, 0, fours)
                          : move_words(movers, w, sums, 0, fours);
}

uint32_t tiny_move_words_by_x(tiny_movers *movers, int8_t *w, const int8_t *x, int32_t x_zero,
                              uint32_t fours) {
    return movers->rows < TINY_LANES ? move_products_of_some(movers, w, x, x_zero, fours)
                                     : move_products(movers, w, x, x_zero, fours);
}

#else

/* The C twins. Moves a weight of row r by a sum that is shifted; returns whether it was clamped. */
static uint32_t move_one(tiny_movers *m, uint32_t r, int8_t *w, int64_t sum) {
    const int32_t step = tiny_shift_round(sum * m->multiplier[r], 31 - m->shift[r]);
    const uint32_t after = m->remainders[r] - ((uint32_t)step << 8);
    const uint8_t units = (uint8_t)((after >> 24) - (m->remainders[r] >> 24));
    const int32_t moved = w[m->offset[r]] + (int8_t)units;
    w[m->offset[r]] = (int8_t)tiny_clamp(moved, -127, 127);
    m->remainders[r] = after;
    return moved > 127 || moved < -127;
}

uint32_t tiny_move_words(tiny_movers *movers, int8_t *w, const int32_t *sums, uint32_t fours) {
    uint32_t clamped = 0;
    for (uint32_t k = 0; k < fours * 4; k++, sums += TINY_LANES) {
        for (uint32_t r = 0; r < movers->rows; r++) {
            const int64_t sum = (int64_t)sums[r] + movers->first[r];
            clamped += move_one(movers, r, w + k, sum * (1 << movers->before));
        }
    }
    return clamped;
}

uint32_t tiny_move_words_by_x(tiny_movers *movers, int8_t *w, const int8_t *x, int32_t x_zero,
                              uint32_t fours) {
    uint32_t clamped = 0;
    for (uint32_t k = 0; k < fours * 4; k++) {
        for (uint32_t r = 0; r < movers->rows; r++) {
            clamped += move_one(movers, r, w + k, (int64_t)movers->first[r] * (x[k] - x_zero));
        }
    }
    return clamped;
}

#endif
