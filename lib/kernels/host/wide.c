/* The inner loops of the set `host`, for AVX2.
 *
 * One instruction multiplies 16 terms. A tile is four output channels by two inputs: eight
 * registers of sums, and each load of weights serves both inputs. Their parts are added up only at
 * the end of a row, four registers to four sums.
 */
#include "wide.h"

#include <string.h>

#include "../../arith.h"

#if TINY_HOST_ASM

#include <immintrin.h>

#define WIDE __attribute__((target("avx2")))
#define WIDE_INLINE __attribute__((target("avx2"), always_inline)) static inline
#define OUTPUTS 4u

int tiny_host_is_wide(void) { return __builtin_cpu_supports("avx2") != 0; }

WIDE_INLINE __m256i widened(const int8_t *at) {
    return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)at));
}

/* 16 weights, of which those from `end` on, outside the array, are read as 0. */
WIDE_INLINE __m128i bytes_at(const int8_t *at, const int8_t *end) {
    int8_t rest[TINY_HOST_STEP] = {0};
    if (end - at >= (int)TINY_HOST_STEP) {
        return _mm_loadu_si128((const __m128i *)(const void *)at);
    }
    memcpy(rest, at, (size_t)(end - at));
    return _mm_loadu_si128((const __m128i *)(const void *)rest);
}

WIDE_INLINE __m256i weights_at(const int8_t *at, const int8_t *end) {
    return _mm256_cvtepi8_epi16(bytes_at(at, end));
}

/* SPEC 1.2 and 2.2 for eight sums, as bytes in the lower half of the result. A multiplier is not
 * negative, so its product never saturates. */
WIDE_INLINE __m128i requantized(const tiny_requant *q, __m256i sum, __m256i multiplier,
                                __m256i shift) {
    const __m256i zero = _mm256_setzero_si256();
    const __m256i left = _mm256_max_epi32(shift, zero);
    const __m256i right = _mm256_sub_epi32(left, shift);
    const __m256i half = _mm256_set1_epi64x(1 << 30);
    const __m256i x = _mm256_sllv_epi32(sum, left);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, multiplier), half);
    const __m256i odd = _mm256_add_epi64(
        _mm256_mul_epi32(_mm256_srli_epi64(x, 32), _mm256_srli_epi64(multiplier, 32)), half);
    const __m256i high =
        _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
    const __m256i mask =
        _mm256_sub_epi32(_mm256_sllv_epi32(_mm256_set1_epi32(1), right), _mm256_set1_epi32(1));
    const __m256i limit =
        _mm256_sub_epi32(_mm256_srli_epi32(mask, 1), _mm256_cmpgt_epi32(zero, high));
    const __m256i up = _mm256_cmpgt_epi32(_mm256_and_si256(high, mask), limit);
    __m256i y = _mm256_sub_epi32(_mm256_srav_epi32(high, right), up);
    y = _mm256_add_epi32(y, _mm256_set1_epi32(q->y_zero));
    y = _mm256_max_epi32(y, _mm256_set1_epi32(q->y_min));
    y = _mm256_min_epi32(y, _mm256_set1_epi32(q->y_max));
    const __m128i words =
        _mm_packs_epi32(_mm256_castsi256_si128(y), _mm256_extracti128_si256(y, 1));
    return _mm_packs_epi16(words, words);
}

WIDE void tiny_host_centre(const int8_t *x, int32_t x_zero, uint32_t count, int16_t *to) {
    const int16_t zero = (int16_t)x_zero;
    for (uint32_t i = 0; i < count; i++) {
        to[i] = (int16_t)(x[i] - zero);
    }
}

WIDE_INLINE __m256i plus_product(__m256i sum, __m256i x, __m256i w) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w));
}

/* Adds the products of `terms` terms of OUTPUTS rows of weights and both inputs. The sums have names
 * in the loop: of an array, GCC would keep them in memory. */
