/* Sums of gradients, four at a time; see gradient.h. */
#include "gradient.h"

#include <stddef.h>

#include "../../arith.h"
#include "words.h"

/* Sums at the four positions of a tile. */
typedef struct four_sums {
    int32_t a, b, c, d;
} four_sums;

#if TINY_DSP_ASM

/* Four products of pairs. */
#define PAIR                            \
    "ldr.w r8, [%[w]], #4\n"            \
    "ldmia.w %[t]!, {r3, r4, r5, r6}\n" \
    "smlad %[a], r8, r3, %[a]\n"        \
    "smlad %[b], r8, r4, %[b]\n"        \
    "smlad %[c], r8, r5, %[c]\n"        \
    "smlad %[d], r8, r6, %[d]\n"

/* Eight pairs a round, then four, then one by one. */
static inline four_sums sum_tile(const uint32_t *t, const uint32_t *w, uint32_t pairs) {
    const uint32_t *const end = w + pairs, *const rounds = w + pairs / 8 * 8;
    four_sums s = {0, 0, 0, 0};
    __asm__ volatile(
        "cmp %[w], %[rounds]\n"
        "beq 2f\n"
        "1:\n"
        ".rept 8\n" PAIR
        ".endr\n"
        "cmp %[w], %[rounds]\n"
        "bne 1b\n"
        "2:\n"
        "subs r3, %[end], %[w]\n"
        "beq 5f\n"
        "cmp r3, #16\n"
        "blo 4f\n" PAIR PAIR PAIR PAIR
        "cmp %[w], %[end]\n"
        "beq 5f\n"
        "4:\n" PAIR
        "cmp %[w], %[end]\n"
        "bne 4b\n"
        "5:\n"
        : [t] "+r"(t), [w] "+r"(w), [a] "+r"(s.a), [b] "+r"(s.b), [c] "+r"(s.c), [d] "+r"(s.d)
        : [end] "r"(end), [rounds] "r"(rounds)
        : "r3", "r4", "r5", "r6", "r8", "cc", "memory");
    return s;
}

#else

/* The C twin. */
static four_sums sum_tile(const uint32_t *t, const uint32_t *w, uint32_t pairs) {
    four_sums s = {0, 0, 0, 0};
    for (; pairs; pairs--, t += TINY_TILE, w++) {
        s.a = tiny_add_dual(s.a, t[0], *w);
        s.b = tiny_add_dual(s.b, t[1], *w);
        s.c = tiny_add_dual(s.c, t[2], *w);
        s.d = tiny_add_dual(s.d, t[3], *w);
    }
    return s;
}

#endif

void tiny_gradient_sums(const uint32_t *t, const uint32_t *w, uint32_t pairs, int32_t *sums) {
    const four_sums s = sum_tile(t, w, pairs);
    sums[0] = s.a;
    sums[1] = s.b;
    sums[2] = s.c;
    sums[3] = s.d;
}

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

/* The elements of a tile in one column, before saturation, to every fourth half from `to` on. */
TINY_APART static void compute_tile(const tiny_columns *c, const uint32_t *t, const uint32_t *w,
                                    uint16_t *to) {
    const four_sums s = sum_tile(t, w, c->pairs);
    to[0] = (uint16_t)tiny_scaled(&c->rounding, s.a);
    to[TINY_COLUMNS] = (uint16_t)tiny_scaled(&c->rounding, s.b);
    to[2 * TINY_COLUMNS] = (uint16_t)tiny_scaled(&c->rounding, s.c);
    to[3 * TINY_COLUMNS] = (uint16_t)tiny_scaled(&c->rounding, s.d);
}

/* Stores `width` columns at position n, from element `at` on, as SPEC says it. */
static void store_position(const tiny_columns *c, uint32_t width, uint32_t n, uint32_t at) {
    const uint32_t *t = c->t + n / TINY_TILE * TINY_TILE * c->pairs;
    int32_t sums[TINY_TILE];
    for (uint32_t i = 0; i < width; i++) {
        tiny_gradient_sums(t, c->w + i * c->pairs, c->pairs, sums);
        tiny_store_gradient(c->dx, at + i,
                            tiny_scale_by(sums[n % TINY_TILE], c->mantissa, c->exponent));
    }
}

/* Four columns. */
static void store_stripe(tiny_columns *c, uint32_t count, uint32_t at, uint32_t step) {
    tiny_stripe stripe = {
        .values = (const uint32_t *)(const void *)c->values,
        .left = count,
        .rows = 1,
        .at = at,
        .step = step,
        .width = count,
        .peaks = c->peaks,
    };
    const uint32_t pairs = c->pairs, *const w = c->w, *t = c->t;
    uint16_t *to = c->values;
    for (uint32_t n = 0; n < count; n += TINY_TILE, t += TINY_TILE * pairs) {
        compute_tile(c, t, w, to + tiny_half_of(0));
        compute_tile(c, t, w + pairs, to + tiny_half_of(1));
        compute_tile(c, t, w + 2 * pairs, to + tiny_half_of(2));
        compute_tile(c, t, w + 3 * pairs, to + tiny_half_of(3));
        to += TINY_TILE * TINY_COLUMNS;
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

/* Columns 0 to 3 of a row, as halves: (0, 2) and (1, 3). */
typedef struct halves {
    uint32_t even, odd;
} halves;

static inline halves unpack(uint32_t bytes, uint32_t minus_zeros) {
    const halves h = {tiny_add_even_bytes(minus_zeros, bytes),
                      tiny_add_odd_bytes(minus_zeros, bytes)};
    return h;
}

static inline void store_pairs(halves a, halves b, uint32_t *to, uint32_t column) {
    to[0] = tiny_low_halves(a.even, b.even);
    to[column] = tiny_low_halves(a.odd, b.odd);
    to[2 * column] = tiny_high_halves(a.even, b.even);
    to[3 * column] = tiny_high_halves(a.odd, b.odd);
}

/* The first bytes of a word, fewer than 4; the others are 0. */
static uint32_t load_some(const int8_t *from, uint32_t count) {
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes |= (uint32_t)(uint8_t)from[i] << (8 * i);
    }
    return bytes;
}

/* A row, of which `count` bytes may be read. */
static inline halves unpack_some(const int8_t *from, uint32_t count, uint32_t minus_zeros) {
    return unpack(count >= 4 ? tiny_load(from) : load_some(from, count), minus_zeros);
}

void tiny_pair_two(const int8_t *first, const int8_t *second, uint32_t count, int32_t zero,
                   uint32_t *to, uint32_t column) {
    const uint32_t minus_zeros = tiny_pair(-zero, -zero);
    const halves none = {0, 0};
    store_pairs(first ? unpack_some(first, count, minus_zeros) : none,
                second ? unpack_some(second, count, minus_zeros) : none, to, column);
}

/* The last rows may be loaded by bytes: a word would reach beyond them, of rows of one byte even a word
 * of the fourth row from the end. */
void tiny_pair_rows(const int8_t *from, uint32_t rows, uint32_t width, uint32_t count, int32_t zero,
                    uint32_t *to, tiny_places places) {
    const uint32_t minus_zeros = tiny_pair(-zero, -zero);
    for (; rows > 4; rows -= 2, from += 2 * width, to += places.pair) {
        store_pairs(unpack(tiny_load(from), minus_zeros),
                    unpack(tiny_load(from + width), minus_zeros), to, places.column);
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
