/* Fully connected layers over rows; 1x1 convolutions of stride 1 are the same thing.
 *
 * A row is one vector of inputs: one position of a map, or a whole sample. Forward walks rows,
 * outputs, inputs; the sum of one output is in a register until it is requantized (SPEC 2.1, 2.2).
 * A band counts rows of the map, each of which has rows / height vectors, and the map may be a
 * ring.
 *
 * The input gradient walks rows of dx and COLUMNS inputs at a time: for them it goes down the
 * outputs, rescales dy[o] once, and adds its products with adjacent weights (SPEC 4.1). So w is
 * read in order, row by row, and not along columns. Trained and frozen inputs have an array each.
 *
 * The update walks outputs, COLUMNS inputs at a time, and for them all rows (SPEC 6.1): the sums
 * are complete before the first of these weights moves, in the order of SPEC 6.3, and no gradient
 * of weights is ever stored.
 */
#include "../../arith.h"
#include "../../update.h"

/* Columns whose sums are on the stack at a time, 128 bytes of them: enough for wide registers. */
#define COLUMNS 32

/* `rows` vectors that are adjacent in x and in y. */
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
            y[o] = tiny_requantize(&op->requant, o, sum);
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

/* Gradient sums of one row for `count` columns; w points to the first of them in [out][width]. t
 * fits in 16 bits, and q of SPEC 4.1 keeps the sums within 32. */
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

/* Input gradient of row n for the `width` columns from `first` on, which share one weight array.
 * The only rounding to dx's exponent is here (SPEC 1.3, 4.3). */
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

/* By rows in ascending order, so that dx may follow behind dy in the same memory. */
void tiny_fully_connected_backward_input(const tiny_fully_connected *op, const tiny_gradient *dy,
                                         const tiny_weights *w, const tiny_gradient_out *dx) {
    for (uint32_t n = 0; n < op->rows; n++) {
        backward_panel(op, dy, n, w->kept, 0, op->kept, dx);
        backward_panel(op, dy, n, w->frozen, op->kept, op->in - op->kept, dx);
    }
}

/* Gradient sums of the weights from columns [0, count) of x to output channel o, over all rows. x
 * has `kept` columns: the compiler keeps no more of the forward input than the update reads. */
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

/* A row that cannot move, such as a dead channel's, is skipped before its sums are computed. */
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
