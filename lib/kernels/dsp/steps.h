/* Moves the weights of a row by plain descent (SPEC 6.2 to 6.4), with what is the same for all of a row
 * computed before.
 */
#ifndef TINYFLASH_KERNELS_DSP_STEPS_H
#define TINYFLASH_KERNELS_DSP_STEPS_H

#include "../../update.h"

/* How far what is in [-bound - 1, bound] can be shifted to the left, and stay within 32 bits. */
static inline int32_t tiny_spare_of(uint32_t bound) {
    int32_t spare = 0;
    while (spare < 31 && bound >> (30 - spare) == 0) {
        spare++;
    }
    return spare;
}

/* The same of sums of `terms` products of a gradient and an input. */
static inline int32_t tiny_spare_bits(uint32_t terms) {
    return tiny_spare_of(terms * (127u * 255u));
}

/* Moves weights [first, first + count) of a row. spare: of tiny_spare_bits. */
void tiny_update_row(const tiny_update *update, tiny_row *row, uint32_t first, const int32_t *sums,
                     uint32_t count, int32_t spare);

#endif
