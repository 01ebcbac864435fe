/* Input gradient and update of a fully connected layer of one vector: no weight serves two vectors, so
 * nothing is transposed, and no sum of an update has two terms.
 */
#ifndef TINYFLASH_KERNELS_DSP_SINGLE_H
#define TINYFLASH_KERNELS_DSP_SINGLE_H

#include "gradient.h"
#include "tinyflash/ops.h"

/* Quads of elements that are stored together. The same as in compiler/kernels/dsp.py. */
#define TINY_SINGLE_QUADS 16u

/* scratch: t [pairs][TINY_TILE], then values of TINY_SINGLE_QUADS quads, or of all. */
void tiny_single_backward(const tiny_fully_connected *op, const tiny_gradient *dy,
                          const tiny_weights *w, const tiny_gradient_out *dx, uint32_t *scratch);

/* buffers: of an update; scratch: a word for each trained input channel. */
void tiny_single_update(const tiny_fully_connected *op, void *const *buffers);

#endif
