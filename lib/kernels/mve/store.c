/* Stores input gradients, four elements of 32 bits at a time; see gradient.h.
 *
 * With a mantissa of 31 bits the result is the upper half of the doubled product, shifted by the rest
 * and rounded. A rounding shift rounds ties up, so 1 is subtracted before where a tie must go down:
 * where the lower half is 0 and the result would be even without it. Where the lower half is 0 and
 * there is no tie, the 1 changes nothing.
 *
 * An element beyond 127 is rare. Then its vectors are stored once more, as the specification says it.
 */
#include "gradient.h"

tiny_store tiny_store_begin(const tiny_gradient_out *dx, const tiny_factor *factor,
                            int32_t dy_exponent) {
    tiny_store s = {.dx = dx, .factor = *factor};
    s.exponent = factor->exponent + dy_exponent - dx->scale->exponent;
    s.shift = -s.exponent - 16;
    s.multiplier = s.shift >= 1 && s.shift <= 31 ? factor->mantissa * (1 << 15) : 0;
    return s;
}

uint32_t tiny_mask_bits(const uint8_t *mask, uint32_t i, uint32_t count) {
    if (!mask) {
        return ~0u;
    }
    const uint8_t *at = mask + (i >> 3);
    const uint32_t bits = (i & 7u) + count;
    uint64_t word = 0;
    for (uint32_t bit = 0; bit < bits; bit += 8) {
        word |= (uint64_t)*at++ << bit;
    }
    return (uint32_t)(word >> (i & 7u));
}

#if TINY_MVE_ASM

/* Stores `count` elements whose low bytes are all of them. Returns the largest magnitude. */
TINY_APART static uint32_t store(const tiny_store *s, const int32_t *sums, uint32_t mask,
                                 uint32_t count, int8_t *d) {
    const int32_t multiplier = s->multiplier, right = -s->shift;
    uint32_t peak = 0;
    __asm__ volatile(
        "movs r2, #0\n"
        "vidup.u32 q4, r2, #1\n"
        "movs r2, #1\n"
        "vdup.32 q5, r2\n"
        "vshl.u32 q4, q5, q4\n"
        "rsb r3, %[right], #0\n"
        "lsl r3, r2, r3\n"
        "vdup.32 q5, r3\n"
        "vdup.32 q3, %[mask]\n"
        "lsl r3, %[multiplier], #1\n"
        "dlstp.32 lr, %[count]\n"
        "1:\n"
        "vldrw.u32 q0, [%[sums]], #16\n"
        "vqdmulh.s32 q1, q0, %[multiplier]\n"
        "vmul.i32 q0, q0, r3\n"
        "vand q2, q1, q5\n"
        "vorr q0, q0, q2\n"
        "vpt.i32 eq, q0, zr\n"
        "vsubt.i32 q1, q1, r2\n"
        "vrshl.s32 q1, %[right]\n"
        "vand q0, q3, q4\n"
        "vpt.i32 eq, q0, zr\n"
        "vmovt.i32 q1, #0\n"
        "vshr.u32 q3, q3, #4\n"
        "vmaxav.s32 %[peak], q1\n"
        "vstrb.32 q1, [%[d]], #4\n"
        "letp lr, 1b\n"
        : [sums] "+&r"(sums), [d] "+&l"(d), [peak] "+&r"(peak)
        : [multiplier] "r"(multiplier), [right] "r"(right), [mask] "r"(mask), [count] "r"(count)
        : "r2", "r3", "lr", "q0", "q1", "q2", "q3", "q4", "q5", "cc", "memory");
    return peak;
}

#else

/* The C twin. */
static uint32_t store(const tiny_store *s, const int32_t *sums, uint32_t mask, uint32_t count,
                      int8_t *d) {
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

void tiny_store_some(const tiny_store *s, uint32_t i, const int32_t *sums, uint32_t count) {
    const tiny_gradient_out *dx = s->dx;
    if (s->multiplier) {
        const uint32_t mask = tiny_mask_bits(dx->mask, i, count);
        const uint32_t peak = store(s, sums, mask, count, dx->d + i);
        if (peak <= 127) {
            dx->scale->peak = tiny_max(dx->scale->peak, (int32_t)peak);
            return;
        }
    }
    for (uint32_t k = 0; k < count; k++) {
        tiny_store_gradient(dx, i + k, tiny_scale_by(sums[k], s->factor.mantissa, s->exponent));
    }
}
