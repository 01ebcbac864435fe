/* One stochastically rounded step of gradient descent, shared by every update kernel (SPEC 6). */
#ifndef TINYFLASH_LIB_UPDATE_H
#define TINYFLASH_LIB_UPDATE_H

#include "arith.h"
#include "random.h"

/* The rate of one row in one step: mantissa * 2^exponent turns a sum into units of 2^-16. */
typedef struct tiny_rate {
    uint32_t mantissa; /* 0: the row is not updated */
    int32_t exponent;
} tiny_rate;

/* SPEC 6.2, the part that is the same for a whole row. */
static inline tiny_rate tiny_row_rate(const tiny_state *state, const tiny_factor *factor,
                                      const tiny_gradient *dy) {
    const tiny_rate rate = {
        (uint32_t)state->rate.mantissa * factor->mantissa >> 1,
        state->rate.exponent + factor->exponent + 1 + dy->scale->exponent + 16,
    };
    return rate;
}

/* The whole units to add for the gradient sum `sum`, rounded down after adding a random fraction. */
static inline int32_t tiny_descend(const tiny_rate *rate, int32_t sum, int32_t draw) {
    const int32_t delta =
        tiny_clamp(tiny_scale_by(sum, rate->mantissa, rate->exponent), -0x7FFF0000, 0x7FFF0000);
    return (draw - delta) >> 16;
}

/* SPEC 6.4. */
static inline void tiny_update_weight(int8_t *w, const tiny_rate *rate, int32_t sum, uint32_t *key,
                                      tiny_state *state) {
    const int32_t moved = *w + tiny_descend(rate, sum, tiny_draw(key));
    const int32_t clamped = tiny_clamp(moved, -127, 127);
    if (clamped != moved) {
        tiny_count(&state->weights_saturated);
    }
    *w = (int8_t)clamped;
}

#endif
