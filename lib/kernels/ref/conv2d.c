/* Convolution of any kernel size, stride, dilation, padding and number of groups.
 *
 * Forward walks y: rows of the band, columns, output channels; for each of them the taps of the
 * window that are inside the map, and for each tap the input channels of the group. The sum of one
 * output is in a register from its first product to its requantization (SPEC 2.1, 2.2), so there is
 * no scratch, and y is written once, in order. Padding costs nothing: span_at cuts the columns of
 * the window once for a position, window_sum skips rows, and no tap is tested inside the channel
 * loop.
 *
 * The input gradient walks dx, not dy: each element is gathered from the taps that read it, so it
 * is rounded once (SPEC 4.1) and dx needs no int32 copy. At one input position up to COLUMNS
 * adjacent channels are summed together: their weights are adjacent, and dy is rescaled once for
 * all of them. Trained and frozen channels are in two arrays, so each is a panel of its own.
 *
 * The update walks the weights, output channel by output channel, in the order of SPEC 6.3: by ky,
 * kx, input channel. Rounding hands a remainder from each weight to the next, so this order is part
 * of the result. The sums of up to COLUMNS weights of one tap are complete before the first of them
 * moves: a gradient is never stored.
 */
#include "../../arith.h"
#include "../../update.h"

/* Channels whose sums are on the stack at a time, 128 bytes of them: enough for wide registers. */
#define COLUMNS 32

/* In all but a few networks one; `depth` input channels each (SPEC 2.3). */
static uint32_t groups_of(const tiny_conv2d *op) { return op->window.x.channels / op->depth; }

/* Output channels of a group. */
static uint32_t outputs_of(const tiny_conv2d *op) { return op->window.y.channels / groups_of(op); }

/* Taps [first, first + count) of one window row for output channel o, all within the map; x points
 * to the first channel of its group. Taps side by side, whose weights are, too, are one product. */
TINY_APART static int32_t taps_sum(const tiny_conv2d *op, const int8_t *x, const tiny_weights *w,
                                   uint32_t tap, uint32_t count) {
    const tiny_window *win = &op->window;
    const int32_t x_zero = op->requant.x_zero;
    const uint32_t depth = op->depth;
    const uint32_t kept = op->kept;
    const uint32_t frozen = depth - kept;
    /* With one group and no dilation, the channels of adjacent taps are adjacent in x. */
    const int side_by_side = win->dilation_w == 1 && depth == win->x.channels;
    if (side_by_side && kept == 0) {
        return tiny_dot(x, x_zero, w->frozen + tap * depth, count * depth);
    }
    if (side_by_side && frozen == 0) {
        return tiny_dot(x, x_zero, w->kept + tap * depth, count * depth);
    }
    int32_t sum = 0;
    for (uint32_t i = 0; i < count; i++, tap++, x += win->dilation_w * win->x.channels) {
        sum += tiny_dot(x, x_zero, w->kept + tap * kept, kept);
        sum += tiny_dot(x + kept, x_zero, w->frozen + tap * frozen, frozen);
    }
    return sum;
}

/* The taps [first, end) of every window row at an output column that are inside the map, and the
 * column that the first of them reads. Empty where the window is in the padding only. */
typedef struct span {
    int32_t first, end, left;
} span;

static span span_at(const tiny_window *win, int32_t column) {
    int32_t first = 0, end = win->kernel_w;
    while (first < end && tiny_window_column(win, column, first) < 0) {
        first++;
    }
    while (first < end && tiny_window_column(win, column, end - 1) >= win->x.width) {
        end--;
    }
    const span inside = {first, end, tiny_window_column(win, column, first)};
    return inside;
}

/* The sum of output channel o at a position of y, without bias (SPEC 2.1); x points to its group's
 * channels. The map may be a ring: rows are addressed one by one. */
