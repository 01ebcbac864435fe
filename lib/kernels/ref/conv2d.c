/* Convolution of any kernel size, stride, dilation and padding; groups = 1. */
#include "arith.h"
#include "update.h"

/* Channels whose sums the input gradient holds at a time: enough for wide registers. */
#define COLUMNS 32

/* Taps [first, first + count) of one window row for output channel o, all within the map. Where they
 * lie side by side, and so do their weights, they are one long product. */
static int32_t taps_sum(const tiny_conv2d *op, const int8_t *x, const tiny_weights *w, uint32_t tap,
                        uint32_t count) {
    const tiny_window *win = &op->window;
    const int32_t x_zero = op->requant.x_zero;
    const uint32_t channels = win->x.channels;
    const uint32_t kept = op->kept;
    const uint32_t frozen = channels - kept;
    if (win->dilation_w == 1 && kept == 0) {
        return tiny_dot(x, x_zero, w->frozen + tap * channels, count * channels);
    }
    if (win->dilation_w == 1 && frozen == 0) {
        return tiny_dot(x, x_zero, w->kept + tap * channels, count * channels);
    }
    int32_t sum = 0;
    for (uint32_t i = 0; i < count; i++, tap++, x += win->dilation_w * channels) {
        sum += tiny_dot(x, x_zero, w->kept + tap * kept, kept);
        sum += tiny_dot(x + kept, x_zero, w->frozen + tap * frozen, frozen);
    }
    return sum;
}

/* The sum of output channel o at (row, column), without bias. */
static int32_t window_sum(const tiny_conv2d *op, const int8_t *x, const tiny_weights *w, uint32_t o,
                          int32_t row, int32_t column) {
    const tiny_window *win = &op->window;
    int32_t first = 0, end = win->kernel_w;
    while (first < end && tiny_window_column(win, column, first) < 0) {
        first++;
    }
    while (first < end && tiny_window_column(win, column, end - 1) >= win->x.width) {
        end--;
    }
    const int32_t left = tiny_window_column(win, column, first);
    int32_t sum = 0;
    for (int32_t ky = 0; ky < win->kernel_h && first < end; ky++) {
        const int32_t iy = tiny_window_row(win, row, ky);
        if (iy >= 0 && iy < win->x.height) {
            const uint32_t tap = (o * win->kernel_h + (uint32_t)ky) * win->kernel_w;
            sum += taps_sum(op, x + (iy * win->x.width + left) * win->x.channels, w,
                            tap + (uint32_t)first, (uint32_t)(end - first));
        }
    }
    return sum;
}

void tiny_conv2d_forward(const tiny_conv2d *op, const int8_t *x, const tiny_weights *w,
                         const int32_t *b, int8_t *y) {
    const tiny_map *out = &op->window.y;
    for (int32_t row = 0; row < out->height; row++) {
        for (int32_t column = 0; column < out->width; column++, y += out->channels) {
            for (uint32_t o = 0; o < out->channels; o++) {
                const int32_t sum = (b ? b[o] : 0) + window_sum(op, x, w, o, row, column);
                y[o] = tiny_requantise(&op->requant, o, sum);
            }
        }
    }
}

/* Adds what one tap contributes to `count` channels of an input position: its output position's dy,
 * times w, which points to the tap and first channel in the first output channel's weights. */
static void backward_tap(const tiny_conv2d *op, const int8_t *dy, const int8_t *w, uint32_t width,
                         uint32_t count, int32_t *sums) {
    const uint32_t stride = (uint32_t)op->window.kernel_h * op->window.kernel_w * width;
    for (uint32_t o = 0; o < op->window.y.channels; o++, w += stride) {
        const int16_t t = (int16_t)tiny_rescaled(&op->descent, dy[o], o);
        for (uint32_t i = 0; i < count; i++) {
            sums[i] += t * w[i];
        }
    }
}

/* The sums of `count` channels of the input position (row, column); w is [out][kh][kw][width]. */
static void backward_position(const tiny_conv2d *op, const int8_t *dy, const int8_t *w,
                              uint32_t width, uint32_t count, int32_t row, int32_t column,
                              int32_t *sums) {
    const tiny_window *win = &op->window;
    for (uint32_t i = 0; i < count; i++) {
        sums[i] = 0;
    }
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t oy = tiny_window_source(row, win->pad_top, ky, win->dilation_h, win->stride_h,
                                              win->y.height);
        for (int32_t kx = 0; kx < win->kernel_w && oy >= 0; kx++) {
            const int32_t ox = tiny_window_source(column, win->pad_left, kx, win->dilation_w,
                                                  win->stride_w, win->y.width);
            if (ox >= 0) {
                backward_tap(op, dy + (oy * win->y.width + ox) * win->y.channels,
                             w + (uint32_t)(ky * win->kernel_w + kx) * width, width, count, sums);
            }
        }
    }
}

/* Input gradient of the `width` channels from `first` on, which share one weight array. */
static void backward_panel(const tiny_conv2d *op, const tiny_gradient *dy, const int8_t *w,
                           uint32_t first, uint32_t width, const tiny_gradient_out *dx) {
    const tiny_map *in = &op->window.x;
    const tiny_factor *factor = op->descent.factor;
    const int32_t exponent = factor->exponent + dy->scale->exponent - dx->scale->exponent;
    int32_t sums[COLUMNS];
    for (uint32_t n = 0; n < (uint32_t)in->height * in->width; n++) {
        for (uint32_t i = 0; i < width; i += COLUMNS) {
            const uint32_t count = width - i < COLUMNS ? width - i : COLUMNS;
            backward_position(op, dy->d, w + i, width, count, (int32_t)(n / in->width),
                              (int32_t)(n % in->width), sums);
            for (uint32_t j = 0; j < count; j++) {
                tiny_store_gradient(dx, n * in->channels + first + i + j,
                                    tiny_scale_by(sums[j], factor->mantissa, exponent));
            }
        }
    }
}

void tiny_conv2d_backward_input(const tiny_conv2d *op, const tiny_gradient *dy,
                                const tiny_weights *w, const tiny_gradient_out *dx) {
    backward_panel(op, dy, w->kept, 0, op->kept, dx);
    backward_panel(op, dy, w->frozen, op->kept, op->window.x.channels - op->kept, dx);
}

void tiny_conv2d_update(const tiny_conv2d *op, const int8_t *x, const tiny_gradient *dy,
                        const tiny_trained *w, tiny_state *state) {
    const tiny_window *win = &op->window;
    const uint32_t size = (uint32_t)win->kernel_h * win->kernel_w * op->kept;
    const tiny_update update = tiny_begin_update(&op->descent, dy, w, state);
    for (uint32_t o = 0; o < win->y.channels; o++) {
        tiny_row row = tiny_begin_row(&update, &op->descent.rate[o], o);
        for (uint32_t j = 0; j < size && row.moves; j++) {
            const int32_t sum = tiny_tap_sum(win, x + j % op->kept, op->kept, op->requant.x_zero,
                                             dy->d + o, (int32_t)(j / op->kept));
            tiny_update_weight(&update, &row, o * size + j, sum);
        }
    }
}
