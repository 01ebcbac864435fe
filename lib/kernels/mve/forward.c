/* Forward sums of conv2d and of fully connected layers; see forward.h.
 *
 * A round of a tile is five loads, six products of vectors and the end of the loop: 12 instructions for
 * 96 products. To int8 it takes 10 for four channels of a position, and four that two positions share.
 */
#include "forward.h"

#include <stddef.h>

/* Tiles side by side: `tiles` times three rows of weights by the terms of two positions. Assembly knows
 * the order of these fields. */
typedef struct tiles {
    const int8_t *x[TINY_PLACES];
    const int8_t *w;
    uint32_t pitch; /* bytes from row to row */
    uint32_t terms;
    uint32_t count;       /* of tiles */
    uint32_t behind;      /* bytes that a pointer is behind a row when the row is done */
    const int32_t *first; /* what the sums begin with */
    uint32_t first_step;  /* in bytes: from those of a position to those of the next */
    int32_t *sums;
    uint32_t step; /* the same of the sums */
} tiles;

/* The sums of two positions, to be requantized. Assembly knows the order of these fields. */
typedef struct outputs {
    const int32_t *sums, *other_sums;
    const int32_t *multiplier, *shift;
    int8_t *y, *other;
    uint32_t count;
    int32_t zero, least, most;
} outputs;

#if TINY_MVE_ASM

#define AT(type, field) [field] "i"(offsetof(type, field))

/* Positions at r1, r3; rows at r5, r9, r11; sums of the first position in r0, r4, r8, of the second in
 * r2, r6, r10: the instruction adds to even registers. r7, which may be the frame pointer, counts. */
TINY_APART static void sum_tiles(tiles *t) {
    register tiles *at __asm__("r12") = t;
    __asm__ volatile(
        "push {r7}\n"
        "ldr r7, [r12, %[count]]\n"
        "ldr.w r11, [r12, %[w]]\n"
        "1:\n"
        "mov r5, r11\n"
        "ldrd r9, lr, [r12, %[pitch]]\n"
        "ldrd r1, r3, [r12]\n"
        "add.w r11, r5, r9, lsl #1\n"
        "add r9, r5\n"
        "ldrd r10, r6, [r12, %[first]]\n"
        "add r6, r10\n"
        "ldmia.w r10!, {r0, r4, r8}\n"
        "str.w r10, [r12, %[first]]\n"
        "ldmia.w r6, {r2, r6, r10}\n"
        "dlstp.8 lr, lr\n"
        "2:\n"
        "vldrb.u8 q0, [r1], #16\n"
        "vldrb.u8 q1, [r3], #16\n"
        "vldrb.u8 q2, [r5], #16\n"
        "vldrb.u8 q3, [r9], #16\n"
        "vldrb.u8 q4, [r11], #16\n"
        "vmladava.s8 r0, q2, q0\n"
        "vmladava.s8 r2, q2, q1\n"
        "vmladava.s8 r4, q3, q0\n"
        "vmladava.s8 r6, q3, q1\n"
        "vmladava.s8 r8, q4, q0\n"
        "vmladava.s8 r10, q4, q1\n"
        "letp lr, 2b\n"
        "ldrd r1, r3, [r12, %[sums]]\n"
        "ldr.w r9, [r12, %[behind]]\n"
        "add r3, r1\n"
        "stmia.w r3, {r2, r6, r10}\n"
        "stmia.w r1!, {r0, r4, r8}\n"
        "str.w r1, [r12, %[sums]]\n"
        "sub.w r11, r11, r9\n"
        "subs r7, #1\n"
        "bne 1b\n"
        "pop {r7}\n"
        :
        : "r"(at), AT(tiles, w), AT(tiles, pitch), AT(tiles, count), AT(tiles, behind),
          AT(tiles, first), AT(tiles, sums)
        : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "lr", "q0", "q1",
          "q2", "q3", "q4", "cc", "memory");
}

/* A rounding shift rounds ties up, so 1 is subtracted from what is negative and shifted: the sign of
 * both together, in all bits of q1. */
#define REQUANTIZE(sums, y)     \
    "vldrw.u32 q0, [" sums      \
    "], #16\n"                  \
    "vqrdmulh.s32 q0, q0, q2\n" \
    "vand q1, q0, q3\n"         \
    "vshr.s32 q1, q1, #31\n"    \
    "vadd.i32 q0, q0, q1\n"     \
    "vrshl.s32 q0, q0, q3\n"    \
    "vadd.i32 q0, q0, r6\n"     \
    "vmax.s32 q0, q0, q4\n"     \
    "vmin.s32 q0, q0, q5\n"     \
    "vstrb.32 q0, [" y "], #4\n"

