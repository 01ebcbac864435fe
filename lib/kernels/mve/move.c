/* Moves weights, one of each of four rows at a time; see tiles.h.
 *
 * A weight moves by what rounding the one before it has left (SPEC 6.4), so a row is sequential. Rows
 * are not: four of them are the lanes of a vector. A step is computed as in store.c; its product is
 * not doubled, since each lane has a multiplier of its own, and that instruction has no other form.
 */
#include <stddef.h>

#include "tiles.h"

#define SUM_MAX (127u * 255u) /* of one position */
#define MANTISSA_BITS 31      /* of a rate */
#define STEP_BITS 22          /* of steps up to 64 units, which are a byte with any remainder */

/* Whether no step can be a tie. One is a product that 2 divides as often as its shift less 1: as often
 * as the sum, which is below 2^bits, and the mantissa together. */
static uint32_t is_untied(const tiny_movers *m, int32_t bits) {
    for (uint32_t r = 0; r < m->rows; r++) {
        const int32_t below = -m->exponent[r] - bits; /* 2 divides the mantissa less often */
        if (below < 1 || (below < 32 && m->multiplier[r] << (32 - below) == 0)) {
            return 0;
        }
    }
    return 1;
}

/* right: by how much a sum's product is shifted, without the exponent of the row's rate. */
static void set_lanes(tiny_movers *m, int32_t right) {
    const uint32_t above = m->words ? 8 : 0;
    for (uint32_t r = 0; r < TINY_LANES; r++) {
        m->shift[r] = m->exponent[r] - right;
        m->remainders[r] = m->remainders[r] >> 16 << above;
    }
    for (uint32_t r = m->rows; r < TINY_LANES; r++) {
        m->shift[r] = -1; /* which rounds the -1 that 0 is for a tie's sake to 0 */
    }
    for (uint32_t r = 0; r < TINY_LANES && !m->untied; r++) {
        m->bit[r] = 1u << -m->shift[r];
    }
}

/* Chooses how rows move whose exponents are these, and how sums are shifted to the left before: so that
 * each step is a shift to the right, by 31 at most, of the upper half of a product; of a doubled one
 * where words move. */
static void choose(tiny_movers *m, const tiny_moving *moving, int32_t least, int32_t most) {
    m->untied = is_untied(m, moving->bits);
    m->words = moving->words && m->untied && moving->bits + MANTISSA_BITS + most <= STEP_BITS;
    const int32_t upper = m->words ? 31 : 32;
    const int32_t before = tiny_max(most + upper + 1, 0);
    m->vector = before + moving->bits <= 31 && before - least - upper <= 31;
    if (m->vector) {
        m->before = (uint32_t)before;
        set_lanes(m, before - upper);
    }
}

tiny_moving tiny_moving_begin(const tiny_update *update, const tiny_factor *rate,
                              uint32_t row_bytes, uint32_t terms, int fours) {
    tiny_moving moving = {update, rate, row_bytes, 0, 0};
    for (uint32_t most = terms * SUM_MAX; most; most >>= 1) {
        moving.bits++;
    }
    moving.words = fours && row_bytes % 4 == 0 && (uintptr_t)update->plain % 4 == 0;
    return moving;
}

/* A lane without a row has a multiplier of 0, and so no steps. */
void tiny_movers_begin(tiny_movers *m, const tiny_moving *moving, uint32_t first, uint32_t rows) {
    const tiny_update update = *moving->update; /* of which little is kept, in registers */
    const tiny_factor *rate = moving->rate + first;
    int32_t least = INT32_MAX, most = INT32_MIN;
    uint32_t still = 0;
    for (uint32_t r = 0; r < TINY_LANES; r++) {
        m->offset[r] = r * moving->row_bytes;
        m->multiplier[r] = 0;
        m->remainders[r] = 0;
        m->exponent[r] = 0;
        m->first[r] = 0;
    }
    for (uint32_t r = 0; r < rows; r++) {
        const tiny_row row = tiny_begin_row(&update, &rate[r], first + r);
        m->multiplier[r] = row.rate.mantissa;
        m->exponent[r] = row.rate.exponent;
        m->remainders[r] = row.remainders;
        still |= (uint32_t)(row.moves == 0) << r;
        least = tiny_min(least, row.rate.exponent);
        most = tiny_max(most, row.rate.exponent);
    }
    m->rows = rows;
    m->still = still;
    m->vector = 0;
    if (update.plain && !still) {
        choose(m, moving, least, most);
    }
}

#if TINY_MVE_ASM

#define AT(field) [field] "i"(offsetof(tiny_movers, field))

/* Weights in q1 that leave their bounds are clamped and counted. */
#define OUT                        \
    "3:\n"                         \
    "movs r5, #0\n"                \
    "vmov.i32 q0, #127\n"          \
    "vmov.i32 q2, #1\n"            \
    "vpt.s32 gt, q1, q0\n"         \
    "vaddvat.u32 %[clamped], q2\n" \
    "vmin.s32 q1, q1, q0\n"        \
    "vneg.s32 q0, q0\n"            \
    "vpt.s32 gt, q0, q1\n"         \
    "vaddvat.u32 %[clamped], q2\n" \
    "vmax.s32 q1, q1, q0\n"        \
    "b 2b\n"

