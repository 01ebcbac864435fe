/* Stores input gradients of channels that have a factor each; see tiles.h.
 *
 * As in store.c, with a product that is not doubled: each lane has a multiplier of its own. An element
 * beyond 127 is rare. Then all elements of the call are stored once more, as the specification says it.
 */
#include <stddef.h>

#include "tiles.h"

#define SHIFT_MAX 31 /* of the upper half of a product */

int tiny_lanes_begin(tiny_lanes *l, const tiny_gradient_out *dx, const tiny_factor *factor,
                     int32_t dy_exponent, uint32_t channels) {
    int near = 1;
    l->dx = dx;
    l->factor = factor;
    l->exponent = dy_exponent - dx->scale->exponent;
    l->channels = channels;
    for (uint32_t c = 0; c < TINY_LANES; c++) {
        const tiny_factor *own = &factor[c < channels ? c : 0];
        const int32_t shift = -l->exponent - own->exponent - 17;
        near = near && shift >= 1 && shift <= SHIFT_MAX;
        l->multiplier[c] = own->mantissa * (1 << 15);
        l->right[c] = -shift;
        l->bit[c] = near ? 1u << shift : 0;
        l->lane[c] = 1u << c;
    }
    return near;
}

#if TINY_MVE_ASM

#define AT(field) [field] "i"(offsetof(tiny_lanes, field))

/* Four channels of a position. r3: bits before its first one, r4: mask, r5: where its last half is. */
#define STORE(masked)               \
    "1:\n"                          \
    "vldrw.u32 q0, [r0], #32\n"     \
    "vmulh.s32 q1, q0, q4\n"        \
    "vmul.i32 q0, q0, q4\n"         \
    "vand q2, q1, q6\n"             \
    "vorr q0, q0, q2\n"             \
    "vpt.i32 eq, q0, zr\n"          \
    "vsubt.i32 q1, q1, r10\n"       \
    "vrshl.s32 q1, q1, q5\n" masked \
    "vctp.32 r11\n"                 \
    "vpstt\n"                       \
    "vmaxavt.s32 r9, q1\n"          \
    "vstrbt.32 q1, [r1]\n"          \
    "add r1, r2\n"                  \
    "le lr, 1b\n"
#define MASKED                   \
    "lsrs r6, r3, #3\n"          \
    "cmp r6, r5\n"               \
    "it hi\n"                    \
    "movhi r6, r5\n"             \
    "ldrh.w r8, [r4, r6]\n"      \
    "sub.w r6, r3, r6, lsl #3\n" \
    "lsr.w r8, r8, r6\n"         \
    "vdup.32 q0, r8\n"           \
    "vand q0, q0, q7\n"          \
    "vpt.i32 eq, q0, zr\n"       \
    "vmovt.i32 q1, #0\n"         \
    "add r3, r2\n"

/* Elements from `first` on, all of which fit; returns the largest magnitude. `count` is where the loop
 * has it: r7 may be the frame pointer, and all other registers are taken. */
#define STORE_FUNCTION(name, masked)                                                          \
    TINY_APART static uint32_t name(const tiny_lanes *l, const int32_t *sums, uint32_t first, \
                                    uint32_t step, uint32_t count, uint32_t last) {           \
        register const int32_t *from __asm__("r0") = sums;                                    \
        register int8_t *to __asm__("r1") = l->dx->d + first;                                 \
        register uint32_t by __asm__("r2") = step;                                            \
        register uint32_t bit __asm__("r3") = first;                                          \
        register const uint8_t *mask __asm__("r4") = l->dx->mask;                             \
        register uint32_t end __asm__("r5") = last;                                           \
        register uint32_t peak __asm__("r9") = 0;                                             \
        register uint32_t one __asm__("r10") = 1;                                             \
        register uint32_t channels __asm__("r11") = l->channels;                              \
        register const tiny_lanes *at __asm__("r12") = l;                                     \
        register uint32_t positions __asm__("lr") = count;                                    \
        __asm__ volatile(                                                                     \
            "vldrw.u32 q4, [r12, %[multiplier]]\n"                                            \
            "vldrw.u32 q5, [r12, %[right]]\n"                                                 \
            "vldrw.u32 q6, [r12, %[bits]]\n"                                                  \
            "vldrw.u32 q7, [r12, %[lane]]\n"                                                  \
            "dls lr, lr\n" STORE(masked)                                                      \
            : "+r"(from), "+r"(to), "+r"(bit), "+r"(peak), "+r"(positions)                    \
            : "r"(by), "r"(mask), "r"(end), "r"(one), "r"(channels), "r"(at), AT(multiplier), \
              AT(right), [bits] "i"(offsetof(tiny_lanes, bit)), AT(lane)                      \
            : "r6", "r8", "q0", "q1", "q2", "q4", "q5", "q6", "q7", "cc", "memory");          \
        return peak;                                                                          \
    }

STORE_FUNCTION(store_masked, MASKED)
STORE_FUNCTION(store_all, "")

#else

/* The C twins. */
static uint32_t store_all(const tiny_lanes *l, const int32_t *sums, uint32_t first, uint32_t step,
                          uint32_t count, uint32_t last) {
    uint32_t peak = 0;
    (void)last;
    for (; count; count--, first += step, sums += TINY_LANES_STEP) {
        for (uint32_t c = 0; c < l->channels; c++) {
            const uint32_t bit = first + c;
            const int32_t v =
                tiny_scale_by(sums[c], l->factor[c].mantissa, l->factor[c].exponent + l->exponent);
            const uint32_t passes = !l->dx->mask || (l->dx->mask[bit >> 3] >> (bit & 7u) & 1u);
            const uint32_t magnitude = passes ? (uint32_t)(v < 0 ? -v : v) : 0;
            peak = magnitude > peak ? magnitude : peak;
            l->dx->d[bit] = (int8_t)(passes ? (uint32_t)v & 0xFFu : 0);
        }
    }
    return peak;
}

static uint32_t store_masked(const tiny_lanes *l, const int32_t *sums, uint32_t first,
                             uint32_t step, uint32_t count, uint32_t last) {
    return store_all(l, sums, first, step, count, last);
}

#endif

/* As the specification says it. */
static void store_exactly(const tiny_lanes *l, const int32_t *sums, uint32_t first, uint32_t step,
                          uint32_t count) {
    for (; count; count--, first += step, sums += TINY_LANES_STEP) {
        for (uint32_t c = 0; c < l->channels; c++) {
            const tiny_factor *own = &l->factor[c];
            tiny_store_gradient(l->dx, first + c,
                                tiny_scale_by(sums[c], own->mantissa, own->exponent + l->exponent));
        }
    }
}

void tiny_lanes_store(const tiny_lanes *l, int near, const int32_t *sums, uint32_t first,
                      uint32_t step, uint32_t count, uint32_t elements) {
    const uint32_t bytes = (elements + 7) / 8;
    uint32_t peak = UINT32_MAX;
    if (near && !l->dx->mask) {
        peak = store_all(l, sums, first, step, count, 0);
    } else if (near && bytes > 1) {
        peak = store_masked(l, sums, first, step, count, bytes - 2);
    } else {
        /* a factor is extreme, or there is no second byte of the mask to load */
    }
    if (peak > 127) {
        store_exactly(l, sums, first, step, count);
    } else {
        l->dx->scale->peak = tiny_max(l->dx->scale->peak, (int32_t)peak);
    }
}
