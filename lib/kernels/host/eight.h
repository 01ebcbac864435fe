/* Rules of SPEC.md for eight elements at once, with the registers of AVX2: each function is one of
 * arith.h, for lanes. They are for functions marked TINY_WIDE, which run only where
 * tiny_host_is_wide says so.
 */
#ifndef TINYFLASH_KERNELS_HOST_EIGHT_H
#define TINYFLASH_KERNELS_HOST_EIGHT_H

#include <string.h>

#include "../../arith.h"
#include "wide.h"

#if TINY_HOST_ASM

#include <immintrin.h>

#define TINY_WIDE __attribute__((target("avx2,popcnt")))
/* A build that counts how often lines run does not inline, so as not to count each copy. */
#ifndef TINY_WIDE_INLINE
#define TINY_WIDE_INLINE __attribute__((target("avx2,popcnt"), always_inline)) static inline
#endif

#define TINY_LANES 8u /* int32 in a register */

/* 16 bytes, of which those from `end` on, outside the array, are read as 0. */
TINY_WIDE_INLINE __m128i tiny_bytes_at(const int8_t *at, const int8_t *end) {
    int8_t rest[16] = {0};
    if (end - at >= 16) {
        return _mm_loadu_si128((const __m128i *)(const void *)at);
    }
    memcpy(rest, at, (size_t)(end - at));
    return _mm_loadu_si128((const __m128i *)(const void *)rest);
}

/* The first `count` of eight bytes, the others 0. */
TINY_WIDE_INLINE __m128i tiny_eight_bytes(const int8_t *at, uint32_t count) {
    int64_t bytes = 0;
    if (count == TINY_LANES) {
        memcpy(&bytes, at, sizeof bytes);
    } else {
        memcpy(&bytes, at, count);
    }
    return _mm_cvtsi64_si128(bytes);
}

/* Stores the first `count` of eight bytes. */
TINY_WIDE_INLINE void tiny_store_bytes(int8_t *to, __m128i eight, uint32_t count) {
    const int64_t bytes = _mm_cvtsi128_si64(eight);
    if (count == TINY_LANES) {
        memcpy(to, &bytes, sizeof bytes);
    } else {
        memcpy(to, &bytes, count);
    }
}

/* The same where the eight bytes up to at + count are of one array. No copy is made: to load what was
 * just stored in parts stalls. */
TINY_WIDE_INLINE __m128i tiny_last_bytes(const int8_t *at, uint32_t count) {
    const uint32_t before = TINY_LANES - count;
    const __m128i eight = _mm_loadl_epi64((const __m128i *)(const void *)(at - before));
    return _mm_srl_epi64(eight, _mm_cvtsi32_si128((int32_t)(8u * before)));
}

/* The first `count` of eight int32, the others 0. */
TINY_WIDE_INLINE __m256i tiny_eight_words(const void *values, uint32_t count) {
    const __m256i lane = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    if (count == TINY_LANES) {
        return _mm256_loadu_si256((const __m256i *)values);
    }
    return _mm256_maskload_epi32((const int *)values,
                                 _mm256_cmpgt_epi32(_mm256_set1_epi32((int32_t)count), lane));
}

/* 16 bytes to int16. */
TINY_WIDE_INLINE __m256i tiny_widened(const int8_t *at) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)at));
}

/* Eight int32 to bytes, in the lower half; they have to fit. */
TINY_WIDE_INLINE __m128i tiny_narrowed(__m256i v) {
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    return _mm_packs_epi16(words, words);
}

