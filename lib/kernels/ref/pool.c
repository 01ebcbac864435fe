/* Average and max pooling over windows, and the mean over adjacent axes. */
#include "arith.h"

/* The part of a window that lies inside the map, as half-open ranges. */
typedef struct extent {
    int32_t top, bottom, left, right;
} extent;

static extent window_extent(const tiny_window *win, int32_t row, int32_t column) {
    const int32_t top = row * win->stride_h - win->pad_top;
    const int32_t left = column * win->stride_w - win->pad_left;
    const extent inside = {
        tiny_max(top, 0),
        tiny_min(top + win->kernel_h, win->x.height),
        tiny_max(left, 0),
        tiny_min(left + win->kernel_w, win->x.width),
    };
    return inside;
}

static int32_t positions(extent e) { return (e.bottom - e.top) * (e.right - e.left); }

static int32_t window_sum(const tiny_map *map, const int8_t *x, extent e) {
    int32_t sum = 0;
    for (int32_t iy = e.top; iy < e.bottom; iy++) {
        const int8_t *from = tiny_map_row(map, x, iy);
        for (int32_t ix = e.left; ix < e.right; ix++) {
            sum += from[ix * map->channels];
        }
    }
    return sum;
}

static int32_t window_largest(const tiny_map *map, const int8_t *x, extent e) {
    int32_t largest = INT8_MIN;
    for (int32_t iy = e.top; iy < e.bottom; iy++) {
        const int8_t *from = tiny_map_row(map, x, iy);
        for (int32_t ix = e.left; ix < e.right; ix++) {
            largest = tiny_max(largest, from[ix * map->channels]);
        }
    }
    return largest;
}

void tiny_average_pool_forward(const tiny_pool *op, const int8_t *x, int8_t *y, tiny_band band) {
    const tiny_map *out = &op->window.y;
    for (int32_t row = band.first; row < band.first + band.count; row++) {
        int8_t *to = tiny_map_row_out(out, y, row);
        for (int32_t column = 0; column < out->width; column++, to += out->channels) {
            const extent e = window_extent(&op->window, row, column);
            const int32_t n = positions(e);
            for (int32_t c = 0; c < out->channels; c++) {
                const int32_t sum = window_sum(&op->window.x, x + c, e);
                const int32_t mean = (sum > 0 ? sum + n / 2 : sum - n / 2) / n;
                to[c] = (int8_t)tiny_clamp(mean, op->y_min, op->y_max);
            }
        }
    }
}

void tiny_max_pool_forward(const tiny_pool *op, const int8_t *x, int8_t *y, tiny_band band) {
    const tiny_map *out = &op->window.y;
    for (int32_t row = band.first; row < band.first + band.count; row++) {
        int8_t *to = tiny_map_row_out(out, y, row);
        for (int32_t column = 0; column < out->width; column++, to += out->channels) {
            const extent e = window_extent(&op->window, row, column);
            for (int32_t c = 0; c < out->channels; c++) {
                const int32_t largest = window_largest(&op->window.x, x + c, e);
                to[c] = (int8_t)tiny_clamp(largest, op->y_min, op->y_max);
            }
        }
    }
}

/* SPEC 4.6: what the windows over input position (row, column) pass on; dy points to its channel. */
static int32_t position_sum(const tiny_pool *op, const int8_t *dy, int32_t row, int32_t column) {
    const tiny_window *win = &op->window;
    const int32_t one = 1 << op->reciprocal_shift;
    int32_t sum = 0;
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t oy =
            tiny_window_source(row, win->pad_top, ky, 1, win->stride_h, win->y.height);
        for (int32_t kx = 0; kx < win->kernel_w && oy >= 0; kx++) {
            const int32_t ox =
                tiny_window_source(column, win->pad_left, kx, 1, win->stride_w, win->y.width);
            if (ox >= 0) {
                const int32_t n = positions(window_extent(win, oy, ox));
                sum += dy[(oy * win->y.width + ox) * win->y.channels] * ((one + n / 2) / n);
            }
        }
    }
    return sum;
}

