/* Average and max pooling over windows, and the mean over adjacent axes.
 *
 * Forward walks y: rows of the band, columns, channels; tiny_extent_of cuts the window to the map
 * once for a position, so that no element of it is tested for padding. Padding never counts: an
 * average is over the positions inside the map (SPEC 3.2). Sum or maximum of one channel is in a
 * register.
 *
 * Input gradients walk dx and gather from the windows that cover each element: it is rounded once,
 * and no int32 map is needed (SPEC 4.6). The average's 1 / n differs between windows at the border,
 * hence a reciprocal of each window in units of 2^-q. The maximum's index is not stored in the
 * forward pass, which would cost a byte or more for each output over the whole step: each element
 * finds out again whether it was the first largest of a window.
 */
#include "../../windows.h"

/* n of SPEC 3.2 and 4.6: at most 255 * 255. */
static int32_t positions(tiny_extent e) { return (e.bottom - e.top) * (e.right - e.left); }

/* x points to its channel in the map or the ring, so rows are addressed one by one. */
static int32_t window_sum(const tiny_map *map, const int8_t *x, tiny_extent e) {
    int32_t sum = 0;
    for (int32_t iy = e.top; iy < e.bottom; iy++) {
        const int8_t *from = tiny_map_row(map, x, iy);
        for (int32_t ix = e.left; ix < e.right; ix++) {
            sum += from[ix * map->channels];
        }
    }
    return sum;
}

/* The same for the maximum. */
static int32_t window_largest(const tiny_map *map, const int8_t *x, tiny_extent e) {
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
            const tiny_extent e = tiny_extent_of(&op->window, row, column);
            const int32_t n = positions(e);
            for (int32_t c = 0; c < out->channels; c++) {
                const int32_t sum = window_sum(&op->window.x, x + c, e);
                /* C divides towards zero: half of n first, away from zero, rounds to nearest. */
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
            const tiny_extent e = tiny_extent_of(&op->window, row, column);
            for (int32_t c = 0; c < out->channels; c++) {
                const int32_t largest = window_largest(&op->window.x, x + c, e);
                to[c] = (int8_t)tiny_clamp(largest, op->y_min, op->y_max);
            }
        }
    }
}

/* SPEC 4.6: what the windows over input position (row, column) pass on, in units of 2^-q; dy points
 * to its channel. q leaves room for all of them: |sum| <= 127 * 2^23. */
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
                const int32_t n = positions(tiny_extent_of(win, oy, ox));
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

/* Whether (row, column) is where the window first has its largest element, by rows. Of equal
 * elements only the first passes the gradient on, or the sum of dx would not be that of dy. The map
 * is whole: backward kernels meet no rings. */
static int is_first_largest(const tiny_map *map, const int8_t *x, tiny_extent e, int32_t row,
                            int32_t column) {
    const int32_t largest = window_largest(map, x, e);
    int32_t iy = e.top, ix = e.left;
    while (x[(iy * map->width + ix) * map->channels] != largest) {
        ix++;
        if (ix == e.right) {
            ix = e.left;
            iy++;
        }
    }
    return iy == row && ix == column;
}

/* What the windows whose first largest element is at (row, column) pass on: a plain sum of dy, at
 * most 127 * 255 * 255. */
static int32_t largest_sum(const tiny_window *win, const int8_t *x, const int8_t *dy, int32_t row,
                           int32_t column) {
    int32_t sum = 0;
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t oy =
            tiny_window_source(row, win->pad_top, ky, 1, win->stride_h, win->y.height);
        for (int32_t kx = 0; kx < win->kernel_w && oy >= 0; kx++) {
            const int32_t ox =
                tiny_window_source(column, win->pad_left, kx, 1, win->stride_w, win->y.width);
            if (ox >= 0 && is_first_largest(&win->x, x, tiny_extent_of(win, oy, ox), row, column)) {
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

/* The axes are adjacent, so x is [outer][count][inner]. Multiplier and shift have 1 / count folded
 * in (SPEC 3.3, 7): no division here. */
void tiny_mean_forward(const tiny_mean *op, const int8_t *x, int8_t *y) {
    for (uint32_t outer = 0; outer < op->outer; outer++, x += op->count * op->inner) {
        for (uint32_t inner = 0; inner < op->inner; inner++) {
            int32_t sum = 0;
            for (uint32_t n = 0; n < op->count; n++) {
                sum += x[n * op->inner + inner] - op->x_zero;
            }
            *y++ = tiny_mean_of(op, sum);
        }
    }
}

/* By elements of dx, in order: every n of them reads the same dy. */
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
