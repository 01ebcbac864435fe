/* Depthwise convolution: output channel c * multiplier + m reads input channel c only.
 *
 * Channels do not meet, so the inner loop goes over adjacent channels, where x, w and y are
 * adjacent bytes, and not over taps. Forward walks y: rows of the band, columns, panels of up to
 * CHANNELS channels; the int32 sums of a panel start at the biases and collect tap by tap (SPEC
 * 2.1). A tap in the padding is skipped for the whole panel. Trained and frozen channels have an
 * array each, so a panel ends where the trained ones end.
 *
 * The input gradient walks dx in the same way and gathers the taps that read a position: one
 * rounding for each element, no int32 map (SPEC 4.2). With a multiplier above 1 an element also
 * sums over output channels of different weight scales; dy is then rescaled as in conv2d, channel
 * by channel.
 *
 * The update walks output channels, and the taps of each in order: that is a row of SPEC 6.3,
 * although the weights of a row are not adjacent in memory. Each sum over all positions is in a
 * register.
 */
#include "../../arith.h"
#include "../../update.h"

/* Channels whose sums are on the stack at a time, 128 bytes of them: enough for wide registers. */
#define CHANNELS 32

/* Adjacent output channels [first, first + count) that share one weight array, w[tap][stride]. */
typedef struct panel {
    const int8_t *w;
    uint32_t stride, first, count;
} panel;

/* The next panel of at most CHANNELS channels from `first` on: trained ones, or frozen ones. */
static panel panel_at(const tiny_depthwise *op, const tiny_weights *w, uint32_t first) {
    const uint32_t out = op->window.y.channels;
    const uint32_t end = first < op->kept ? op->kept : out;
    panel p = {w->kept + first, op->kept, first, end - first < CHANNELS ? end - first : CHANNELS};
    if (first >= op->kept) {
        p.w = w->frozen + (first - op->kept);
        p.stride = out - op->kept;
    }
    return p;
}

/* Adds one tap's products; x and w point to the panel's first channel. Operands of 16 bits:
 * compilers find their multiply-add for them. */
static void add_tap(const int8_t *x, int32_t x_zero, const int8_t *w, uint32_t count,
                    int32_t *sums) {
    const int16_t zero = (int16_t)x_zero;
    for (uint32_t i = 0; i < count; i++) {
        const int16_t centred = (int16_t)(x[i] - zero);
        sums[i] += centred * w[i];
    }
}

/* The same where several output channels read one input channel: x points to channel 0. The
 * division is why multiplier 1, which nearly every network has, is a loop of its own. */
static void add_tap_multiplied(const tiny_depthwise *op, const int8_t *x, const panel *p,
                               const int8_t *w, int32_t *sums) {
    for (uint32_t i = 0; i < p->count; i++) {
        sums[i] += w[i] * (x[(p->first + i) / op->multiplier] - op->requant.x_zero);
    }
}

/* The sums of a panel at output position (row, column), which begin at the biases. */
static void window_sums(const tiny_depthwise *op, const int8_t *x, const panel *p, int32_t row,
                        int32_t column, int32_t *sums) {
    const tiny_window *win = &op->window;
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t iy = tiny_window_row(win, row, ky);
        if (iy < 0 || iy >= win->x.height) {
            continue;
        }
        const int8_t *from = tiny_map_row(&win->x, x, iy);
        for (int32_t kx = 0; kx < win->kernel_w; kx++) {
            const int32_t ix = tiny_window_column(win, column, kx);
            if (ix < 0 || ix >= win->x.width) {
                continue;
            }
            const int8_t *at = from + ix * win->x.channels;
            const int8_t *w = p->w + (uint32_t)(ky * win->kernel_w + kx) * p->stride;
            if (op->multiplier == 1) {
                add_tap(at + p->first, op->requant.x_zero, w, p->count, sums);
            } else {
                add_tap_multiplied(op, at, p, w, sums);
            }
        }
    }
}

