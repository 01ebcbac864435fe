/* Input gradient and update of a fully connected layer that is applied to one vector, where nothing is
 * gained by transposing weights; see tiles.h.
 *
 * The input gradient adds rows of weights, each by its own gradient: 16 columns at a time, whose sums
 * become elements without leaving their registers. The update multiplies the gradients of four rows by each element of x, and moves these weights together.
 */
#include <stddef.h>

#include "tiles.h"

#define COLUMNS 16u
/* Of four rows, whose weights move together; the same in compiler/kernels/mve.py. */
#define PRODUCTS 32u

/* Groups of 16 columns that share a weight array. Assembly knows the fields by their names. */
typedef struct sixteens {
    const int16_t *t;
    uint32_t more_rows; /* behind the first one */
    int32_t multiplier, right;
    uint32_t mask_shift, mask_step; /* bits before the first one; bytes from group to group */
    uint32_t rest; /* from the mask's first byte to its third, or to one there is */
    uint32_t step; /* of rows of weights */
} sixteens;

/* What was stored before an element was large. */
typedef struct stored {
    uint32_t left, peak; /* groups, the one with this element included */
} stored;

#if TINY_MVE_ASM

#define AT(type, field) [field] "i"(offsetof(type, field))

/* The next row of weights and its gradient; `product` begins the sums or adds to them. */
#define ROW(product)                    \
    "ldrsh r2, [r0], #2\n"              \
    "vldrb.s32 q4, [r1]\n" product      \
    " q0, q4, r2\n"                     \
    "vldrb.s32 q4, [r1, #4]\n" product  \
    " q1, q4, r2\n"                     \
    "vldrb.s32 q4, [r1, #8]\n" product  \
    " q2, q4, r2\n"                     \
    "vldrb.s32 q4, [r1, #12]\n" product \
    " q3, q4, r2\n"                     \
    "add r1, r3\n"
/* Small results are no ties (see store_groups), so to round ties up is right. */
#define ROUND(sums)               \
    "vqdmulh.s32 " sums ", " sums \
    ", r0\n"                      \
    "vrshl.s32 " sums ", r2\n"
#define KEEP(from, at)      \
    "vmaxav.s32 r11, " from \
    "\n"                    \
    "vstrb.32 " from ", [r4, #" at "]\n"

/* Columns from w on to d, until an element is large. r4: d; r5: the mask; r6: to its last byte; r8: the
 * weights of a group; r11: the largest element, masked or not. A load clears what a mask does not let
 * pass. r7 may be the frame pointer. */
