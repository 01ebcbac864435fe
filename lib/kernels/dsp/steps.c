/* Moves the weights of a row; see steps.h.
 *
 * A step is the upper half of a product, shifted by the rest, where the sum is shifted to the left first
 * as far as the largest one allows, but 1 at least, so that a half of the last unit is a bit of the upper
 * half. That is below 2^30, so no step needs its bounds.
 *
 * Ties. A tie is a product that is an odd multiple of 2^(31 + rest): so its sum is an odd multiple of
 * some power of two, which depends on how often 2 divides the multiplier. If there can be such sums, each
 * is looked at, and a tie is left to C; the others are rounded with a half added. That takes 14
 * instructions for a weight, 11 without ties, and 2 for the end of a round of four.
 */
#include "steps.h"

#include "lanes.h"

#define TIE (1 << 20) /* more than any place a weight is moved to */
#define WEIGHT_MAX 127
#define NO_TIES 32 /* a shift that leaves nothing of a sum */

/* Of a row; the sum of a weight, times 2^left, times multiplier, divided by 2^(32 + rest) is its step. To
 * shift a sum takes one multiplication with `times`, which its other factor is in. */
typedef struct stepping {
    uint32_t times; /* of the sums, times 2^left */
    int32_t left, rest, multiplier;
    int32_t half;       /* 2^(rest - 1) */
    int32_t tie;        /* a sum that is a tie is 2^31 when it is shifted by this to the left */
    uint32_t tied;      /* times of the sums, times 2^tie */
    int32_t remainder;  /* of the weight before, in the lower 16 bits */
    const int32_t *sum; /* of the next weight */
    int8_t *w;          /* the next weight */
    uint32_t out;       /* weights that have left their bounds */
} stepping;

#if TINY_DSP_ASM

/* The step is subtracted, so it is made with a negative sign: a half less the product. A weight that
 * leaves its bounds goes through `out` and comes back. */
#define STEP(look, out, back)                           \
    "ldr.w %[step], [%[sum]], #4\n" look                \
    "ldrsb.w %[moved], [%[w]]\n"                        \
    "mul %[step], %[step], %[times]\n"                  \
    "smmls %[step], %[step], %[multiplier], %[half]\n"  \
    "asr.w %[step], %[step], %[rest]\n"                 \
    "uxtah %[remainder], %[step], %[remainder]\n"       \
    "add.w %[moved], %[moved], %[remainder], asr #16\n" \
    "add.w %[step], %[moved], #127\n"                   \
    "cmp.w %[step], #254\n"                             \
    "bhi " out "f\n" back                               \
    ":\n"                                               \
    "strb %[moved], [%[w]], #1\n"
#define LOOK                           \
    "mul %[moved], %[step], %[tied]\n" \
    "cmp.w %[moved], #0x80000000\n"    \
    "beq 2f\n"
/* 127, or -127. */
#define OUT(out, back)                        \
    out ":\n"                                 \
        "asr.w %[step], %[moved], #31\n"      \
        "eor.w %[moved], %[step], #127\n"     \
        "sub.w %[moved], %[moved], %[step]\n" \
        "add.w %[out], %[out], #1\n"          \
        "b " back "b\n"
#define ONE(look) STEP(look, "11", "21")
#define ONE_OUT OUT("11", "21")
#define FOUR(look) ONE(look) STEP(look, "12", "22") STEP(look, "13", "23") STEP(look, "14", "24")
#define FOUR_OUT ONE_OUT OUT("12", "22") OUT("13", "23") OUT("14", "24")
#define MOVE(steps, outs)                                                                          \
    __asm__ volatile("1:\n" steps                                                                  \
                     "cmp %[sum], %[end]\n"                                                        \
                     "bne 1b\n"                                                                    \
                     "b 3f\n" outs                                                                 \
                     "2:\n"                                                                        \
                     "mov.w %[end], #0\n"                                                          \
                     "3:\n"                                                                        \
                     : [sum] "+r"(sum), [w] "+r"(w), [remainder] "+r"(remainder), [out] "+r"(out), \
                       [end] "+r"(end), [step] "=&r"(step), [moved] "=&r"(moved)                   \
                     : [times] "r"(s->times), [rest] "r"(s->rest),                                 \
                       [multiplier] "r"(s->multiplier), [half] "r"(s->half), [tied] "r"(s->tied)   \
                     : "cc", "memory")

/* Moves weights, four at a time or one by one, until none of `count` is left for that; or until a step is
 * a tie, whose sum is then the one before. Returns whether it is. */
