/* Outputs of int8 rows of weights and int16 rows of inputs, with the wide registers of a PC.
 *
 * x has 9 bits without its zero point, so a pair of products fits in int32 and pmaddwd is exact. A
 * row of inputs is the terms of the kept weights and then those of the frozen ones, each filled up
 * with zeros to a multiple of STEP: bytes of the next row of weights are then multiplied by zero.
 */
#ifndef TINYFLASH_KERNELS_HOST_WIDE_H
#define TINYFLASH_KERNELS_HOST_WIDE_H

#include "tinyflash/kernels.h"

/* Compilers that have the instructions, for machines that may have them. For others each kernel of
 * this set is a call of the reference's. */
#if defined(__x86_64__) && defined(__GNUC__) && (__GNUC__ >= 5 || defined(__clang__)) && \
    !defined(TINY_HOST_PLAIN)
#define TINY_HOST_ASM 1
#else
#define TINY_HOST_ASM 0
#endif

#define TINY_HOST_STEP 16u     /* terms of one load */
#define TINY_HOST_TERMS 4096u  /* of an input row, on the stack */
#define TINY_HOST_ROWS 2u      /* inputs that share a load of weights */
#define TINY_HOST_GRADIENTS 4u /* gradients that share one */

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

/* Computes y[0..out) of x[0], and where `rows` is 2 those of x[1] to y + out (SPEC 2.1, 2.2). All of
 * x is a copy, so y may overwrite what x was copied from. */
void tiny_host_outputs(const tiny_host_layer *layer, const int16_t (*x)[TINY_HOST_TERMS],
                       uint32_t rows, int8_t *y);

/* Computes sums[r][i] = sum over o < out of t[r][o] * w[o][first + i], i < 16, for w of `width`
 * columns; those from `width` on are undefined. t[r][out] is 0. */
void tiny_host_gradients(const int16_t (*t)[TINY_HOST_TERMS], const int8_t *w, uint32_t out,
                         uint32_t width, uint32_t first, int32_t (*sums)[TINY_HOST_STEP]);

#endif
