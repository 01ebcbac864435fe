/* The random bits of stochastic rounding, a function of seed, step, tensor and row (SPEC 6.3). */
#ifndef TINYFLASH_LIB_RANDOM_H
#define TINYFLASH_LIB_RANDOM_H

#include <stdint.h>

#include "tinyflash/model.h"

/* The finaliser of MurmurHash3: a bijection that spreads every bit. */
static inline uint32_t tiny_mix(uint32_t h) {
    h ^= h >> 16;
    h *= 0x85EBCA6Bu;
    h ^= h >> 13;
    h *= 0xC2B2AE35u;
    return h ^ h >> 16;
}

/* What one tensor contributes to the keys of its rows in this training step. */
static inline uint32_t tiny_tensor_key(const tiny_state *state, uint32_t id) {
    return tiny_mix(tiny_mix(tiny_mix(state->seed) ^ state->step) ^ id);
}

/* Where the generator of one row of a tensor starts. */
static inline uint32_t tiny_row_key(uint32_t tensor_key, uint32_t row) {
    return tiny_mix(tensor_key ^ row);
}

/* The next 32 bits along the row. The upper 16 are the random fraction of one element; what needs
 * 8 bits more takes the next lower ones. */
static inline uint32_t tiny_draw(uint32_t *key) {
    *key = *key * 1664525u + 1013904223u;
    return *key;
}

/* Draw `index` of a row, counted from 0, whose generator starts at `key`: the step that draws once is
 * squared for each bit of the number of draws. */
static inline uint32_t tiny_draw_at(uint32_t key, uint32_t index) {
    uint32_t factor = 1664525u, offset = 1013904223u;
    for (uint32_t draws = index + 1; draws != 0; draws >>= 1) {
        if (draws & 1u) {
            key = key * factor + offset;
        }
        offset *= factor + 1u;
        factor *= factor;
    }
    return key;
}

#endif
