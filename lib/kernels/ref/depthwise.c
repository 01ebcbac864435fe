/* Depthwise convolution: output channel c * multiplier + m reads input channel c alone. */
#include <stdbool.h>

#include "arith.h"
#include "update.h"

/* Where the weights of one output channel start, and how far its taps lie apart. */
typedef struct taps {
    const int8_t *w;
    uint32_t stride;
} taps;

static taps channel_taps(const tiny_depthwise *op, const tiny_weights *w, uint32_t c) {
    const bool trained = c < op->kept;
    const taps result = {
        trained ? w->kept + c : w->frozen + (c - op->kept),
        trained ? op->kept : op->window.y.channels - op->kept,
    };
    return result;
}

/* The sum of one output channel at (row, column); x points to its input channel. */
static int32_t window_sum(const tiny_depthwise *op, const int8_t *x, taps w, int32_t row,
                          int32_t column) {
    const tiny_window *win = &op->window;
    int32_t sum = 0;
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t iy = tiny_window_row(win, row, ky);
        if (iy < 0 || iy >= win->x.height) {
            continue;
        }
        for (int32_t kx = 0; kx < win->kernel_w; kx++) {
            const int32_t ix = tiny_window_column(win, column, kx);
            if (ix >= 0 && ix < win->x.width) {
                sum += w.w[(uint32_t)(ky * win->kernel_w + kx) * w.stride] *
                       (x[(iy * win->x.width + ix) * win->x.channels] - op->requant.x_zero);
            }
        }
    }
    return sum;
}

void tiny_depthwise_forward(const tiny_depthwise *op, const int8_t *x, const tiny_weights *w,
                            const int32_t *b, int8_t *y) {
    const tiny_map *out = &op->window.y;
    for (int32_t row = 0; row < out->height; row++) {
        for (int32_t column = 0; column < out->width; column++, y += out->channels) {
            for (uint32_t c = 0; c < out->channels; c++) {
                const int32_t sum = window_sum(op, x + c / op->multiplier, channel_taps(op, w, c),
                                               row, column);
                y[c] = tiny_requantise(&op->requant, c, (b ? b[c] : 0) + sum);
            }
        }
    }
}

/* The gradient sum of one channel of the input position (row, column); dy points to its channel. */
static int32_t position_sum(const tiny_window *win, const int8_t *dy, taps w, int32_t row,
                            int32_t column) {
    int32_t sum = 0;
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t oy = tiny_window_source(row, win->pad_top, ky, win->dilation_h, win->stride_h,
                                              win->y.height);
        for (int32_t kx = 0; kx < win->kernel_w && oy >= 0; kx++) {
            const int32_t ox = tiny_window_source(column, win->pad_left, kx, win->dilation_w,
                                                  win->stride_w, win->y.width);
            if (ox >= 0) {
                sum += dy[(oy * win->y.width + ox) * win->y.channels] *
                       w.w[(uint32_t)(ky * win->kernel_w + kx) * w.stride];
            }
        }
    }
    return sum;
}

void tiny_depthwise_backward_input(const tiny_depthwise *op, const tiny_gradient *dy,
                                   const tiny_weights *w, const tiny_gradient_out *dx) {
    const tiny_map *in = &op->window.x;
    const int32_t exponent = dy->scale->exponent - dx->scale->exponent;
    uint32_t i = 0;
    for (int32_t row = 0; row < in->height; row++) {
        for (int32_t column = 0; column < in->width; column++) {
            for (uint32_t c = 0; c < in->channels; c++, i++) {
                const tiny_factor *factor = &op->descent.factor[c];
                const int32_t sum =
                    position_sum(&op->window, dy->d + c, channel_taps(op, w, c), row, column);
                tiny_store_gradient(
                    dx, i, tiny_scale_by(sum, factor->mantissa, factor->exponent + exponent));
            }
        }
    }
}

/* The gradient sum of one weight; x and dy point to its channel, x has `kept` channels. */
static int32_t weight_sum(const tiny_depthwise *op, const int8_t *x, const int8_t *dy, int32_t ky,
                          int32_t kx) {
    const tiny_window *win = &op->window;
    int32_t sum = 0;
    for (int32_t row = 0; row < win->y.height; row++) {
        const int32_t iy = tiny_window_row(win, row, ky);
        if (iy < 0 || iy >= win->x.height) {
            continue;
        }
        for (int32_t column = 0; column < win->y.width; column++) {
            const int32_t ix = tiny_window_column(win, column, kx);
            if (ix >= 0 && ix < win->x.width) {
                sum += dy[(row * win->y.width + column) * win->y.channels] *
                       (x[(uint32_t)(iy * win->x.width + ix) * op->kept] - op->requant.x_zero);
            }
        }
    }
    return sum;
}

void tiny_depthwise_update(const tiny_depthwise *op, const int8_t *x, const tiny_gradient *dy,
                           int8_t *w, tiny_state *state) {
    const int32_t kernel_w = op->window.kernel_w;
    const int32_t count = op->window.kernel_h * kernel_w;
    for (uint32_t c = 0; c < op->kept; c++) {
        const tiny_rate rate = tiny_row_rate(state, &op->descent.rate[c], dy);
        uint32_t key = tiny_row_key(state, op->descent.id, c);
        for (int32_t tap = 0; tap < count && rate.mantissa; tap++) {
            const int32_t sum = weight_sum(op, x + c, dy->d + c, tap / kernel_w, tap % kernel_w);
            tiny_update_weight(&w[(uint32_t)tap * op->kept + c], &rate, sum, &key, state);
        }
    }
}
