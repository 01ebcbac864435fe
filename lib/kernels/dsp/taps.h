/* The weights of depthwise layers, as a correlation takes them. */
#ifndef TINYFLASH_KERNELS_DSP_TAPS_H
#define TINYFLASH_KERNELS_DSP_TAPS_H

#include "planes.h"

/* Which taps of a kernel are the weights of a correlation: tap `first`, and so many on for the next
 * column and the next row. */
typedef struct tiny_tap_order {
    int32_t first, column, row;
} tiny_tap_order;

/* The weights of the four channels from `from` on. */
static inline tiny_taps tiny_depthwise_taps(const tiny_depthwise *op, const tiny_weights *w,
                                            uint32_t from, tiny_tap_order order) {
    const uint32_t kept = op->kept, frozen = op->window.y.channels - kept;
    tiny_taps taps;
    for (uint32_t p = 0; p < TINY_PLANES; p++) {
        const uint32_t o = from + p;
        const int32_t width = (int32_t)(o < kept ? kept : frozen);
        const int8_t *tap = o < kept ? w->kept + o : w->frozen + (o - kept);
        taps.w[p] = tap + order.first * width;
        taps.step[p] = order.column * width;
        taps.row_step[p] = order.row * width;
    }
    taps.adjacent = from + TINY_PLANES <= kept || from >= kept;
    return taps;
}

#endif
