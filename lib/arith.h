/* The arithmetic that kernels share; each function is one rule of SPEC.md.
 *
 * Two families. Forward, TensorFlow Lite's: a Q31 multiplier and a shift per channel, rounded
 * twice, so that a compiled model has the bits of the imported one (SPEC 1.1, 1.2). Backward, our
 * own: a mantissa and an exponent, one product in 64 bits, rounded once with ties to even (SPEC
 * 1.3). The exponents of gradients differ from step to step, so ties are frequent, and a bias of
 * ties would add up over positions.
 *
 * Negative numbers are shifted to the right arithmetically, as all compilers for the supported
 * machines do, and to the left by multiplication.
 */
#ifndef TINYFLASH_LIB_ARITH_H
#define TINYFLASH_LIB_ARITH_H

#include <stdint.h>

#include "tinyflash/kernels.h"

/* Of a function whose inner loop is the work: inlined into the loops around it, it would leave too
 * few registers, and compilers for Arm would keep operands of each product in memory. Only GCC and
 * Clang have the attribute; another compiler can be told its own word: -DTINY_APART=... */
#ifndef __GNUC__
#ifndef TINY_APART
#define TINY_APART
#endif
#define TINY_AS_A_LOOP
#endif
#ifndef TINY_APART
#define TINY_APART __attribute__((noinline))
#endif

/* In a loop that copies or clears: keeps GCC and Clang from calling memcpy or memset instead. */
#ifndef TINY_AS_A_LOOP
#define TINY_AS_A_LOOP __asm__ volatile("" : : : "memory")
#endif

/* Where the exponents of gradients stay (SPEC 5.1). */
#define TINY_EXPONENT_MIN (-40)
#define TINY_EXPONENT_MAX 15

static inline int32_t tiny_min(int32_t a, int32_t b) { return a < b ? a : b; }

static inline int32_t tiny_max(int32_t a, int32_t b) { return a > b ? a : b; }

static inline int32_t tiny_clamp(int32_t v, int32_t low, int32_t high) {
    return tiny_min(tiny_max(v, low), high);
}

/* sat32 of SPEC.md. */
static inline int32_t tiny_saturate32(int64_t v) {
    return v > INT32_MAX ? INT32_MAX : (v < INT32_MIN ? INT32_MIN : (int32_t)v);
}

/* Adds one to a counter that stays at its maximum: a full counter still says "many". */
static inline void tiny_count(uint32_t *counter) { *counter += *counter != UINT32_MAX; }

/* SPEC 1.1: x / 2^shift to nearest, ties away from zero; shift in [0, 31]. */
static inline int32_t tiny_rounding_divide(int32_t x, int32_t shift) {
    const int32_t mask = (int32_t)((1u << shift) - 1u);
    return (x >> shift) + ((x & mask) > (mask >> 1) + (x < 0));
}

/* a * b / 2^31 to nearest, ties up: hmul of SPEC 3.4, and the first rounding of SPEC 1.2. The only
 * overflow, both INT32_MIN, saturates. */
static inline int32_t tiny_high_multiply(int32_t a, int32_t b) {
    return tiny_saturate32(((int64_t)a * b + (1 << 30)) >> 31);
}

/* SPEC 1.2: x * multiplier / 2^31 * 2^shift as TensorFlow Lite rounds it, twice; 0 <= multiplier,
 * shift in [-31, 30]. The shift to the left wraps, hence the unsigned. */
static inline int32_t tiny_multiply(int32_t x, int32_t multiplier, int32_t shift) {
    const int32_t left = tiny_max(shift, 0);
    const int32_t shifted = (int32_t)((uint32_t)x << left);
    return tiny_rounding_divide(tiny_high_multiply(shifted, multiplier), left - shift);
}

/* `even` of SPEC 1.3: v * 2^-shift to nearest, ties to even, saturated to int32; |v| < 2^62 where
 * shift > 0. Adding one less than a half, and one more if the result would be odd, rounds ties to
 * even without a branch. */
static inline int32_t tiny_shift_round(int64_t v, int32_t shift) {
    if (shift > 62) {
        return 0;
    }
    if (shift > 0) {
        const int64_t odd = (v >> shift) & 1;
        return tiny_saturate32((v + ((int64_t)1 << (shift - 1)) - 1 + odd) >> shift);
    }
    const int32_t left = tiny_min(-shift, 31);
    return tiny_saturate32((int64_t)tiny_saturate32(v) * ((int64_t)1 << left));
}

/* `scale` of SPEC 1.3: v * mantissa * 2^exponent to nearest, ties to even; mantissa < 2^31, so that
 * the product has 62 bits. */
static inline int32_t tiny_scale_by(int32_t v, uint32_t mantissa, int32_t exponent) {
    return tiny_shift_round((int64_t)v * (int64_t)mantissa, -exponent);
}

/* Sum of w * (x - x_zero) over `count` adjacent elements (SPEC 2.1). x - x_zero has 9 bits. */
static inline int32_t tiny_dot(const int8_t *x, int32_t x_zero, const int8_t *w, uint32_t count) {
    const int16_t zero = (int16_t)x_zero; /* in 16 bits compilers find their wide multiply-add */
    int32_t sum = 0;
    for (uint32_t i = 0; i < count; i++) {
        const int16_t centred = (int16_t)(x[i] - zero);
        sum += centred * w[i];
    }
    return sum;
}

