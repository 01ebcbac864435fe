/* Sums of products for four positions at a time, requantized: the work of conv2d and of fully
 * connected layers.
 *
 * A tile is four positions of y. Their inputs are unpacked once, to int16 without the zero point, in
 * pair order (words.h), and serve all output channels. An output channel then loads each of its
 * weights once for four products. Inputs are doubled, as output.h wants it.
 *
 * The terms of a sum are in up to two parts: trained weights first, then frozen ones (tiny_weights).
 * A row of weights is loaded by words. The last word of a row may reach into the next row; these bytes
 * are multiplied by zeros. The last row of all is copied, so that nothing is read beyond the weights; of
 * rows of one term the last three.
 */
#ifndef TINYFLASH_KERNELS_DSP_TILE_H
#define TINYFLASH_KERNELS_DSP_TILE_H

#include "output.h"

#define TINY_TILE 4 /* positions */

/* One part of the weights: rows of `terms` bytes, one for each output channel. */
typedef struct tiny_tile_part {
    const int8_t *w;     /* of the next output channel */
    const uint32_t *end; /* of its part of x */
    uint32_t terms;
    uint32_t excess; /* bytes that are loaded beyond a row: 0 to 3 */
    uint32_t entry;  /* quads of the first round of the loop that are left out: 0 to 3 */
} tiny_tile_part;

/* The output channels of a layer over four positions. */
typedef struct tiny_tile {
    uint32_t *x;                   /* [quads of both parts][TINY_TILE][2] */
    const tiny_output *next, *end; /* output channels */
    int8_t *y;                     /* [TINY_TILE][stride] */
    uint32_t stride;               /* output channels of the layer */
    tiny_tile_part part[2];        /* the second one has no terms where there is one part */
} tiny_tile;

/* A tile and what it is for: the same for all tiles of a call. */
typedef struct tiny_tiling {
    tiny_tile tile;
    const tiny_requant *requant;
    const int32_t *b;      /* or null */
    uint32_t exceptions;   /* output channels that the fast loop cannot compute */
    uint32_t apart;        /* rows at the end whose words may reach beyond the weights: 1 to 3 */
    const int8_t *last[2]; /* these rows of each part, followed by bytes of no meaning */
    int8_t *spare;         /* [TINY_TILE][stride]: y of a tile with fewer positions */
} tiny_tiling;

/* Quads of terms: groups of four that are loaded as one word. */
static inline uint32_t tiny_quads(uint32_t terms) { return (terms + 3) / 4; }

/* The words of x for a part. */
static inline uint32_t tiny_tile_words(uint32_t terms) { return tiny_quads(terms) * TINY_TILE * 2; }

/* Begins a call. w: rows of `kept` and of `frozen` terms for each of `out` channels. scratch: as
 * compiler/kernels/dsp.py counts it: outputs, x, last rows, spare. */
tiny_tiling tiny_tiling_begin(const tiny_requant *requant, const tiny_weights *w, const int32_t *b,
                              uint32_t out, uint32_t kept, uint32_t frozen, uint32_t *scratch);

/* Unpacks `terms` adjacent bytes into the column of a position: x points to its first word. */
void tiny_tile_unpack(const int8_t *from, uint32_t terms, int32_t zero, uint32_t *x);

/* Computes y [positions][out] of the tile whose x is filled; positions is at most TINY_TILE. */
void tiny_tiling_run(const tiny_tiling *tiling, int8_t *y, uint32_t positions);

#endif