WIDE_INLINE void add_products(const int8_t *const *w, const int8_t *end, uint32_t terms,
                              const int16_t *a, const int16_t *b, __m256i *sums) {
    __m256i a0 = sums[0], a1 = sums[1], a2 = sums[2], a3 = sums[3];
    __m256i b0 = sums[4], b1 = sums[5], b2 = sums[6], b3 = sums[7];
    const int8_t *w0 = w[0], *w1 = w[1], *w2 = w[2], *w3 = w[3];
    for (uint32_t i = 0; i < terms; i += TINY_HOST_STEP) {
        const __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)(a + i));
        const __m256i z = _mm256_loadu_si256((const __m256i *)(const void *)(b + i));
        const __m256i v0 = weights_at(w0 + i, end), v1 = weights_at(w1 + i, end);
        const __m256i v2 = weights_at(w2 + i, end), v3 = weights_at(w3 + i, end);
        a0 = plus_product(a0, x, v0);
        a1 = plus_product(a1, x, v1);
        a2 = plus_product(a2, x, v2);
        a3 = plus_product(a3, x, v3);
        b0 = plus_product(b0, z, v0);
        b1 = plus_product(b1, z, v1);
        b2 = plus_product(b2, z, v2);
        b3 = plus_product(b3, z, v3);
    }
    sums[0] = a0, sums[1] = a1, sums[2] = a2, sums[3] = a3;
    sums[4] = b0, sums[5] = b1, sums[6] = b2, sums[7] = b3;
}

/* Four registers to the four sums of their elements. */
WIDE_INLINE __m128i added(const __m256i *sums) {
    const __m256i all =
        _mm256_hadd_epi32(_mm256_hadd_epi32(sums[0], sums[1]), _mm256_hadd_epi32(sums[2], sums[3]));
    return _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
}

/* Four constants from channel o on, twice; of the last channels, fewer. A copy is for those alone:
 * to load 16 bytes that were just stored in parts stalls. */
WIDE_INLINE __m256i constants_at(const int32_t *values, uint32_t o, uint32_t count) {
    int32_t rest[OUTPUTS] = {0};
    const int32_t *from = values + o;
    if (count < OUTPUTS) {
        memcpy(rest, from, count * sizeof *values);
        from = rest;
    }
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)from));
}

/* Up to four bytes. */
WIDE_INLINE void store(int8_t *y, int32_t bytes, uint32_t count) {
    if (count == OUTPUTS) {
        memcpy(y, &bytes, sizeof bytes);
    } else {
        memcpy(y, &bytes, count);
    }
}

WIDE void tiny_host_outputs(const tiny_host_layer *layer, const int16_t (*x)[TINY_HOST_TERMS],
                            uint32_t rows, int8_t *y) {
    const uint32_t kept = layer->kept, frozen = layer->frozen, out = layer->out;
    const uint32_t second = tiny_host_padded(kept);
    const int16_t *a = x[0], *b = x[rows - 1];
    for (uint32_t o = 0; o < out; o += OUTPUTS) {
        const uint32_t count = out - o < OUTPUTS ? out - o : OUTPUTS;
        const int8_t *of_kept[OUTPUTS], *of_frozen[OUTPUTS];
        __m256i sums[2 * OUTPUTS];
        for (uint32_t j = 0; j < OUTPUTS; j++) {
            const uint32_t row = o + (j < count ? j : count - 1);
            of_kept[j] = layer->w.kept + (size_t)row * kept;
            of_frozen[j] = layer->w.frozen + (size_t)row * frozen;
            sums[j] = _mm256_setzero_si256();
            sums[OUTPUTS + j] = _mm256_setzero_si256();
        }
        add_products(of_kept, layer->w.kept + (size_t)out * kept, kept, a, b, sums);
        add_products(of_frozen, layer->w.frozen + (size_t)out * frozen, frozen, a + second,
                     b + second, sums);
        __m256i sum = _mm256_set_m128i(added(sums + OUTPUTS), added(sums));
        if (layer->b) {
            sum = _mm256_add_epi32(sum, constants_at(layer->b, o, count));
        }
        const __m128i bytes =
            requantized(layer->requant, sum, constants_at(layer->requant->multiplier, o, count),
                        constants_at(layer->requant->shift, o, count));
        store(y + o, _mm_cvtsi128_si32(bytes), count);
        if (rows == 2) {
            store(y + out + o, _mm_extract_epi32(bytes, 1), count);
        }
    }
}

WIDE_INLINE __m256i eight_at(const int32_t *values) {
    return _mm256_loadu_si256((const __m256i *)(const void *)values);
}

/* 16 channels. A product of 9 by 8 bits fits in int16: it is widened after it is multiplied. */
WIDE_INLINE void sixteen_channels(const tiny_requant *q, const int8_t *const *taps,
                                  const int8_t *const *w, uint32_t tap_count, const int32_t *b,
                                  uint32_t first, uint32_t i, int8_t *y) {
    const __m256i x_zero = _mm256_set1_epi16(q->x_zero);
    const uint32_t o = first + i;
    __m256i low = b ? eight_at(b + o) : _mm256_setzero_si256();
    __m256i high = b ? eight_at(b + o + 8) : _mm256_setzero_si256();
    for (uint32_t t = 0; t < tap_count; t++) {
        const __m256i x = _mm256_sub_epi16(widened(taps[t] + i), x_zero);
        const __m256i product = _mm256_mullo_epi16(x, widened(w[t] + i));
        low = _mm256_add_epi32(low, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(product)));
        high = _mm256_add_epi32(high, _mm256_cvtepi16_epi32(_mm256_extracti128_si256(product, 1)));
    }
    const __m128i below = requantized(q, low, eight_at(q->multiplier + o), eight_at(q->shift + o));
    const __m128i above =
        requantized(q, high, eight_at(q->multiplier + o + 8), eight_at(q->shift + o + 8));
    _mm_storeu_si128((__m128i *)(void *)(y + i), _mm_unpacklo_epi64(below, above));
}

