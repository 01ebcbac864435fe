/* The loop over the output channels of a tile; see tile.h.
 *
 * For one quad of terms and six positions: 1 load of weights, 2 sign extensions that unpack them, 3
 * loads of four words of x, 12 multiply-adds of two products each. 18 instructions for 24 products, and
 * 3 for the end of a round of four quads. A quad has one length in bytes, so the first round of a row
 * that is no multiple of 16 terms begins in the middle of the loop.
 */
#include <stddef.h>

#include "tile.h"
#include "words.h"

#if TINY_DSP_ASM

/* The sums are in r1, r9, r10, r11, and for six positions in r0 and r7; weights in r12; x in lr. r7 is
 * saved, because it is the frame pointer of unoptimized code. */
#define TWO(a, b)             \
    "smlad " a ", r8, r3, " a \
    "\n"                      \
    "smlad " b ", r8, r5, " b \
    "\n"                      \
    "smlad " a ", r2, r4, " a \
    "\n"                      \
    "smlad " b ", r2, r6, " b "\n"
#define LOAD_X "ldmia.w lr!, {r3, r4, r5, r6}\n"
#define QUAD_4                     \
    "ldr.w r2, [r12], #4\n" LOAD_X \
    "sxtb16.w r8, r2\n"            \
    "sxtb16.w r2, r2, ror #8\n" TWO("r1", "r9") LOAD_X TWO("r10", "r11")
#define QUAD_6 QUAD_4 LOAD_X TWO("r0", "r7")
#define QUAD_BYTES_4 52
#define QUAD_BYTES_6 72

/* A round of four quads, until the mark behind x; then lr points to the part. */
#define ROUNDS(width, label)                                                      \
    ".balign 4\n" label ":\n" QUAD_##width QUAD_##width QUAD_##width QUAD_##width \
        "ldr.w r3, [lr]\n"                                                        \
        "cmp.w r3, #0x40000000\n"                                                 \
        "blt.w " label                                                            \
        "b\n"                                                                     \
        "ldr.w r3, [lr, %[excess]]\n"                                             \
        "sub.w r12, r12, r3\n"

/* Makes an address in the loop at `label`, a Thumb one, for the part at `part`. */
#define ENTRY(label, part) \
    "ldr.w r3, [" part     \
    ", %[skipped]]\n"      \
    "mov r4, %[quad]\n"    \
    "adr.w r5, " label     \
    "f\n"                  \
    "mla r3, r3, r4, r5\n" \
    "orr r3, r3, #1\n"     \
    "str.w r3, [" part ", %[entry]]\n"

#define ALL_4(each) each("r1") each("r9") each("r10") each("r11")
#define ALL_6(each) ALL_4(each) each("r0") each("r7")
#define BIAS(sum) "mov " sum ", r6\n"
#define OUTPUT(sum) TINY_REQUANTIZE(sum, "r3", "r4", "r5", "r8")

#define STORE_4                      \
    "strb.w r1, [r3]\n"              \
    "strb.w r9, [r3, r4]\n"          \
    "strb.w r10, [r3, r4, lsl #1]\n" \
    "add.w r5, r3, r4, lsl #1\n"     \
    "strb.w r11, [r5, r4]\n"
#define STORE_6                     \
    STORE_4                         \
    "strb.w r0, [r5, r4, lsl #1]\n" \
    "add.w r5, r5, r4, lsl #1\n"    \
    "strb.w r7, [r5, r4]\n"

/* The bias of the first channel is loaded apart, those of others with the constants of the channel
 * before. */
#define FIRST_BIAS              \
    "ldr.w r2, [lr, %[next]]\n" \
    "ldr.w r6, [r2], #4\n"      \
    "str.w r2, [lr, %[next]]\n"
