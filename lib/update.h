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

/* The gradient sum of the weight at one tap of a window, over all positions (SPEC 6.1). x points to
 * its channel in a map of `kept` channels, dy to its output channel. */
static inline int32_t tiny_tap_sum(const tiny_window *win, const int8_t *x, uint32_t kept,
                                   int32_t x_zero, const int8_t *dy, int32_t tap) {
    int32_t sum = 0;
    for (int32_t row = 0; row < win->y.height; row++) {
        const int32_t iy = tiny_window_row(win, row, tap / win->kernel_w);
        if (iy < 0 || iy >= win->x.height) {
            continue;
        }
        for (int32_t column = 0; column < win->y.width; column++) {
            const int32_t ix = tiny_window_column(win, column, tap % win->kernel_w);
            if (ix >= 0 && ix < win->x.width) {
                sum += dy[(row * win->y.width + column) * win->y.channels] *
                       (x[(uint32_t)(iy * win->x.width + ix) * kept] - x_zero);
            }
        }
    }
    return sum;
}

#endif