static int32_t window_sum(const tiny_conv2d *op, const int8_t *x, const tiny_weights *w, uint32_t o,
                          int32_t row, const span *columns) {
    const tiny_window *win = &op->window;
    const uint32_t count = (uint32_t)(columns->end - columns->first);
    int32_t sum = 0;
    for (int32_t ky = 0; ky < win->kernel_h && count; ky++) {
        const int32_t iy = tiny_window_row(win, row, ky);
        if (iy >= 0 && iy < win->x.height) {
            const uint32_t tap = (o * win->kernel_h + (uint32_t)ky) * win->kernel_w;
            const int8_t *from = tiny_map_row(&win->x, x, iy) + columns->left * win->x.channels;
            sum += taps_sum(op, from, w, tap + (uint32_t)columns->first, count);
        }
    }
    return sum;
}

/* All channels at one position of y. After a group's last output x moves on to the next
 * group's channels. */
static void forward_position(const tiny_conv2d *op, const int8_t *x, const tiny_weights *w,
                             const int32_t *b, int32_t row, int32_t column, int8_t *y) {
    const uint32_t outputs = outputs_of(op);
    const span columns = span_at(&op->window, column);
    for (uint32_t o = 0; o < op->window.y.channels; o++) {
        const int32_t sum = (b ? b[o] : 0) + window_sum(op, x, w, o, row, &columns);
        y[o] = tiny_requantize(&op->requant, o, sum);
        x += (o + 1) % outputs == 0 ? op->depth : 0;
    }
}

/* Whole rows only: a band is how the planner cuts a map that is never in memory as a whole. */
void tiny_conv2d_forward(const tiny_conv2d *op, const int8_t *x, const tiny_weights *w,
                         const int32_t *b, int8_t *y, tiny_band band) {
    const tiny_map *out = &op->window.y;
    for (int32_t row = band.first; row < band.first + band.count; row++) {
        int8_t *to = tiny_map_row_out(out, y, row);
        for (int32_t column = 0; column < out->width; column++, to += out->channels) {
            forward_position(op, x, w, b, row, column, to);
        }
    }
}

/* Adjacent input channels whose weights are in one array: `w` points to the first of them in the
 * first of the output channels that read them, which are `outputs` from `output` on. */
typedef struct panel {
    const int8_t *w;
    uint32_t first, width;
    uint32_t output, outputs;
} panel;

/* Adds what one tap contributes to channels [at, at + count) of the panel at an input position: its
 * output position's dy times the weights of the tap. t is at most 127 * 32767 / 2^8 and so fits in
 * 16 bits, with 8-bit weights the operands of a multiply-add for two at a time (SPEC 4.1). */
static void backward_tap(const tiny_conv2d *op, const panel *p, const int8_t *dy, uint32_t tap,
                         uint32_t at, uint32_t count, int32_t *sums) {
    const uint32_t taps = (uint32_t)op->window.kernel_h * op->window.kernel_w;
    const int8_t *w = p->w + tap * p->width + at;
    for (uint32_t o = p->output; o < p->output + p->outputs; o++, w += taps * p->width) {
        const int16_t t = (int16_t)tiny_rescaled(&op->descent, dy[o], o);
        for (uint32_t i = 0; i < count; i++) {
            sums[i] += t * w[i];
        }
    }
}

/* The sums of channels [at, at + count) of the panel at input position n. With a stride only some
 * taps meet it: tiny_window_source answers -1 for those between two positions or outside y. */
static void backward_position(const tiny_conv2d *op, const panel *p, const int8_t *dy, uint32_t n,
                              uint32_t at, uint32_t count, int32_t *sums) {
    const tiny_window *win = &op->window;
    const int32_t row = (int32_t)(n / win->x.width), column = (int32_t)(n % win->x.width);
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
                backward_tap(op, p, dy + (oy * win->y.width + ox) * win->y.channels,
                             (uint32_t)(ky * win->kernel_w + kx), at, count, sums);
            }
        }
    }
}

/* The input gradient of the panel's channels at input position n. The only rounding to dx's
 * exponent is here (SPEC 1.3, 4.3). */
static void backward_panel(const tiny_conv2d *op, const panel *p, const tiny_gradient *dy,
                           uint32_t n, const tiny_gradient_out *dx) {
    const tiny_factor *factor = op->descent.factor;
    const int32_t exponent = factor->exponent + dy->scale->exponent - dx->scale->exponent;
    int32_t sums[COLUMNS];
    for (uint32_t i = 0; i < p->width; i += COLUMNS) {
        const uint32_t count = p->width - i < COLUMNS ? p->width - i : COLUMNS;
        backward_position(op, p, dy->d, n, i, count, sums);
        for (uint32_t j = 0; j < count; j++) {
            tiny_store_gradient(dx, n * op->window.x.channels + p->first + i + j,
                                tiny_scale_by(sums[j], factor->mantissa, exponent));
        }
    }
}