#define OUTPUTS(width)                                                                        \
    "ldr.w r2, [lr, %[next]]\n"                                                               \
    "ldmia.w r2!, {r3, r4, r5, r6}\n"                                                         \
    "str.w r2, [lr, %[next]]\n" ALL_##width(OUTPUT) "ldrd r3, r4, [lr, %[y]]\n" STORE_##width \
        "adds r3, #1\n"                                                                       \
        "str.w r3, [lr, %[y]]\n"                                                              \
        "ldr.w r3, [lr, %[end]]\n"                                                            \
        "cmp r2, r3\n"                                                                        \
        "bne.w 5b\n"

#define SAVE "mov lr, r0\n str.w r7, [lr, %[saved]]\n"
#define RESTORE "ldr.w r7, [lr, %[saved]]\n"

#define PART(field) "i"(offsetof(tiny_tile_part, field))
#define TILE(field) "i"(offsetof(tiny_tile, field))
#define OPERANDS(width)                                                                            \
    [quad] "i"(QUAD_BYTES_##width), [excess] PART(excess), [skipped] PART(skipped),                \
        [entry] PART(entry), [w] PART(w), [other] PART(other), [link] "i"(sizeof(tiny_tile_part)), \
        [x] TILE(x), [end] TILE(end), [next] TILE(next), [y] TILE(y), [saved] TILE(saved)
#define CLOBBERED \
    "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"

/* Weights in one part: their pointer never leaves its register. */
#define LOOP_ONE(width)                                                                    \
    TINY_APART static void loop_one_##width(tiny_tile *tile) {                             \
        register tiny_tile *t __asm__("r0") = tile;                                        \
        __asm__ volatile(SAVE ENTRY("1", "lr")                                           \
                         "ldr.w r12, [lr, %[w]]\n" FIRST_BIAS "5:\n" ALL_##width(BIAS)   \
                         "ldr.w r3, [lr, %[entry]]\n"                                    \
                         "ldr.w lr, [lr, %[x]]\n"                                        \
                         "bx r3\n" ROUNDS(width, "1") OUTPUTS(width)                     \
                         "str.w r12, [lr, %[w]]\n" RESTORE                               \
                         : "+r"(t) : OPERANDS(width)                                               \
                         : CLOBBERED); \
    }

#define LOOP_TWO(width)                                                                        \
    TINY_APART static void loop_two_##width(tiny_tile *tile) {                                 \
        register tiny_tile *t __asm__("r0") = tile;                                            \
        __asm__ volatile(SAVE "ldr.w r2, [lr, %[other]]\n" ENTRY("1", "r2") ENTRY("2", "lr") \
                         FIRST_BIAS "5:\n" ALL_##width(BIAS)                             \
                         "ldr.w r2, [lr, %[other]]\n"                                    \
                         "ldr.w lr, [lr, %[x]]\n"                                        \
                         "ldr.w r12, [r2, %[w]]\n"                                       \
                         "ldr.w r3, [r2, %[entry]]\n"                                    \
                         "bx r3\n" ROUNDS(width, "1")                                    \
                         "str.w r12, [lr, %[w]]\n"                                       \
                         "ldr.w r2, [lr, %[other]]\n"                                    \
                         "add.w lr, lr, %[link]\n"                                       \
                         "ldr.w r12, [r2, %[w]]\n"                                       \
                         "ldr.w r3, [r2, %[entry]]\n"                                    \
                         "bx r3\n" ROUNDS(width, "2")                                    \
                         "str.w r12, [lr, %[w]]\n" OUTPUTS(width) RESTORE                \
                         : "+r"(t) : OPERANDS(width)                                               \
                         : CLOBBERED); \
    }

LOOP_ONE(4)
LOOP_ONE(6)
LOOP_TWO(4)
LOOP_TWO(6)

void tiny_tile_loop(tiny_tile *tile, uint32_t width, int twice) {
    if (width == TINY_TILE) {
        if (twice) {
            loop_two_4(tile);
        } else {
            loop_one_4(tile);
        }
    } else if (twice) {
        loop_two_6(tile);
    } else {
        loop_one_6(tile);
    }
}

#endif
