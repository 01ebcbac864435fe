/* The inner loops of the set `host`, for AVX2.
 *
 * One instruction multiplies 16 terms. A tile is four output channels by two inputs: eight
 * registers of sums, and each load of weights serves both inputs. Their parts are added up only at
 * the end of a row, four registers to four sums.
 */
#include "wide.h"

#include "lanes.h"

#if TINY_HOST_ASM

#define OUTPUTS 4u

/* A build may say 0, as tests do: then all is computed as without the instructions. */
#ifndef TINY_HOST_AVX2
#define TINY_HOST_AVX2 __builtin_cpu_supports("avx2")
#endif

int tiny_host_is_wide(void) { return TINY_HOST_AVX2 != 0; }

TINY_WIDE void tiny_host_centre(const int8_t *x, int32_t x_zero, uint32_t count, int16_t *to) {
    const __m256i zero = _mm256_set1_epi16((int16_t)x_zero);
    uint32_t i = 0;
    for (; i + TINY_HOST_STEP <= count; i += TINY_HOST_STEP) {
        const __m256i centred = _mm256_sub_epi16(tiny_widened(x + i), zero);
        _mm256_storeu_si256((__m256i *)(void *)(to + i), centred);
    }
    for (; i < count; i++) {
        to[i] = (int16_t)(x[i] - x_zero);
    }
}

/* The sums of OUTPUTS rows of weights with inputs a and b. They have names: of an array, GCC would
 * keep them in memory. */
typedef struct tile {
    __m256i a0, a1, a2, a3, b0, b1, b2, b3;
} tile;

TINY_WIDE_INLINE __m256i plus_product(__m256i sum, __m256i x, __m128i w) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, _mm256_cvtepi8_epi16(w)));
}

/* Adds 16 products to each sum. */
TINY_WIDE_INLINE void add_step(tile *t, const int16_t *a, const int16_t *b, __m128i w0, __m128i w1,
                               __m128i w2, __m128i w3) {
    const __m256i x = _mm256_loadu_si256((const __m256i *)(const void *)a);
    const __m256i z = _mm256_loadu_si256((const __m256i *)(const void *)b);
    t->a0 = plus_product(t->a0, x, w0);
    t->a1 = plus_product(t->a1, x, w1);
    t->a2 = plus_product(t->a2, x, w2);
    t->a3 = plus_product(t->a3, x, w3);
    t->b0 = plus_product(t->b0, z, w0);
    t->b1 = plus_product(t->b1, z, w1);
    t->b2 = plus_product(t->b2, z, w2);
    t->b3 = plus_product(t->b3, z, w3);
}

TINY_WIDE_INLINE __m128i sixteen(const int8_t *at) {
    return _mm_loadu_si128((const __m128i *)(const void *)at);
}

/* Adds the products of `terms` terms; `end` is that of the weights. What is behind a row is
 * multiplied by zeros. */
TINY_WIDE_INLINE void add_products(const int8_t *const *w, const int8_t *end, uint32_t terms,
                                   const int16_t *a, const int16_t *b, tile *t) {
    const int8_t *w0 = w[0], *w1 = w[1], *w2 = w[2], *w3 = w[3];
    uint32_t i = 0;
    for (; i + TINY_HOST_STEP <= terms; i += TINY_HOST_STEP) {
        add_step(t, a + i, b + i, sixteen(w0 + i), sixteen(w1 + i), sixteen(w2 + i),
                 sixteen(w3 + i));
    }
    if (i < terms) {
        add_step(t, a + i, b + i, tiny_bytes_at(w0 + i, end), tiny_bytes_at(w1 + i, end),
                 tiny_bytes_at(w2 + i, end), tiny_bytes_at(w3 + i, end));
    }
}

/* Four registers to the four sums of their elements. */
TINY_WIDE_INLINE __m128i added(__m256i s0, __m256i s1, __m256i s2, __m256i s3) {
    const __m256i all = _mm256_hadd_epi32(_mm256_hadd_epi32(s0, s1), _mm256_hadd_epi32(s2, s3));
    return _mm_add_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1));
}

