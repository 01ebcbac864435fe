/* Input gradient and update of a fully connected layer that is applied to one vector, where nothing is
 * gained by transposing weights; see tiles.h.
 *
 * The input gradient adds rows of weights, each by its own gradient: 16 columns at a time, whose sums
 * become elements without leaving their registers. The update
 * multiplies the gradients of four rows by each element of x, and moves these weights together.
 */
#include <stddef.h>

#include "tiles.h"

#define COLUMNS 16u
/* Of four rows, whose weights move together; the same in compiler/kernels/mve.py. */
#define PRODUCTS 32u

/* The largest magnitudes: of all elements, and of those that a mask lets pass. */
typedef struct stored {
    uint32_t largest, peak;
} stored;

#if TINY_MVE_ASM

#define AT(field) [field] "i"(offsetof(tiny_gradient_store, field))

/* Rounds four sums to elements, as store.c does. q6: the lowest bit that is left of a product. */
#define ROUND(sums, to)         \
    "vqdmulh.s32 " to ", " sums \
    ", %[t]\n"                  \
    "vmul.i32 " sums ", " sums  \
    ", %[w]\n"                  \
    "vand q5, " to              \
    ", q6\n"                    \
    "vorr " sums ", " sums      \
    ", q5\n"                    \
    "vpt.i32 eq, " sums         \
    ", zr\n"                    \
    "vsubt.i32 " to ", " to     \
    ", lr\n"                    \
    "vrshl.s32 " to ", %[factor]\n"
#define KEEP(from, at)             \
    "vmaxav.s32 %[largest], " from \
    "\n"                           \
    "vstrb.32 " from ", [%[d], #" at "]\n"

/* Sums of 16 columns, rounded; then, by a load that clears the others, those that pass. First `peak`
 * counts rows; when sums are rounded, t is the multiplier, w twice that, factor the shift. */
TINY_APART static stored store_sixteen(const tiny_gradient_store *s, const int16_t *t,
                                       const int8_t *w, uint32_t step, uint32_t rows, uint32_t mask,
                                       int8_t *d) {
    uint32_t largest = 0, peak = rows;
    int32_t factor;
    __asm__ volatile(
        "vmov.i32 q0, #0\n"
        "vmov.i32 q1, #0\n"
        "vmov.i32 q2, #0\n"
        "vmov.i32 q3, #0\n"
        "dls lr, %[peak]\n"
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
        "ldr.w %[t], [%[s], %[multiplier]]\n"
        "ldr.w %[factor], [%[s], %[shift]]\n"
        "vldrw.u32 q6, [%[s], %[bit]]\n"
        "lsl.w %[w], %[t], #1\n"
        "rsb.w %[factor], %[factor], #0\n"
        "mov.w lr, #1\n"
        "mov.w %[peak], #0\n" ROUND("q0", "q4") ROUND("q1", "q0") ROUND("q2", "q1") ROUND("q3", "q2")
            KEEP("q4", "0") KEEP("q0", "4") KEEP("q1", "8") KEEP("q2", "12")
        "vmsr p0, %[mask]\n"
        "vpst\n"
        "vldrbt.u8 q0, [%[d]]\n"
        "vmaxav.s8 %[peak], q0\n"
        "vstrb.8 q0, [%[d]]\n"
        : [t] "+&r"(t), [w] "+&l"(w), [factor] "=&r"(factor), [largest] "+&r"(largest),
          [peak] "+&r"(peak)
        : [step] "r"(step), [s] "r"(s), [mask] "r"(mask), [d] "l"(d),
          AT(multiplier), AT(shift), AT(bit)
        : "lr", "q0", "q1", "q2", "q3", "q4", "q5", "q6", "cc", "memory");
    const stored out = {largest, peak};
    return out;
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

static stored store_sixteen(const tiny_gradient_store *s, const int16_t *t, const int8_t *w,
                            uint32_t step, uint32_t rows, uint32_t mask, int8_t *d) {
    stored out = {0, 0};
    int32_t sums[COLUMNS];
    add_four(t, w, step, rows, sums, COLUMNS);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        const int32_t v = tiny_scale_by(sums[i], s->factor.mantissa, s->exponent);
        const uint32_t magnitude = (uint32_t)(v < 0 ? -v : v), passes = mask >> i & 1u;
        out.largest = magnitude > out.largest ? magnitude : out.largest;
        out.peak = passes && magnitude > out.peak ? magnitude : out.peak;
        d[i] = (int8_t)(passes ? (uint32_t)v & 0xFFu : 0);
    }
    return out;
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

/* Elements [at, at + count), of columns w, as tiny_gradient_store_adjacent does. */
static void store_some(const tiny_gradient_store *store, const int16_t *t, const int8_t *w,
                       uint32_t step, uint32_t rows, uint32_t at, uint32_t count) {
    int32_t sums[COLUMNS];
    for (uint32_t c = 0; c < count; c += TINY_LANES) {
        add_four(t, w + c, step, rows, sums + c, count - c < TINY_LANES ? count - c : TINY_LANES);
    }
    tiny_gradient_store_adjacent(store, at, sums, count);
}

/* The `width` columns from `first` on, which share one weight array. */
static void descend_panel(const tiny_fully_connected *op, const tiny_gradient_store *store,
                          const int16_t *t, const int8_t *w, uint32_t first, uint32_t width) {
    uint32_t i = 0, peak = 0;
    for (; i + COLUMNS <= width && store->multiplier; i += COLUMNS) {
        const uint32_t at = first + i;
        const stored out = store_sixteen(store, t, w + i, width, op->out, tiny_mask_bits(store, at),
                                         store->dx->d + at);
        if (out.largest > 127) {
            store_some(store, t, w + i, width, op->out, at, COLUMNS);
        } else {
            peak = out.peak > peak ? out.peak : peak;
        }
    }
    for (; i < width; i += COLUMNS) {
        const uint32_t count = width - i < COLUMNS ? width - i : COLUMNS;
        store_some(store, t, w + i, width, op->out, first + i, count);
    }
    store->dx->scale->peak = tiny_max(store->dx->scale->peak, (int32_t)peak);
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
