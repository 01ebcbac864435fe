/* Stores sums of input gradients, sixteen elements of a row at a time; see tiles.h.
 *
 * Where the mantissa is no multiple of 2^8, a tie is 2^7 at least (dsp/stripe.h has the proof). So ties
 * may go up, if an element of 127 or more is looked at again: its row is then stored by store.c.
 * Narrowing saturates, so such an element is seen in its byte.
 */
#include <stddef.h>

#include "tiles.h"

/* Rows of `count` elements. Assembly knows the order of these fields. */
typedef struct sixteen {
    const int32_t *sums;
    int8_t *d;
    uint32_t step;       /* bytes from row to row */
    const uint8_t *mask; /* two bytes of each row */
    uint32_t mask_step;
    uint32_t rows;
    int32_t multiplier, right;
    uint32_t count;
} sixteen;

#if TINY_MVE_ASM

/* Loads that deal out give every fourth element, so narrowing twice puts them in order. */
#define STORE(some, store)               \
    "1:\n"                               \
    "vld40.32 {q0, q1, q2, q3}, [r0]\n"  \
    "vld41.32 {q0, q1, q2, q3}, [r0]\n"  \
    "vld42.32 {q0, q1, q2, q3}, [r0]\n"  \
    "vld43.32 {q0, q1, q2, q3}, [r0]!\n" \
    "ldrh.w r9, [r3]\n"                  \
    "add r3, r4\n"                       \
    "vqdmulh.s32 q0, q0, r6\n"           \
    "vqdmulh.s32 q1, q1, r6\n"           \
    "vqdmulh.s32 q2, q2, r6\n"           \
    "vqdmulh.s32 q3, q3, r6\n"           \
    "vrshl.s32 q0, r8\n"                 \
    "vrshl.s32 q1, r8\n"                 \
    "vrshl.s32 q2, r8\n"                 \
    "vrshl.s32 q3, r8\n"                 \
    "vqmovnb.s32 q0, q0\n"               \
    "vqmovnt.s32 q0, q2\n"               \
    "vqmovnb.s32 q1, q1\n"               \
    "vqmovnt.s32 q1, q3\n"               \
    "vqmovnb.s16 q0, q0\n"               \
    "vqmovnt.s16 q0, q1\n"               \
    "vmsr p0, r9\n"                      \
    "vpsel q0, q0, q4\n" some store      \
    "add r1, r2\n"                       \
    "le lr, 1b\n"
#define ALL "vmaxav.s8 r5, q0\n"
#define SOME       \
    "vctp.8 r10\n" \
    "vpstt\n"      \
    "vmaxavt.s8 r5, q0\n"

/* Returns the largest magnitude, 127 or more if it may be larger than that. */
#define STORE_FUNCTION(name, some, store)                                                          \
    TINY_APART static uint32_t name(const sixteen *rows) {                                         \
        register const sixteen *at __asm__("r12") = rows;                                          \
        register uint32_t peak __asm__("r5");                                                      \
        __asm__ volatile(                                                                          \
            "ldmia.w r12!, {r0, r1, r2, r3, r4, r5}\n"                                             \
            "ldmia.w r12, {r6, r8, r10}\n"                                                         \
            "vmov.i32 q4, #0\n"                                                                    \
            "dls lr, r5\n"                                                                         \
            "movs r5, #0\n" STORE(some, store)                                                     \
            : "+r"(at), "=r"(peak)                                                                 \
            :                                                                                      \
            : "r0", "r1", "r2", "r3", "r4", "r6", "r8", "r9", "r10", "lr", "q0", "q1", "q2", "q3", \
              "q4", "cc", "memory");                                                               \
        return peak;                                                                               \
    }

STORE_FUNCTION(store_whole, ALL, "vstrb.8 q0, [r1]\n")
STORE_FUNCTION(store_some, SOME, "vstrbt.8 q0, [r1]\n")

#else

/* The C twins. */
static uint32_t store_some(const sixteen *s) {
    uint32_t peak = 0;
    for (uint32_t row = 0; row < s->rows; row++) {
        const uint8_t *mask = s->mask + row * s->mask_step;
        for (uint32_t i = 0; i < s->count; i++) {
            const int64_t upper = (int64_t)s->sums[row * TINY_SIXTEEN + i] * s->multiplier >> 31;
            const int64_t v = (upper + ((int64_t)1 << (-s->right - 1))) >> -s->right;
            const int32_t byte = v > 127 ? 127 : (v < -128 ? -128 : (int32_t)v);
            const int32_t passed = mask[i / 8] >> (i % 8) & 1 ? byte : 0;
            s->d[row * s->step + i] = (int8_t)passed;
            peak = (uint32_t)tiny_max((int32_t)peak, passed < 0 ? -passed : passed);
        }
    }
    return peak;
}

static uint32_t store_whole(const sixteen *s) { return store_some(s); }

#endif

/* Stores rows; returns whether their elements are final. */
static int store(const tiny_gradient_store *s, const sixteen *rows) {
    const uint32_t peak = rows->count == TINY_SIXTEEN ? store_whole(rows) : store_some(rows);
    if (peak >= 127) {
        return 0;
    }
    s->dx->scale->peak = tiny_max(s->dx->scale->peak, (int32_t)peak);
    return 1;
}

/* Row by row, of which each has its own bits and place. */
static void store_apart(const tiny_gradient_store *s, sixteen *one, const uint32_t *at,
                        uint32_t rows, uint32_t step, uint32_t first) {
    const int fast = s->multiplier && s->factor.mantissa % 256 != 0;
    one->rows = 1;
    for (; rows; rows--, one->sums += TINY_SIXTEEN) {
        const uint32_t i = *at++ * step + first;
        const uint32_t bits = tiny_mask_word(s, i);
        const uint8_t bytes[2] = {(uint8_t)(bits & 0xFFu), (uint8_t)(bits >> 8 & 0xFFu)};
        one->mask = bytes;
        one->d = s->dx->d + i;
        if (!fast || !store(s, one)) {
            tiny_gradient_store_adjacent(s, i, one->sums, one->count);
        }
    }
}

void tiny_gradient_store_sixteen(const tiny_gradient_store *s, const uint32_t *at, uint32_t rows,
                                 uint32_t step, uint32_t first, const int32_t *sums,
                                 uint32_t count) {
    static const uint8_t all[2] = {0xFF, 0xFF};
    const uint32_t i = *at * step + first;
    const uint8_t *mask = s->dx->mask;
    const int whole_bytes = !mask || (step % 8 == 0 && first % 8 == 0 && count > 8);
    const int adjacent = at[rows - 1] - at[0] == rows - 1 && whole_bytes;
    sixteen block = {
        .sums = sums,
        .d = s->dx->d + i,
        .step = step,
        .mask = mask ? mask + i / 8 : all,
        .mask_step = mask ? step / 8 : 0,
        .rows = rows,
        .multiplier = s->multiplier,
        .right = -s->shift,
        .count = count,
    };
    if (!adjacent || !s->multiplier || s->factor.mantissa % 256 == 0 || !store(s, &block)) {
        store_apart(s, &block, at, rows, step, first);
    }
}
