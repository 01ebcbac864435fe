/* Sums of products for one position, requantized: fully connected layers that a tile of several
 * positions would not fill.
 *
 * The position is unpacked once, to int16 without the zero point, in pair order (words.h). An output
 * channel is then one pass over its weights. Constants of a channel serve one output only, so they are
 * read where the record has them, and not proved before, as for a tile (output.h): what the loop cannot
 * compute, it leaves to its caller.
 */
#ifndef TINYFLASH_KERNELS_DSP_POSITION_H
#define TINYFLASH_KERNELS_DSP_POSITION_H

#include "../../arith.h"
#include "words.h"

#define TINY_FEW_POSITIONS 2 /* for which this is faster than a tile */

/* A layer. Its terms are in up to two parts, as in tile.h; a part has four terms at least. */
typedef struct tiny_position {
    const tiny_requant *requant;
    const int32_t *b;   /* or null */
    const int8_t *w[2]; /* of the parts */
    uint32_t terms[2];  /* the second part has none where there is one part */
    uint32_t out;
    int32_t *sums; /* [out] */
    uint32_t *x;   /* [quads of the larger part][2] */
} tiny_position;

/* Whether a part of a sum is as long as this needs, or empty. */
static inline int tiny_is_long(uint32_t terms) { return terms == 0 || terms >= 4; }

/* w: rows of `kept` and of `frozen` terms. scratch: as compiler/kernels/dsp.py counts it: sums, x. */
static inline tiny_position tiny_position_begin(const tiny_requant *requant, const tiny_weights *w,
                                                const int32_t *b, uint32_t out, uint32_t kept,
                                                uint32_t frozen, uint32_t *scratch) {
    const tiny_position p = {
        .requant = requant,
        .b = b,
        .w = {kept ? w->kept : w->frozen, w->frozen},
        .terms = {kept ? kept : frozen, kept ? frozen : 0},
        .out = out,
        .sums = (int32_t *)(void *)scratch,
        .x = scratch + out,
    };
    return p;
}

/* Computes y [out] of one position; x has all terms, adjacent. */
void tiny_position_run(const tiny_position *position, const int8_t *x, int8_t *y);

#endif