TINY_APART static void requantize(const outputs *o) {
    register const outputs *at __asm__("r12") = o;
    __asm__ volatile(
        "ldmia.w r12!, {r0, r1, r2, r3, r4, r5}\n"
        "ldmia.w r12, {r6, r8, r9, r10}\n"
        "mov lr, r6\n"
        "mov r6, r8\n"
        "vdup.32 q4, r9\n"
        "vdup.32 q5, r10\n"
        "dlstp.32 lr, lr\n"
        "1:\n"
        "vldrw.u32 q2, [r2], #16\n"
        "vldrw.u32 q3, [r3], #16\n" REQUANTIZE("r0", "r4") REQUANTIZE("r1", "r5") "letp lr, 1b\n"
        : "+r"(at)
        :
        : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "lr", "q0", "q1", "q2", "q3",
          "q4", "q5", "cc", "memory");
}

/* Subtracts from first[o] what the zero point adds to sums of row o. */
TINY_APART static void take_off_zero(const tiny_part *part, uint32_t rows, int32_t zero,
                                     int32_t *first) {
    const int8_t *w = part->w;
    const uint32_t terms = part->terms;
    register uint32_t sum __asm__("r2");
    uint32_t begun;
    __asm__ volatile(
        "1:\n"
        "ldr %[begun], [%[first]]\n"
        "movs r2, #0\n"
        "dlstp.8 lr, %[terms]\n"
        "2:\n"
        "vldrb.u8 q0, [%[w]], #16\n"
        "vaddva.s8 r2, q0\n"
        "letp lr, 2b\n"
        "sub.w %[w], %[w], %[behind]\n"
        "mls %[begun], r2, %[zero], %[begun]\n"
        "str %[begun], [%[first]], #4\n"
        "subs.w %[rows], %[rows], #1\n"
        "bne 1b\n"
        : [w] "+&r"(w), [first] "+&r"(first), [rows] "+&r"(rows), [begun] "=&r"(begun), "=&r"(sum)
        : [terms] "r"(terms), [zero] "r"(zero), [behind] "r"((terms + 15) / 16 * 16 - terms)
        : "lr", "q0", "cc", "memory");
}

#else

/* The C twins. Sums wrap, because those of no meaning may. */
static void sum_tiles(tiles *t) {
    const int8_t *w = t->w;
    for (uint32_t o = 0; o < t->count * TINY_OUTPUTS; o++, w += t->pitch) {
        for (uint32_t p = 0; p < TINY_PLACES; p++) {
            uint32_t sum = (uint32_t)t->first[o + p * t->first_step / 4];
            for (uint32_t i = 0; i < t->terms; i++) {
                sum += (uint32_t)(t->x[p][i] * w[i]);
            }
            t->sums[o + p * t->step / 4] = (int32_t)sum;
        }
    }
}

static int8_t byte_of(const outputs *o, uint32_t i, int32_t sum) {
    const int32_t y = tiny_multiply(sum, o->multiplier[i], o->shift[i]) + o->zero;
    return (int8_t)tiny_clamp(y, o->least, o->most);
}

static void requantize(const outputs *o) {
    for (uint32_t i = 0; i < o->count; i++) {
        o->y[i] = byte_of(o, i, o->sums[i]);
        o->other[i] = byte_of(o, i, o->other_sums[i]);
    }
}

static void take_off_zero(const tiny_part *part, uint32_t rows, int32_t zero, int32_t *first) {
    const int8_t *w = part->w;
    for (; rows; rows--, first++) {
        for (uint32_t i = 0; i < part->terms; i++) {
            *first = (int32_t)((uint32_t)*first - (uint32_t)(zero * *w++));
        }
    }
}

#endif

/* Divides scratch. All fields are assigned one by one: compilers would call memset. */
static void divide(tiny_forward *f, const tiny_weights *w, uint32_t kept, uint32_t frozen,
                   int32_t *scratch) {
    f->part[0].w = kept ? w->kept : w->frozen;
    f->part[0].terms = kept ? kept : frozen;
    f->part[1].w = w->frozen;
    f->part[1].terms = kept ? frozen : 0;
    f->room = f->out < TINY_OUTPUTS ? f->out + TINY_OUTPUTS - 1 : f->out;
    f->first = scratch;
    f->sums = scratch + f->room;
    f->left = 0;
    for (uint32_t o = 0; o < f->out; o++) {
        f->left |= f->requant->shift[o] > 0;
    }
}