/* tiny_multiply. A multiplier is not negative, so its product never saturates. */
TINY_WIDE_INLINE __m256i tiny_multiplied(__m256i x, __m256i multiplier, __m256i shift) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i left = _mm256_max_epi32(shift, zero);
    const __m256i right = _mm256_sub_epi32(left, shift);
    const __m256i half = _mm256_set1_epi64x(1 << 30);
    const __m256i shifted = _mm256_sllv_epi32(x, left);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(shifted, multiplier), half);
    const __m256i odd = _mm256_add_epi64(
        _mm256_mul_epi32(_mm256_srli_epi64(shifted, 32), _mm256_srli_epi64(multiplier, 32)), half);
    const __m256i high =
        _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
    const __m256i mask =
        _mm256_sub_epi32(_mm256_sllv_epi32(_mm256_set1_epi32(1), right), _mm256_set1_epi32(1));
    const __m256i limit =
        _mm256_sub_epi32(_mm256_srli_epi32(mask, 1), _mm256_cmpgt_epi32(zero, high));
    const __m256i up = _mm256_cmpgt_epi32(_mm256_and_si256(high, mask), limit);
    return _mm256_sub_epi32(_mm256_srav_epi32(high, right), up);
}

/* The output of v, as bytes in the lower half: v + zero, clamped. */
TINY_WIDE_INLINE __m128i tiny_clamped(__m256i v, int32_t zero, int32_t low, int32_t high) {
    __m256i y = _mm256_add_epi32(v, _mm256_set1_epi32(zero));
    y = _mm256_max_epi32(y, _mm256_set1_epi32(low));
    return tiny_narrowed(_mm256_min_epi32(y, _mm256_set1_epi32(high)));
}

/* tiny_requantize. */
TINY_WIDE_INLINE __m128i tiny_requantized(const tiny_requant *q, __m256i sum, __m256i multiplier,
                                          __m256i shift) {
    return tiny_clamped(tiny_multiplied(sum, multiplier, shift), q->y_zero, q->y_min, q->y_max);
}

/* tiny_saturate32, of four int64. */
TINY_WIDE_INLINE __m256i tiny_saturated(__m256i v) {
    const __m256i high = _mm256_set1_epi64x(INT32_MAX), low = _mm256_set1_epi64x(INT32_MIN);
    const __m256i below = _mm256_blendv_epi8(v, high, _mm256_cmpgt_epi64(v, high));
    return _mm256_blendv_epi8(below, low, _mm256_cmpgt_epi64(low, below));
}

/* tiny_shift_round, of four int64 below 2^62: to the right by `right` in [0, 62], to the left by
 * `left` in [0, 31], one of which is 0. AVX2 has no arithmetic shift of 64 bits: ones' complement
 * before and after a logical one. */
TINY_WIDE_INLINE __m256i tiny_shifted(__m256i v, __m256i right, __m256i left) {
    const __m256i zero = _mm256_setzero_si256(), one = _mm256_set1_epi64x(1);
    const __m256i odd = _mm256_and_si256(_mm256_srlv_epi64(v, right), one);
    const __m256i half =
        _mm256_sub_epi64(_mm256_sllv_epi64(one, _mm256_sub_epi64(right, one)), one);
    const __m256i added =
        _mm256_and_si256(_mm256_add_epi64(half, odd), _mm256_cmpgt_epi64(right, zero));
    const __m256i sum = _mm256_add_epi64(v, added);
    const __m256i sign = _mm256_cmpgt_epi64(zero, sum);
    const __m256i moved =
        _mm256_xor_si256(_mm256_srlv_epi64(_mm256_xor_si256(sum, sign), right), sign);
    const __m256i fits = tiny_saturated(moved);
    return tiny_saturated(_mm256_sllv_epi64(fits, left));
}

/* Eight factors: mantissas below 2^31, and exponents. */
typedef struct tiny_host_factors {
    __m256i mantissa, right, left;
} tiny_host_factors;

/* Beyond 62 bits to the right nothing is left: then the mantissa is 0. */
TINY_WIDE_INLINE tiny_host_factors tiny_factors(__m256i mantissa, __m256i exponent) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i far = _mm256_cmpgt_epi32(_mm256_set1_epi32(-62), exponent);
    const tiny_host_factors f = {
        _mm256_andnot_si256(far, mantissa),
        _mm256_andnot_si256(far, _mm256_max_epi32(_mm256_sub_epi32(zero, exponent), zero)),
        _mm256_min_epi32(_mm256_max_epi32(exponent, zero), _mm256_set1_epi32(31)),
    };
    return f;
}