/* A weight of each row. q3: offsets, q4: multipliers, q5: shifts, q6: bits, q7: what rounding has left;
 * r5: the largest magnitude. `some` goes before what not all lanes do. */
#define MOVE(some, load, store)        \
    "1:\n"                             \
    "vldrw.u32 q0, [%[sums]]\n"        \
    "add %[sums], %[sums], %[width]\n" \
    "vldrw.u32 q2, [%[m], %[first]]\n" \
    "vadd.i32 q0, q0, q2\n"            \
    "vshl.s32 q0, %[before]\n"         \
    "vmulh.s32 q1, q0, q4\n"           \
    "vmul.i32 q0, q0, q4\n"            \
    "vand q2, q1, q6\n"                \
    "vorr q0, q0, q2\n"                \
    "vpt.i32 eq, q0, zr\n"             \
    "vsubt.i32 q1, q1, r2\n"           \
    "vrshl.s32 q1, q1, q5\n"           \
    "vsub.i32 q1, q7, q1\n" some load  \
    " q2, [%[w], q3]\n"                \
    "vmovlb.u16 q7, q1\n"              \
    "vshr.s32 q1, q1, #16\n"           \
    "vadd.i32 q1, q1, q2\n"            \
    "vmaxav.s32 r5, q1\n"              \
    "cmp r5, #127\n"                   \
    "bhi 3f\n"                         \
    "2:\n" some store                  \
    " q1, [%[w], q3]\n"                \
    "add %[w], %[w], %[step]\n"        \
    "le lr, 1b\n"                      \
    "b 4f\n" OUT "4:\n"
#define MOVE_ALL MOVE("", "vldrb.s32", "vstrb.32")
#define MOVE_SOME MOVE("vctp.32 %[rows]\nvpst\n", "vldrbt.s32", "vstrbt.32")

