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

/* The next step of each row, which leaves q7. q4: multipliers, q5: shifts, q6: `first`. */
#define STEP(ready)                  \
    "vldrw.u32 q0, [%[sums]], #16\n" \
    "vadd.i32 q0, q0, q6\n" ready    \
    "vqdmulh.s32 q0, q0, q4\n"       \
    "vrshl.s32 q0, q0, q5\n"         \
    "vmla.s32 q7, q0, r2\n"

/* Four weights of each row, in q2, at the addresses of q3 and 4. Units before each of them are gathered
 * in q1, the first one in the highest byte; those behind it come to q2. Less their
 * difference is what a subtraction clamps at -128 and 127, and its negation at 127 and -127. */
#define MOVE(ready, some, load, store) \
    "1:\n"                                                  \
    "vmov q1, q7\n" STEP(ready)                             \
    "vsri.32 q1, q7, #8\n" STEP(ready)                      \
    "vsri.32 q1, q7, #16\n" STEP(ready)                     \
    "vsri.32 q1, q7, #24\n" STEP(ready)                     \
    "vshr.u32 q2, q7, #24\n"                                \
    "vsli.32 q2, q1, #8\n"                                  \
    "vsub.i8 q1, q1, q2\n"                                  \
    "vrev32.8 q1, q1\n" some load " q2, [q3, #4]!\n"        \
    "vsub.i8 q0, q2, q1\n"                                  \
    "vqsub.s8 q1, q1, q2\n"                                 \
    "vqneg.s8 q1, q1\n" some store " q1, [q3]\n"            \
    "vmov.i8 q2, #1\n"                                      \
    "vpt.i8 ne, q1, q0\n"                                   \
    "vaddvat.u8 %[clamped], q2\n"                           \
    "le lr, 1b\n"

/* Returns how many weights were clamped. */
#define MOVE_FUNCTION(name, loop)                                                                  \
    TINY_APART static uint32_t name(tiny_movers *movers, int8_t *w, const int32_t *sums,           \
                                    uint32_t fours) {                                              \
        register uint32_t clamped __asm__("r4") = 0;                                               \
        register uint32_t before __asm__("r8") = movers->before;                                   \
        register uint32_t rows __asm__("r9") = movers->rows;                                       \
        register uint32_t left __asm__("lr") = fours;                                              \
        __asm__ volatile(                                                                          \
            "vldrw.u32 q3, [%[m], %[offset]]\n"                                                    \
            "vldrw.u32 q4, [%[m], %[multiplier]]\n"                                                \
            "vldrw.u32 q5, [%[m], %[shift]]\n"                                                     \
            "vldrw.u32 q6, [%[m], %[first]]\n"                                                     \
            "vldrw.u32 q7, [%[m], %[remainders]]\n"                                                \
            "sub.w %[w], %[w], #4\n"                                                               \
            "vadd.i32 q3, q3, %[w]\n"                                                              \
            "mvn.w r2, #255\n"                                                                     \
            "dls lr, lr\n" loop "vstrw.32 q7, [%[m], %[remainders]]\n"                             \
            : [w] "+&r"(w), [sums] "+&r"(sums), [clamped] "+&r"(clamped), "+r"(left)               \
            : [m] "r"(movers), [before] "r"(before), [rows] "r"(rows), AT(offset), AT(multiplier), \
              AT(shift), AT(first), AT(remainders)                                                 \
            : "r2", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory");               \
        return clamped;                                                                            \
    }

#define SHIFTED "vshl.s32 q0, %[before]\n"
#define SOME "vctp.32 %[rows]\nvpst\n"
MOVE_FUNCTION(move_words, MOVE("", "", "vldrw.u32", "vstrw.32"))
MOVE_FUNCTION(move_words_shifted, MOVE(SHIFTED, "", "vldrw.u32", "vstrw.32"))
MOVE_FUNCTION(move_words_of_some, MOVE(SHIFTED, SOME, "vldrwt.u32", "vstrwt.32"))

uint32_t tiny_move_words(tiny_movers *movers, int8_t *w, const int32_t *sums, uint32_t fours) {
    if (movers->rows < TINY_LANES) {
        return move_words_of_some(movers, w, sums, fours);
    }
    return movers->before ? move_words_shifted(movers, w, sums, fours)
                          : move_words(movers, w, sums, fours);
}

#else

/* The C twin. */
uint32_t tiny_move_words(tiny_movers *movers, int8_t *w, const int32_t *sums, uint32_t fours) {
    uint32_t clamped = 0;
    for (uint32_t k = 0; k < fours * 4; k++, w++, sums += TINY_LANES) {
        for (uint32_t r = 0; r < movers->rows; r++) {
            const int64_t sum = ((int64_t)sums[r] + movers->first[r]) * (1 << movers->before);
            const int32_t step =
                tiny_shift_round(sum * movers->multiplier[r], 31 - movers->shift[r]);
            const uint32_t after = movers->remainders[r] - ((uint32_t)step << 8);
            const uint8_t units = (uint8_t)((after >> 24) - (movers->remainders[r] >> 24));
            const int32_t moved = w[movers->offset[r]] + (int8_t)units;
            w[movers->offset[r]] = (int8_t)tiny_clamp(moved, -127, 127);
            clamped += moved > 127 || moved < -127;
            movers->remainders[r] = after;
        }
    }
    return clamped;
}

#endif