/* Eight channels, of a layer with fewer than 16. */
WIDE_INLINE void eight_channels(const tiny_requant *q, const int8_t *const *taps,
                                const int8_t *const *w, uint32_t tap_count, const int32_t *b,
                                uint32_t first, uint32_t i, int8_t *y) {
    const __m256i x_zero = _mm256_set1_epi32(q->x_zero);
    const uint32_t o = first + i;
    __m256i sum = b ? eight_at(b + o) : _mm256_setzero_si256();
    for (uint32_t t = 0; t < tap_count; t++) {
        const __m128i bytes = _mm_loadl_epi64((const __m128i *)(const void *)(taps[t] + i));
        const __m128i weights = _mm_loadl_epi64((const __m128i *)(const void *)(w[t] + i));
        const __m256i x = _mm256_sub_epi32(_mm256_cvtepi8_epi32(bytes), x_zero);
        sum = _mm256_add_epi32(sum, _mm256_mullo_epi32(x, _mm256_cvtepi8_epi32(weights)));
    }
    const __m128i out = requantized(q, sum, eight_at(q->multiplier + o), eight_at(q->shift + o));
    _mm_storel_epi64((__m128i *)(void *)(y + i), out);
}

/* The last channels of a register overlap those before. */
WIDE void tiny_host_channels(const tiny_requant *q, const int8_t *const *taps,
                             const int8_t *const *w, uint32_t tap_count, const int32_t *b,
                             uint32_t first, uint32_t count, int8_t *y) {
    if (count < TINY_HOST_STEP) {
        for (uint32_t i = 0; i < count; i += TINY_HOST_CHANNELS) {
            const uint32_t left = count - i;
            const uint32_t at = left < TINY_HOST_CHANNELS ? count - TINY_HOST_CHANNELS : i;
            eight_channels(q, taps, w, tap_count, b, first, at, y);
        }
        return;
    }
    for (uint32_t i = 0; i < count; i += TINY_HOST_STEP) {
        const uint32_t at = count - i < TINY_HOST_STEP ? count - TINY_HOST_STEP : i;
        sixteen_channels(q, taps, w, tap_count, b, first, at, y);
    }
}

/* Two rows of weights are interleaved, so that one instruction adds the products of both. */
WIDE void tiny_host_gradients(const int16_t (*t)[TINY_HOST_TERMS], const int8_t *w, uint32_t out,
                              uint32_t width, uint32_t first, int32_t (*sums)[TINY_HOST_STEP]) {
    const int8_t *end = w + (size_t)out * width;
    __m256i low[TINY_HOST_GRADIENTS], high[TINY_HOST_GRADIENTS];
    for (uint32_t r = 0; r < TINY_HOST_GRADIENTS; r++) {
        low[r] = _mm256_setzero_si256();
        high[r] = _mm256_setzero_si256();
    }
    for (uint32_t o = 0; o < out; o += 2) {
        const int8_t *at = w + (size_t)o * width + first;
        const __m128i even = bytes_at(at, end);
        const __m128i odd = o + 1 < out ? bytes_at(at + width, end) : _mm_setzero_si128();
        const __m256i left = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(even, odd));
        const __m256i right = _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(even, odd));
        for (uint32_t r = 0; r < TINY_HOST_GRADIENTS; r++) {
            int32_t pair;
            memcpy(&pair, &t[r][o], sizeof pair);
            const __m256i d = _mm256_set1_epi32(pair);
            low[r] = _mm256_add_epi32(low[r], _mm256_madd_epi16(left, d));
            high[r] = _mm256_add_epi32(high[r], _mm256_madd_epi16(right, d));
        }
    }
    for (uint32_t r = 0; r < TINY_HOST_GRADIENTS; r++) {
        _mm256_storeu_si256((__m256i *)(void *)sums[r], low[r]);
        _mm256_storeu_si256((__m256i *)(void *)(sums[r] + 8), high[r]);
    }
}

#endif
