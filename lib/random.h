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
    return h ^ (h >> 16);
}

/* What one tensor contributes to the keys of its rows in this training step. */
static inline uint32_t tiny_tensor_key(const tiny_state *state, uint32_t id) {
    return tiny_mix(tiny_mix(tiny_mix(state->seed) ^ state->step) ^ id);
}

/* 32 random bits for row `row` of a tensor; source[row] is its number in the source model, `row`
 * itself without a source. */
static inline uint32_t tiny_row_bits(uint32_t tensor_key, const uint16_t *source, uint32_t row) {
    return tiny_mix(tensor_key ^ (source ? source[row] : row));
}

#endif
