/* Fully connected layers on a PC: two vectors at a time, copied without their zero point. */
#include <string.h>

#include "../../arith.h"
#include "tinyflash/ops.h"
#include "wide.h"

#if TINY_HOST_ASM

/* `rows` vectors that are adjacent in x and in y, padding of `inputs` already zero. */
static void forward_rows(const tiny_fully_connected *op, const tiny_host_layer *layer,
                         const int8_t *x, uint32_t rows, int16_t (*inputs)[TINY_HOST_TERMS],
                         int8_t *y) {
    const uint32_t second = tiny_host_padded(op->kept);
    for (uint32_t n = 0; n < rows; n += TINY_HOST_ROWS, y += TINY_HOST_ROWS * op->out) {
        const uint32_t count = rows - n < TINY_HOST_ROWS ? rows - n : TINY_HOST_ROWS;
        for (uint32_t i = 0; i < count; i++, x += op->in) {
            tiny_host_centre(x, op->requant.x_zero, op->kept, inputs[i]);
            tiny_host_centre(x + op->kept, op->requant.x_zero, op->in - op->kept,
                             inputs[i] + second);
        }
        tiny_host_outputs(layer, (const int16_t (*)[TINY_HOST_TERMS])inputs, count, y);
    }
}

TINY_OP(fully_connected_forward_host) {
    const tiny_fully_connected *op = record;
    const tiny_host_layer layer = {&op->requant, {buffers[1], buffers[2]}, buffers[3],
                                   op->kept,     op->in - op->kept,        op->out};
    const uint32_t terms = tiny_host_padded(op->kept) + tiny_host_padded(op->in - op->kept);
    int16_t inputs[TINY_HOST_ROWS][TINY_HOST_TERMS];
    if (terms > TINY_HOST_TERMS || !tiny_host_is_wide()) {
        tiny_op_fully_connected_forward(record, buffers, band);
        return;
    }
    for (uint32_t i = 0; i < TINY_HOST_ROWS; i++) {
        memset(inputs[i], 0, terms * sizeof inputs[i][0]);
    }
    const uint32_t rows = op->rows / op->height; /* in a row of the map */
    const int8_t *x = buffers[0];
    int8_t *y = buffers[4];
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        forward_rows(op, &layer, x + tiny_slot(row, op->x_ring) * rows * op->in, rows, inputs,
                     y + tiny_slot(row, op->y_ring) * rows * op->out);
    }
}

/* Gradients of `rows` vectors from n on for the `width` inputs from `first` on, which share one
 * weight array (SPEC 4.1, 4.3). */
static void backward_panel(const tiny_fully_connected *op, const int16_t (*t)[TINY_HOST_TERMS],
                           uint32_t n, uint32_t rows, const int8_t *w, uint32_t first,
                           uint32_t width, int32_t exponent, const tiny_gradient_out *dx) {
    const uint32_t mantissa = op->descent.factor->mantissa;
    int32_t sums[TINY_HOST_GRADIENTS][TINY_HOST_STEP];
    for (uint32_t i = 0; i < width; i += TINY_HOST_STEP) {
        const uint32_t count = width - i < TINY_HOST_STEP ? width - i : TINY_HOST_STEP;
        tiny_host_gradients(t, w, op->out, width, i, sums);
        for (uint32_t r = 0; r < rows; r++) {
            for (uint32_t j = 0; j < count; j++) {
                tiny_store_gradient(dx, (n + r) * op->in + first + i + j,
                                    tiny_scale_by(sums[r][j], mantissa, exponent));
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

#else

TINY_OP(fully_connected_forward_host) { tiny_op_fully_connected_forward(record, buffers, band); }

TINY_OP(fully_connected_backward_input_host) {
    tiny_op_fully_connected_backward_input(record, buffers, band);
}

#endif