/* Four constants from channel o on, twice; of the last channels, fewer. A copy is for those alone:
 * to load 16 bytes that were just stored in parts stalls. */
TINY_WIDE_INLINE __m256i constants_at(const int32_t *values, uint32_t o, uint32_t count) {
    int32_t rest[OUTPUTS] = {0};
    const int32_t *from = values + o;
    if (count < OUTPUTS) {
        memcpy(rest, from, count * sizeof *values);
        from = rest;
    }
    return _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)from));
}

/* Up to four bytes. */
TINY_WIDE_INLINE void store(int8_t *y, int32_t bytes, uint32_t count) {
    if (count == OUTPUTS) {
        memcpy(y, &bytes, sizeof bytes);
    } else {
        memcpy(y, &bytes, count);
    }
}

TINY_WIDE void tiny_host_outputs(const tiny_host_layer *layer, const int16_t (*x)[TINY_HOST_TERMS],
                                 uint32_t rows, int8_t *y) {
    const uint32_t kept = layer->kept, frozen = layer->frozen, out = layer->out;
    const uint32_t second = tiny_host_padded(kept);
    const int16_t *a = x[0], *b = x[rows - 1];
    const int8_t *kept_end = layer->w.kept + (size_t)out * kept;
    const int8_t *frozen_end = layer->w.frozen + (size_t)out * frozen;
    for (uint32_t o = 0; o < out; o += OUTPUTS) {
        const uint32_t count = out - o < OUTPUTS ? out - o : OUTPUTS;
        const int8_t *of_kept[OUTPUTS], *of_frozen[OUTPUTS];
        const __m256i zero = _mm256_setzero_si256();
        tile t = {zero, zero, zero, zero, zero, zero, zero, zero};
        for (uint32_t j = 0; j < OUTPUTS; j++) {
            const uint32_t row = o + (j < count ? j : count - 1);
            of_kept[j] = layer->w.kept + (size_t)row * kept;
            of_frozen[j] = layer->w.frozen + (size_t)row * frozen;
        }
        add_products(of_kept, kept_end, kept, a, b, &t);
        add_products(of_frozen, frozen_end, frozen, a + second, b + second, &t);
        const __m128i of_a = added(t.a0, t.a1, t.a2, t.a3), of_b = added(t.b0, t.b1, t.b2, t.b3);
        __m256i sum = _mm256_inserti128_si256(_mm256_castsi128_si256(of_a), of_b, 1);
        if (layer->b) {
            sum = _mm256_add_epi32(sum, constants_at(layer->b, o, count));
        }
        const __m128i bytes = tiny_requantized(layer->requant, sum,
                                               constants_at(layer->requant->multiplier, o, count),
                                               constants_at(layer->requant->shift, o, count));
        store(y + o, _mm_cvtsi128_si32(bytes), count);
        if (rows == 2) {
            store(y + out + o, _mm_extract_epi32(bytes, 1), count);
        }
    }
}

/* Two rows of weights are interleaved, so that one instruction adds the products of both. */
TINY_WIDE void tiny_host_gradients(const int16_t (*t)[TINY_HOST_TERMS], const int8_t *w,
                                   uint32_t out, uint32_t width, uint32_t first,
                                   int32_t (*sums)[TINY_HOST_STEP]) {
    const int8_t *end = w + (size_t)out * width;
    __m256i low[TINY_HOST_GRADIENTS], high[TINY_HOST_GRADIENTS];
    for (uint32_t r = 0; r < TINY_HOST_GRADIENTS; r++) {
        low[r] = _mm256_setzero_si256();
        high[r] = _mm256_setzero_si256();
    }
    for (uint32_t o = 0; o < out; o += 2) {
        const int8_t *at = w + (size_t)o * width + first;
        const __m128i even = tiny_bytes_at(at, end);
        const __m128i odd = o + 1 < out ? tiny_bytes_at(at + width, end) : _mm_setzero_si128();
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
