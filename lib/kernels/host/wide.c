/* The inner loops of the set `host`, for AVX2.
 *
 * One instruction multiplies 16 terms: a pair of each of eight channels. A tile is 16 output
 * channels by four positions, eight registers of sums that need no addition across a register.
 * For that, weights are transposed, 16 channels at a time; it pays with eight positions or more.
 */
#include "wide.h"

#include "eight.h"

#if TINY_HOST_ASM

/* A build may say 0, as tests do: then all is computed as without the instructions. */
#ifndef TINY_HOST_AVX2
#define TINY_HOST_AVX2 __builtin_cpu_supports("avx2")
#endif

int tiny_host_is_wide(void) { return TINY_HOST_AVX2 != 0; }

int tiny_host_suits(const tiny_host_layer *layer, uint32_t positions) {
    return layer->kept + layer->frozen <= TINY_HOST_TERMS && positions >= TINY_HOST_FEW &&
           tiny_host_is_wide();
}

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

#define HALF 8u      /* outputs of a register */
#define OUTPUTS 16u  /* of a tile */
#define POSITIONS 4u /* of a tile */
#define BLOCK 16u    /* terms that are transposed at a time */

/* The weights of OUTPUTS channels in the order of the tile: of each pair of terms, the pairs of all
 * channels. */
typedef struct panel {
    int8_t pairs[TINY_HOST_TERMS / 2][2 * OUTPUTS];
} panel;

/* Rows of weights, their two parts side by side, filled up with zeros. */
typedef struct weight_rows {
    int8_t w[HALF][TINY_HOST_TERMS];
} weight_rows;

static void copy_rows(const tiny_host_layer *layer, uint32_t o, weight_rows *to) {
    const uint32_t kept = layer->kept, frozen = layer->frozen;
    for (uint32_t j = 0; j < HALF; j++) {
        const uint32_t row = o + j < layer->out ? o + j : layer->out - 1;
        memcpy(to->w[j], layer->w.kept + (size_t)row * kept, kept);
        memcpy(to->w[j] + kept, layer->w.frozen + (size_t)row * frozen, frozen);
        memset(to->w[j] + kept + frozen, 0, tiny_host_padded(kept + frozen) - kept - frozen);
    }
}

/* Transposes pairs of terms [at, at + BLOCK) of HALF rows, as the words of an 8x8 matrix. */
TINY_WIDE_INLINE void transpose(const weight_rows *rows, uint32_t at, panel *to, uint32_t half) {
    __m128i r[HALF], s[HALF];
    for (uint32_t j = 0; j < HALF; j++) {
        r[j] = _mm_loadu_si128((const __m128i *)(const void *)(rows->w[j] + at));
    }
    for (uint32_t j = 0; j < HALF / 2; j++) {
        s[2 * j] = _mm_unpacklo_epi16(r[j], r[j + 4]);
        s[2 * j + 1] = _mm_unpackhi_epi16(r[j], r[j + 4]);
    }
    for (uint32_t j = 0; j < HALF / 2; j++) {
        r[2 * j] = _mm_unpacklo_epi16(s[j], s[j + 4]);
        r[2 * j + 1] = _mm_unpackhi_epi16(s[j], s[j + 4]);
    }
    for (uint32_t j = 0; j < HALF / 2; j++) {
        s[2 * j] = _mm_unpacklo_epi16(r[j], r[j + 4]);
        s[2 * j + 1] = _mm_unpackhi_epi16(r[j], r[j + 4]);
    }
    for (uint32_t j = 0; j < HALF; j++) {
        int8_t *place = to->pairs[at / 2 + j] + half * BLOCK;
        _mm_storeu_si128((__m128i *)(void *)place, s[j]);
    }
}

TINY_WIDE static void fill_panel(const tiny_host_layer *layer, uint32_t o, panel *to) {
    weight_rows rows;
    for (uint32_t half = 0; half < OUTPUTS / HALF; half++) {
        copy_rows(layer, o + half * HALF, &rows);
        for (uint32_t at = 0; at < layer->kept + layer->frozen; at += BLOCK) {
            transpose(&rows, at, to, half);
        }
    }
}

/* A pair of terms, eight times. */
TINY_WIDE_INLINE __m256i pair_at(const int16_t *x) {
    int32_t pair;
    memcpy(&pair, x, sizeof pair);
    return _mm256_set1_epi32(pair);
}

TINY_WIDE_INLINE __m256i plus_product(__m256i sum, __m256i x, __m256i w) {
    return _mm256_add_epi32(sum, _mm256_madd_epi16(x, w));
}

/* The sums of a tile: a register of channels for each position, twice. They have names: of an
 * array, GCC would keep them in memory. */
typedef struct tile {
    __m256i a0, a1, a2, a3, b0, b1, b2, b3;
} tile;