/* All channels at one position of y. */
static void forward_position(const tiny_depthwise *op, const int8_t *x, const tiny_weights *w,
                             const int32_t *b, int32_t row, int32_t column, int8_t *y) {
    int32_t sums[CHANNELS];
    const uint32_t out = op->window.y.channels;
    panel p = panel_at(op, w, 0);
    for (; p.first < out; p = panel_at(op, w, p.first + p.count)) {
        for (uint32_t i = 0; i < p.count; i++) {
            sums[i] = b ? b[p.first + i] : 0;
        }
        window_sums(op, x, &p, row, column, sums);
        for (uint32_t i = 0; i < p.count; i++) {
            y[p.first + i] = tiny_requantize(&op->requant, p.first + i, sums[i]);
        }
    }
}

void tiny_depthwise_forward(const tiny_depthwise *op, const int8_t *x, const tiny_weights *w,
                            const int32_t *b, int8_t *y, tiny_band band) {
    const tiny_map *out = &op->window.y;
    for (int32_t row = band.first; row < band.first + band.count; row++) {
        int8_t *to = tiny_map_row_out(out, y, row);
        for (int32_t column = 0; column < out->width; column++, to += out->channels) {
            forward_position(op, x, w, b, row, column, to);
        }
    }
}

/* The gradient sums of a panel at input position (row, column). With multiplier 1, dy has the
 * channels of x. A gradient has zero point 0. |sum| <= 255 * 255 taps * 127 * 128: in int32. */
static void source_sums(const tiny_window *win, const int8_t *dy, const panel *p, int32_t row,
                        int32_t column, int32_t *sums) {
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t oy = tiny_window_source(row, win->pad_top, ky, win->dilation_h, win->stride_h,
                                              win->y.height);
        for (int32_t kx = 0; kx < win->kernel_w && oy >= 0; kx++) {
            const int32_t ox = tiny_window_source(column, win->pad_left, kx, win->dilation_w,
                                                  win->stride_w, win->y.width);
            if (ox >= 0) {
                add_tap(dy + (oy * win->y.width + ox) * win->y.channels + p->first, 0,
                        p->w + (uint32_t)(ky * win->kernel_w + kx) * p->stride, p->count, sums);
            }
        }
    }
}

/* The gradient sum of input channel c at (row, column) where `multiplier` output channels read it,
 * their weights w[tap][stride] (SPEC 4.2). The output channels of c are all trained or all frozen,
 * so one panel has them, though it may be shorter than the multiplier. */
static int32_t multiplied_sum(const tiny_depthwise *op, const int8_t *dy, const panel *p,
                              uint32_t c, int32_t row, int32_t column) {
    const tiny_window *win = &op->window;
    int32_t sum = 0;
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t oy = tiny_window_source(row, win->pad_top, ky, win->dilation_h, win->stride_h,
                                              win->y.height);
        for (int32_t kx = 0; kx < win->kernel_w && oy >= 0; kx++) {
            const int32_t ox = tiny_window_source(column, win->pad_left, kx, win->dilation_w,
                                                  win->stride_w, win->y.width);
            const uint32_t tap = (uint32_t)(ky * win->kernel_w + kx);
            const uint32_t at = (uint32_t)(oy * win->y.width + ox) * win->y.channels;
            for (uint32_t m = 0; m < op->multiplier && ox >= 0; m++) {
                const uint32_t o = c * op->multiplier + m;
                sum += tiny_rescaled(&op->descent, dy[at + o], o) *
                       p->w[tap * p->stride + o - p->first];
            }
        }
    }
    return sum;
}

/* The same as backward_position, channel by channel; one factor for the layer, as in conv2d. */
static void backward_multiplied(const tiny_depthwise *op, const tiny_gradient *dy,
                                const tiny_weights *w, uint32_t n, const tiny_gradient_out *dx) {
    const tiny_map *in = &op->window.x;
    const tiny_factor *factor = op->descent.factor;
    const int32_t exponent = factor->exponent + dy->scale->exponent - dx->scale->exponent;
    for (uint32_t c = 0; c < in->channels; c++) {
        const panel p = panel_at(op, w, c * op->multiplier);
        const int32_t sum =
            multiplied_sum(op, dy->d, &p, c, (int32_t)(n / in->width), (int32_t)(n % in->width));
        tiny_store_gradient(dx, n * in->channels + c,
                            tiny_scale_by(sum, factor->mantissa, exponent));
    }
}

