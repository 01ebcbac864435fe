/* What the backward kernels with weights share: sums of gradients, stored or used to move weights.
 *
 * An input gradient sums over output channels, an update over positions. Both are products of rows
 * with columns of bytes, for which one operand has its terms side by side only after a transposition:
 * two columns at a time, by loads that gather, to scratch, where they serve many rows.
 *
 * A tile is four rows and two columns: eight sums in eight registers, six loads for eight products of
 * vectors.
 */
#ifndef TINYFLASH_KERNELS_MVE_TILES_H
#define TINYFLASH_KERNELS_MVE_TILES_H

#include "../../arith.h"
#include "../../update.h"
#include "helium.h"

#define TINY_DESCENT_ROWS 4u /* of a tile */
#define TINY_TILE_COLUMNS 2u
#define TINY_LANES 4u        /* of 32 bits in a vector */
#define TINY_UPDATE_SUMS 24u /* of each output channel, complete before weights move */

/* ---- Products of rows and columns (products.c) ---- */

/* Tiles of an input gradient: `tiles` times four rows by the same two columns. Vectors of eight terms of
 * four rows alternate, so that one register finds them all. Assembly knows the order of these
 * fields. */
typedef struct tiny_descent_tile {
    const int8_t *column[TINY_TILE_COLUMNS];
    const int8_t *end; /* of the first: whole vectors of eight, one at least */
    const int16_t *rows;
    uint32_t tiles;
    int32_t *sums;
    uint32_t one; /* whether a single row follows */
} tiny_descent_tile;

/* Where row r begins, of `terms` terms in whole vectors. */
static inline uint32_t tiny_descent_row(uint32_t r, uint32_t terms) {
    return r / TINY_DESCENT_ROWS * TINY_DESCENT_ROWS * terms + r % TINY_DESCENT_ROWS * 8;
}

/* Where term i of a row is, from where it begins. */
static inline uint32_t tiny_descent_term(uint32_t i) {
    return i / 8 * TINY_DESCENT_ROWS * 8 + i % 8;
}

/* Sums [row][TINY_SIXTEEN], of which two columns are written. */
void tiny_descent_tiles(const tiny_descent_tile *tile);

/* Tiles of an update: the same of bytes, in vectors of 16. */
typedef struct tiny_update_tile {
    const int8_t *column[TINY_TILE_COLUMNS];
    const int8_t *end; /* of the first: whole vectors of 16, one at least */
    const int8_t *rows;
    uint32_t quads; /* of rows */
    int32_t *sums;
} tiny_update_tile;

/* Where term i of a row is, from where it begins: 16 bytes behind the row before, but for every
 * fourth. */
static inline uint32_t tiny_update_term(uint32_t i) { return i / 16 * TINY_LANES * 16 + i % 16; }

/* Sums [quad][TINY_UPDATE_SUMS][TINY_LANES], of which two columns are written. */
void tiny_update_tiles(const tiny_update_tile *tile);

/* Sums [column][TINY_LANES] of four rows of one vector each, by `count` columns side by side; some more
 * up to a multiple of four, which are of no use. */
void tiny_update_few(const int8_t *columns, const int8_t *rows, int32_t *sums, uint32_t count);

/* Two columns of `count` rows, to rows of which terms are apart so: the second 16 bytes behind the
 * first. second: 1; or 0 if there is one column only, which then is stored twice. */
void tiny_transpose_apart(const int8_t *from, uint32_t stride, uint32_t second, uint32_t count,
                          int8_t *to);

/* The sum of such a row of `count` terms, whole vectors. */
int32_t tiny_sum_apart(const int8_t *bytes, uint32_t count);

/* Two adjacent columns of rows of bytes, to be transposed: column c goes to to[c * pitch]. They are
 * taken from `lines` lines of `count` rows each. Assembly knows the order of these fields. */
typedef struct tiny_columns {
    const int8_t *from;
    int8_t *to;
    uint32_t stride; /* bytes from row to row */
    uint32_t second; /* 1; or 0 if there is one column only, which then is stored twice */
    uint32_t count, lines;
    uint32_t line;  /* bytes from line to line */
    uint32_t pitch; /* bytes from what is stored of a column to what is of the other */
    uint32_t to_line;
} tiny_columns;

void tiny_transpose_two(const tiny_columns *columns);

/* The same of one line of `count` rows. */
void tiny_transpose_pair(const int8_t *from, uint32_t stride, uint32_t second, uint32_t count,
                         int8_t *to, uint32_t pitch);

