/* Fully connected layers over rows; 1x1 convolutions of stride 1 are the same thing. */
#include "arith.h"
#include "update.h"

/* Columns whose gradient sums are held at a time: enough for wide registers. */
#define COLUMNS 32

TINY_APART static void forward_rows(const tiny_fully_connected *op, const int8_t *x,
                                    const tiny_weights *w, const int32_t *b, uint32_t rows,
                                    int8_t *y) {
    const uint32_t kept = op->kept;
    const uint32_t frozen = op->in - kept;
    const int32_t x_zero = op->requant.x_zero;
    for (uint32_t n = 0; n < rows; n++, x += op->in, y += op->out) {
        for (uint32_t o = 0; o < op->out; o++) {
            int32_t sum = b ? b[o] : 0;
            sum += tiny_dot(x, x_zero, w->kept + o * kept, kept);
            sum += tiny_dot(x + kept, x_zero, w->frozen + o * frozen, frozen);
            y[o] = tiny_requantise(&op->requant, o, sum);
        }
    }
}

void tiny_fully_connected_forward(const tiny_fully_connected *op, const int8_t *x,
                                  const tiny_weights *w, const int32_t *b, int8_t *y,
                                  tiny_band band) {
    const uint32_t rows = op->rows / op->height; /* in a row of the map */
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        forward_rows(op, x + tiny_slot(row, op->x_ring) * rows * op->in, w, b, rows,
                     y + tiny_slot(row, op->y_ring) * rows * op->out);
    }
}

/* Input gradient of one row for columns [first, first + count) whose weights are w[out][width]. */
static void backward_columns(const tiny_fully_connected *op, const int8_t *dy, const int8_t *w,
                             uint32_t width, uint32_t count, int32_t *sums) {
    for (uint32_t i = 0; i < count; i++) {
        sums[i] = 0;
    }
    for (uint32_t o = 0; o < op->out; o++, w += width) {
        const int16_t t = (int16_t)tiny_rescaled(&op->descent, dy[o], o);
        for (uint32_t i = 0; i < count; i++) {
            sums[i] += t * w[i];
        }
    }
}

/* Input gradient of row n for the `width` columns from `first` on, which share one weight array. */
static void backward_panel(const tiny_fully_connected *op, const tiny_gradient *dy, uint32_t n,
                           const int8_t *w, uint32_t first, uint32_t width,
                           const tiny_gradient_out *dx) {
    const tiny_factor *factor = op->descent.factor;
    const int32_t exponent = factor->exponent + dy->scale->exponent - dx->scale->exponent;
    int32_t sums[COLUMNS];
    for (uint32_t i = 0; i < width; i += COLUMNS) {
        const uint32_t count = width - i < COLUMNS ? width - i : COLUMNS;
        backward_columns(op, dy->d + n * op->out, w + i, width, count, sums);
        for (uint32_t j = 0; j < count; j++) {
            tiny_store_gradient(dx, n * op->in + first + i + j,
                                tiny_scale_by(sums[j], factor->mantissa, exponent));
        }
    }
}

void tiny_fully_connected_backward_input(const tiny_fully_connected *op, const tiny_gradient *dy,
                                         const tiny_weights *w, const tiny_gradient_out *dx) {
    for (uint32_t n = 0; n < op->rows; n++) {
        backward_panel(op, dy, n, w->kept, 0, op->kept, dx);
        backward_panel(op, dy, n, w->frozen, op->kept, op->in - op->kept, dx);
    }
}

/* Gradient sums of the weights from columns [0, count) of x to output channel o, over all rows. */
static void weight_sums(const tiny_fully_connected *op, const int8_t *x, const int8_t *dy,
                        uint32_t o, uint32_t count, int32_t *sums) {
    const int16_t zero = op->requant.x_zero;
    for (uint32_t i = 0; i < count; i++) {
        sums[i] = 0;
    }
    for (uint32_t n = 0; n < op->rows; n++, x += op->kept) {
        const int16_t d = dy[n * op->out + o];
        for (uint32_t i = 0; i < count; i++) {
            const int16_t centred = (int16_t)(x[i] - zero);
            sums[i] += d * centred;
        }
    }
}

void tiny_fully_connected_update(const tiny_fully_connected *op, const int8_t *x,
                                 const tiny_gradient *dy, const tiny_trained *w,
                                 tiny_state *state) {
    const uint32_t kept = op->kept;
    const tiny_update update = tiny_begin_update(&op->descent, dy, w, state);
    int32_t sums[COLUMNS];
    for (uint32_t o = 0; o < op->out; o++) {
        tiny_row row = tiny_begin_row(&update, &op->descent.rate[o], o);
        for (uint32_t i = 0; i < kept && row.moves; i += COLUMNS) {
            const uint32_t count = kept - i < COLUMNS ? kept - i : COLUMNS;
            weight_sums(op, x + i, dy->d, o, count, sums);
            for (uint32_t j = 0; j < count; j++) {
                tiny_update_weight(&update, &row, o * kept + i + j, sums[j]);
            }
        }
    }
}