TINY_WIDE_INLINE tile tile_sums(const panel *w, uint32_t pairs, const int16_t *const *x) {
    const __m256i zero = _mm256_setzero_si256();
    const int16_t *x0 = x[0], *x1 = x[1], *x2 = x[2], *x3 = x[3];
    tile t = {zero, zero, zero, zero, zero, zero, zero, zero};
    for (uint32_t i = 0; i < pairs; i++) {
        const __m256i a = tiny_widened(w->pairs[i]), b = tiny_widened(w->pairs[i] + BLOCK);
        const __m256i p0 = pair_at(x0 + 2 * i), p1 = pair_at(x1 + 2 * i);
        const __m256i p2 = pair_at(x2 + 2 * i), p3 = pair_at(x3 + 2 * i);
        t.a0 = plus_product(t.a0, p0, a);
        t.b0 = plus_product(t.b0, p0, b);
        t.a1 = plus_product(t.a1, p1, a);
        t.b1 = plus_product(t.b1, p1, b);
        t.a2 = plus_product(t.a2, p2, a);
        t.b2 = plus_product(t.b2, p2, b);
        t.a3 = plus_product(t.a3, p3, a);
        t.b3 = plus_product(t.b3, p3, b);
    }
    return t;
}

/* What eight channels have, their first `count` of them. */
typedef struct constants {
    __m256i b, multiplier, shift;
    uint32_t count;
} constants;

TINY_WIDE_INLINE constants constants_at(const tiny_host_layer *layer, uint32_t o) {
    const uint32_t first = o < layer->out ? o : layer->out;
    const uint32_t left = layer->out - first;
    const uint32_t count = left < HALF ? left : HALF;
    const constants c = {
        layer->b ? tiny_eight_words(layer->b + first, count) : _mm256_setzero_si256(),
        tiny_eight_words(layer->requant->multiplier + first, count),
        tiny_eight_words(layer->requant->shift + first, count),
        count,
    };
    return c;
}

TINY_WIDE_INLINE void put(const tiny_requant *q, const constants *c, __m256i sum, int8_t *y) {
    const __m256i biased = _mm256_add_epi32(sum, c->b);
    tiny_store_bytes(y, tiny_requantized(q, biased, c->multiplier, c->shift), c->count);
}

/* OUTPUTS channels from o on at up to POSITIONS positions from n on. */
TINY_WIDE_INLINE void put_tile(const tiny_host_layer *layer, const tiny_host_chunk *chunk,
                               uint32_t n, const tile *t, uint32_t o, const constants *low,
                               const constants *high) {
    const __m256i a[POSITIONS] = {t->a0, t->a1, t->a2, t->a3};
    const __m256i b[POSITIONS] = {t->b0, t->b1, t->b2, t->b3};
    for (uint32_t i = 0; i < POSITIONS && n + i < chunk->count; i++) {
        put(layer->requant, low, a[i], chunk->y[n + i] + o);
        if (high->count) {
            put(layer->requant, high, b[i], chunk->y[n + i] + o + HALF);
        }
    }
}

TINY_WIDE static void put_outputs(const tiny_host_layer *layer, const tiny_host_chunk *chunk,
                                  const panel *w, uint32_t o) {
    const constants low = constants_at(layer, o), high = constants_at(layer, o + HALF);
    const uint32_t stride = tiny_host_stride(layer);
    for (uint32_t n = 0; n < chunk->count; n += POSITIONS) {
        const int16_t *x[POSITIONS];
        for (uint32_t i = 0; i < POSITIONS; i++) {
            const uint32_t at = n + i < chunk->count ? n + i : n;
            x[i] = chunk->x + (size_t)at * stride;
        }
        const tile t = tile_sums(w, stride / 2, x);
        put_tile(layer, chunk, n, &t, o, &low, &high);
    }
}

void tiny_host_finish(const tiny_host_layer *layer, tiny_host_chunk *chunk) {
    panel w;
    for (uint32_t o = 0; o < layer->out; o += OUTPUTS) {
        fill_panel(layer, o, &w);
        put_outputs(layer, chunk, &w, o);
    }
    chunk->count = 0;
}

int16_t *tiny_host_place(const tiny_host_layer *layer, tiny_host_chunk *chunk, int8_t *y) {
    const uint32_t stride = tiny_host_stride(layer);
    if (chunk->count == TINY_HOST_POSITIONS || (chunk->count + 1) * stride > TINY_HOST_CHUNK) {
        tiny_host_finish(layer, chunk);
    }
    int16_t *to = chunk->x + (size_t)chunk->count * stride;
    to[stride - 1] = 0; /* where the number of terms is odd */
    chunk->y[chunk->count++] = y;
    return to;
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