/* Transposes `fours` times four adjacent columns of `count` rows, 16 at most and one at least, to 16
 * bytes each, side by side; behind the last row they are of no use. All addresses are multiples of 4. */
void tiny_transpose_fours(const int8_t *from, uint32_t stride, uint32_t count, uint32_t fours,
                          int8_t *to);

/* Rescales gradients of `count` channels (SPEC 4.1). */
void tiny_rescale_all(const tiny_descent *descent, const int8_t *dy, uint32_t count, int16_t *t);

/* The same to the terms from `first` on of a row that begins at t. */
void tiny_rescale_row(const tiny_descent *descent, const int8_t *dy, uint32_t count, int16_t *t,
                      uint32_t first);

/* ---- Storing an input gradient (store.c) ---- */

#define TINY_STORED_AT_ONCE 24u /* elements: as many bits of a mask are in one word */

/* What turns sums into stored gradients (SPEC 1.3, 4.3). */
typedef struct tiny_gradient_store {
    const tiny_gradient_out *dx;
    tiny_factor factor;
    int32_t exponent;          /* of the factor and the gradients together */
    int32_t multiplier;        /* mantissa * 2^15; 0: the exponent is extreme */
    int32_t shift;             /* of the upper half of a doubled product, in [1, 31] */
    uint32_t bit[TINY_LANES];  /* 2^shift */
    uint32_t lane[TINY_LANES]; /* the bit of each lane in a mask */
    uint32_t mask_bytes;
} tiny_gradient_store;

/* elements: of dx. */
void tiny_gradient_store_begin(tiny_gradient_store *store, const tiny_gradient_out *dx,
                               const tiny_factor *factor, int32_t dy_exponent, uint32_t elements);

/* Bits from i on of the mask, TINY_STORED_AT_ONCE or as many as there are; of no mask, ones. */
uint32_t tiny_mask_word(const tiny_gradient_store *store, uint32_t i);

/* Rows of `count` adjacent elements, at most TINY_STORED_AT_ONCE, whose sums are
 * sums[row][TINY_STORED_AT_ONCE]: row r are the elements from at[r] * step + first on. */
void tiny_gradient_store_rows(const tiny_gradient_store *store, const uint32_t *at, uint32_t rows,
                              uint32_t step, uint32_t first, const int32_t *sums, uint32_t count);

/* `count` adjacent elements from `at` on, at most TINY_STORED_AT_ONCE. */
void tiny_gradient_store_adjacent(const tiny_gradient_store *store, uint32_t at,
                                  const int32_t *sums, uint32_t count);

/* ---- The same, up to sixteen elements at a time (store_sixteen.c) ---- */

#define TINY_SIXTEEN 16u

/* As tiny_gradient_store_rows, with sums[row][TINY_SIXTEEN]; count: at most TINY_SIXTEEN. */
void tiny_gradient_store_sixteen(const tiny_gradient_store *store, const uint32_t *at,
                                 uint32_t rows, uint32_t step, uint32_t first, const int32_t *sums,
                                 uint32_t count);

/* ---- The same where each channel has a factor of its own (store_lanes.c) ---- */

#define TINY_LANES_STEP 8u /* from the sums of a position to those of the next */

/* Adjacent channels, TINY_LANES at most. Assembly knows the fields by their names. */
typedef struct tiny_lanes {
    const tiny_gradient_out *dx;
    const tiny_factor *factor; /* of the first of them */
    int32_t exponent;          /* of the gradients */
    uint32_t channels;
    int32_t multiplier[TINY_LANES]; /* mantissa * 2^15 */
    int32_t right[TINY_LANES];      /* of the upper half of a product, -31 to -1 */
    uint32_t bit[TINY_LANES];       /* the lowest that is left of it */
    uint32_t lane[TINY_LANES];      /* the bit of each lane in a mask */
} tiny_lanes;

/* Returns whether these factors are near enough for vectors. factor: of the first channel. */
int tiny_lanes_begin(tiny_lanes *lanes, const tiny_gradient_out *dx, const tiny_factor *factor,
                     int32_t dy_exponent, uint32_t channels);

/* Stores `count` positions, of which the first begins at element `first` of dx and the next ones
 * follow by `step`; near: what tiny_lanes_begin returned; elements: of dx. */
void tiny_lanes_store(const tiny_lanes *lanes, int near, const int32_t *sums, uint32_t first,
                      uint32_t step, uint32_t count, uint32_t elements);

