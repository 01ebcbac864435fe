/* Sums of input gradients for four positions at a time; see gradient.h. */
#include "gradient.h"

#include "words.h"

#if TINY_DSP_ASM

/* Four products of pairs. */
#define PAIR                            \
    "ldr.w r8, [%[w]], #4\n"            \
    "ldmia.w %[t]!, {r3, r4, r5, r6}\n" \
    "smlad %[a], r8, r3, %[a]\n"        \
    "smlad %[b], r8, r4, %[b]\n"        \
    "smlad %[c], r8, r5, %[c]\n"        \
    "smlad %[d], r8, r6, %[d]\n"

void tiny_gradient_sums(const uint32_t *t, const uint32_t *w, uint32_t pairs, int32_t *sums) {
    const uint32_t *end = w + pairs;
    int32_t a = 0, b = 0, c = 0, d = 0;
    __asm__ volatile(
        "b 2f\n"
        "1:\n" PAIR PAIR PAIR PAIR
        "2:\n"
        "sub r3, %[end], %[w]\n"
        "cmp r3, #16\n"
        "bhs 1b\n"
        "cbz r3, 4f\n"
        "3:\n" PAIR
        "cmp %[w], %[end]\n"
        "bne 3b\n"
        "4:\n"
        : [t] "+r"(t), [w] "+r"(w), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d)
        : [end] "r"(end)
        : "r3", "r4", "r5", "r6", "r8", "cc", "memory");
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

#else

void tiny_gradient_sums(const uint32_t *t, const uint32_t *w, uint32_t pairs, int32_t *sums) {
    for (uint32_t p = 0; p < TINY_TILE; p++) {
        sums[p] = 0;
        for (uint32_t i = 0; i < pairs; i++) {
            sums[p] += tiny_dual(t[i * TINY_TILE + p], w[i]);
        }
    }
}

#endif

/* Columns 0 to 3 of two rows as pairs. */
static inline void transpose_two(uint32_t first, uint32_t second, uint32_t pairs, uint32_t *to) {
    const uint32_t even = tiny_add_even_bytes(0, first), odd = tiny_add_odd_bytes(0, first);
    const uint32_t even2 = tiny_add_even_bytes(0, second), odd2 = tiny_add_odd_bytes(0, second);
    to[0] = tiny_low_halves(even, even2);
    to[pairs] = tiny_low_halves(odd, odd2);
    to[2 * pairs] = tiny_high_halves(even, even2);
    to[3 * pairs] = tiny_high_halves(odd, odd2);
}

void tiny_gradient_transpose(const int8_t *w, uint32_t rows, uint32_t width, uint32_t pairs,
                             uint32_t *to) {
    for (; rows >= 2; rows -= 2, w += 2 * width, to++) {
        transpose_two(tiny_load(w), tiny_load(w + width), pairs, to);
    }
    if (rows) {
        transpose_two(tiny_load(w), 0, pairs, to);
    }
}
