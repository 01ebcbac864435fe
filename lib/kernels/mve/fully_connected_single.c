/* Input gradient and update of a fully connected layer that is applied to one vector, where nothing is
 * gained by transposing weights; see tiles.h.
 *
 * The input gradient adds rows of weights, each by its own gradient: 16 columns at a time. The update
 * multiplies the gradients of four rows by each element of x, and moves these weights together.
 */
#include "tiles.h"

#define COLUMNS 16u
/* Of four rows, whose weights move together; the same in compiler/kernels/mve.py. */
#define PRODUCTS 32u

#if TINY_MVE_ASM

/* Sums of 16 columns. */
static inline void add_sixteen(const int16_t *t, const int8_t *w, uint32_t step, uint32_t rows,
                               int32_t *sums) {
    int32_t factor;
    __asm__ volatile(
        "vmov.i32 q0, #0\n"
        "vmov.i32 q1, #0\n"
        "vmov.i32 q2, #0\n"
        "vmov.i32 q3, #0\n"
        "dls lr, %[rows]\n"
        "1:\n"
        "ldrsh.w %[factor], [%[t]], #2\n"
        "vldrb.s32 q4, [%[w]]\n"
        "vmla.s32 q0, q4, %[factor]\n"
        "vldrb.s32 q4, [%[w], #4]\n"
        "vmla.s32 q1, q4, %[factor]\n"
        "vldrb.s32 q4, [%[w], #8]\n"
        "vmla.s32 q2, q4, %[factor]\n"
        "vldrb.s32 q4, [%[w], #12]\n"
        "vmla.s32 q3, q4, %[factor]\n"
        "add %[w], %[step]\n"
        "le lr, 1b\n"
        "vstrw.32 q0, [%[sums]]\n"
        "vstrw.32 q1, [%[sums], #16]\n"
        "vstrw.32 q2, [%[sums], #32]\n"
        "vstrw.32 q3, [%[sums], #48]\n"
        : [t] "+&r"(t), [w] "+&l"(w), [factor] "=&r"(factor)
        : [step] "r"(step), [rows] "r"(rows), [sums] "r"(sums)
        : "lr", "q0", "q1", "q2", "q3", "q4", "cc", "memory");
}

/* Sums of up to four. */
static inline void add_four(const int16_t *t, const int8_t *w, uint32_t step, uint32_t rows,
                            int32_t *sums, uint32_t columns) {
    int32_t factor;
    __asm__ volatile(
        "vmov.i32 q0, #0\n"
        "vctp.32 %[columns]\n"
        "dls lr, %[rows]\n"
        "1:\n"
        "ldrsh.w %[factor], [%[t]], #2\n"
        "vpst\n"
        "vldrbt.s32 q1, [%[w]]\n"
        "vmla.s32 q0, q1, %[factor]\n"
        "add %[w], %[step]\n"
        "le lr, 1b\n"
        "vstrw.32 q0, [%[sums]]\n"
        : [t] "+&r"(t), [w] "+&l"(w), [factor] "=&r"(factor)
        : [step] "r"(step), [rows] "r"(rows), [sums] "r"(sums), [columns] "r"(columns)
        : "lr", "q0", "q1", "cc", "memory");
}

/* Products of up to four gradients with `count` inputs without their zero point. */
static inline void multiply(const int8_t *dy, uint32_t rows, const int8_t *x, int32_t x_zero,
                            uint32_t count, int32_t *products) {
    int32_t input;
    __asm__ volatile(
        "vctp.32 %[rows]\n"
        "vpst\n"
        "vldrbt.s32 q0, [%[dy]]\n"
        "dls lr, %[count]\n"
        "1:\n"
        "ldrsb.w %[input], [%[x]], #1\n"
        "sub.w %[input], %[input], %[x_zero]\n"
        "vmul.i32 q1, q0, %[input]\n"
        "vstrw.32 q1, [%[products]], #16\n"
        "le lr, 1b\n"
        : [x] "+&r"(x), [products] "+&r"(products), [input] "=&r"(input)
        : [dy] "l"(dy), [rows] "r"(rows), [x_zero] "r"(x_zero), [count] "r"(count)
        : "lr", "q0", "q1", "cc", "memory");
}

#else

/* The C twins. */
static void add_four(const int16_t *t, const int8_t *w, uint32_t step, uint32_t rows, int32_t *sums,
                     uint32_t columns) {
    for (uint32_t i = 0; i < columns; i++) {
        sums[i] = 0;
        for (uint32_t row = 0; row < rows; row++) {
            sums[i] += t[row] * w[row * step + i];
        }
    }
}

static void add_sixteen(const int16_t *t, const int8_t *w, uint32_t step, uint32_t rows,
                        int32_t *sums) {
    add_four(t, w, step, rows, sums, COLUMNS);
}

static void multiply(const int8_t *dy, uint32_t rows, const int8_t *x, int32_t x_zero,
                     uint32_t count, int32_t *products) {
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t row = 0; row < rows; row++) {
            products[i * TINY_LANES + row] = dy[row] * (x[i] - x_zero);
        }
    }
}

#endif

/* The `width` columns from `first` on, which share one weight array. */
static void descend_panel(const tiny_fully_connected *op, const tiny_gradient_store *store,
                          const int16_t *t, const int8_t *w, uint32_t first, uint32_t width) {
    static const uint32_t only = 0;
    for (uint32_t i = 0; i < width; i += COLUMNS) {
        const uint32_t count = width - i < COLUMNS ? width - i : COLUMNS;
        int32_t sums[COLUMNS];
        if (count == COLUMNS) {
            add_sixteen(t, w + i, width, op->out, sums);
        } else {
            for (uint32_t c = 0; c < count; c += TINY_LANES) {
                add_four(t, w + i + c, width, op->out, sums + c,
                         count - c < TINY_LANES ? count - c : TINY_LANES);
            }
        }
        tiny_gradient_store_rows(store, &only, 1, 0, first + i, sums, count);
    }
}

void tiny_descend_single(const tiny_fully_connected *op, const tiny_gradient *dy,
                         const tiny_weights *w, const tiny_gradient_out *dx, void *scratch) {
    tiny_gradient_store store;
    tiny_gradient_store_begin(&store, dx, op->descent.factor, dy->scale->exponent, op->in);
    tiny_rescale_all(&op->descent, dy->d, op->out, scratch);
    descend_panel(op, &store, scratch, w->kept, 0, op->kept);
    descend_panel(op, &store, scratch, w->frozen, op->kept, op->in - op->kept);
}

void tiny_learn_single(const tiny_fully_connected *op, const int8_t *x, const tiny_gradient *dy,
                       const tiny_trained *w, tiny_state *state, void *scratch) {
    const tiny_update update = tiny_begin_update(&op->descent, dy, w, state);
    const uint32_t kept = op->kept;
    tiny_movers *movers = scratch;
    int32_t *products = (int32_t *)(void *)(movers + 1);
    for (uint32_t o = 0; o < op->out; o += TINY_LANES) {
        const uint32_t rows = op->out - o < TINY_LANES ? op->out - o : TINY_LANES;
        tiny_movers_begin(movers, &update, op->descent.rate, o, rows, kept, 1);
        for (uint32_t i = 0; i < kept; i += PRODUCTS) {
            const uint32_t count = kept - i < PRODUCTS ? kept - i : PRODUCTS;
            multiply(dy->d + o, rows, x + i, op->requant.x_zero, count, products);
            tiny_movers_move(movers, &update, o * kept + i, 1, products, TINY_LANES, count);
        }
    }
}