/* What sums begin with: a bias, or 0. */
static void begin_sums(tiny_forward *f, const int32_t *b) {
    for (uint32_t o = 0; o < f->room; o++) {
        f->first[o] = b && o < f->out ? b[o] : 0;
        TINY_AS_A_LOOP; /* no memset */
    }
}

tiny_forward tiny_forward_begin(const tiny_requant *requant, const tiny_weights *w,
                                const int32_t *b, uint32_t out, uint32_t kept, uint32_t frozen,
                                int32_t *scratch) {
    tiny_forward f;
    f.requant = requant;
    f.out = out;
    divide(&f, w, kept, frozen, scratch);
    begin_sums(&f, b);
    for (uint32_t part = 0; part < 2 && f.part[part].terms; part++) {
        take_off_zero(&f.part[part], out, requant->x_zero, f.first);
    }
    return f;
}

/* The sums of `count` tiles from channel o on; step: from channel to channel, 1, or 0 for one channel in
 * place of three. */
static void sum_channels(const tiny_forward *f, const int8_t *x, const int8_t *x_other, uint32_t o,
                         uint32_t count, uint32_t step) {
    tiles t;
    t.first = f->first + o;
    t.first_step = 0;
    t.step = f->room * 4;
    for (uint32_t part = 0; part < 2 && f->part[part].terms; part++) {
        const uint32_t terms = f->part[part].terms;
        t.x[0] = x;
        t.x[1] = x_other;
        t.w = f->part[part].w + o * terms;
        t.pitch = terms * step;
        t.terms = terms;
        t.count = count;
        t.behind = (terms + 15) / 16 * 16 - terms * step;
        t.sums = f->sums + o;
        sum_tiles(&t);
        t.first = f->sums + o;
        t.first_step = t.step;
        x += terms;
        x_other += terms;
    }
}

/* The sums of all channels. */
static void sum_two(const tiny_forward *f, const int8_t *x, const int8_t *x_other) {
    if (f->out < TINY_OUTPUTS) {
        for (uint32_t o = 0; o < f->out; o++) {
            sum_channels(f, x, x_other, o, 1, 0);
        }
        return;
    }
    sum_channels(f, x, x_other, 0, f->out / TINY_OUTPUTS, 1);
    if (f->out % TINY_OUTPUTS) { /* the last three; some are computed again */
        sum_channels(f, x, x_other, f->out - TINY_OUTPUTS, 1, 1);
    }
}

/* As the specification says it: channels that are shifted to the left among others. */
static void requantize_exactly(const tiny_forward *f, const int32_t *sums, int8_t *y) {
    for (uint32_t o = 0; o < f->out; o++) {
        y[o] = tiny_requantize(f->requant, o, sums[o]);
    }
}

static void requantize_two(const tiny_forward *f, const int32_t *sums, const int32_t *other_sums,
                           int8_t *y, int8_t *other) {
    const tiny_requant *q = f->requant;
    const outputs o = {sums,  other_sums, q->multiplier, q->shift, y,
                       other, f->out,     q->y_zero,     q->y_min, q->y_max};
    if (f->left) {
        requantize_exactly(f, sums, y);
        requantize_exactly(f, other_sums, other);
    } else {
        requantize(&o);
    }
}

void tiny_forward_two(const tiny_forward *f, const int8_t *x, const int8_t *x_other, int8_t *y,
                      int8_t *other) {
    sum_two(f, x, x_other);
    requantize_two(f, f->sums, f->sums + f->room, y, other);
}

void tiny_forward_single(const tiny_requant *requant, const tiny_weights *w, const int32_t *b,
                         const int8_t *x, int8_t *y, uint32_t out, uint32_t kept, uint32_t frozen,
                         int32_t *scratch) {
    tiny_forward f;
    f.requant = requant;
    f.out = out;
    divide(&f, w, kept, frozen, scratch);
    begin_sums(&f, NULL);
    int8_t *zeros = tiny_forward_rest(&f);
    tiny_fill_bytes(zeros, kept + frozen, (int8_t)requant->x_zero);
    sum_two(&f, x, zeros);
    for (uint32_t o = 0; o < out; o++) {
        const uint32_t bias = b ? (uint32_t)b[o] : 0;
        f.sums[o] = (int32_t)((uint32_t)f.sums[o] - (uint32_t)f.sums[f.room + o] + bias);
    }
    requantize_two(&f, f.sums, f.sums, y, y);
}
