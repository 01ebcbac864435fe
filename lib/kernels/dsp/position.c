/* Sums of products for one position; see position.h.
 *
 * For a block of 32 terms: 2 loads of four words of weights, 3 of up to six words of x, 16 sign
 * extensions that unpack weights, 16 multiply-adds of two products each; where weights are not aligned,
 * 6 loads more. A round has four or two of these, and 3 instructions for its end. A row enters its first
 * round in the middle, behind the quads that are no whole block. An output channel takes 21 more.
 */
#include "position.h"

#include <stddef.h>

#define MARK 0x7FFF0000 /* the halves of x are below 2^9 */

/* Output channels whose weights are adjacent rows. It is in memory where x ends: with six words of x no
 * register is left to point to it. The loop loads the first eight fields at once. */
typedef struct rows {
    int32_t mark; /* larger than any word of x: the loop ends */
    const int32_t *multiplier,
        *shift;          /* of the next channel; null: sums are stored in place of y */
    const int32_t *bias; /* of the same; while the loop runs, of the one behind it */
    int8_t *y;
    int32_t offset; /* 2 * the zero point of y + 1 */
    int8_t *end;    /* of y */
    const uint32_t *x;
    const int8_t *w;
    uint32_t excess;          /* bytes that the last terms of a row are loaded with, 0 to 3 */
    uint32_t last[2];         /* x of the last terms, and of these bytes 0 */
    int32_t sum;              /* of the channel where the loop stopped before the end */
    uint32_t singles, blocks; /* code that is left out, in bytes, and 1 for Thumb */
    uint32_t entry, next;     /* addresses: of the code for a row, of its first round */
    uint32_t saved;           /* a register */
} rows;

/* Whether rows are loaded by aligned words. If not, the last one to four terms of a row are apart. */
static int is_aligned(const int8_t *w, uint32_t terms) { return ((uintptr_t)w | terms) % 4 == 0; }

#if TINY_DSP_ASM

#define QUADS 8u /* of a block */
#define SINGLE_BYTES 24u
/* Blocks of a round, and their bytes, where weights are aligned and where they are not. */
#define BLOCKS_ALIGNED 4u
#define BLOCKS_ANYWHERE 2u
#define BYTES_ALIGNED 148u
#define BYTES_ANYWHERE 172u

/* The sum is in r2, x in r12 and r3 to r7 and lr, weights in r1 and r8 to r11. r7 is saved, because it is
 * the frame pointer of unoptimized code. */
#define MULTIPLY(w, first, second) \
    "sxtb16 r0, " w                \
    "\n"                           \
    "sxtb16 " w ", " w             \
    ", ror #8\n"                   \
    "smlad r2, r0, " first         \
    ", r2\n"                       \
    "smlad r2, " w ", " second ", r2\n"
#define SINGLE             \
    "ldr.w r8, [r1], #4\n" \
    "ldrd r3, r4, [r12], #8\n" MULTIPLY("r8", "r3", "r4")
#define LOAD_ALIGNED "ldmia.w r1!, {r8, r9, r10, r11}\n"
#define LOAD_ANYWHERE       \
    "ldr.w r8, [r1], #4\n"  \
    "ldr.w r9, [r1], #4\n"  \
    "ldr.w r10, [r1], #4\n" \
    "ldr.w r11, [r1], #4\n"
#define LOAD_SIX "ldmia.w r12!, {r3, r4, r5, r6, r7, lr}\n"
#define LOAD_FOUR "ldmia.w r12!, {r3, r4, r5, r6}\n"
#define BLOCK(load)                                                      \
    load LOAD_SIX MULTIPLY("r8", "r3", "r4") MULTIPLY("r9", "r5", "r6")  \
        MULTIPLY("r10", "r7", "lr") LOAD_SIX MULTIPLY("r11", "r3", "r4") \
            load MULTIPLY("r8", "r5", "r6") MULTIPLY("r9", "r7", "lr")   \
                LOAD_FOUR MULTIPLY("r10", "r3", "r4") MULTIPLY("r11", "r5", "r6")

