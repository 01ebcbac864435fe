/* The sum of two gradients, or one of them at another exponent (SPEC 4.5), four elements at a time.
 * dx may take the place of an operand: an element is stored once.
 */
#include <stddef.h>

#include "../../arith.h"
#include "../../buffers.h"
#include "../../gradient_sum.h"
#include "helium.h"
#include "tinyflash/ops.h"

/* Elements that are adjacent in all. Assembly knows the order of these fields. */
typedef struct elements {
    tiny_gradient_terms terms;
    int8_t *d;
    int32_t below_half;  /* of a unit */
    const uint8_t *mask; /* null: none */
    uint32_t count;
    uint32_t lane[4]; /* the bit of each lane in a mask */
} elements;

/* What was computed. */
typedef struct outcome {
    uint32_t peak, clipped;
} outcome;

#if TINY_MVE_ASM

#define AT(field) [field] "i"(offsetof(elements, field))
/* r6: the element. */
#define MASKED              \
    "lsrs r8, r6, #3\n"     \
    "ldrb.w r8, [r5, r8]\n" \
    "and r9, r6, #4\n"      \
    "lsr.w r8, r8, r9\n"    \
    "vdup.32 q1, r8\n"      \
    "vand q1, q1, q2\n"     \
    "vpt.i32 eq, q1, zr\n"  \
    "vmovt.i32 q0, #0\n"    \
    "adds r6, #4\n"
/* q4: the largest magnitudes, r10: how many were clipped. Rounds by what is one less than a half, and
 * one more if the result would be odd. */
#define ADD(masked)                 \
    "1:\n"                          \
    "vldrb.s32 q0, [r0], #4\n"      \
    "vmul.i32 q0, q0, r2\n"         \
    "vldrb.s32 q1, [r1], #4\n"      \
    "vmla.s32 q0, q1, r3\n"         \
    "vshl.i32 q1, q0, #15\n"        \
    "vshr.u32 q1, q1, #31\n"        \
    "vadd.i32 q0, q0, r11\n"        \
    "vadd.i32 q0, q0, q1\n"         \
    "vshr.s32 q0, q0, #16\n" masked \
    "mov.w r8, #0\n"                \
    "vmaxa.s32 q4, q0\n"            \
    "vmaxav.s32 r8, q0\n"           \
    "cmp.w r8, #127\n"              \
    "bhi 3f\n"                      \
    "2:\n"                          \
    "vstrb.32 q0, [r4], #4\n"       \
    "letp lr, 1b\n"                 \
    "b 4f\n"                        \
    "3:\n"                          \
    "vmov.i32 q1, #127\n"           \
    "vmov.i32 q3, #1\n"             \
    "vpt.s32 gt, q0, q1\n"          \
    "vaddvat.u32 r10, q3\n"         \
    "vmin.s32 q0, q0, q1\n"         \
    "vneg.s32 q1, q1\n"             \
    "vpt.s32 gt, q1, q0\n"          \
    "vaddvat.u32 r10, q3\n"         \
    "vmax.s32 q0, q0, q1\n"         \
    "b 2b\n"                        \
    "4:\n"

/* r7 may be the frame pointer. */
#define ADD_FUNCTION(name, masked)                                                                 \
    TINY_APART static outcome name(const elements *e) {                                            \
        register const elements *at __asm__("r12") = e;                                            \
        register uint32_t clipped __asm__("r10") = 0;                                              \
        register uint32_t peak __asm__("r6") = 0;                                                  \
        __asm__ volatile("vldrw.u32 q2, [r12, %[lane]]\n"                                        \
                         "vmov.i32 q4, #0\n"                                                     \
                         "ldr.w lr, [r12, %[count]]\n"                                           \
                         "ldmia.w r12, {r0, r1, r2, r3, r4, r5, r8}\n"                           \
                         "mov r11, r5\n"                                                         \
                         "mov r5, r8\n"                                                          \
                         "dlstp.32 lr, lr\n" ADD(masked)                                         \
                         "movs r6, #0\n"                                                         \
                         "vmaxv.u32 r6, q4\n"                                                    \
                         : "+r"(at), "+r"(clipped), "+r"(peak)                                   \
                         : AT(lane), AT(count)                                                   \
                         : "r0", "r1", "r2", "r3", "r4", "r5", "r8", "r9", "r11", "lr", "q0",    \
                           "q1", "q2", "q3", "q4", "cc", "memory"); \
        const outcome out = {peak, clipped};                                                       \
        return out;                                                                                \
    }

ADD_FUNCTION(add_masked, MASKED)
ADD_FUNCTION(add_all, "")

#else

/* The C twins. */
static outcome add_all(const elements *e) {
    outcome out = {0, 0};
    for (uint32_t i = 0; i < e->count; i++) {
        const int32_t v = e->terms.a[i] * e->terms.a_factor + e->terms.b[i] * e->terms.b_factor;
        const int32_t rounded = (v + e->below_half + ((v >> TINY_SUM_UNIT) & 1)) >> TINY_SUM_UNIT;
        const int32_t passed = e->mask && !(e->mask[i >> 3] >> (i & 7u) & 1) ? 0 : rounded;
        const uint32_t magnitude = (uint32_t)(passed < 0 ? -passed : passed);
        out.peak = magnitude > out.peak ? magnitude : out.peak;
        out.clipped += magnitude > 127;
        e->d[i] = (int8_t)tiny_clamp(passed, -127, 127);
    }
    return out;
}

static outcome add_masked(const elements *e) { return add_all(e); }

#endif

/* Counters stay at their maximum. */
static void note(tiny_scale *scale, const outcome *out) {
    const uint32_t room = UINT32_MAX - scale->saturated, few = UINT16_MAX - scale->clipped;
    scale->peak = tiny_max(scale->peak, (int32_t)out->peak);
    scale->saturated += out->clipped < room ? out->clipped : room;
    scale->clipped = (uint16_t)(scale->clipped + (out->clipped < few ? out->clipped : few));
}

TINY_OP(gradient_add_mve) {
    (void)band;
    const tiny_gradient_sum *op = record;
    const tiny_gradient a = tiny_gradient_at(buffers), b = tiny_gradient_at(buffers + 2);
    const tiny_gradient_out dx = tiny_following_both(&a, b.scale, buffers + 4);
    elements e = {
        .d = dx.d,
        .below_half = (1 << (TINY_SUM_UNIT - 1)) - 1,
        .mask = dx.mask,
        .count = op->count,
        .lane = {1, 2, 4, 8},
    };
    if (!tiny_gradient_terms_of(&a, &b, dx.scale, &e.terms)) {
        tiny_gradient_add(op, 0, &a, &b, &dx);
        return;
    }
    const outcome out = dx.mask ? add_masked(&e) : add_all(&e);
    note(dx.scale, &out);
}