void tiny_average_pool_backward_input(const tiny_pool *op, const tiny_gradient *dy,
                                      const tiny_gradient_out *dx) {
    const tiny_map *in = &op->window.x;
    const int32_t exponent = dy->scale->exponent - dx->scale->exponent - op->reciprocal_shift;
    uint32_t i = 0;
    for (int32_t row = 0; row < in->height; row++) {
        for (int32_t column = 0; column < in->width; column++) {
            for (int32_t c = 0; c < in->channels; c++, i++) {
                const int32_t sum = position_sum(op, dy->d + c, row, column);
                tiny_store_gradient(dx, i, tiny_scale_by(sum, 1, exponent));
            }
        }
    }
}

/* Whether (row, column) is where the window first has its largest element. */
static int is_first_largest(const tiny_map *map, const int8_t *x, extent e, int32_t row,
                            int32_t column) {
    const int32_t largest = window_largest(map, x, e);
    for (int32_t iy = e.top; iy < e.bottom; iy++) {
        for (int32_t ix = e.left; ix < e.right; ix++) {
            if (x[(iy * map->width + ix) * map->channels] == largest) {
                return iy == row && ix == column;
            }
        }
    }
    return 0;
}

/* What the windows whose first largest element is at (row, column) pass on. */
static int32_t largest_sum(const tiny_window *win, const int8_t *x, const int8_t *dy, int32_t row,
                           int32_t column) {
    int32_t sum = 0;
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t oy =
            tiny_window_source(row, win->pad_top, ky, 1, win->stride_h, win->y.height);
        for (int32_t kx = 0; kx < win->kernel_w && oy >= 0; kx++) {
            const int32_t ox =
                tiny_window_source(column, win->pad_left, kx, 1, win->stride_w, win->y.width);
            if (ox >= 0 && is_first_largest(&win->x, x, window_extent(win, oy, ox), row, column)) {
                sum += dy[(oy * win->y.width + ox) * win->y.channels];
            }
        }
    }
    return sum;
}

void tiny_max_pool_backward_input(const tiny_pool *op, const int8_t *x, const tiny_gradient *dy,
                                  const tiny_gradient_out *dx) {
    const tiny_map *in = &op->window.x;
    const int32_t exponent = dy->scale->exponent - dx->scale->exponent;
    uint32_t i = 0;
    for (int32_t row = 0; row < in->height; row++) {
        for (int32_t column = 0; column < in->width; column++) {
            for (int32_t c = 0; c < in->channels; c++, i++) {
                const int32_t sum = largest_sum(&op->window, x + c, dy->d + c, row, column);
                tiny_store_gradient(dx, i, tiny_scale_by(sum, 1, exponent));
            }
        }
    }
}

void tiny_mean_forward(const tiny_mean *op, const int8_t *x, int8_t *y) {
    for (uint32_t outer = 0; outer < op->outer; outer++, x += op->count * op->inner) {
        for (uint32_t inner = 0; inner < op->inner; inner++) {
            int32_t sum = 0;
            for (uint32_t n = 0; n < op->count; n++) {
                sum += x[n * op->inner + inner] - op->x_zero;
            }
            const int32_t mean = tiny_multiply(sum, op->multiplier, op->shift) + op->y_zero;
            *y++ = (int8_t)tiny_clamp(mean, INT8_MIN, INT8_MAX);
        }
    }
}

void tiny_mean_backward_input(const tiny_mean *op, const tiny_gradient *dy,
                              const tiny_gradient_out *dx) {
    const int32_t exponent = op->reciprocal.exponent + dy->scale->exponent - dx->scale->exponent;
    uint32_t i = 0;
    for (uint32_t outer = 0; outer < op->outer; outer++) {
        for (uint32_t n = 0; n < op->count; n++) {
            for (uint32_t inner = 0; inner < op->inner; inner++, i++) {
                const int32_t d = dy->d[outer * op->inner + inner];
                tiny_store_gradient(dx, i, tiny_scale_by(d, op->reciprocal.mantissa, exponent));
            }
        }
    }
}
