/* The sum of two maps, and of two gradients, on a PC: eight elements at a time.
 *
 * Eight are loaded before eight are stored, so the output may be an operand, or begin below it.
 */
#include "../../arith.h"
#include "../../buffers.h"
#include "eight.h"
#include "tinyflash/ops.h"
#include "wide.h"

#if TINY_HOST_ASM

#define HEADROOM 20      /* of SPEC 3.1 */
#define FITTING_SHIFT 23 /* of a gradient: the sum of two is in int32 */

/* An operand at the common scale (SPEC 3.1). */
TINY_WIDE_INLINE __m256i operand(const int8_t *x, uint32_t count, int32_t zero, int32_t multiplier,
                                 int32_t shift) {
    const __m256i v =
        _mm256_sub_epi32(_mm256_cvtepi8_epi32(tiny_eight_bytes(x, count)), _mm256_set1_epi32(zero));
    return tiny_multiplied(_mm256_slli_epi32(v, HEADROOM), _mm256_set1_epi32(multiplier),
                           _mm256_set1_epi32(shift));
}

TINY_WIDE_INLINE void add_eight(const tiny_add *op, const int8_t *a, const int8_t *b,
                                uint32_t count, int8_t *y) {
    const __m256i u = operand(a, count, op->a_zero, op->a_multiplier, op->a_shift);
    const __m256i v = operand(b, count, op->b_zero, op->b_multiplier, op->b_shift);
    const __m256i sum = _mm256_add_epi32(u, _mm256_sign_epi32(v, _mm256_set1_epi32(op->b_sign)));
    const __m256i scaled =
        tiny_multiplied(sum, _mm256_set1_epi32(op->y_multiplier), _mm256_set1_epi32(op->y_shift));
    tiny_store_bytes(y, tiny_clamped(scaled, op->y_zero, op->y_min, op->y_max), count);
}

TINY_WIDE static void add_row(const tiny_add *op, const int8_t *a, const int8_t *b, uint32_t count,
                              int8_t *y) {
    uint32_t i = 0;
    for (; i + TINY_LANES <= count; i += TINY_LANES) {
        add_eight(op, a + i, b + i, TINY_LANES, y + i);
    }
    if (i < count) {
        add_eight(op, a + i, b + i, count - i, y + i);
    }
}

static void add_rows(const tiny_add *op, const int8_t *a, const int8_t *b, int8_t *y,
                     tiny_band band) {
    const uint32_t size = op->count / op->height;
    const int repeats = op->b_count < op->count;
    const uint32_t strip = repeats ? op->b_count : size;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        const int8_t *from = a + tiny_slot(row, op->a_ring) * size;
        const int8_t *other = repeats ? b : b + tiny_slot(row, op->b_ring) * size;
        int8_t *to = y + tiny_slot(row, op->y_ring) * size;
        for (uint32_t i = 0; i < size; i += strip) {
            add_row(op, from + i, other, strip, to + i);
        }
    }
}

TINY_OP(add_forward_host) {
    if (tiny_host_is_wide()) {
        add_rows(record, buffers[0], buffers[1], buffers[2], band);
    } else {
        tiny_op_add_forward(record, buffers, band);
    }
}

/* A gradient at the smaller exponent of the two, `shift` bits up; null: 0. */
TINY_WIDE_INLINE __m256i gradient_at(const int8_t *d, uint32_t i, uint32_t count, int32_t shift) {
    if (!d) {
        return _mm256_setzero_si256();
    }
    return _mm256_sll_epi32(_mm256_cvtepi8_epi32(tiny_eight_bytes(d + i, count)),
                            _mm_cvtsi32_si128(shift));
}

/* Of SPEC 4.5, with u in int32. */
TINY_WIDE static void add_gradients(const int8_t *a, int32_t a_shift, const int8_t *b,
                                    int32_t b_shift, uint32_t size, int32_t exponent,
                                    const tiny_gradient_out *dx) {
    const tiny_host_factors factor = tiny_one_factor(1, exponent);
    for (uint32_t i = 0; i < size; i += TINY_LANES) {
        const uint32_t count = size - i < TINY_LANES ? size - i : TINY_LANES;
        const __m256i u =
            _mm256_add_epi32(gradient_at(a, i, count, a_shift), gradient_at(b, i, count, b_shift));
        tiny_store_lanes(dx, i, tiny_scaled(u, &factor), count);
    }
}

TINY_OP(gradient_add_host) {
    (void)band;
    const tiny_gradient_sum *op = record;
    const tiny_gradient a = tiny_gradient_at(buffers), b = tiny_gradient_at(buffers + 2);
    const tiny_gradient_out dx = tiny_following_both(&a, b.scale, buffers + 4);
    const int32_t e_a = a.scale->exponent, e_b = b.d ? b.scale->exponent : e_a;
    const int32_t common = tiny_min(e_a, e_b);
    if (tiny_max(e_a, e_b) - common <= FITTING_SHIFT && tiny_host_is_wide()) {
        add_gradients(a.d, e_a - common, b.d, e_b - common, op->count, common - dx.scale->exponent,
                      &dx);
    } else {
        tiny_gradient_add(op, 0, &a, &b, &dx);
    }
}

#else

TINY_OP(add_forward_host) { tiny_op_add_forward(record, buffers, band); }

TINY_OP(gradient_add_host) { tiny_op_gradient_add(record, buffers, band); }

#endif