/* The same factor eight times. */
TINY_WIDE_INLINE tiny_host_factors tiny_one_factor(uint32_t mantissa, int32_t exponent) {
    return tiny_factors(_mm256_set1_epi32((int32_t)mantissa), _mm256_set1_epi32(exponent));
}

/* tiny_scale_by. */
TINY_WIDE_INLINE __m256i tiny_scaled(__m256i v, const tiny_host_factors *f) {
    const __m256i low = _mm256_set1_epi64x(UINT32_MAX);
    const __m256i even =
        tiny_shifted(_mm256_mul_epi32(v, f->mantissa), _mm256_and_si256(f->right, low),
                     _mm256_and_si256(f->left, low));
    const __m256i odd =
        tiny_shifted(_mm256_mul_epi32(_mm256_srli_epi64(v, 32), _mm256_srli_epi64(f->mantissa, 32)),
                     _mm256_srli_epi64(f->right, 32), _mm256_srli_epi64(f->left, 32));
    return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}

/* A byte of the mask for elements [i, i + count), the others 0. */
TINY_WIDE_INLINE uint32_t tiny_mask_bits(const uint8_t *mask, uint32_t i, uint32_t count) {
    const uint32_t present = (1u << count) - 1u;
    if (!mask) {
        return present;
    }
    const uint32_t pair = mask[i >> 3] | (uint32_t)mask[(i + count - 1) >> 3] << 8;
    return (pair >> (i & 7u)) & present;
}

/* tiny_count, `more` times. */
static inline uint32_t tiny_counted(uint32_t counter, uint32_t more, uint32_t most) {
    return counter < most - more ? counter + more : most;
}

/* tiny_store_gradient, of elements [i, i + count), count in [1, 8]. */
TINY_WIDE_INLINE void tiny_store_lanes(const tiny_gradient_out *dx, uint32_t i, __m256i v,
                                       uint32_t count) {
    const __m256i of_lane = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    const __m256i bits = _mm256_set1_epi32((int32_t)tiny_mask_bits(dx->mask, i, count));
    const __m256i passes = _mm256_cmpeq_epi32(_mm256_and_si256(bits, of_lane), of_lane);
    const __m256i d = _mm256_and_si256(v, passes);
    const __m256i magnitude = _mm256_min_epu32(_mm256_abs_epi32(d), _mm256_set1_epi32(INT32_MAX));
    const __m256i most = _mm256_set1_epi32(127);
    const __m256i over = _mm256_cmpgt_epi32(magnitude, most);
    __m128i peak =
        _mm_max_epi32(_mm256_castsi256_si128(magnitude), _mm256_extracti128_si256(magnitude, 1));
    peak = _mm_max_epi32(peak, _mm_shuffle_epi32(peak, 0x4E));
    peak = _mm_max_epi32(peak, _mm_shuffle_epi32(peak, 0xB1));
    dx->scale->peak = tiny_max(dx->scale->peak, _mm_cvtsi128_si32(peak));
    const int clips = _mm256_movemask_ps(_mm256_castsi256_ps(over));
    if (clips) {
        const uint32_t more = (uint32_t)_mm_popcnt_u32((uint32_t)clips);
        dx->scale->saturated = tiny_counted(dx->scale->saturated, more, UINT32_MAX);
        dx->scale->clipped = (uint16_t)tiny_counted(dx->scale->clipped, more, UINT16_MAX);
    }
    const __m256i low = _mm256_max_epi32(d, _mm256_set1_epi32(-127));
    tiny_store_bytes(dx->d + i, tiny_narrowed(_mm256_min_epi32(low, most)), count);
}

#endif

#endif
