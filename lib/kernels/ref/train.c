/* What training needs beside the operators: clip masks, and the exponents' move after each step. */
#include "arith.h"

/* Consecutive steps with room after which an exponent falls (SPEC 5.3). */
#define QUIET_STEPS 16

/* Bits [from, end) of the mask, all of one byte; with the last element's go the padding bits. */
static void mask_byte(const tiny_mask *op, const int8_t *y, uint32_t from, uint32_t end,
                      uint8_t *mask) {
    const uint32_t first = from & 7u;
    const uint32_t others = (1u << first) - 1u;
    const uint32_t above = end == op->count ? 0 : ~0u << (first + end - from);
    uint32_t bits = 0;
    for (uint32_t j = 0; j < end - from; j++) {
        bits |= (uint32_t)(op->y_min < y[j] && y[j] < op->y_max) << j;
    }
    mask[from >> 3] = (uint8_t)((mask[from >> 3] & (others | above)) | bits << first);
}

void tiny_mask_forward(const tiny_mask *op, const int8_t *y, uint8_t *mask, tiny_band band) {
    const uint32_t size = op->count / op->height;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        const int8_t *from = y + tiny_slot(row, op->ring) * size;
        uint32_t at = row * size;
        for (uint32_t end; at < (row + 1) * size; from += end - at, at = end) {
            end = at - at % 8 + 8;
            end = end < (row + 1) * size ? end : (row + 1) * size;
            mask_byte(op, from, at, end, mask);
        }
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
