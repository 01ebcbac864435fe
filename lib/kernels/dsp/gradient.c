/* Sums of gradients, four at a time; see gradient.h. */
#include "gradient.h"

#include <stddef.h>

#include "../../arith.h"
#include "lanes.h"

#if TINY_DSP_ASM

/* A pair of a row, of four positions. */
#define PAIR(w)                         \
    "ldmia.w %[t]!, {r3, r4, r5, r6}\n" \
    "smlad %[a], " w                    \
    ", r3, %[a]\n"                      \
    "smlad %[b], " w                    \
    ", r4, %[b]\n"                      \
    "smlad %[c], " w                    \
    ", r5, %[c]\n"                      \
    "smlad %[d], " w ", r6, %[d]\n"
#define TWO_PAIRS "ldrd %[u], r8, [%[w]], #8\n" PAIR("%[u]") PAIR("r8")
#define TWO_BYTES 44u
#define TWOS 8u /* in a round; .rept has it, too */

/* Sixteen pairs a round. The first round is entered in its middle; a pair that is none of two is apart.
 * `u` begins as twice the bytes that are left out, and 1 if there is such a pair. */
void tiny_gradient_sums(const uint32_t *from, const uint32_t *w, uint32_t pairs, uint32_t rows,
                        int32_t *sums, uint32_t step) {
    const uint32_t begin = (0u - pairs / 2) % TWOS * TWO_BYTES * 2 + pairs % 2;
    for (; rows; rows--, sums += step) {
        register const uint32_t *t __asm__("r0") = from;
        register const uint32_t *weights __asm__("r1") = w;
        register uint32_t u __asm__("r2") = begin;
        register const uint32_t *end __asm__("r12") = w + pairs;
        register int32_t a __asm__("r9") = 0;
        register int32_t b __asm__("r10") = 0;
        register int32_t c __asm__("r11") = 0;
        register int32_t d __asm__("lr") = 0;
        __asm__ volatile(
            "lsrs %[u], %[u], #1\n"
            "bcc 1f\n"
            "ldr.w r8, [%[w]], #4\n" PAIR("r8")
            "cmp %[w], %[end]\n"
            "beq.w 3f\n"
            "1:\n"
            "add pc, %[u]\n" /* reads what is two instructions on, 2: */
            "nop\n"
            "2:\n"
            ".rept 8\n" TWO_PAIRS
            ".endr\n"
            "cmp %[w], %[end]\n"
            "bne.w 2b\n"
            "3:\n"
            : [t] "+r"(t), [w] "+r"(weights), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d), [u] "+r"(u)
            : [end] "r"(end)
            : "r3", "r4", "r5", "r6", "r8", "cc", "memory");
        w = weights;
        sums[0] = a;
        sums[1] = b;
        sums[2] = c;
        sums[3] = d;
    }
}

#else

/* The C twin. */
void tiny_gradient_sums(const uint32_t *from, const uint32_t *w, uint32_t pairs, uint32_t rows,
                        int32_t *sums, uint32_t step) {
    for (; rows; rows--, sums += step) {
        const uint32_t *t = from;
        int32_t a = 0, b = 0, c = 0, d = 0;
        for (uint32_t i = 0; i < pairs; i++, t += TINY_TILE, w++) {
            a = tiny_add_dual(a, t[0], *w);
            b = tiny_add_dual(b, t[1], *w);
            c = tiny_add_dual(c, t[2], *w);
            d = tiny_add_dual(d, t[3], *w);
        }
        sums[0] = a;
        sums[1] = b;
        sums[2] = c;
        sums[3] = d;
    }
}

#endif

/* ---- Stripes ---- */

tiny_columns tiny_columns_begin(const tiny_gradient_out *dx, const tiny_factor *factor,
                                int32_t dy_exponent, uint32_t pairs) {
    tiny_columns c = {0};
    c.dx = dx;
    c.mantissa = factor->mantissa;
    c.exponent = factor->exponent + dy_exponent - dx->scale->exponent;
    c.untied = tiny_untied(c.mantissa, c.exponent, &c.rounding);
    c.pairs = pairs;
    c.peaks = 0;
    return c;
}

/* The elements of a tile in four columns, before saturation: of a position two words, as stripe.h has
 * them. */
TINY_APART static void compute_tile(const tiny_columns *c, const uint32_t *t, uint32_t *to) {
    const tiny_rounding r = c->rounding;
    int32_t sums[TINY_COLUMNS][TINY_TILE];
    tiny_gradient_sums(t, c->w, c->pairs, TINY_COLUMNS, sums[0], TINY_TILE);
    for (uint32_t n = 0; n < TINY_TILE; n++) {
        const int32_t first = tiny_scaled(&r, sums[0][n]), second = tiny_scaled(&r, sums[1][n]);
        const int32_t third = tiny_scaled(&r, sums[2][n]), fourth = tiny_scaled(&r, sums[3][n]);
        *to++ = tiny_low_halves((uint32_t)first, (uint32_t)third);
        *to++ = tiny_low_halves((uint32_t)second, (uint32_t)fourth);
    }
}

