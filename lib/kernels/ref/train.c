/* What training needs beside the operators: clip masks, and the exponents' move after each step. */
#include "arith.h"

/* Consecutive steps with room after which an exponent falls (SPEC 5.3). */
#define QUIET_STEPS 16

void tiny_mask_forward(const tiny_mask *op, const int8_t *y, uint8_t *mask) {
    for (uint32_t i = 0; i < op->count; i += 8, mask++) {
        uint32_t bits = 0;
        for (uint32_t j = 0; j < 8 && i + j < op->count; j++) {
            bits |= (uint32_t)(op->y_min < y[i + j] && y[i + j] < op->y_max) << j;
        }
        *mask = (uint8_t)bits;
    }
}

static void advance(tiny_scale *scale, int32_t limit) {
    int32_t exponent = scale->exponent;
    if (scale->peak > limit) {
        for (int32_t peak = scale->peak; peak > limit; peak >>= 1) {
            exponent++;
        }
        scale->quiet = 0;
    } else if (scale->peak > limit / 2) {
        scale->quiet = 0;
    } else if (++scale->quiet == QUIET_STEPS) {
        exponent--;
        scale->quiet = 0;
    }
    scale->exponent = (int8_t)tiny_clamp(exponent, TINY_EXPONENT_MIN, TINY_EXPONENT_MAX);
}

void tiny_advance_scales(const tiny_advance *op, tiny_state *state) {
    const int taught = state->scales[0].peak != 0;
    for (uint32_t i = 0; i < state->scale_count; i++) {
        if (i > 0 && taught) {
            advance(&state->scales[i], 127 >> op->headroom);
        }
        state->scales[i].peak = 0;
        state->scales[i].clipped = 0;
    }
    state->step++;
}
