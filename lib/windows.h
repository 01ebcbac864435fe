/* Where windows meet their map: what of them is inside, and where that is in memory. */
#ifndef TINYFLASH_WINDOWS_H
#define TINYFLASH_WINDOWS_H

#include "arith.h"

/* Taps [first, end) of a window row. */
typedef struct tiny_taps {
    int32_t first, end;
} tiny_taps;

/* Those that are inside the map at output column `column`. */
static inline tiny_taps tiny_taps_inside(const tiny_window *win, int32_t column) {
    tiny_taps taps = {0, win->kernel_w};
    while (taps.first < taps.end && tiny_window_column(win, column, taps.first) < 0) {
        taps.first++;
    }
    while (taps.first < taps.end && tiny_window_column(win, column, taps.end - 1) >= win->x.width) {
        taps.end--;
    }
    return taps;
}

/* The part of a pool's window inside the map, as half-open ranges. */
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

/* Windows over an input position, as half-open ranges of output rows and columns. */
static inline tiny_extent tiny_windows_over(const tiny_window *win, int32_t row, int32_t column) {
    const int32_t bottom = row + win->pad_top, right = column + win->pad_left;
    const int32_t above = bottom - win->kernel_h, before = right - win->kernel_w;
    const tiny_extent over = {
        above < 0 ? 0 : above / win->stride_h + 1,
        tiny_min(bottom / win->stride_h + 1, win->y.height),
        before < 0 ? 0 : before / win->stride_w + 1,
        tiny_min(right / win->stride_w + 1, win->y.width),
    };
    return over;
}

/* What a window of an average passes on of each dy, in units of 2^-q (SPEC 4.6). */
static inline int32_t tiny_share_of(const tiny_pool *op, int32_t oy, int32_t ox) {
    const tiny_extent e = tiny_extent_of(&op->window, oy, ox);
    const int32_t n = (e.bottom - e.top) * (e.right - e.left);
    return ((1 << op->reciprocal_shift) + n / 2) / n;
}

/* Where that part is in memory: `rows` runs of `count` positions. */
typedef struct tiny_runs {
    const tiny_map *map;
    const int8_t *x;
    int32_t first, left; /* row and column of the map */
    uint32_t rows, count;
} tiny_runs;

/* Whole rows of a map that is in memory as a whole are one run. */
static inline tiny_runs tiny_runs_of(const tiny_map *map, const int8_t *x, tiny_extent e) {
    tiny_runs r = {
        map, x, e.top, e.left, (uint32_t)(e.bottom - e.top), (uint32_t)(e.right - e.left)};
    if (r.count == map->width && map->ring == map->height) {
        r.count *= r.rows;
        r.rows = 1;
    }
    return r;
}

/* The first position of a run. */
static inline const int8_t *tiny_run_at(const tiny_runs *r, uint32_t row) {
    return tiny_map_row(r->map, r->x, r->first + (int32_t)row) + r->left * r->map->channels;
}

#endif