/* Stores `width` columns at position n, from element `at` on, as SPEC says it. */
static void store_position(const tiny_columns *c, uint32_t width, uint32_t n, uint32_t at) {
    int32_t sums[TINY_COLUMNS][TINY_TILE];
    tiny_gradient_sums(c->t + n / TINY_TILE * TINY_TILE * c->pairs, c->w, c->pairs, width, sums[0],
                       TINY_TILE);
    for (uint32_t i = 0; i < width; i++) {
        tiny_store_gradient(c->dx, at + i,
                            tiny_scale_by(sums[i][n % TINY_TILE], c->mantissa, c->exponent));
    }
}

/* Four columns. */
static void store_stripe(tiny_columns *c, uint32_t count, uint32_t at, uint32_t step) {
    tiny_stripe stripe = {
        .values = c->values,
        .left = count,
        .rows = 1,
        .at = at,
        .step = step,
        .width = count,
        .peaks = c->peaks,
    };
    const uint32_t *t = c->t;
    uint32_t *to = c->values;
    for (uint32_t n = 0; n < count; n += TINY_TILE, t += TINY_TILE * c->pairs) {
        compute_tile(c, t, to);
        to += TINY_TILE * TINY_COLUMNS / 2;
    }
    for (tiny_stripe_store(&stripe, c->dx); stripe.rows; tiny_stripe_store(&stripe, c->dx)) {
        store_position(c, TINY_COLUMNS, count - stripe.left, stripe.at);
        tiny_stripe_skip(&stripe);
    }
    c->peaks = stripe.peaks;
}

void tiny_columns_store(tiny_columns *c, uint32_t width, uint32_t count, uint32_t at,
                        uint32_t step) {
    if (c->untied && width >= TINY_COLUMNS) {
        store_stripe(c, count, at, step);
        return;
    }
    for (uint32_t n = 0; n < count; n++, at += step) {
        store_position(c, width < TINY_COLUMNS ? width : TINY_COLUMNS, n, at);
    }
}

/* ---- Pairs ---- */

/* Bytes 0 to 3 of two rows, less the zero point, as pairs. */
static inline void store_pairs(uint32_t a, uint32_t b, uint32_t minus_zeros, uint32_t *to,
                               uint32_t column) {
    const uint32_t low = tiny_low_halves(a, b), high = tiny_high_halves(a, b);
    to[0] = tiny_add_even_bytes(minus_zeros, low);
    to[column] = tiny_add_odd_bytes(minus_zeros, low);
    to[2 * column] = tiny_add_even_bytes(minus_zeros, high);
    to[3 * column] = tiny_add_odd_bytes(minus_zeros, high);
}

void tiny_pair_two(const int8_t *first, const int8_t *second, uint32_t count, int32_t zero,
                   uint32_t *to, uint32_t column) {
    const uint32_t zeros = tiny_four(zero);
    store_pairs(first ? tiny_load_some(first, count) : zeros,
                second ? tiny_load_some(second, count) : zeros, tiny_pair(-zero, -zero), to,
                column);
}

/* Loads words of each row. Returns behind the last pair. */
static uint32_t *pair_words(const int8_t *from, uint32_t pairs, uint32_t width,
                            uint32_t minus_zeros, uint32_t *to, tiny_places places) {
    for (; pairs; pairs--, from += 2 * width, to += places.pair) {
        store_pairs(tiny_load(from), tiny_load(from + width), minus_zeros, to, places.column);
    }
    return to;
}

/* The last rows may be loaded by bytes: a word would reach beyond them, of rows of one byte even a word
 * of the fourth row from the end. */
void tiny_pair_rows(const int8_t *from, uint32_t rows, uint32_t width, uint32_t count, int32_t zero,
                    uint32_t *to, tiny_places places) {
    if (rows > 4) {
        const uint32_t pairs = (rows - 3) / 2;
        to = pair_words(from, pairs, width, tiny_pair(-zero, -zero), to, places);
        from += 2 * pairs * width;
        rows -= 2 * pairs;
    }
    for (; rows > 2; rows -= 2, from += 2 * width, to += places.pair) {
        tiny_pair_two(from, from + width, count, zero, to, places.column);
    }
    tiny_pair_two(from, rows == 2 ? from + width : NULL, count, zero, to, places.column);
}

void tiny_rescale(const tiny_descent *descent, const int8_t *dy, uint32_t out, uint32_t *t) {
    uint32_t o = 0;
    for (; o + 1 < out; o += 2, t += TINY_TILE) {
        *t = tiny_pair(tiny_rescaled(descent, dy[o], o), tiny_rescaled(descent, dy[o + 1], o + 1));
    }
    if (o < out) {
        *t = tiny_pair(tiny_rescaled(descent, dy[o], o), 0);
    }
}

uint32_t tiny_positions_at_once(uint32_t positions, uint32_t pairs) {
    const uint32_t tiles = (positions + TINY_TILE - 1) / TINY_TILE;
    const uint32_t fit = TINY_RESCALED_BYTES / (pairs * TINY_TILE * 4);
    const uint32_t most = fit < TINY_RESCALED_TILES ? fit : TINY_RESCALED_TILES;
    return TINY_TILE * (most == 0 ? 1 : (most < tiles ? most : tiles));
}
