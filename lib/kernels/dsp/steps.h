/* Moves the weights of a row by plain descent (SPEC 6.2 to 6.4), with what is the same for all of a row
 * computed before.
 *
 * A step is the upper half of a product, shifted by the rest, where the sum is shifted to the left first
 * as far as the largest one allows. One less than a half is added; only a tie then ends in ones, and one
 * more if the result is odd makes it even. The upper half is below 2^30, so no step needs its bounds. What other
 * rules add, and rates beyond that, is the reference's code (update.h).
 */
#ifndef TINYFLASH_KERNELS_DSP_STEPS_H
#define TINYFLASH_KERNELS_DSP_STEPS_H

#include "../../update.h"
#include "lanes.h"

/* How far sums of `terms` products of a gradient and an input can be shifted to the left. */
static inline int32_t tiny_spare_bits(uint32_t terms) {
    const uint32_t bound = terms * (127u * 255u);
    int32_t spare = 0;
    while (spare < 31 && bound >> (30 - spare) == 0) {
        spare++;
    }
    return spare;
}

/* Moves weights [first, first + count) of a row. spare: of tiny_spare_bits. */
static inline void tiny_update_row(const tiny_update *update, tiny_row *row, uint32_t first,
                                   const int32_t *sums, uint32_t count, int32_t spare) {
    const int32_t shift = -row->rate.exponent - 32, left = tiny_max(-shift, 0);
    const int32_t rest = tiny_max(shift, 0), multiplier = (int32_t)row->rate.mantissa;
    if (!row->plain || left > spare || rest > 30) {
        for (uint32_t i = 0; i < count; i++) {
            tiny_update_weight(update, row, first + i, sums[i]);
        }
        return;
    }
    const int64_t half = ((int64_t)1 << (rest + 31)) - 1;
    int8_t *w = row->plain + first;
    uint32_t remainders = row->remainders;
    for (const int32_t *end = sums + count; sums != end; sums++, w++) {
        const int64_t product =
            tiny_add_product(half, (int32_t)((uint32_t)*sums << left), multiplier);
        const int32_t odd = ((int32_t)(product >> 32) >> rest) & 1;
        const int32_t delta = (int32_t)((product + odd) >> 32) >> rest;
        *w = tiny_moved(*w, (int32_t)(remainders >> 16), delta, update->state);
        remainders -= (uint32_t)delta << 16;
    }
    row->remainders = remainders;
}

#endif
