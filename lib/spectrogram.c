/* A spectrogram in whole numbers (SPEC 14). */
#include "tinyflash/spectrogram.h"

#include "arith.h"

#define LOG_2 45426u    /* 2^16 ln 2 */
#define ONE 65536u      /* 2^16 */
#define RESOLUTION_2 3u /* bits of the resolution (14.5) */

typedef struct complex32 {
    int32_t re, im;
} complex32;

/* q30(x * u + y * v). */
static int32_t turned(int32_t x, int32_t u, int32_t y, int32_t v) {
    return (int32_t)(((int64_t)x * u + (int64_t)y * v + (1 << 29)) >> 30);
}

/* C(j) and S(j) of 14.2. */
static complex32 angle(const tiny_spectrogram *self, uint32_t j) {
    const uint32_t quarter = 1u << (self->transform_log2 - 2u);
    const int is_first = j <= quarter;
    const uint32_t other = is_first ? quarter - j : j - quarter;
    const int32_t cosine = self->cosines[is_first ? j : 2u * quarter - j];
    return (complex32){is_first ? cosine : -cosine, self->cosines[other]};
}

static uint32_t reversed(uint32_t n, uint32_t bits) {
    uint32_t result = 0;
    for (uint32_t i = 0; i < bits; i++) {
        result = result << 1 | ((n >> i) & 1u);
    }
    return result;
}

/* v of 14.1. */
static int32_t tapered(const tiny_spectrogram *self, const int16_t *samples, uint32_t i) {
    const uint32_t p = self->transform_log2;
    return i < self->window ? (samples[i] * self->taper[i] + (1 << (p - 1u))) >> p : 0;
}

static void load(const tiny_spectrogram *self, const int16_t *samples, complex32 *z) {
    const uint32_t bits = self->transform_log2 - 1u;
    for (uint32_t n = 0; n < 1u << bits; n++) {
        z[reversed(n, bits)] =
            (complex32){tapered(self, samples, 2u * n), tapered(self, samples, 2u * n + 1u)};
    }
}

/* 14.2 for element k of every block of `length` elements. */
static void join(complex32 *z, uint32_t count, uint32_t length, uint32_t k, complex32 w) {
    for (uint32_t i = k; i < count; i += length) {
        complex32 *a = &z[i], *b = &z[i + length / 2u];
        const int32_t re = turned(b->re, w.re, b->im, w.im);
        const int32_t im = turned(b->im, w.re, -b->re, w.im);
        *b = (complex32){a->re - re, a->im - im};
        *a = (complex32){a->re + re, a->im + im};
    }
}

static void transform(const tiny_spectrogram *self, complex32 *z) {
    const uint32_t count = 1u << (self->transform_log2 - 1u);
    for (uint32_t length = 2; length <= count; length *= 2u) {
        for (uint32_t k = 0; k < length / 2u; k++) {
            join(z, count, length, k, angle(self, k * (2u * count / length)));
        }
    }
}

/* 14.3. */
static uint64_t power(const tiny_spectrogram *self, const complex32 *z, uint32_t k) {
    const uint32_t count = 1u << (self->transform_log2 - 1u);
    const complex32 a = z[k & (count - 1u)], b = z[(count - k) & (count - 1u)];
    const complex32 w = angle(self, k), o = {a.im + b.im, b.re - a.re};
    const int64_t re = (int64_t)a.re + b.re + turned(o.re, w.re, o.im, w.im);
    const int64_t im = (int64_t)a.im - b.im + turned(o.im, w.re, -o.re, w.im);
    return (uint64_t)(re * re + im * im) >> 10;
}

static uint32_t root(uint64_t v) {
    uint64_t result = 0;
    for (uint64_t bit = (uint64_t)1 << 62; bit; bit >>= 2) {
        const uint64_t next = result + bit;
        result >>= 1;
        if (v >= next) {
            v -= next;
            result += bit;
        }
    }
    return (uint32_t)result;
}

/* 14.5. */
static int16_t logarithm(uint32_t m) {
    /* T of 14.5: 2^16 ln(1 + j / 64). */
    static const uint16_t logarithms[65] = {
        0,     1016,  2017,  3002,  3973,  4930,  5873,  6802,  7719,  8623,  9515,  10394, 11262,
        12119, 12965, 13800, 14624, 15438, 16242, 17037, 17821, 18597, 19364, 20121, 20870, 21611,
        22343, 23067, 23783, 24492, 25193, 25886, 26573, 27252, 27924, 28589, 29248, 29900, 30546,
        31185, 31818, 32445, 33067, 33682, 34292, 34896, 35494, 36087, 36675, 37258, 37835, 38407,
        38975, 39537, 40095, 40648, 41196, 41740, 42280, 42815, 43345, 43872, 44394, 44912, 45426,
    };
    uint32_t e = 0;
    if (m == 0) {
        return 0;
    }
    uint64_t scaled = (uint64_t)m * ONE;
    while (scaled >= 2u * ONE) {
        scaled >>= 1;
        e++;
    }
    const uint32_t f = (uint32_t)scaled - ONE;
    const uint32_t j = f >> 10, g = f & 1023u;
    const uint32_t step = (uint32_t)logarithms[j + 1u] - logarithms[j];
    const uint32_t n = logarithms[j] + ((g * step + 512u) >> 10);
    return (int16_t)(((e + RESOLUTION_2) * LOG_2 + n + 512u) >> 10);
}

uint32_t tiny_spectrogram_work(const tiny_spectrogram *self) { return 1u << self->transform_log2; }

void tiny_spectrogram_run(const tiny_spectrogram *self, const int16_t *samples, int32_t *work,
                          int16_t *features) {
    complex32 *z = (complex32 *)(void *)work;
    const uint16_t *share = self->shares;
    uint64_t rising = 0; /* what the bins before the peak of a band gave it */
    load(self, samples, z);
    transform(self, z);
    for (uint32_t e = 0; e <= self->bands; e++) {
        uint64_t energy = rising; /* of band e - 1 */
        rising = 0;
        for (uint32_t k = self->edges[e]; k < self->edges[e + 1u]; k++, share++) {
            const uint64_t p = power(self, z, k);
            rising += p * *share;
            energy += p * (4096u - *share);
        }
        if (e > 0) {
            features[e - 1u] = logarithm(root(energy) >> (20u - self->transform_log2));
        }
    }
}

void tiny_spectrogram_encode(const int16_t *features, uint32_t count, int32_t multiplier,
                             int32_t shift, int32_t zero, int8_t *input) {
    for (uint32_t i = 0; i < count; i++) {
        input[i] = (int8_t)tiny_clamp(
            tiny_multiply(features[i] * (1 << 18), multiplier, shift) + zero, -128, 127);
    }
}
