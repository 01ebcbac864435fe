/* PReLU: negative elements are multiplied by slopes, whose row repeats over the map. */
#include "../../arith.h"

/* SPEC 3.9: the product of two centred bytes has 17 bits, and is exact. */
static int32_t rescaled(const tiny_prelu *op, int32_t v, int32_t alpha) {
    if (v >= 0) {
        return tiny_multiply(v, op->above_multiplier, op->above_shift);
    }
    return tiny_multiply(v * (alpha - op->alpha_zero), op->below_multiplier, op->below_shift);
}

void tiny_prelu_forward(const tiny_prelu *op, const int8_t *x, const int8_t *alpha, int8_t *y,
                        tiny_band band) {
    const uint32_t size = op->count / op->height;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        const int8_t *from = x + tiny_slot(row, op->x_ring) * size;
        int8_t *to = y + tiny_slot(row, op->y_ring) * size;
        uint32_t slope = row * size % op->slopes;
        for (uint32_t i = 0; i < size; i++) {
            const int32_t v = rescaled(op, from[i] - op->x_zero, alpha[slope]) + op->y_zero;
            to[i] = (int8_t)tiny_clamp(v, op->y_min, op->y_max);
            slope = slope + 1 < op->slopes ? slope + 1 : 0;
        }
    }
}

/* SPEC 4.6: a centred slope is a real number over its scale. */
void tiny_prelu_backward_input(const tiny_prelu *op, const int8_t *x, const int8_t *alpha,
                               const tiny_gradient *dy, const tiny_gradient_out *dx) {
    const int32_t exponent = dy->scale->exponent - dx->scale->exponent;
    const tiny_factor *factor = &op->alpha_scale;
    uint32_t slope = 0;
    for (uint32_t i = 0; i < op->count; i++) {
        if (x[i] > op->x_zero) {
            tiny_store_gradient(dx, i, tiny_scale_by(dy->d[i], 1, exponent));
        } else {
            const int32_t product = dy->d[i] * (alpha[slope] - op->alpha_zero);
            const int32_t scaled = factor->exponent + exponent;
            tiny_store_gradient(dx, i, tiny_scale_by(product, factor->mantissa, scaled));
        }
        slope = slope + 1 < op->slopes ? slope + 1 : 0;
    }
}