/* Returns how many weights were clamped. */
#define MOVE_FUNCTION(name, loop)                                                               \
    TINY_APART static uint32_t name(tiny_movers *movers, int8_t *w, uint32_t step,              \
                                    const int32_t *sums, uint32_t width, uint32_t count) {      \
        register uint32_t clamped __asm__("r4") = 0;                                            \
        register uint32_t before __asm__("r8") = movers->before;                                \
        register uint32_t rows __asm__("r9") = movers->rows;                                    \
        register uint32_t across __asm__("r10") = width * 4;                                    \
        register uint32_t left __asm__("lr") = count;                                           \
        __asm__ volatile(                                                                       \
            "vldrw.u32 q3, [%[m], %[offset]]\n"                                                 \
            "vldrw.u32 q4, [%[m], %[multiplier]]\n"                                             \
            "vldrw.u32 q5, [%[m], %[shift]]\n"                                                  \
            "vldrw.u32 q6, [%[m], %[bit]]\n"                                                    \
            "vldrw.u32 q7, [%[m], %[remainders]]\n"                                             \
            "movs r2, #1\n"                                                                     \
            "movs r5, #0\n"                                                                     \
            "dls lr, lr\n" loop "vstrw.32 q7, [%[m], %[remainders]]\n"                          \
            : [w] "+&r"(w), [sums] "+&r"(sums), [clamped] "+&r"(clamped), "+r"(left)            \
            : [m] "r"(movers), [step] "r"(step), [width] "r"(across), [before] "r"(before),     \
              [rows] "r"(rows), AT(offset), AT(multiplier), AT(shift), AT(bit), AT(remainders), \
              AT(first)                                                                         \
            : "r2", "r5", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory");      \
        return clamped;                                                                         \
    }

MOVE_FUNCTION(move_all, MOVE_ALL)
MOVE_FUNCTION(move_some, MOVE_SOME)

/* The same of four rows whose steps are no ties, with sums side by side or apart. Each weight is put
 * above what rounding has left in q7, so that one subtraction moves both. q6: `first`. */
#define MOVE_UNTIED(next, ready)              \
    "1:\n" next "vadd.i32 q0, q0, q6\n" ready \
    "vmulh.s32 q0, q0, q4\n"                  \
    "vldrb.s32 q1, [%[w], q3]\n"              \
    "vrshl.s32 q0, q0, q5\n"                  \
    "vsli.32 q7, q1, #16\n"                   \
    "vsub.i32 q7, q7, q0\n"                   \
    "vshr.s32 q1, q7, #16\n"                  \
    "vmaxav.s32 r5, q1\n"                     \
    "cmp r5, #127\n"                          \
    "bhi 3f\n"                                \
    "2:\n"                                    \
    "vstrb.32 q1, [%[w], q3]\n"               \
    "add %[w], %[w], %[step]\n"               \
    "le lr, 1b\n"                             \
    "b 4f\n" OUT "4:\n"

#define UNTIED_FUNCTION(name, next, ready)                                                       \
    TINY_APART static uint32_t name(tiny_movers *movers, int8_t *w, uint32_t step,               \
                                    const int32_t *sums, uint32_t width, uint32_t count) {       \
        register uint32_t clamped __asm__("r4") = 0;                                             \
        register uint32_t before __asm__("r8") = movers->before;                                 \
        register uint32_t across __asm__("r10") = width * 4;                                     \
        register uint32_t left __asm__("lr") = count;                                            \
        __asm__ volatile(                                                                      \
            "vldrw.u32 q3, [%[m], %[offset]]\n"                                                \
            "vldrw.u32 q4, [%[m], %[multiplier]]\n"                                            \
            "vldrw.u32 q5, [%[m], %[shift]]\n"                                                 \
            "vldrw.u32 q6, [%[m], %[first]]\n"                                                   \
            "vldrw.u32 q7, [%[m], %[remainders]]\n"                                            \
            "movs r5, #0\n"                                                                    \
            "dls lr, lr\n" MOVE_UNTIED(next, ready) \
            "vmovlb.u16 q7, q7\n" \
            "vstrw.32 q7, [%[m], %[remainders]]\n"                         \
            : [w] "+&r"(w), [sums] "+&r"(sums), [clamped] "+&r"(clamped), "+r"(left)           \
            : [m] "r"(movers), [step] "r"(step), [before] "r"(before), [width] "r"(across),    \
              AT(offset), AT(multiplier), AT(shift), AT(first), AT(remainders) \
            : "r5", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "q7", "cc", "memory"); \
        return clamped;                                                                          \
    }

#define BESIDE "vldrw.u32 q0, [%[sums]], #16\n"
#define APART "vldrw.u32 q0, [%[sums]]\nadd %[sums], %[sums], %[width]\n"
#define SHIFTED "vshl.s32 q0, %[before]\n"
UNTIED_FUNCTION(move_untied, BESIDE, "")
UNTIED_FUNCTION(move_untied_shifted, BESIDE, SHIFTED)
UNTIED_FUNCTION(move_untied_apart, APART, SHIFTED)

/* Calls by name: what is called by a pointer has no bound of its stack. */
static uint32_t move(tiny_movers *m, int8_t *w, uint32_t step, const int32_t *sums, uint32_t width,
                     uint32_t count) {
    if (m->rows == TINY_LANES && m->untied) {
        if (width != TINY_LANES) {
            return move_untied_apart(m, w, step, sums, width, count);
        }
        return m->before ? move_untied_shifted(m, w, step, sums, width, count)
                         : move_untied(m, w, step, sums, width, count);
    }
    if (m->rows == TINY_LANES) {
        return move_all(m, w, step, sums, width, count);
    }
    return move_some(m, w, step, sums, width, count);
}

#else

/* The C twin. */
static uint32_t move(tiny_movers *m, int8_t *w, uint32_t step, const int32_t *sums, uint32_t width,
                     uint32_t count) {
    uint32_t clamped = 0;
    for (; count; count--, w += step, sums += width) {
        for (uint32_t r = 0; r < m->rows; r++) {
            const int64_t product =
                ((int64_t)sums[r] + m->first[r]) * (1 << m->before) * m->multiplier[r];
            const int32_t t =
                (int32_t)m->remainders[r] - tiny_shift_round(product, 32 - m->shift[r]);
            const int32_t moved = w[m->offset[r]] + (t >> 16);
            w[m->offset[r]] = (int8_t)tiny_clamp(moved, -127, 127);
            clamped += moved > 127 || moved < -127;
            m->remainders[r] = (uint32_t)t & 0xFFFFu;
        }
    }
    return clamped;
}

#endif

void tiny_count_clamped(tiny_state *state, uint32_t clamped) {
    const uint32_t room = UINT32_MAX - state->weights_saturated;
    state->weights_saturated += clamped < room ? clamped : room;
}

/* Row r, as update.h has it. Apart, so that its variables are not on the stack when lanes move. */
TINY_APART static void move_row(tiny_movers *m, const tiny_update *update, uint32_t r, uint32_t at,
                                uint32_t step, const int32_t *sums, uint32_t width,
                                uint32_t count) {
    const tiny_rate rate = {m->multiplier[r], m->exponent[r]};
    tiny_row row = {rate, m->remainders[r], 1, update->plain};
    for (uint32_t k = 0; k < count; k++) {
        tiny_update_weight(update, &row, at + m->offset[r] + k * step,
                           sums[k * width + r] + m->first[r]);
    }
    m->remainders[r] = row.remainders;
}

void tiny_movers_move(tiny_movers *m, const tiny_update *update, uint32_t at, uint32_t step,
                      const int32_t *sums, uint32_t width, uint32_t count) {
    if (m->vector) {
        tiny_count_clamped(update->state, move(m, update->plain + at, step, sums, width, count));
        return;
    }
    for (uint32_t r = 0; r < m->rows; r++) {
        if (!(m->still >> r & 1u)) {
            move_row(m, update, r, at, step, sums, width, count);
        }
    }
}