TINY_APART static int move(stepping *s, uint32_t count) {
    const int32_t *sum = s->sum, *end = sum + (count >= 4 ? count & ~3u : count);
    int8_t *w = s->w;
    uint32_t out = s->out;
    int32_t remainder = s->remainder, step, moved;
    if (count < 4) {
        MOVE(ONE(LOOK), ONE_OUT);
    } else if (s->tie < NO_TIES) {
        MOVE(FOUR(LOOK), FOUR_OUT);
    } else {
        MOVE(FOUR(""), FOUR_OUT);
    }
    s->sum = sum;
    s->w = w;
    s->out = out;
    s->remainder = remainder;
    return !end;
}

#else

/* The C twin, one weight. */
static int move(stepping *s, uint32_t count) {
    const uint32_t sum = (uint32_t)*s->sum++;
    const int64_t product = (int64_t)(int32_t)(sum * s->times) * s->multiplier;
    const int64_t half = (int64_t)s->half * ((int64_t)1 << 32);
    (void)count;
    if (s->tie < NO_TIES && sum * s->tied == 0x80000000u) {
        return 1;
    }
    s->remainder = ((int32_t)((half - product) >> 32) >> s->rest) + (s->remainder & 0xFFFF);
    const int32_t moved = *s->w + (s->remainder >> 16);
    *s->w = (int8_t)tiny_clamp(moved, -127, 127);
    s->out += *s->w++ != moved;
    return 0;
}

#endif

/* A step that is a tie, of the last sum. */
static void move_tie(stepping *s, const tiny_rate *rate, int32_t sum, tiny_state *state) {
    const int32_t delta = tiny_delta(rate, sum), fraction = s->remainder & 0xFFFF;
    *s->w = tiny_moved(*s->w, fraction, delta, state);
    s->remainder = fraction - delta;
    s->w++;
}

/* How far a tie is shifted to the left to be 2^31. The power of two that a tie is an odd multiple of is
 * 2^(31 + rest) without what `left` and the multiplier give. */
static int32_t tie_of(const stepping *s) {
    int32_t power = 31 + s->rest - s->left;
    for (uint32_t m = (uint32_t)s->multiplier; m % 2 == 0 && power >= 0; m /= 2) {
        power--;
    }
    return power < 0 || power > 31 ? NO_TIES : 31 - power;
}

/* The same as tiny_spare_bits, of the sums themselves. */
static int32_t spare_of(const tiny_sums *sums, uint32_t count) {
    uint32_t bits = 0;
    for (uint32_t i = 0; i < count; i++) {
        const int32_t sum = sums->at[i] * sums->times;
        bits |= (uint32_t)(sum < 0 ? ~sum : sum);
    }
    return tiny_spare_of(bits);
}

/* Moves weights in loops, which `s` is complete for. */
static void move_all(stepping *s, const tiny_update *update, tiny_row *row, const tiny_sums *sums,
                     uint32_t count) {
    const int32_t *const end = sums->at + count;
    while (s->sum != end) {
        if (move(s, (uint32_t)(end - s->sum))) {
            move_tie(s, &row->rate, s->sum[-1] * sums->times, update->state);
        }
    }
    uint32_t *const saturated = &update->state->weights_saturated;
    *saturated += s->out < UINT32_MAX - *saturated ? s->out : UINT32_MAX - *saturated;
    row->remainders = (row->remainders & 0xFFFFu) | (uint32_t)s->remainder << 16;
}

void tiny_update_row(const tiny_update *update, tiny_row *row, uint32_t first,
                     const tiny_sums *sums, uint32_t count) {
    const int32_t shift = -row->rate.exponent - 32;
    const int32_t left = shift > 0 ? 0 : 1 - shift, rest = tiny_max(shift, 1);
    const int fits = left <= sums->spare || left <= spare_of(sums, count);
    if (!row->plain || !fits || rest > 30) {
        for (uint32_t i = 0; i < count; i++) {
            tiny_update_weight(update, row, first + i, sums->at[i] * sums->times);
        }
        return;
    }
    stepping s = {
        .times = (uint32_t)sums->times << left,
        .left = left,
        .rest = rest,
        .multiplier = (int32_t)row->rate.mantissa,
        .half = 1 << (rest - 1),
        .remainder = (int32_t)(row->remainders >> 16),
        .sum = sums->at,
        .w = row->plain + first,
    };
    s.tie = tie_of(&s);
    s.tied = s.tie < NO_TIES ? (uint32_t)sums->times << s.tie : 0;
    move_all(&s, update, row, sums, count);
}
