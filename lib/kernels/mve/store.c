/* Stores input gradients, four elements of 32 bits at a time; see tiles.h.
 *
 * With a mantissa of 31 bits the result is the upper half of the doubled product, shifted by the rest
 * and rounded. A rounding shift rounds ties up, so 1 is subtracted before where a tie must go down:
 * where the lower half is 0 and the result would be even without it. Where the lower half is 0 and
 * there is no tie, the 1 changes nothing.
 *
 * An element beyond 127 is rare. Then its vectors are stored once more, as the specification says it.
 */
#include <string.h>

#include "tiles.h"

void tiny_gradient_store_begin(tiny_gradient_store *s, const tiny_gradient_out *dx,
                               const tiny_factor *factor, int32_t dy_exponent, uint32_t elements) {
    s->dx = dx;
    s->factor = *factor;
    s->exponent = factor->exponent + dy_exponent - dx->scale->exponent;
    s->shift = -s->exponent - 16;
    s->multiplier = s->shift >= 1 && s->shift <= 31 ? factor->mantissa * (1 << 15) : 0;
    s->mask_bytes = (elements + 7) / 8;
    for (uint32_t i = 0; i < TINY_LANES; i++) {
        s->bit[i] = s->multiplier ? 1u << s->shift : 0;
        s->lane[i] = 1u << i;
    }
}

/* A word, unless it would reach beyond the end. */
uint32_t tiny_mask_word(const tiny_gradient_store *s, uint32_t i) {
    const uint8_t *mask = s->dx->mask;
    uint32_t byte = i >> 3, word = 0;
    if (!mask) {
        return ~0u;
    }
    if (byte + 4 <= s->mask_bytes) {
        memcpy(&word, mask + byte, sizeof word);
        return word >> (i & 7u);
    }
    for (uint32_t bit = 0; byte < s->mask_bytes; byte++, bit += 8) {
        word |= (uint32_t)mask[byte] << bit;
    }
    return word >> (i & 7u);
}

#if TINY_MVE_ASM

/* Stores `count` elements whose low bytes are all of them. Returns the largest magnitude. */
static inline uint32_t store(const tiny_gradient_store *s, const int32_t *sums, uint32_t mask,
                             uint32_t count, int8_t *d) {
    uint32_t peak = 0;
    __asm__ volatile(
        "vldrw.u32 q5, [%[bit]]\n"
        "vldrw.u32 q4, [%[bit], #16]\n"
        "vdup.32 q3, %[mask]\n"
        "dlstp.32 lr, %[count]\n"
        "1:\n"
        "vldrw.u32 q0, [%[sums]], #16\n"
        "vqdmulh.s32 q1, q0, %[multiplier]\n"
        "vmul.i32 q0, q0, %[doubled]\n"
        "vand q2, q1, q5\n"
        "vorr q0, q0, q2\n"
        "vpt.i32 eq, q0, zr\n"
        "vsubt.i32 q1, q1, %[one]\n"
        "vrshl.s32 q1, %[right]\n"
        "vand q0, q3, q4\n"
        "vpt.i32 eq, q0, zr\n"
        "vmovt.i32 q1, #0\n"
        "vshr.u32 q3, q3, #4\n"
        "vmaxav.s32 %[peak], q1\n"
        "vstrb.32 q1, [%[d]], #4\n"
        "letp lr, 1b\n"
        : [sums] "+&r"(sums), [d] "+&l"(d), [peak] "+&r"(peak)
        : [multiplier] "r"(s->multiplier), [doubled] "r"(2 * (uint32_t)s->multiplier),
          [right] "r"(-s->shift), [one] "r"(1), [mask] "r"(mask), [count] "r"(count),
          [bit] "r"(s->bit)
        : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "cc", "memory");
    return peak;
}

#else

/* The C twin. */
static uint32_t store(const tiny_gradient_store *s, const int32_t *sums, uint32_t mask,
                      uint32_t count, int8_t *d) {
    uint32_t peak = 0;
    for (uint32_t i = 0; i < count; i++, mask >>= 1) {
        const int32_t v = tiny_scale_by(sums[i], s->factor.mantissa, s->exponent);
        const uint32_t magnitude = mask & 1u ? (uint32_t)(v < 0 ? -v : v) : 0;
        peak = magnitude > peak ? magnitude : peak;
        d[i] = (int8_t)(mask & 1u ? (uint32_t)v & 0xFFu : 0);
    }
    return peak;
}

#endif

/* As the specification says it. */
static void store_exactly(const tiny_gradient_store *s, uint32_t i, const int32_t *sums,
                          uint32_t count) {
    for (uint32_t k = 0; k < count; k++) {
        tiny_store_gradient(s->dx, i + k, tiny_scale_by(sums[k], s->factor.mantissa, s->exponent));
    }
}

void tiny_gradient_store_rows(const tiny_gradient_store *s, const uint32_t *at, uint32_t rows,
                              uint32_t step, uint32_t first, const int32_t *sums, uint32_t count) {
    int32_t peak = s->dx->scale->peak;
    for (; rows; rows--, sums += TINY_STORED_AT_ONCE) {
        const uint32_t i = *at++ * step + first;
        const uint32_t own =
            s->multiplier ? store(s, sums, tiny_mask_word(s, i), count, s->dx->d + i) : UINT32_MAX;
        if (own > 127) {
            store_exactly(s, i, sums, count);
        } else {
            peak = tiny_max(peak, (int32_t)own);
        }
    }
    s->dx->scale->peak = tiny_max(s->dx->scale->peak, peak);
}

void tiny_gradient_store_adjacent(const tiny_gradient_store *s, uint32_t at, const int32_t *sums,
                                  uint32_t count) {
    static const uint32_t only = 0;
    tiny_gradient_store_rows(s, &only, 1, 0, at, sums, count);
}