/* The last terms of a row, of which some bytes have been loaded before; r1 is then at the next row. */
#define LAST                        \
    "ldr.w r8, [r12, %[excess]]\n"  \
    "ldrd r3, r4, [r12, %[last]]\n" \
    "sub.w r1, r1, r8\n"            \
    "ldr.w r8, [r1], #4\n" MULTIPLY("r8", "r3", "r4")

/* The addresses in the code. Without single quads a row begins with its first round. */
#define ENTRY                      \
    "ldr.w r3, [lr, %[blocks]]\n"  \
    "adr.w r4, 2f\n"               \
    "add r4, r4, r3\n"             \
    "str.w r4, [lr, %[next]]\n"    \
    "ldr.w r3, [lr, %[singles]]\n" \
    "adr.w r5, 1f\n"               \
    "add r5, r5, r3\n"             \
    "cmp r3, %[no_singles]\n"      \
    "it ne\n"                      \
    "movne r4, r5\n"               \
    "str.w r4, [lr, %[entry]]\n"

#define BEGIN                   \
    "ldr.w r5, [lr, %[bias]]\n" \
    "ldr.w r2, [r5], #4\n"      \
    "str.w r5, [lr, %[bias]]\n" \
    "ldr.w r12, [lr, %[x]]\n"   \
    "ldr.w r1, [lr, %[w]]\n"    \
    "ldr.w pc, [lr, %[entry]]\n"

/* The way to int8 as in output.h, with the offset added where a half of a unit is left to shift out.
 * The loop stops at a sum that cannot be doubled, and at a channel that is not shifted to the right.
 * r0 is the mark. */
#define OUTPUT                                        \
    "mov lr, r12\n"                                   \
    "ldmia.w lr, {r0, r3, r4, r5, r6, r8, r9, r12}\n" \
    "cbz r3, 4f\n"                                    \
    "ldr r10, [r3], #4\n"                             \
    "ldr r11, [r4], #4\n"                             \
    "adds r7, r2, r2\n"                               \
    "bvs 6f\n"                                        \
    "mvns r11, r11\n"                                 \
    "bmi 6f\n"                                        \
    "smmulr r7, r7, r10\n"                            \
    "add.w r7, r7, r7, asr #31\n"                     \
    "asr.w r7, r7, r11\n"                             \
    "add r7, r8\n"                                    \
    "ssat r7, #8, r7, asr #1\n"                       \
    "strb r7, [r6], #1\n"                             \
    "3:\n"                                            \
    "cmp r6, r9\n"                                    \
    "beq 5f\n"                                        \
    "ldr r2, [r5], #4\n"                              \
    "stmia.w lr, {r0, r3, r4, r5, r6}\n"              \
    "ldr.w pc, [lr, %[entry]]\n"                      \
    "4:\n"                                            \
    "str r2, [r6], #4\n"                              \
    "b 3b\n"                                          \
    "5:\n"                                            \
    "str.w r6, [lr, %[y]]\n"                          \
    "6:\n"                                            \
    "str.w r2, [lr, %[sum]]\n"                        \
    "str.w r1, [lr, %[w]]\n"

#define AT(field) [field] "i"(offsetof(rows, field))

