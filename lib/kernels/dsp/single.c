/* Gradients of one vector; see single.h.
 *
 * Input gradient. Four columns of weights at a time: of two rows a word each, two instructions and four
 * sign extensions make pairs, and four multiply-adds use them: 16 instructions for 8 products. Quads of
 * elements are adjacent, so they are stored as positions of a stripe are.
 *
 * Update. A sum is one product, x times the gradient of the row; steps.h multiplies.
 */
#include "single.h"

#include "../../arith.h"
#include "../../buffers.h"
#include "steps.h"

/* ---- Input gradient ---- */

#define QUAD 4u /* columns */

#if TINY_DSP_ASM

/* Adds to the sums of four columns what `pairs` pairs of rows give, `width` bytes apart, times t. */
TINY_INLINE_ASM void add_pairs(const int8_t *w, uint32_t width, const uint32_t *t, uint32_t pairs,
                               int32_t *sums) {
    const uint32_t *const end = t + pairs * TINY_TILE;
    int32_t a = 0, b = 0, c = 0, d = 0;
    if (pairs) {
        __asm__ volatile(
            "1:\n"
            "ldr.w r3, [%[w]]\n"
            "ldr.w r4, [%[w], %[width]]\n"
            "ldr.w r6, [%[t]], #16\n"
            "add.w %[w], %[w], %[width], lsl #1\n"
            "pkhbt r5, r3, r4, lsl #16\n"
            "pkhtb r4, r4, r3, asr #16\n"
            "sxtb16 r3, r5\n"
            "sxtb16 r5, r5, ror #8\n"
            "smlad %[a], r3, r6, %[a]\n"
            "sxtb16 r3, r4\n"
            "smlad %[b], r5, r6, %[b]\n"
            "sxtb16 r4, r4, ror #8\n"
            "smlad %[c], r3, r6, %[c]\n"
            "smlad %[d], r4, r6, %[d]\n"
            "cmp %[t], %[end]\n"
            "bne 1b\n"
            : [t] "+r"(t), [w] "+r"(w), [a] "+r"(a), [b] "+r"(b), [c] "+r"(c), [d] "+r"(d)
            : [end] "r"(end), [width] "r"(width)
            : "r3", "r4", "r5", "r6", "cc", "memory");
    }
    sums[0] = a;
    sums[1] = b;
    sums[2] = c;
    sums[3] = d;
}

#else

/* The C twin. */
static void add_pairs(const int8_t *w, uint32_t width, const uint32_t *t, uint32_t pairs,
                      int32_t *sums) {
    for (uint32_t i = 0; i < QUAD; i++) {
        sums[i] = 0;
        for (uint32_t k = 0; k < pairs; k++) {
            const int8_t *at = w + 2 * k * width + i;
            sums[i] = tiny_add_dual(sums[i], tiny_pair(at[0], at[width]), t[k * TINY_TILE]);
        }
    }
}

#endif

/* Weights w [out][width] of a call, and what is the same for all of them. */
typedef struct panel {
    tiny_columns columns;
    const int8_t *w;
    uint32_t width, out;
} panel;

/* The sums of four columns from `column` on. */
static inline void sum_quad(const panel *p, uint32_t column, int32_t *sums) {
    const int8_t *w = p->w + column;
    const uint32_t *t = p->columns.t;
    add_pairs(w, p->width, t, p->out / 2, sums);
    if (p->out % 2) {
        const uint32_t word = tiny_load(w + (p->out - 1) * p->width);
        const int32_t last = tiny_low(t[p->out / 2 * TINY_TILE]);
        for (uint32_t i = 0; i < QUAD; i++) {
            sums[i] += tiny_byte_of(word, i) * last;
        }
    }
}

/* The elements of some quads, before saturation. */
static void compute_quads(const panel *p, uint32_t column, uint32_t quads) {
    const tiny_rounding r = p->columns.rounding;
    uint32_t *to = p->columns.values;
    for (; quads; quads--, column += QUAD, to += 2) {
        int32_t sums[QUAD];
        sum_quad(p, column, sums);
        to[0] =
            tiny_low_halves((uint32_t)tiny_scaled(&r, sums[0]), (uint32_t)tiny_scaled(&r, sums[2]));
        to[1] =
            tiny_low_halves((uint32_t)tiny_scaled(&r, sums[1]), (uint32_t)tiny_scaled(&r, sums[3]));
    }
}