TINY_APART static stored store_sixteens(const sixteens *s, const int8_t *w, int8_t *d,
                                        const uint8_t *mask, uint32_t groups) {
    register const sixteens *at __asm__("r12") = s;
    register int8_t *to __asm__("r4") = d;
    register const uint8_t *bits __asm__("r5") = mask;
    register const int8_t *from __asm__("r8") = w;
    register uint32_t left __asm__("r9") = groups;
    register uint32_t peak __asm__("r10") = 0;
    __asm__ volatile(
        "ldr.w r3, [r12, %[step]]\n"
        "ldr.w r6, [r12, %[rest]]\n"
        "mov.w r11, #0\n"
        "1:\n"
        "ldrd r0, lr, [r12, %[t]]\n"
        "mov r1, r8\n" ROW("vmul.i32")
        "wls lr, lr, 3f\n"
        "2:\n" ROW("vmla.s32")
        "le lr, 2b\n"
        "3:\n"
        "ldrd r0, r2, [r12, %[multiplier]]\n" ROUND("q0") ROUND("q1") ROUND("q2") ROUND("q3")
            KEEP("q0", "0") KEEP("q1", "4") KEEP("q2", "8") KEEP("q3", "12")
        "cmp.w r11, #127\n"
        "bhi 4f\n"
        "ldrh.w r0, [r5]\n"
        "ldrb.w r1, [r5, r6]\n"
        "orr.w r0, r0, r1, lsl #16\n"
        "ldrd r1, r2, [r12, %[mask_shift]]\n"
        "lsrs r0, r1\n"
        "add r5, r2\n"
        "vmsr p0, r0\n"
        "vpst\n"
        "vldrbt.u8 q0, [r4]\n"
        "vmaxav.s8 r10, q0\n"
        "vstrb.8 q0, [r4], #16\n"
        "add.w r8, r8, #16\n"
        "subs.w r9, r9, #1\n"
        "bne 1b\n"
        "4:\n"
        : "+r"(to), "+r"(bits), "+r"(from), "+r"(left), "+r"(peak)
        : "r"(at), AT(sixteens, t), AT(sixteens, multiplier), AT(sixteens, mask_shift),
          AT(sixteens, rest), AT(sixteens, step)
        : "r0", "r1", "r2", "r3", "r6", "r11", "lr", "q0", "q1", "q2", "q3", "q4", "cc", "memory");
    const stored out = {left, peak};
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
        "ldrsh %[factor], [%[t]], #2\n"
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
        "ldrsb %[input], [%[x]], #1\n"
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

/* Ties go up, too. Returns whether no element is large. */
static int store_group(const sixteens *s, const int8_t *w, int8_t *d, uint32_t mask,
                       uint32_t *peak) {
    int32_t sums[COLUMNS];
    uint32_t largest = *peak;
    add_four(s->t, w, s->step, s->more_rows + 1, sums, COLUMNS);
    for (uint32_t i = 0; i < COLUMNS; i++) {
        const int64_t upper = (int64_t)sums[i] * s->multiplier >> 31;
        const int64_t v = (upper + ((int64_t)1 << (-s->right - 1))) >> -s->right;
        if (v > 127 || v < -127) {
            return 0;
        }
        d[i] = (int8_t)(mask >> i & 1u ? v : 0);
        largest = (uint32_t)tiny_max((int32_t)largest, d[i] < 0 ? -d[i] : d[i]);
    }
    *peak = largest;
    return 1;
}

TINY_APART static stored store_sixteens(const sixteens *s, const int8_t *w, int8_t *d,
                                        const uint8_t *mask, uint32_t groups) {
    stored out = {groups, 0};
    for (; out.left; out.left--, w += COLUMNS, d += COLUMNS, mask += s->mask_step) {
        const uint32_t bits = (uint32_t)mask[0] | (uint32_t)mask[1] << 8;
        const uint32_t all = (bits | (uint32_t)mask[s->rest] << 16) >> s->mask_shift;
        if (!store_group(s, w, d, all, &out.peak)) {
            break;
        }
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

/* `groups` times COLUMNS columns from `first` on. Where the mantissa is no multiple of 2^8, a
 * tie is 2^7 at least, too large for an element: dsp/stripe.h has the proof. */
static void store_groups(const tiny_gradient_store *store, const int16_t *t, const int8_t *w,
                         uint32_t step, uint32_t rows, uint32_t first, uint32_t groups) {
    static const uint8_t all[] = {0xFF, 0xFF, 0xFF};
    const uint8_t *mask = store->dx->mask;
    const uint32_t bit = mask ? first & 7u : 0;
    const sixteens s = {.t = t,
                        .more_rows = rows - 1,
                        .multiplier = store->multiplier,
                        .right = -store->shift,
                        .mask_shift = bit,
                        .mask_step = mask ? COLUMNS / 8 : 0,
                        .rest = bit ? 2 : 1,
                        .step = step};
    const int untied = store->multiplier && store->factor.mantissa % 256 != 0;
    uint32_t i = 0;
    while (i < groups) {
        const uint32_t at = first + i * COLUMNS;
        stored out = {groups - i, 0};
        if (untied) {
            out = store_sixteens(&s, w + i * COLUMNS, store->dx->d + at, mask ? mask + at / 8 : all,
                                 groups - i);
            store->dx->scale->peak = tiny_max(store->dx->scale->peak, (int32_t)out.peak);
        }
        i = groups - out.left;
        if (out.left) {
            store_some(store, t, w + i * COLUMNS, step, rows, first + i * COLUMNS, COLUMNS);
            i++;
        }
    }
}

/* The `width` columns from `first` on, which share one weight array. */
static void descend_panel(const tiny_fully_connected *op, const tiny_gradient_store *store,
                          const int16_t *t, const int8_t *w, uint32_t first, uint32_t width) {
    const uint32_t groups = width / COLUMNS, rest = width % COLUMNS;
    const uint32_t done = groups * COLUMNS;
    store_groups(store, t, w, width, op->out, first, groups);
    if (rest) {
        store_some(store, t, w + done, width, op->out, first + done, rest);
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

/* Rows [o, o + movers->rows), by `products` of some elements of x at a time. */
static void learn_rows(const tiny_fully_connected *op, const tiny_update *update, tiny_movers *m,
                       const int8_t *x, const int8_t *dy, uint32_t o) {
    const uint32_t kept = op->kept;
    int32_t *products = (int32_t *)(void *)(m + 1);
    for (uint32_t i = 0; i < kept; i += PRODUCTS) {
        const uint32_t count = kept - i < PRODUCTS ? kept - i : PRODUCTS;
        multiply(dy + o, m->rows, x + i, op->requant.x_zero, count, products);
        tiny_movers_move(m, update, o * kept + i, 1, products, TINY_LANES, count);
    }
}

/* The same where four weights of each move at a time. */
static uint32_t learn_words(const tiny_fully_connected *op, const tiny_update *update,
                            tiny_movers *m, const int8_t *x, const int8_t *dy, uint32_t o) {
    for (uint32_t r = 0; r < m->rows; r++) {
        m->first[r] = dy[o + r] * (1 << m->before);
    }
    return tiny_move_words_by_x(m, update->plain + o * op->kept, x, op->requant.x_zero,
                                op->kept / 4);
}

void tiny_learn_single(const tiny_fully_connected *op, const int8_t *x, const tiny_gradient *dy,
                       const tiny_trained *w, tiny_state *state, void *scratch) {
    const tiny_update update = tiny_begin_update(&op->descent, dy, w, state);
    const uint32_t kept = op->kept;
    const tiny_moving moving = tiny_moving_begin(&update, op->descent.rate, kept, 1, kept % 4 == 0);
    tiny_movers *movers = scratch;
    uint32_t clamped = 0;
    for (uint32_t o = 0; o < op->out; o += TINY_LANES) {
        tiny_movers_begin(movers, &moving, o, op->out - o < TINY_LANES ? op->out - o : TINY_LANES);
        if (movers->vector && movers->words) {
            clamped += learn_words(op, &update, movers, x, dy->d, o);
        } else {
            learn_rows(op, &update, movers, x, dy->d, o);
        }
    }
    tiny_count_clamped(state, clamped);
}
