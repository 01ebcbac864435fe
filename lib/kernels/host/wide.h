/* Outputs of int8 rows of weights and int16 rows of inputs, with the wide registers of a PC.
 *
 * x has 9 bits without its zero point, so a pair of products fits in int32 and pmaddwd is exact. A
 * row of inputs is the terms of the kept weights and then those of the frozen ones, filled up with
 * a zero to an even number.
 */
#ifndef TINYFLASH_KERNELS_HOST_WIDE_H
#define TINYFLASH_KERNELS_HOST_WIDE_H

#include "tinyflash/kernels.h"

/* Compilers that have the instructions, for machines that may have them. For others each kernel of
 * this set is a call of the reference's; on Windows too, where GCC does not align the stack for these
 * registers. */
#if defined(__x86_64__) && defined(__GNUC__) && (__GNUC__ >= 5 || defined(__clang__)) && \
    !defined(TINY_HOST_PLAIN) && !defined(_WIN32)
#define TINY_HOST_ASM 1
#else
#define TINY_HOST_ASM 0
#endif

#define TINY_HOST_STEP 16u       /* terms of one load */
#define TINY_HOST_TERMS 4096u    /* of an input row, at most */
#define TINY_HOST_CHUNK 16384u   /* int16 of inputs that are copied at a time */
#define TINY_HOST_POSITIONS 128u /* that they are, at most */
#define TINY_HOST_GRADIENTS 4u   /* gradients that share a load of weights */
#define TINY_HOST_FEW 4u         /* positions for which transposed weights do not pay */

/* Whether this computer has the instructions. Where it has not, kernels of this set call those of
 * the reference, and nothing below is called. */
int tiny_host_is_wide(void);

/* Terms of a row, filled up. */
static inline uint32_t tiny_host_padded(uint32_t terms) {
    return (terms + TINY_HOST_STEP - 1) / TINY_HOST_STEP * TINY_HOST_STEP;
}

/* The weights of a layer: rows of `kept` and rows of `frozen` terms. */
typedef struct tiny_host_layer {
    const tiny_requant *requant;
    tiny_weights w;
    const int32_t *b; /* or null */
    uint32_t kept, frozen, out;
} tiny_host_layer;

/* Stores `count` bytes without the zero point, as int16. */
void tiny_host_centre(const int8_t *x, int32_t x_zero, uint32_t count, int16_t *to);

/* From the terms of one row to those of the next. */
static inline uint32_t tiny_host_stride(const tiny_host_layer *layer) {
    return (layer->kept + layer->frozen + 1) / 2 * 2;
}

/* Positions whose terms have been copied, so y may overwrite what they were copied from. `count` is
 * 0 at the start. */
typedef struct tiny_host_chunk {
    uint32_t count;
    int8_t *y[TINY_HOST_POSITIONS];
    int16_t x[TINY_HOST_CHUNK];
} tiny_host_chunk;

/* Whether a layer's terms and positions suit what follows, on this computer. */
int tiny_host_suits(const tiny_host_layer *layer, uint32_t positions);

/* Adds a position whose outputs go to y[0..out). Returns where its terms are to be written, kept
 * ones first, before the next call. */
int16_t *tiny_host_place(const tiny_host_layer *layer, tiny_host_chunk *chunk, int8_t *y);

/* Computes the outputs of all positions of the chunk (SPEC 2.1, 2.2), and empties it. */
void tiny_host_finish(const tiny_host_layer *layer, tiny_host_chunk *chunk);

/* Computes sums[r][i] = sum over o < out of t[r][o] * w[o][first + i], i < 16, for w of `width`
 * columns; those from `width` on are undefined. t[r][out] is 0. */
void tiny_host_gradients(const int16_t (*t)[TINY_HOST_TERMS], const int8_t *w, uint32_t out,
                         uint32_t width, uint32_t first, int32_t (*sums)[TINY_HOST_STEP]);

#endif