/* Until y is at its end, or where the loop stops. */
#define LOOP(name, blocks_of_round, load, last_terms)                                         \
    TINY_APART static void name(rows *all) {                                                  \
        register rows *r __asm__("r0") = all;                                                 \
        __asm__ volatile("mov lr, r0\n"                                                     \
                         "str.w r7, [lr, %[saved]]\n" ENTRY BEGIN                           \
                         ".balign 4\n"                                                      \
                         "1:\n"                                                             \
                         ".rept %c[quads] - 1\n" SINGLE                                     \
                         ".endr\n"                                                          \
                         "ldr.w pc, [lr, %[next]]\n"                                        \
                         ".balign 4\n"                                                      \
                         "2:\n"                                                             \
                         ".rept %c[rounds]\n" BLOCK(load)                                   \
                         ".endr\n"                                                          \
                         "ldr.w r3, [r12]\n"                                                \
                         "cmp r3, #0x40000000\n"                                            \
                         "blt.w 2b\n" last_terms OUTPUT                                     \
                         "ldr.w r7, [lr, %[saved]]\n"                                       \
                         : "+r"(r)                                                          \
                         : AT(excess), AT(last), AT(blocks), AT(next), AT(singles),         \
                           AT(entry), AT(bias), AT(x), AT(w), AT(y), AT(sum), AT(saved),    \
                           [no_singles] "i"((QUADS - 1) * SINGLE_BYTES + 1), [quads] "i"(QUADS), [rounds] "i"(blocks_of_round) \
                         : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11",    \
                           "r12", "lr", "cc", "memory"); \
    }

LOOP(loop_aligned, BLOCKS_ALIGNED, LOAD_ALIGNED, "")
LOOP(loop_anywhere, BLOCKS_ANYWHERE, LOAD_ANYWHERE, LAST)

/* Where x ends. */
static rows *place_rows(const tiny_position *p, uint32_t quads, int aligned, rows *here) {
    rows *r = (rows *)(void *)(p->x + 2 * quads);
    const uint32_t blocks = quads / QUADS, round = aligned ? BLOCKS_ALIGNED : BLOCKS_ANYWHERE;
    const uint32_t skipped = blocks ? (0u - blocks) % round : round;
    (void)here;
    r->singles = (QUADS - 1 - quads % QUADS) * SINGLE_BYTES + 1;
    r->blocks = skipped * (aligned ? BYTES_ALIGNED : BYTES_ANYWHERE) + 1;
    return r;
}

static void run_rows(rows *r, uint32_t quads, uint32_t terms, int aligned) {
    (void)quads;
    (void)terms;
    if (aligned) {
        loop_aligned(r);
    } else {
        loop_anywhere(r);
    }
}

#else

/* The C twin has no need to find it there. */
static rows *place_rows(const tiny_position *p, uint32_t quads, int aligned, rows *here) {
    (void)p;
    (void)quads;
    (void)aligned;
    *here = (rows){0};
    return here;
}

/* The C twin of a quad. */
static int32_t add_quad(int32_t sum, const int8_t *w, const uint32_t *x) {
    const uint32_t bytes = tiny_load(w);
    return tiny_add_dual(tiny_add_dual(sum, tiny_add_even_bytes(0, bytes), x[0]),
                         tiny_add_odd_bytes(0, bytes), x[1]);
}

/* The C twin of the loops. It stops at each channel that has an output. */
static void run_rows(rows *r, uint32_t quads, uint32_t terms, int aligned) {
    do {
        r->sum = *r->bias++;
        for (uint32_t i = 0; i < quads; i++) {
            r->sum = add_quad(r->sum, r->w + 4 * i, r->x + 2 * i);
        }
        if (!aligned) {
            r->sum = add_quad(r->sum, r->w + 4 * quads - r->excess, r->last);
        }
        r->w += terms;
        if (!r->multiplier) {
            memcpy(r->y, &r->sum, sizeof r->sum);
            r->y += sizeof r->sum;
        }
    } while (!r->multiplier && r->y != r->end);
}

#endif

/* ---- Inputs ---- */

#if TINY_DSP_ASM

/* Sixteen terms. */
#define UNPACK_FOUR                         \
    "ldmia.w %[from]!, {r3, r5, r8, r10}\n" \
    "sxtab16 r2, %[zeros], r3\n"            \
    "sxtab16 r3, %[zeros], r3, ror #8\n"    \
    "sxtab16 r4, %[zeros], r5\n"            \
    "sxtab16 r5, %[zeros], r5, ror #8\n"    \
    "sxtab16 r6, %[zeros], r8\n"            \
    "sxtab16 r8, %[zeros], r8, ror #8\n"    \
    "sxtab16 r9, %[zeros], r10\n"           \
    "sxtab16 r10, %[zeros], r10, ror #8\n"  \
    "stmia.w %[x]!, {r2, r3, r4, r5, r6, r8, r9, r10}\n"

/* Groups of eight quads, if they are aligned; returns how many quads that is. */
TINY_INLINE_ASM uint32_t unpack_groups(const int8_t *from, uint32_t quads, uint32_t zeros,
                                       uint32_t *x) {
    const uint32_t whole = (uintptr_t)from % 4 == 0 ? quads & ~7u : 0;
    const int8_t *const end = from + 4 * whole;
    if (whole) {
        __asm__ volatile("1:\n" UNPACK_FOUR UNPACK_FOUR
                         "cmp %[from], %[end]\n"
                         "bne 1b\n"
                         : [from] "+r"(from), [x] "+r"(x)
                         : [end] "r"(end), [zeros] "r"(zeros)
                         : "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "cc", "memory");
    }
    return whole;
}

#else

/* The C twin has no groups. */
static uint32_t unpack_groups(const int8_t *from, uint32_t quads, uint32_t zeros, uint32_t *x) {
    (void)from;
    (void)quads;
    (void)zeros;
    (void)x;
    return 0;
}

#endif

static void unpack_quad(const int8_t *from, uint32_t zeros, uint32_t *x) {
    const uint32_t bytes = tiny_load(from);
    x[0] = tiny_add_even_bytes(zeros, bytes);
    x[1] = tiny_add_odd_bytes(zeros, bytes);
}

static void unpack(const int8_t *from, uint32_t quads, uint32_t zeros, uint32_t *x) {
    for (uint32_t i = unpack_groups(from, quads, zeros, x); i < quads; i++) {
        unpack_quad(from + 4 * i, zeros, x + 2 * i);
    }
}

/* The last `count` terms, 1 to 4, as the upper bytes of the word that ends with them; the others
 * become 0. */
static void unpack_last(const int8_t *end, uint32_t count, uint32_t zeros, uint32_t *x) {
    unpack_quad(end - 4, zeros, x);
    if (count < 4) {
        x[0] = count == 1 ? 0 : x[0] & 0xFFFF0000u;
        x[1] = count == 3 ? x[1] : x[1] & 0xFFFF0000u;
    }
}

/* ---- A layer ---- */

/* What the loops leave: a channel as SPEC 2.2 says it. */
static void store_channel(const tiny_position *p, rows *r) {
    const uint32_t o = (uint32_t)(r->multiplier - p->requant->multiplier);
    *r->y = tiny_requantize(p->requant, o, r->sum);
    r->multiplier++;
    r->shift++;
    r->y++;
}

/* All channels of one part: to y, or where that is null, to sums. */
static void run_part(const tiny_position *p, int part, const int8_t *x, const int32_t *bias,
                     int8_t *y) {
    const tiny_requant *q = p->requant;
    const uint32_t terms = p->terms[part], zeros = tiny_pair(-q->x_zero, -q->x_zero);
    const int aligned = is_aligned(p->w[part], terms);
    const uint32_t quads = aligned ? terms / 4 : (terms - 1) / 4;
    rows here, *const r = place_rows(p, quads, aligned, &here);
    r->mark = MARK;
    r->multiplier = y ? q->multiplier : NULL;
    r->shift = q->shift;
    r->bias = bias;
    r->y = y ? y : (int8_t *)(void *)p->sums;
    r->end = r->y + (y ? 1 : sizeof *p->sums) * p->out;
    r->offset = 2 * q->y_zero + 1;
    r->x = p->x;
    r->w = p->w[part];
    unpack(x, quads, zeros, p->x);
    if (!aligned) {
        r->excess = 4 * (quads + 1) - terms;
        unpack_last(x + terms, 4 - r->excess, zeros, r->last);
    }
    do {
        run_rows(r, quads, terms, aligned);
        if (r->y != r->end) {
            store_channel(p, r);
        }
    } while (r->y != r->end);
}

/* The loop saturates to int8. Few layers have narrower bounds. */
static void narrow(const tiny_requant *q, int8_t *y, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        y[i] = (int8_t)tiny_clamp(y[i], q->y_min, q->y_max);
    }
}

/* The sums of a first part are what those of the second begin with, as a bias. */
void tiny_position_run(const tiny_position *position, const int8_t *x, int8_t *y) {
    const tiny_requant *q = position->requant;
    const int32_t *bias = position->b;
    int last = 0;
    if (!bias) {
        tiny_clear_words((uint32_t *)(void *)position->sums, position->out);
        bias = position->sums;
    }
    if (position->terms[1]) {
        run_part(position, 0, x, bias, NULL);
        bias = position->sums;
        x += position->terms[0];
        last = 1;
    }
    run_part(position, last, x, bias, y);
    if (q->y_min > -128 || q->y_max < 127) {
        narrow(q, y, position->out);
    }
}
