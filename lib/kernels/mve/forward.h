/* Forward sums of conv2d and of fully connected layers: two positions by three output channels.
 *
 * An instruction multiplies 16 weights by 16 inputs, both int8 as they are in memory, and adds up all
 * products. What the zero point of x takes off is the same for all positions, so a sum begins with it
 * (tiny_forward_begin). A tile is six sums in six registers: five loads for six such products.
 *
 * The terms of a sum are in up to two parts: trained weights first, then frozen ones (tiny_weights).
 * The last vector of a part is predicated, so nothing is read beyond it.
 *
 * The sums of two positions are in scratch before they become int8, four channels at a time.
 */
#ifndef TINYFLASH_KERNELS_MVE_FORWARD_H
#define TINYFLASH_KERNELS_MVE_FORWARD_H

#include "../../arith.h"
#include "helium.h"

#define TINY_OUTPUTS 3u /* channels of a tile */
#define TINY_PLACES 2u  /* positions of a tile */

/* One part of the weights, rows of `terms` bytes. */
typedef struct tiny_part {
    const int8_t *w;
    uint32_t terms;
} tiny_part;

/* A call. */
typedef struct tiny_forward {
    const tiny_requant *requant;
    uint32_t out;
    tiny_part part[2]; /* the first has terms; the second may have none */
    int32_t *first;    /* [room] what the sums of each channel begin with */
    int32_t *sums;     /* [TINY_PLACES][room] */
    uint32_t room;     /* out, or more: a last tile may have sums of no meaning */
    int left;          /* some channel is shifted to the left */
} tiny_forward;

/* Begins a call; w: rows of `kept` and of `frozen` terms for each of `out` channels. scratch: as
 * compiler/kernels/mve.py counts it. */
tiny_forward tiny_forward_begin(const tiny_requant *requant, const tiny_weights *w,
                                const int32_t *b, uint32_t out, uint32_t kept, uint32_t frozen,
                                int32_t *scratch);

/* Computes y[out] of a position and other[out] of another one. x and x_other: their terms, those of the
 * second part behind those of the first. Both positions may be one. */
void tiny_forward_two(const tiny_forward *forward, const int8_t *x, const int8_t *x_other,
                      int8_t *y, int8_t *other);

/* A whole call with one position; scratch: `kept + frozen` bytes more. The other position of its tiles is
 * a row of zero points, so the weights are not read twice. */
void tiny_forward_single(const tiny_requant *requant, const tiny_weights *w, const int32_t *b,
                         const int8_t *x, int8_t *y, uint32_t out, uint32_t kept, uint32_t frozen,
                         int32_t *scratch);

/* What is left of scratch. */
static inline int8_t *tiny_forward_rest(const tiny_forward *forward) {
    return (int8_t *)(forward->sums + TINY_PLACES * forward->room);
}

#endif
