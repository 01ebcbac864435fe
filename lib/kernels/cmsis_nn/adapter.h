/* What the adapters onto Arm's CMSIS-NN share: when they exist, and which rows a call may have.
 *
 * The build defines TINY_CMSIS_NN to 1, and adds the pack's include folders and sources, for a board
 * whose `kernels` list cmsis_nn. Without it the files of this set compile to nothing. Cores with
 * Helium would need other scratch than compiler/kernels/cmsis_nn.py counts.
 */
#ifndef TINYFLASH_KERNELS_CMSIS_NN_ADAPTER_H
#define TINYFLASH_KERNELS_CMSIS_NN_ADAPTER_H

#include "../../arith.h"
#include "tinyflash/ops.h"

#ifndef TINY_CMSIS_NN
#define TINY_CMSIS_NN 0
#endif

#if TINY_CMSIS_NN

#if defined(__ARM_FEATURE_MVE)
#error "the set cmsis_nn is not for cores with Helium; leave it out of the board's kernels"
#endif
#if defined(CMSIS_NN_USE_SINGLE_ROUNDING)
#error "CMSIS_NN_USE_SINGLE_ROUNDING changes results; compile CMSIS-NN without it"
#endif

#include <arm_nnfunctions.h>

/* Rows of x that rows of y read, as a map of its own: `first`, `count` of them, `pad` above. */
typedef struct tiny_rows_read {
    int32_t first, count, pad;
} tiny_rows_read;

static inline tiny_rows_read tiny_rows_below(const tiny_window *win, int32_t row, int32_t rows,
                                             int32_t dilation) {
    const int32_t top = row * win->stride_h - win->pad_top;
    const int32_t end = top + (rows - 1) * win->stride_h + (win->kernel_h - 1) * dilation + 1;
    const int32_t first = tiny_max(top, 0);
    const tiny_rows_read read = {first, tiny_min(end, win->x.height) - first, first - top};
    return read;
}

/* Whether memory has them in order: no end of a ring between them. Windows in the padding alone have
 * no rows. */
static inline int tiny_rows_adjacent(const tiny_map *map, tiny_rows_read read) {
    return read.count > 0 &&
           (int32_t)tiny_slot((uint32_t)read.first, map->ring) + read.count <= map->ring;
}

/* Rows of y that one call computes: the whole band where both maps are in memory as a whole. */
static inline int32_t tiny_rows_at_once(const tiny_window *win, tiny_band band) {
    return win->x.ring == win->x.height && win->y.ring == win->y.height ? band.count : 1;
}

#endif

#endif