/* Stores `count` elements from `at` on, of the columns from `column` on, as SPEC says it. */
static void store_exactly(const panel *p, uint32_t column, uint32_t count, uint32_t at) {
    const tiny_columns *c = &p->columns;
    for (uint32_t i = 0; i < count; i++) {
        int32_t sum = 0;
        for (uint32_t o = 0; o < p->out; o++) {
            const uint32_t pair = c->t[o / 2 * TINY_TILE];
            sum += p->w[o * p->width + column + i] * (o % 2 ? tiny_high(pair) : tiny_low(pair));
        }
        tiny_store_gradient(c->dx, at + i, tiny_scale_by(sum, c->mantissa, c->exponent));
    }
}

/* Quads of columns from `column` on, elements [at, at + 4 * quads). */
static void store_quads(panel *p, uint32_t column, uint32_t quads, uint32_t at) {
    tiny_stripe stripe = {
        .values = p->columns.values,
        .left = quads,
        .rows = 1,
        .at = at,
        .step = QUAD,
        .width = quads,
        .peaks = p->columns.peaks,
    };
    compute_quads(p, column, quads);
    for (tiny_stripe_store(&stripe, p->columns.dx); stripe.rows;
         tiny_stripe_store(&stripe, p->columns.dx)) {
        store_exactly(p, column + (quads - stripe.left) * QUAD, QUAD, stripe.at);
        tiny_stripe_skip(&stripe);
    }
    p->columns.peaks = stripe.peaks;
}

/* Elements [at, at + width). */
static void backward_panel(panel *p, const int8_t *w, uint32_t width, uint32_t at) {
    const uint32_t quads = p->columns.untied ? width / QUAD : 0;
    p->w = w;
    p->width = width;
    for (uint32_t i = 0; i < quads; i += TINY_SINGLE_QUADS) {
        const uint32_t left = quads - i;
        store_quads(p, i * QUAD, left < TINY_SINGLE_QUADS ? left : TINY_SINGLE_QUADS,
                    at + i * QUAD);
    }
    store_exactly(p, quads * QUAD, width - quads * QUAD, at + quads * QUAD);
}

void tiny_single_backward(const tiny_fully_connected *op, const tiny_gradient *dy,
                          const tiny_weights *w, const tiny_gradient_out *dx, uint32_t *scratch) {
    const uint32_t pairs = (op->out + 1) / 2;
    panel p = {.out = op->out};
    p.columns = tiny_columns_begin(dx, op->descent.factor, dy->scale->exponent, pairs);
    p.columns.t = scratch;
    p.columns.values = scratch + pairs * TINY_TILE;
    tiny_rescale(&op->descent, dy->d, op->out, scratch);
    backward_panel(&p, w->kept, op->kept, 0);
    backward_panel(&p, w->frozen, op->in - op->kept, op->kept);
    tiny_stripe_end(dx, p.columns.peaks);
}

/* ---- Update ---- */

void tiny_single_update(const tiny_fully_connected *op, void *const *buffers) {
    const int8_t *x = buffers[0];
    const tiny_gradient dy = tiny_gradient_at(buffers + 1);
    const tiny_trained w = {buffers[3], buffers[5], buffers[6]};
    const tiny_update update = tiny_begin_update(&op->descent, &dy, &w, buffers[4]);
    const uint32_t kept = op->kept;
    int32_t *inputs = buffers[TINY_SCRATCH];
    for (uint32_t i = 0; i < kept; i++) {
        inputs[i] = x[i] - op->requant.x_zero;
    }
    for (uint32_t o = 0; o < op->out; o++) {
        tiny_row row = tiny_begin_row(&update, &op->descent.rate[o], o);
        const tiny_sums sums = {inputs, dy.d[o], tiny_spare_bits(1)};
        if (row.moves) {
            tiny_update_row(&update, &row, o * kept, &sums, kept);
        }
    }
}
