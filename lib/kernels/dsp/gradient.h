/* Input gradients of conv2d and of fully connected layers: sums for four positions at a time.
 *
 * An input gradient sums over output channels, for which weights are rows, so they are needed by
 * columns. Columns of four input channels at a time are transposed into pairs of int16, terms 2k and
 * 2k + 1 in a word; then one word of weights and four of gradients make eight products. To transpose
 * a weight costs about as much as two products, so it is done for as many positions as scratch has
 * room for (positions of tiny_columns).
 */
#ifndef TINYFLASH_KERNELS_DSP_GRADIENT_H
#define TINYFLASH_KERNELS_DSP_GRADIENT_H

#include "stripe.h"
#include "tile.h"

/* How many rescaled gradients are in scratch at a time: some tiles, and not so many bytes, but one
 * tile at least. The same as in compiler/kernels/dsp.py. */
#define TINY_RESCALED_TILES 4u
#define TINY_RESCALED_BYTES 6144u

#define TINY_COLUMNS 4 /* columns that are transposed together */
#define TINY_ROWS 8    /* output channels whose weights are updated together */

/* Sums of products of t [pairs][TINY_TILE] with each of w [rows][pairs]: a row's TINY_TILE sums, and
 * `step` words on those of the next row. */
void tiny_gradient_sums(const uint32_t *t, const uint32_t *w, uint32_t pairs, uint32_t rows,
                        int32_t *sums, uint32_t step);

/* Four columns of weights, or fewer, times the gradients of some positions: a stripe of dx. */
typedef struct tiny_columns {
    const tiny_gradient_out *dx;
    uint32_t mantissa;
    int32_t exponent; /* of the factor and of the gradients together */
    int untied;
    tiny_rounding rounding;
    uint32_t pairs;    /* of terms */
    const uint32_t *t; /* [tiles][pairs][TINY_TILE] */
    uint32_t *w;       /* [TINY_COLUMNS][pairs] */
    uint32_t *values;  /* [positions][TINY_COLUMNS / 2], pairs; positions in whole tiles */
    uint32_t peaks;
} tiny_columns;

/* What all stripes of an input gradient share; t, w, values are to be set. */
tiny_columns tiny_columns_begin(const tiny_gradient_out *dx, const tiny_factor *factor,
                                int32_t dy_exponent, uint32_t pairs);

/* Stores `width` columns at `count` positions: elements [at, at + width) of dx, and so on, `step` apart. */
void tiny_columns_store(tiny_columns *c, uint32_t width, uint32_t count, uint32_t at,
                        uint32_t step);

/* Where a transposition puts its words: column c of pair k at to[c * column + k * pair]. */
typedef struct tiny_places {
    uint32_t column, pair;
} tiny_places;

/* Transposes columns [0, TINY_COLUMNS) of `rows` rows of bytes, `width` bytes apart, less `zero`. An
 * odd last row is paired with 0. count: columns that there are; from the fourth on, words are whole;
 * what is stored for columns beyond has no meaning. */
void tiny_pair_rows(const int8_t *from, uint32_t rows, uint32_t width, uint32_t count, int32_t zero,
                    uint32_t *to, tiny_places places);

/* Stores columns of one pair of rows, less `zero`: of a null row zeros. count: bytes that may be read of
 * each row; from the fourth on, words are whole. */
void tiny_pair_two(const int8_t *first, const int8_t *second, uint32_t count, int32_t zero,
                   uint32_t *to, uint32_t column);

/* Rescales the gradients of one position (SPEC 4.1) into a column of a tile, in pairs. */
void tiny_rescale(const tiny_descent *descent, const int8_t *dy, uint32_t out, uint32_t *t);

/* Positions whose rescaled gradients, `pairs` words each, are in scratch at a time: tiles. */
uint32_t tiny_positions_at_once(uint32_t positions, uint32_t pairs);

#endif
