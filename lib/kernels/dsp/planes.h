/* Sums over windows of one channel: the work of depthwise convolutions and of their input gradients.
 *
 * Four channels at a time are unpacked into planes, one for each channel: rows of int16 without the
 * zero point, the padding included, so that no tap is tested later. In a plane neighbours of a row
 * are neighbours in memory, and one word holds two of them.
 *
 * Windows of outputs side by side begin at even and at odd columns of the plane, while words begin at
 * even ones. So a row of weights w0 w1 w2 is paired in two ways: (w0 w1)(w2 0) for a window that
 * begins at an even column, and (0 w0)(w1 w2) for the window to its right. Both then read the same
 * words. With stride 2 every window begins at an even column.
 */
#ifndef TINYFLASH_KERNELS_DSP_PLANES_H
#define TINYFLASH_KERNELS_DSP_PLANES_H

#include "output.h"

#define TINY_PLANES 4           /* channels of a group */
#define TINY_QUAD 4             /* outputs that are computed together */
#define TINY_KERNEL_MAX 7       /* columns of a kernel */
#define TINY_PLANES_BYTES 4096u /* that a block of rows may need, if it has more than one row */

/* Output (row, column) is the sum of w[ky][kx] * source[row * stride_h - pad_top + ky][column * stride -
 * pad_left + kx], source being 0 outside of the map. Pads may be negative. */
typedef struct tiny_correlation {
    tiny_map source;
    int32_t zero; /* of the source */
    uint32_t kernel_h, kernel_w;
    uint32_t stride_h, stride; /* of rows; of columns, 1 or 2 */
    int32_t pad_top, pad_left;
    uint32_t out_width;
    uint32_t row_words;    /* of a plane; what follows is filled by tiny_planes_divide */
    uint32_t plane_rows;   /* at most, in a block */
    uint32_t block;        /* rows of outputs in a block */
    uint32_t words;        /* of a row of weights, paired */
    uint32_t weight_words; /* of a channel's weights */
    uint32_t *planes;      /* [TINY_PLANES][plane_rows][row_words] */
    uint32_t
        *weights; /* [TINY_PLANES][kernel_h][words][2]: for even and odd columns; stride 2: [1] */
} tiny_correlation;

/* Which taps of a kernel are the weights of a correlation: tap `first`, and so many on for the next
 * column and the next row. */
typedef struct tiny_tap_order {
    int32_t first, column, row;
} tiny_tap_order;

/* The weights of the four channels from `from` on: w->kept[tap][kept] and w->frozen[tap][frozen]. */
typedef struct tiny_plane_taps {
    const tiny_weights *w;
    uint32_t kept, frozen, from;
    tiny_tap_order order;
} tiny_plane_taps;

/* Rows of outputs of one channel, four side by side at a time. */
typedef struct tiny_outputs {
    int32_t multiplier, offset, shift; /* of tiny_output; for values, of tiny_rounding */
    int32_t bias;                      /* that the sums begin with */
    const uint32_t *x, *x_end;         /* of a row: the words where windows begin */
    const uint32_t *w, *w_end;
    uint32_t x_step; /* bytes from the end of the words of a row of taps to the next row of taps */
    uint32_t
        x_back; /* bytes from there, after the last row of taps, back to the next four outputs */
    uint32_t x_down; /* bytes from x_end to x of the next row of outputs */
    uint32_t x_row;  /* bytes from row to row */
    int8_t *y;       /* null: elements of a gradient are wanted, not outputs */
    uint32_t y_step; /* bytes from output to output */
    uint32_t y_down; /* bytes from behind the last four of a row to the next row */
    uint32_t rows;
    uint16_t *values; /* [outputs][TINY_PLANES]: every fourth is stored */
    uint32_t saved;   /* a register */
} tiny_outputs;

/* Divides scratch for `rows` rows of outputs; compiler/kernels/dsp.py counts the same bytes. Returns
 * what is behind. */
uint32_t *tiny_planes_divide(tiny_correlation *c, uint32_t rows, uint32_t *scratch);

/* Clears the padding of the planes for outputs [first, first + rows). */
void tiny_planes_clear(const tiny_correlation *c, uint32_t first, uint32_t rows);

/* Fills four planes with what outputs [first, first + rows) read of the source; from points to the first
 * of the four channels. The padding is left as it is. */
void tiny_planes_fill(const tiny_correlation *c, const int8_t *from, uint32_t first, uint32_t rows);

/* Pairs the weights of four channels; `doubled`: twice their values. */
void tiny_planes_pair(const tiny_correlation *c, const tiny_plane_taps *taps, int doubled);

/* Rows [row, row + rows) of a block in one of the four planes: `quads` times four outputs, from output
 * `column` on. Without bias; y, or values, and
 * constants are to be set. */
tiny_outputs tiny_outputs_begin(const tiny_correlation *c, uint32_t plane, uint32_t row,
                                uint32_t rows, uint32_t column, uint32_t quads);

/* Computes them. */
void tiny_outputs_run(const tiny_correlation *c, tiny_outputs *outputs);

/* The sum of output (row, column) of a block in C; without bias. */
int32_t tiny_planes_sum(const tiny_correlation *c, uint32_t plane, uint32_t row, uint32_t column);

#endif
