/* Stores stripes of an input gradient; see stripe.h.
 *
 * Of four elements: 1 instruction to load, 13 to mask, 8 to find the peak and what is large, 3 to make
 * bytes of halves, 4 to store and go on.
 */
#include "stripe.h"

#include <stddef.h>

#include "words.h"

void tiny_stripe_skip(tiny_stripe *stripe) {
    stripe->values += 2;
    stripe->at += stripe->step;
    stripe->left--;
    if (stripe->left == 0) {
        stripe->values += stripe->values_down / 4;
        stripe->at += stripe->down;
        stripe->left = stripe->width;
        stripe->rows--;
    }
}

#if TINY_DSP_ASM

/* For four bits of a mask, lowest first: channels (0, 2) and (1, 3) as halves, all ones where they
 * pass. */
#define EVEN(bits) (((bits) & 1u ? 0xFFFFu : 0u) | ((bits) & 4u ? 0xFFFF0000u : 0u))
#define ODD(bits) EVEN((bits) >> 1)
#define BOTH(bits) EVEN(bits), ODD(bits)
static const uint32_t passing[32] = {
    BOTH(0u), BOTH(1u), BOTH(2u),  BOTH(3u),  BOTH(4u),  BOTH(5u),  BOTH(6u),  BOTH(7u),
    BOTH(8u), BOTH(9u), BOTH(10u), BOTH(11u), BOTH(12u), BOTH(13u), BOTH(14u), BOTH(15u)};

/* Bits [at, at + 4) are in one byte or in two; the second one may be the first again. */
#define MASK                     \
    "add.w r5, r8, r2, lsr #3\n" \
    "ldrb r5, [r5]\n"            \
    "adds r6, r2, #3\n"          \
    "add.w r6, r8, r6, lsr #3\n" \
    "ldrb r6, [r6]\n"            \
    "orr.w r5, r5, r6, lsl #8\n" \
    "and.w r6, r2, #7\n"         \
    "lsrs r5, r6\n"              \
    "and.w r5, r5, #15\n"        \
    "add.w r6, r9, r5, lsl #3\n" \
    "ldrd r5, r6, [r6]\n"        \
    "ands r3, r5\n"              \
    "ands r4, r6\n"

#define AT(field) [field] "i"(offsetof(tiny_stripe, field))

/* The position is in r3 and r4, its magnitudes in r5 and r6. r7 is saved, because it is the frame pointer
 * of unoptimized code. */
#define STORE(name, masking)                                                                  \
    TINY_APART static void name(tiny_stripe *stripe, const tiny_gradient_out *dx) {           \
        register tiny_stripe *s __asm__("r0") = stripe;                                       \
        register const uint8_t *bits __asm__("r8") = dx->mask;                                \
        register const uint32_t *pairs __asm__("r9") = passing;                               \
        register int8_t *d __asm__("r10") = dx->d;                                            \
        __asm__ volatile(                                                                     \
            "str.w r7, [r0, %[saved]]\n"                                                      \
            "ldr.w r1, [r0, %[values]]\n"                                                     \
            "ldr.w lr, [r0, %[left]]\n"                                                       \
            "ldr.w r2, [r0, %[at]]\n"                                                         \
            "ldr.w r12, [r0, %[step]]\n"                                                      \
            "ldr.w r11, [r0, %[peaks]]\n"                                                     \
            "1:\n"                                                                            \
            "ldrd r3, r4, [r1]\n" masking                                                     \
            "movs r6, #0\n"                                                                   \
            "ssub16 r5, r6, r3\n"                                                             \
            "sel r5, r5, r3\n"                                                                \
            "ssub16 r7, r6, r4\n"                                                             \
            "sel r6, r7, r4\n"                                                                \
            "orr.w r7, r5, r6\n"                                                              \
            "bics.w r7, r7, #0x007F007F\n"                                                    \
            "bne 2f\n"                                                                        \
            "ssub16 r7, r5, r6\n"                                                             \
            "sel r5, r5, r6\n"                                                                \
            "ssub16 r7, r5, r11\n"                                                            \
            "sel r11, r5, r11\n"                                                              \
            "uxtb16 r3, r3\n"                                                                 \
            "uxtb16 r4, r4\n"                                                                 \
            "orr.w r3, r3, r4, lsl #8\n"                                                      \
            "str.w r3, [r10, r2]\n"                                                           \
            "adds r1, #8\n"                                                                   \
            "add r2, r2, r12\n"                                                               \
            "subs.w lr, lr, #1\n"                                                             \
            "bne 1b\n"                                                                        \
            "ldr r3, [r0, %[rows]]\n"                                                         \
            "ldr.w lr, [r0, %[width]]\n"                                                      \
            "ldr r4, [r0, %[down]]\n"                                                         \
            "ldr r5, [r0, %[values_down]]\n"                                                  \
            "subs r3, #1\n"                                                                   \
            "str r3, [r0, %[rows]]\n"                                                         \
            "add r2, r2, r4\n"                                                                \
            "add r1, r1, r5\n"                                                                \
            "bne 1b\n"                                                                        \
            "2:\n"                                                                            \
            "str.w r1, [r0, %[values]]\n"                                                     \
            "str.w lr, [r0, %[left]]\n"                                                       \
            "str.w r2, [r0, %[at]]\n"                                                         \
            "str.w r11, [r0, %[peaks]]\n"                                                     \
            "ldr.w r7, [r0, %[saved]]\n"                                                      \
            :                                                                                 \
            : "r"(s), "r"(bits), "r"(pairs), "r"(d), AT(saved), AT(values), AT(left), AT(at), \
              AT(step), AT(peaks), AT(rows), AT(width), AT(down), AT(values_down)             \
            : "r1", "r2", "r3", "r4", "r5", "r6", "r11", "r12", "lr", "cc", "memory");        \
    }

STORE(store_masked, MASK)
STORE(store_all, "")

void tiny_stripe_store(tiny_stripe *stripe, const tiny_gradient_out *dx) {
    if (stripe->rows == 0) {
        return;
    }
    if (dx->mask) {
        store_masked(stripe, dx);
    } else {
        store_all(stripe, dx);
    }
}

#else

/* Bits [at, at + 4) of a mask, lowest first; bits above them have no meaning. */
static uint32_t mask_bits(const uint8_t *mask, uint32_t at) {
    return ((uint32_t)mask[at >> 3] | (uint32_t)mask[(at + 3) >> 3] << 8) >> (at & 7u);
}

/* The C twin. */
void tiny_stripe_store(tiny_stripe *stripe, const tiny_gradient_out *dx) {
    for (; stripe->rows; tiny_stripe_skip(stripe)) {
        const uint32_t bits = dx->mask ? mask_bits(dx->mask, stripe->at) : 15u;
        const uint32_t passing = tiny_masked(0xFFFFFFFFu, bits);
        const uint32_t even = stripe->values[0] & tiny_add_even_bytes(0, passing);
        const uint32_t odd = stripe->values[1] & tiny_add_odd_bytes(0, passing);
        const uint32_t m = tiny_magnitudes(even), n = tiny_magnitudes(odd);
        if ((m | n) & ~0x007F007Fu) {
            return;
        }
        stripe->peaks = tiny_larger_halves(tiny_larger_halves(m, n), stripe->peaks);
        tiny_store_word(dx->d + stripe->at, (even & 0x00FF00FFu) | (odd & 0x00FF00FFu) << 8);
    }
}

#endif
