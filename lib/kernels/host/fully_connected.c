/* Fully connected layers on a PC.
 *
 * Forward, vectors are copied without their zero point. The sums of an update are those of an input
 * gradient with x in place of the weights and columns of dy in place of its rows: they are computed
 * of x as it is, and what the zero point adds to each is taken off.
 */
#include "../../arith.h"
#include "../../buffers.h"
#include "../../update.h"
#include "eight.h"
#include "tinyflash/ops.h"
#include "wide.h"

#if TINY_HOST_ASM

static void forward(const tiny_fully_connected *op, const tiny_host_layer *layer, const int8_t *x,
                    int8_t *y, tiny_band band) {
    const uint32_t vectors = op->rows / op->height; /* in a row of the map */
    tiny_host_chunk chunk;
    chunk.count = 0;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        const int8_t *from = x + tiny_slot(row, op->x_ring) * vectors * op->in;
        int8_t *to = y + tiny_slot(row, op->y_ring) * vectors * op->out;
        for (uint32_t n = 0; n < vectors; n++) {
            int16_t *terms = tiny_host_place(layer, &chunk, to + n * op->out);
            tiny_host_centre(from + n * op->in, op->requant.x_zero, op->in, terms);
        }
    }
    tiny_host_finish(layer, &chunk);
}

TINY_OP(fully_connected_forward_host) {
    const tiny_fully_connected *op = record;
    const tiny_host_layer layer = {&op->requant, {buffers[1], buffers[2]}, buffers[3],
                                   op->kept,     op->in - op->kept,        op->out};
    if (tiny_host_suits(&layer, op->rows / op->height * band.count)) {
        forward(op, &layer, buffers[0], buffers[4], band);
    } else {
        tiny_op_fully_connected_forward(record, buffers, band);
    }
}

/* Gradients of `rows` vectors from n on for the `width` inputs from `first` on, which share one
 * weight array (SPEC 4.1, 4.3). */
TINY_WIDE static void backward_panel(const tiny_fully_connected *op,
                                     const int16_t (*t)[TINY_HOST_TERMS], uint32_t n, uint32_t rows,
                                     const int8_t *w, uint32_t first, uint32_t width,
                                     int32_t exponent, const tiny_gradient_out *dx) {
    const tiny_host_factors factor = tiny_one_factor(op->descent.factor->mantissa, exponent);
    int32_t sums[TINY_HOST_GRADIENTS][TINY_HOST_STEP];
    for (uint32_t i = 0; i < width; i += TINY_HOST_STEP) {
        tiny_host_gradients(t, w, op->out, width, i, sums);
        for (uint32_t r = 0; r < rows; r++) {
            const uint32_t end = width - i < TINY_HOST_STEP ? width - i : TINY_HOST_STEP;
            for (uint32_t j = 0; j < end; j += TINY_LANES) {
                const uint32_t count = end - j < TINY_LANES ? end - j : TINY_LANES;
                const __m256i v = tiny_scaled(tiny_eight_words(sums[r] + j, TINY_LANES), &factor);
                tiny_store_lanes(dx, (n + r) * op->in + first + i + j, v, count);
            }
        }
    }
}

/* t is a copy of what dy has of these rows, so dx may follow behind dy in the same memory. */
TINY_OP(fully_connected_backward_input_host) {
    const tiny_fully_connected *op = record;
    const int8_t *dy = buffers[0];
    const tiny_scale *scale = buffers[1];
    const tiny_gradient_out dx = {buffers[5], buffers[6], buffers[4]};
    int16_t t[TINY_HOST_GRADIENTS][TINY_HOST_TERMS];
    if (op->out + 1 > TINY_HOST_TERMS || !tiny_host_is_wide()) {
        tiny_op_fully_connected_backward_input(record, buffers, band);
        return;
    }
    tiny_follow(scale, NULL, dx.scale);
    const int32_t exponent = op->descent.factor->exponent + scale->exponent - dx.scale->exponent;
    for (uint32_t n = 0; n < op->rows; n += TINY_HOST_GRADIENTS) {
        const uint32_t left = op->rows - n;
        const uint32_t rows = left < TINY_HOST_GRADIENTS ? left : TINY_HOST_GRADIENTS;
        for (uint32_t r = 0; r < TINY_HOST_GRADIENTS; r++) {
            for (uint32_t o = 0; o < op->out; o++) {
                const int8_t d = r < rows ? dy[(n + r) * op->out + o] : 0;
                t[r][o] = (int16_t)tiny_rescaled(&op->descent, d, o);
            }
            t[r][op->out] = 0;
        }
        const int16_t (*from)[TINY_HOST_TERMS] = (const int16_t (*)[TINY_HOST_TERMS])t;
        backward_panel(op, from, n, rows, buffers[2], 0, op->kept, exponent, &dx);
        backward_panel(op, from, n, rows, buffers[3], op->kept, op->in - op->kept, exponent, &dx);
    }
}