/* By input positions in ascending order, so that dx may follow behind dy in the same memory. A
 * group without trained channels has a panel of width 0, for which backward_panel does nothing. */
void tiny_conv2d_backward_input(const tiny_conv2d *op, const tiny_gradient *dy,
                                const tiny_weights *w, const tiny_gradient_out *dx) {
    const uint32_t taps = (uint32_t)op->window.kernel_h * op->window.kernel_w;
    const uint32_t positions = (uint32_t)op->window.x.height * op->window.x.width;
    const uint32_t outputs = outputs_of(op);
    const uint32_t kept = op->kept, frozen = op->depth - kept;
    for (uint32_t n = 0; n < positions; n++) {
        uint32_t first = 0;
        for (uint32_t o = 0; o < op->window.y.channels; o += outputs, first += op->depth) {
            const panel trained = {w->kept + o * taps * kept, first, kept, o, outputs};
            const panel others = {w->frozen + o * taps * frozen, first + kept, frozen, o, outputs};
            backward_panel(op, &trained, dy, n, dx);
            backward_panel(op, &others, dy, n, dx);
        }
    }
}

/* Gradient sums of the weights at one tap from input channels [0, count), over all positions
 * (SPEC 6.1). x points to the first of them in a map of `kept` channels, dy to its output channel.
 * dy and x - x_zero are 16 bits wide, so that compilers use a 16-bit multiply-add. */
static void tap_sums(const tiny_conv2d *op, const int8_t *x, const int8_t *dy, int32_t tap,
                     uint32_t count, int32_t *sums) {
    const tiny_window *win = &op->window;
    const int16_t zero = op->requant.x_zero;
    const uint32_t stride = op->kept * groups_of(op);
    for (uint32_t i = 0; i < count; i++) {
        sums[i] = 0;
    }
    for (int32_t row = 0; row < win->y.height; row++) {
        const int32_t iy = tiny_window_row(win, row, tap / win->kernel_w);
        for (int32_t column = 0; column < win->y.width; column++, dy += win->y.channels) {
            const int32_t ix = tiny_window_column(win, column, tap % win->kernel_w);
            if (iy < 0 || iy >= win->x.height || ix < 0 || ix >= win->x.width) {
                continue;
            }
            const int8_t *at = x + (uint32_t)(iy * win->x.width + ix) * stride;
            const int16_t d = *dy;
            for (uint32_t i = 0; i < count; i++) {
                const int16_t centred = (int16_t)(at[i] - zero);
                sums[i] += d * centred;
            }
        }
    }
}

void tiny_conv2d_update(const tiny_conv2d *op, const int8_t *x, const tiny_gradient *dy,
                        const tiny_trained *w, tiny_state *state) {
    const int32_t taps = op->window.kernel_h * op->window.kernel_w;
    const tiny_update update = tiny_begin_update(&op->descent, dy, w, state);
    const uint32_t outputs = outputs_of(op);
    uint32_t first = 0; /* the number of the tap's first weight: w is dense, in SPEC 6.3's order */
    int32_t sums[COLUMNS];
    for (uint32_t o = 0; o < op->window.y.channels; o++) {
        const int8_t *from = x + o / outputs * op->kept;
        tiny_row row = tiny_begin_row(&update, &op->descent.rate[o], o);
        /* A row that cannot move is skipped, but its weights are counted: `first` goes on. */
        for (int32_t tap = 0; tap < taps; tap++, first += op->kept) {
            for (uint32_t i = 0; i < op->kept && row.moves; i += COLUMNS) {
                const uint32_t count = op->kept - i < COLUMNS ? op->kept - i : COLUMNS;
                tap_sums(op, from + i, dy->d + o, tap, count, sums);
                for (uint32_t j = 0; j < count; j++) {
                    tiny_update_weight(&update, &row, first + i + j, sums[j]);
                }
            }
        }
    }
}