/* SPEC 2.2: the int8 output of a sum. */
static inline int8_t tiny_requantize(const tiny_requant *q, uint32_t channel, int32_t sum) {
    const int32_t y = tiny_multiply(sum, q->multiplier[channel], q->shift[channel]) + q->y_zero;
    return (int8_t)tiny_clamp(y, q->y_min, q->y_max);
}

/* SPEC 3.3; of the sum of numbers without their zero point. */
static inline int8_t tiny_mean_of(const tiny_mean *op, int32_t sum) {
    const int32_t y = tiny_multiply(sum, op->multiplier, op->shift) + op->y_zero;
    return (int8_t)tiny_clamp(y, INT8_MIN, INT8_MAX);
}

/* SPEC 4.3: stores element i of a gradient. A masked element counts for nothing; peak is taken
 * before saturation, so that SPEC 5.3 knows by how many bits the exponent was too small. */
static inline void tiny_store_gradient(const tiny_gradient_out *dx, uint32_t i, int32_t v) {
    if (dx->mask && !((dx->mask[i >> 3] >> (i & 7u)) & 1)) {
        dx->d[i] = 0;
        return;
    }
    const int32_t magnitude = v == INT32_MIN ? INT32_MAX : (v < 0 ? -v : v);
    dx->scale->peak = tiny_max(dx->scale->peak, magnitude);
    if (magnitude > 127) {
        tiny_count(&dx->scale->saturated);
        dx->scale->clipped = (uint16_t)(dx->scale->clipped + (dx->scale->clipped != UINT16_MAX));
    }
    dx->d[i] = (int8_t)tiny_clamp(v, -127, 127);
}

/* Bits [from, end) of the mask, all of one byte, from y[0] on. `others` and `above` are the bits of
 * rows before and behind, which stay; with the last element's go the padding bits. */
static inline void tiny_mask_byte(const tiny_mask *op, const int8_t *y, uint32_t from, uint32_t end,
                                  uint8_t *mask) {
    const uint32_t first = from & 7u;
    const uint32_t others = (1u << first) - 1u;
    const uint32_t above = end == op->count ? 0 : ~0u << (first + end - from);
    uint32_t bits = 0;
    for (uint32_t j = 0; j < end - from; j++) {
        bits |= (uint32_t)(op->y_min < y[j] && y[j] < op->y_max) << j;
    }
    mask[from >> 3] = (uint8_t)((mask[from >> 3] & (others | above)) | (bits << first));
}

/* SPEC 4.7: the smallest k with peak / 2^k < 127.5, which rounds to 127 at most. */
static inline int32_t tiny_loss_shift(int32_t peak) {
    int32_t shift = 0;
    while (2 * (int64_t)peak >= ((int64_t)255 << shift)) {
        shift++;
    }
    return shift;
}

/* SPEC 4.1: the gradient of output channel o, rescaled to the layer's largest weight scale, so that
 * channels of different scales can be added up. |t| <= 127 * 2^(7 - q), which 16 bits
 * hold. */
static inline int32_t tiny_rescaled(const tiny_descent *d, int8_t dy, uint32_t o) {
    const int32_t shift = 8 + d->ratio_shift;
    return (dy * (int32_t)d->ratio[o] + (1 << (shift - 1))) >> shift;
}

/* Where in a ring a row of a map is. A ring of all rows, the usual case, needs no division. */
static inline uint32_t tiny_slot(uint32_t row, uint32_t ring) {
    return row < ring ? row : row % ring;
}

/* The first element of a row of a map, of which memory may hold a ring. */
static inline const int8_t *tiny_map_row(const tiny_map *map, const int8_t *x, int32_t row) {
    return x + tiny_slot((uint32_t)row, map->ring) * map->width * map->channels;
}

/* The same to write. */
static inline int8_t *tiny_map_row_out(const tiny_map *map, int8_t *y, int32_t row) {
    return y + tiny_slot((uint32_t)row, map->ring) * map->width * map->channels;
}

/* The row of the map that window row `tap` reads at output row `at`; may be in the padding. */
static inline int32_t tiny_window_row(const tiny_window *w, int32_t at, int32_t tap) {
    return at * w->stride_h - w->pad_top + tap * w->dilation_h;
}

/* The same for columns. */
static inline int32_t tiny_window_column(const tiny_window *w, int32_t at, int32_t tap) {
    return at * w->stride_w - w->pad_left + tap * w->dilation_w;
}

/* The output position whose window tap reads input row or column `at`, or -1 if none:
 * tiny_window_row solved for the output, where a stride leaves most taps without one. */
static inline int32_t tiny_window_source(int32_t at, int32_t pad, int32_t tap, int32_t dilation,
                                         int32_t stride, int32_t extent) {
    const int32_t offset = at + pad - tap * dilation;
    return offset >= 0 && offset % stride == 0 && offset / stride < extent ? offset / stride : -1;
}

#endif