/* Makes rows of the gradients of output channels [o, o + count), with a zero behind each. `zeros`
 * gets what the zero point of x adds to the sums of each. */
static void turn(const tiny_fully_connected *op, const int8_t *dy, uint32_t o, uint32_t count,
                 int16_t (*t)[TINY_HOST_TERMS], int32_t *zeros) {
    for (uint32_t r = 0; r < TINY_HOST_GRADIENTS; r++) {
        int32_t sum = 0;
        for (uint32_t n = 0; n < op->rows; n++) {
            t[r][n] = r < count ? dy[n * op->out + o + r] : 0;
            sum += t[r][n];
        }
        t[r][op->rows] = 0;
        zeros[r] = sum * op->requant.x_zero;
    }
}

/* Moves weights [i, i + count) of output channel o, count <= 16, whose gradient sums are given. */
TINY_WIDE static void move(const tiny_update *update, tiny_row *row, uint32_t i, uint32_t count,
                           const int32_t *sums, int32_t zero) {
    const tiny_host_factors rate = tiny_one_factor(row->rate.mantissa, row->rate.exponent);
    const __m256i most = _mm256_set1_epi32(TINY_DELTA_MAX);
    int32_t deltas[TINY_HOST_STEP];
    for (uint32_t j = 0; j < TINY_HOST_STEP; j += TINY_LANES) {
        const __m256i sum =
            _mm256_sub_epi32(tiny_eight_words(sums + j, TINY_LANES), _mm256_set1_epi32(zero));
        const __m256i above = _mm256_min_epi32(tiny_scaled(sum, &rate), most);
        const __m256i delta = _mm256_max_epi32(above, _mm256_set1_epi32(-TINY_DELTA_MAX));
        _mm256_storeu_si256((__m256i *)(void *)(deltas + j), delta);
    }
    for (uint32_t j = 0; j < count; j++) {
        tiny_step_weight(update, row, i + j, deltas[j]);
    }
}

TINY_OP(fully_connected_update_host) {
    const tiny_fully_connected *op = record;
    const uint32_t kept = op->kept;
    const int8_t *x = buffers[0];
    const tiny_gradient dy = tiny_gradient_at(buffers + 1);
    const tiny_trained w = {buffers[3], buffers[5], buffers[6]};
    int16_t t[TINY_HOST_GRADIENTS][TINY_HOST_TERMS];
    int32_t zeros[TINY_HOST_GRADIENTS], sums[TINY_HOST_GRADIENTS][TINY_HOST_STEP];
    tiny_row rows[TINY_HOST_GRADIENTS];
    if (op->rows + 1 > TINY_HOST_TERMS || !tiny_host_is_wide()) {
        tiny_op_fully_connected_update(record, buffers, band);
        return;
    }
    const tiny_update update = tiny_begin_update(&op->descent, &dy, &w, buffers[4]);
    for (uint32_t o = 0; o < op->out; o += TINY_HOST_GRADIENTS) {
        const uint32_t left = op->out - o;
        const uint32_t count = left < TINY_HOST_GRADIENTS ? left : TINY_HOST_GRADIENTS;
        turn(op, dy.d, o, count, t, zeros);
        for (uint32_t r = 0; r < count; r++) {
            rows[r] = tiny_begin_row(&update, &op->descent.rate[o + r], o + r);
        }
        for (uint32_t i = 0; i < kept; i += TINY_HOST_STEP) {
            const uint32_t width = kept - i < TINY_HOST_STEP ? kept - i : TINY_HOST_STEP;
            tiny_host_gradients((const int16_t (*)[TINY_HOST_TERMS])t, x, op->rows, kept, i, sums);
            for (uint32_t r = 0; r < count; r++) {
                if (rows[r].moves) {
                    move(&update, &rows[r], (o + r) * kept + i, width, sums[r], zeros[r]);
                }
            }
        }
    }
}

#else

TINY_OP(fully_connected_forward_host) { tiny_op_fully_connected_forward(record, buffers, band); }

TINY_OP(fully_connected_backward_input_host) {
    tiny_op_fully_connected_backward_input(record, buffers, band);
}

TINY_OP(fully_connected_update_host) { tiny_op_fully_connected_update(record, buffers, band); }

#endif