/* ---- Moving weights (move.c, move_words.c) ---- */

/* Rows of weights whose remainders (SPEC 6.3) are in the lanes of a vector. One weight of each moves at
 * a time, or four, one behind the other. Assembly knows these fields. No pointers: it is in scratch. */
typedef struct tiny_movers {
    uint32_t offset[TINY_LANES];     /* of each row from the first, in bytes */
    uint32_t multiplier[TINY_LANES]; /* the mantissa of its rate */
    int32_t exponent[TINY_LANES];    /* of its rate */
    int32_t shift[TINY_LANES];       /* of the upper half of a product; words: of a doubled one; -31
                                      * to -1 */
    uint32_t bit[TINY_LANES];        /* the lowest that is left of it; not set if untied */
    uint32_t remainders[TINY_LANES]; /* words: t of SPEC 6.4 times 2^8 */
    int32_t first[TINY_LANES];       /* what is added to sums of each row */
    uint32_t before;                 /* sums are shifted to the left by this, which is exact */
    uint32_t still;                  /* bit r: row r cannot move */
    uint32_t rows;
    uint32_t vector; /* 1: rows move as lanes; 0: one after the other */
    uint32_t untied; /* whether no step can be a tie */
    uint32_t words;  /* whether four weights of each row move at a time */
} tiny_movers;

/* What all rows of a layer have in common. */
typedef struct tiny_moving {
    const tiny_update *update;
    const tiny_factor *rate;
    uint32_t row_bytes; /* from row to row */
    int32_t bits;       /* of a sum without its sign */
    uint32_t words;     /* whether four weights of a row may move at a time */
} tiny_moving;

/* Begins the rows of a layer. Sums are of `terms` positions. fours: whether `at` and `count` of all
 * moves are multiples of 4, `step` is 1 and `width` TINY_LANES. */
tiny_moving tiny_moving_begin(const tiny_update *update, const tiny_factor *rate,
                              uint32_t row_bytes, uint32_t terms, int fours);

/* Begins `rows` rows, at most TINY_LANES, from row `first` on. Sums begin with 0. */
void tiny_movers_begin(tiny_movers *movers, const tiny_moving *moving, uint32_t first,
                       uint32_t rows);

/* Moves the next `count` weights of each row, not of rows that move by words: of row r those at w + at + r * row_bytes + k * step,
 * by sums[k * width + r] + first[r]. */
void tiny_movers_move(tiny_movers *movers, const tiny_update *update, uint32_t at, uint32_t step,
                      const int32_t *sums, uint32_t width, uint32_t count);

/* The next 4 * `fours` weights of rows that move so, from w on, by sums[k * TINY_LANES + r] +
 * first[r]. Returns how many were clamped. */
uint32_t tiny_move_words(tiny_movers *movers, int8_t *w, const int32_t *sums, uint32_t fours);

/* The same by first[r] * (x[k] - x_zero), which `before` has shifted already. */
uint32_t tiny_move_words_by_x(tiny_movers *movers, int8_t *w, const int8_t *x, int32_t x_zero,
                              uint32_t fours);

/* Counts `clamped` weights; a full counter stays at its maximum. */
void tiny_count_clamped(tiny_state *state, uint32_t clamped);

/* ---- Convolutions of one group, and layers that are one ---- */

/* Whether each position of x and y reads itself alone, as in a fully connected layer. */
static inline int tiny_is_point(const tiny_window *win) {
    return win->kernel_h * win->kernel_w == 1 && win->stride_h * win->stride_w == 1 &&
           win->pad_top + win->pad_left == 0 && win->x.width == win->y.width &&
           win->x.height == win->y.height;
}

/* The input gradient; scratch as compiler/kernels/mve.py counts it. */
void tiny_descend(const tiny_conv2d *op, const tiny_gradient *dy, const tiny_weights *w,
                  const tiny_gradient_out *dx, void *scratch);

/* The update. */
void tiny_learn(const tiny_conv2d *op, const int8_t *x, const tiny_gradient *dy,
                const tiny_trained *w, tiny_state *state, void *scratch);

/* ---- Fully connected layers of one vector (fully_connected_single.c) ---- */

void tiny_descend_single(const tiny_fully_connected *op, const tiny_gradient *dy,
                         const tiny_weights *w, const tiny_gradient_out *dx, void *scratch);

void tiny_learn_single(const tiny_fully_connected *op, const int8_t *x, const tiny_gradient *dy,
                       const tiny_trained *w, tiny_state *state, void *scratch);

#endif
