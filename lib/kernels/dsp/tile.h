/* Sums of products for six or four positions at a time, requantized: the work of conv2d and of fully
 * connected layers.
 *
 * A tile is some positions of y. Their inputs are unpacked once, to int16 without the zero point, in
 * pair order (words.h), and serve all output channels. An output channel then loads each of its
 * weights once for all positions. Inputs are doubled, as output.h wants it.
 *
 * The terms of a sum are in up to two parts: trained weights first, then frozen ones (tiny_weights).
 * A row of weights is loaded by words. The last word of a row may reach into the next row; these bytes
 * are multiplied by zeros. The last row of all is copied, so that nothing is read beyond the weights; of
 * rows of one term the last three.
 */
#ifndef TINYFLASH_KERNELS_DSP_TILE_H
#define TINYFLASH_KERNELS_DSP_TILE_H

#include "output.h"

#define TINY_TILE 4      /* positions of a narrow tile */
#define TINY_TILE_WIDE 6 /* positions of a wide one */

/* One part of the terms. It is in memory where the part's x ends, so that the loop finds it there: with
 * six sums no register is left to point to it. */
typedef struct tiny_tile_part tiny_tile_part;
struct tiny_tile_part {
    int32_t mark;          /* larger than any word of x: the loop ends */
    uint32_t excess;       /* bytes that are loaded beyond a row: 0 to 3 */
    uint32_t skipped;      /* quads of the first round of the loop that are left out: 0 to 3 */
    uint32_t entry;        /* where the loop is entered, for that */
    const int8_t *w;       /* of the next output channel: a row of bytes */
    tiny_tile_part *other; /* part, where there are two */
};

/* The output channels of a layer over the positions of a tile. */
typedef struct tiny_tile {
    tiny_tile_part part; /* the last one */
    const uint32_t *x;   /* where the loop begins */
    const int32_t *next; /* the constants of the next output channel: of a tiny_output */
    const int32_t *end;  /* of them, less its bias */
    int8_t *y;           /* [positions][stride] */
    uint32_t stride;     /* output channels of the layer */
    uint32_t saved;      /* a register */
} tiny_tile;

/* Their sizes on the cores of this set. */
#define TINY_TILE_PART_BYTES 24u
#define TINY_TILE_BYTES 48u

/* What is the same for all tiles of a call, and the shape that tiles have now. */
typedef struct tiny_tiling {
    const tiny_requant *requant;
    const int32_t *b; /* or null */
    const tiny_output *outputs;
    const int8_t *w[2]; /* of the parts */
    uint32_t terms[2];  /* the second part has none where there is one part */
    uint32_t out;
    uint32_t exceptions;   /* output channels that the fast loop cannot compute */
    uint32_t apart;        /* rows at the end whose words may reach beyond the weights: 1 to 3 */
    const int8_t *last[2]; /* these rows of each part, followed by bytes of no meaning */
    int8_t *spare;         /* [TINY_TILE_WIDE][out]: y of a tile with fewer positions */
    int8_t *window;        /* behind all that */
    int32_t zero;          /* of the inputs */
    uint32_t width;        /* positions of a tile; 0: no shape yet */
    uint32_t *x[2];        /* [quads][width][2] of each part */
    uint32_t *tile;        /* behind x, for the loop */
} tiny_tiling;

/* Quads of terms: groups of four that are loaded as one word. */
static inline uint32_t tiny_quads(uint32_t terms) { return (terms + 3) / 4; }

/* Begins a call. w: rows of `kept` and of `frozen` terms for each of `out` channels. scratch: as
 * compiler/kernels/dsp.py counts it: outputs, x, the tile, last rows, spare. */
tiny_tiling tiny_tiling_begin(const tiny_requant *requant, const tiny_weights *w, const int32_t *b,
                              uint32_t out, uint32_t kept, uint32_t frozen, uint32_t *scratch);

/* Gives the next tile the shape that suits `left` positions best. Returns how many of them it takes. */
uint32_t tiny_tiling_shape(tiny_tiling *tiling, uint32_t left);

/* Unpacks the terms of `count` positions, all adjacent, into their columns of x. */
void tiny_tiling_unpack(const tiny_tiling *tiling, uint32_t position, uint32_t count,
                        const int8_t *from);

/* Computes y [positions][out] of the tile whose x is filled; positions is at most the tile's width. */
void tiny_tiling_run(const tiny_tiling *tiling, int8_t *y, uint32_t positions);

/* The loop over output channels from `next` to `end` of a tile of `width` positions; tile_loop.c.
 * `twice`: there are two parts. Leaves y and the weights behind these channels. */
void tiny_tile_loop(tiny_tile *tile, uint32_t width, int twice);

#endif
