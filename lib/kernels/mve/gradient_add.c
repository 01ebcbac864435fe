/* The sum of two gradients, or one of them at another exponent (SPEC 4.5), four elements at a time.
 *
 * Both operands are multiplied to units of 2^-16 of the result. While their exponents are within 16
 * below and 7 above the result's, that is exact, the sum fits in 32 bits, and the result, rounded
 * with ties to even, is its upper half. dx may take the place of an operand: an element is stored once.
 */
#include <stddef.h>

#include "../../arith.h"
#include "helium.h"
#include "tinyflash/ops.h"

#define UNIT 16     /* bits behind the point */
#define ABOVE_MAX 7 /* 2 * 127 * 2^(16 + 7), and what rounding adds, are below 2^31 */

/* Elements that are adjacent in all. Assembly knows the order of these fields. */
typedef struct elements {
    const int8_t *a, *b;
    int8_t *d;
    int32_t a_factor, b_factor;
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
    "vmul.i32 q0, q0, r3\n"         \
    "vldrb.s32 q1, [r1], #4\n"      \
    "vmla.s32 q0, q1, r4\n"         \
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
    "vstrb.32 q0, [r2], #4\n"       \
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
        const int32_t v = e->a[i] * e->a_factor + e->b[i] * e->b_factor;
        const int32_t rounded = (v + e->below_half + ((v >> UNIT) & 1)) >> UNIT;
        const int32_t passed = e->mask && !(e->mask[i >> 3] >> (i & 7u) & 1u) ? 0 : rounded;
        const uint32_t magnitude = (uint32_t)(passed < 0 ? -passed : passed);
        out.peak = magnitude > out.peak ? magnitude : out.peak;
        out.clipped += magnitude > 127;
        e->d[i] = (int8_t)tiny_clamp(passed, -127, 127);
    }
    return out;
}

static outcome add_masked(const elements *e) { return add_all(e); }

#endif

/* As the specification says it. */
static void add_exactly(const tiny_gradient *a, const tiny_gradient *b, uint32_t count,
                        const tiny_gradient_out *dx) {
    const int32_t e_a = a->scale->exponent;
    const int32_t e_b = b->d ? b->scale->exponent : e_a;
    const int32_t common = tiny_min(e_a, e_b);
    for (uint32_t i = 0; i < count; i++) {
        const int64_t u = a->d[i] * ((int64_t)1 << (e_a - common));
        const int64_t v = b->d ? b->d[i] * ((int64_t)1 << (e_b - common)) : 0;
        tiny_store_gradient(dx, i, tiny_shift_round(u + v, dx->scale->exponent - common));
    }
}

/* Counters stay at their maximum. */
static void note(tiny_scale *scale, const outcome *out) {
    const uint32_t room = UINT32_MAX - scale->saturated, few = UINT16_MAX - scale->clipped;
    scale->peak = tiny_max(scale->peak, (int32_t)out->peak);
    scale->saturated += out->clipped < room ? out->clipped : room;
    scale->clipped = (uint16_t)(scale->clipped + (out->clipped < few ? out->clipped : few));
}

static int fits(int32_t above) { return above >= -UNIT && above <= ABOVE_MAX; }

TINY_OP(gradient_add_mve) {
    (void)band;
    const tiny_gradient_sum *op = record;
    const tiny_gradient a = {buffers[0], buffers[1]}, b = {buffers[2], buffers[3]};
    const tiny_gradient_out dx = {buffers[5], buffers[6], buffers[4]};
    tiny_follow(a.scale, b.scale, dx.scale);
    const int32_t above_a = a.scale->exponent - dx.scale->exponent;
    const int32_t above_b = b.d ? b.scale->exponent - dx.scale->exponent : above_a;
    if (!fits(above_a) || !fits(above_b)) {
        add_exactly(&a, &b, op->count, &dx);
        return;
    }
    const elements e = {
        .a = a.d,
        .b = b.d ? b.d : a.d,
        .d = dx.d,
        .a_factor = 1 << (UNIT + above_a),
        .b_factor = b.d ? 1 << (UNIT + above_b) : 0,
        .below_half = (1 << (UNIT - 1)) - 1,
        .mask = dx.mask,
        .count = op->count,
        .lane = {1, 2, 4, 8},
    };
    const outcome out = dx.mask ? add_masked(&e) : add_all(&e);
    note(dx.scale, &out);
}
