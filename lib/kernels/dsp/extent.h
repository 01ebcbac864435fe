/* The windows of pools: the part of each that is inside the map. */
#ifndef TINYFLASH_KERNELS_DSP_EXTENT_H
#define TINYFLASH_KERNELS_DSP_EXTENT_H

#include "../../arith.h"
#include "lanes.h"

/* The part of a window inside the map, as half-open ranges. */
typedef struct tiny_extent {
    int32_t top, bottom, left, right;
} tiny_extent;

/* Pools have no dilation, so the part is a rectangle. */
static inline tiny_extent tiny_extent_of(const tiny_window *win, int32_t row, int32_t column) {
    const int32_t top = row * win->stride_h - win->pad_top;
    const int32_t left = column * win->stride_w - win->pad_left;
    const tiny_extent inside = {
        tiny_max(top, 0),
        tiny_min(top + win->kernel_h, win->x.height),
        tiny_max(left, 0),
        tiny_min(left + win->kernel_w, win->x.width),
    };
    return inside;
}

#endif