/* The input gradient of position n, all channels, each with its own weight scale as the factor. */
static void backward_position(const tiny_depthwise *op, const tiny_gradient *dy,
                              const tiny_weights *w, uint32_t n, const tiny_gradient_out *dx) {
    const tiny_map *in = &op->window.x;
    const int32_t exponent = dy->scale->exponent - dx->scale->exponent;
    panel p = panel_at(op, w, 0);
    for (; p.first < in->channels; p = panel_at(op, w, p.first + p.count)) {
        int32_t sums[CHANNELS] = {0};
        source_sums(&op->window, dy->d, &p, (int32_t)(n / in->width), (int32_t)(n % in->width),
                    sums);
        for (uint32_t i = 0; i < p.count; i++) {
            const tiny_factor *factor = &op->descent.factor[p.first + i];
            const int32_t v = tiny_scale_by(sums[i], factor->mantissa, factor->exponent + exponent);
            tiny_store_gradient(dx, n * in->channels + p.first + i, v);
        }
    }
}

/* By input positions in ascending order, so that dx may follow behind dy in the same memory. */
void tiny_depthwise_backward_input(const tiny_depthwise *op, const tiny_gradient *dy,
                                   const tiny_weights *w, const tiny_gradient_out *dx) {
    const uint32_t positions = (uint32_t)op->window.x.height * op->window.x.width;
    for (uint32_t n = 0; n < positions; n++) {
        if (op->multiplier == 1) {
            backward_position(op, dy, w, n, dx);
        } else {
            backward_multiplied(op, dy, w, n, dx);
        }
    }
}

/* The gradient sum of the weight at one tap of a window, over all positions (SPEC 6.1). x points to
 * its channel in a map of `kept` channels, dy to its output channel. A position whose tap is in the
 * padding adds nothing. */
static int32_t tap_sum(const tiny_window *win, const int8_t *x, uint32_t kept, int32_t x_zero,
                       const int8_t *dy, int32_t tap) {
    int32_t sum = 0;
    for (int32_t row = 0; row < win->y.height; row++) {
        const int32_t iy = tiny_window_row(win, row, tap / win->kernel_w);
        if (iy < 0 || iy >= win->x.height) {
            continue;
        }
        for (int32_t column = 0; column < win->y.width; column++) {
            const int32_t ix = tiny_window_column(win, column, tap % win->kernel_w);
            if (ix >= 0 && ix < win->x.width) {
                sum += dy[(row * win->y.width + column) * win->y.channels] *
                       (x[(uint32_t)(iy * win->x.width + ix) * kept] - x_zero);
            }
        }
    }
    return sum;
}

/* x holds the trained channels only; `kept` counts output channels, `multiplier` for each of x. */
void tiny_depthwise_update(const tiny_depthwise *op, const int8_t *x, const tiny_gradient *dy,
                           const tiny_trained *w, tiny_state *state) {
    const uint32_t taps = (uint32_t)op->window.kernel_h * op->window.kernel_w;
    const tiny_update update = tiny_begin_update(&op->descent, dy, w, state);
    for (uint32_t c = 0; c < op->kept; c++) {
        tiny_row row = tiny_begin_row(&update, &op->descent.rate[c], c);
        for (uint32_t tap = 0; tap < taps && row.moves; tap++) {
            const int32_t sum =
                tap_sum(&op->window, x + c / op->multiplier, op->kept / op->multiplier,
                        op->requant.x_zero, dy->d + c, (int32_t)tap);
            tiny_update_weight(&update, &row, tap * op->kept + c, sum);
        }
    }
}
