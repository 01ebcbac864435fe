/* The course of the learning rate over a training run (SPEC 8). */
#include "tinyflash/schedule.h"

#define STEPS_LIMIT (1u << 31)

/* sin(pi u / 2) / u as a polynomial in u^2, Q30, signs alternating: relative error below 2^-18. */
#define SINE_0 1686629137u
#define SINE_2 693552367u
#define SINE_4 85349219u
#define SINE_6 4684165u

static int is_factor(tiny_factor f) {
    return (f.mantissa >= 0x8000u || f.mantissa == 0) && f.exponent >= -512 && f.exponent <= 511;
}

/* Whether a factor is at most 1 = 2^15 * 2^-15. */
static int is_share(tiny_factor f) {
    return is_factor(f) &&
           (f.exponent < -15 || (f.exponent == -15 && f.mantissa == 0x8000u) || f.mantissa == 0);
}

tiny_error tiny_schedule_check(const tiny_schedule *s) {
    const int sound = is_factor(s->rate) && is_share(s->drop) && s->kind <= TINY_SCHEDULE_COSINE &&
                      s->steps < STEPS_LIMIT && s->warmup < s->steps;
    return sound ? TINY_OK : TINY_ERROR_SCHEDULE;
}

/* SPEC 8.2: the factor nearest to v * 2^exponent. The last bit shifted out is the half that rounds;
 * a carry out of the mantissa costs one more shift. */
static tiny_factor nearest(uint64_t v, int32_t exponent) {
    uint32_t half = 0;
    for (; v > 0xFFFFu; v >>= 1, exponent++) {
        half = v & 1u;
    }
    v += half;
    if (v > 0xFFFFu) {
        v >>= 1;
        exponent++;
    }
    for (; v < 0x8000u && v != 0; v <<= 1) {
        exponent--;
    }
    if (v == 0 || exponent < -512) {
        return (tiny_factor){0, 0};
    }
    return (tiny_factor){(uint16_t)v, (int16_t)exponent};
}

/* SPEC 8.2: the product of two factors. */
static tiny_factor times(tiny_factor a, tiny_factor b) {
    return nearest((uint64_t)a.mantissa * b.mantissa, a.exponent + b.exponent);
}

/* floor(2^30 part / whole) for part <= whole < 2^31, bit by bit: without a 64-bit division. */
static uint32_t share_q30(uint32_t part, uint32_t whole) {
    uint32_t quotient = 0;
    for (int bit = 0; bit <= 30; bit++) {
        quotient = (quotient << 1) | (part >= whole);
        part = (part - (part >= whole ? whole : 0)) << 1;
    }
    return quotient;
}

/* `hi` of SPEC 8.4. */
static uint32_t multiply_q30(uint32_t a, uint32_t b) { return (uint32_t)(((uint64_t)a * b) >> 30); }

/* SPEC 8.4: the square of the sine of a quarter turn's share u, Q30 in (0, 1]. */
static tiny_factor sine_squared(uint32_t u) {
    const uint32_t z = multiply_q30(u, u);
    uint32_t p = SINE_4 - multiply_q30(z, SINE_6);
    p = SINE_2 - multiply_q30(z, p);
    p = SINE_0 - multiply_q30(z, p);
    const uint32_t sine = multiply_q30(u, p);
    return nearest((uint64_t)sine * sine, -60);
}

/* SPEC 8.5: the rate after as many drops as are due at step k of n. */
static tiny_factor dropped(const tiny_schedule *schedule, uint32_t k, uint32_t n) {
    tiny_factor rate = schedule->rate;
    const uint32_t levels = schedule->drops + 1u;
    for (uint32_t i = 1; i < levels && (uint64_t)k * levels >= (uint64_t)n * i; i++) {
        rate = times(rate, schedule->drop);
    }
    return rate;
}

tiny_factor tiny_schedule_rate(const tiny_schedule *schedule, uint32_t step) {
    const tiny_factor rate = schedule->rate;
    const uint32_t at = step < schedule->steps ? step : schedule->steps - 1;
    if (at < schedule->warmup) {
        return nearest((uint64_t)rate.mantissa * share_q30(at + 1, schedule->warmup + 1),
                       rate.exponent - 30);
    }
    const uint32_t k = at - schedule->warmup, n = schedule->steps - schedule->warmup;
    switch (schedule->kind) {
        case TINY_SCHEDULE_STEP:
            return dropped(schedule, k, n);
        case TINY_SCHEDULE_COSINE:
            return times(rate, sine_squared(share_q30(n - k, n)));
        default:
            return rate;
    }
}
