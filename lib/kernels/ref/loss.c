/* The losses with a target of the output's shape (SPEC 4.8); the classifier's is in softmax.c.
 *
 * Each walks the elements three times: for the error that is reported, for the largest difference,
 * from which the exponent follows, and to store. A difference is cheaper to compute again than to
 * keep in 32 bits. Both losses are one code: a squared error's gradient is the difference of bytes,
 * a binary cross-entropy's that of probabilities in Q15, and `factor` is what a unit of either is
 * worth.
 */
#include "../../arith.h"

/* What a loss compares. `probabilities`: uint16 [256], Q15, by the byte of x; null: x and the
 * target are in the same units. */
typedef struct comparison {
    const int8_t *x, *target;
    const uint16_t *probabilities;
} comparison;

/* g of SPEC 4.8: the difference at element i, at most 255, or 2^15 for probabilities. The target's
 * 255 steps from -128 up are scaled to Q15. */
static int32_t difference(const comparison *c, uint32_t i) {
    if (!c->probabilities) {
        return c->x[i] - c->target[i];
    }
    const int32_t wanted = ((c->target[i] - INT8_MIN) * (1 << 15) + 127) / 255;
    return c->probabilities[(uint8_t)c->x[i]] - wanted;
}

static int32_t absolute(int32_t v) { return v < 0 ? -v : v; }

/* G of SPEC 4.8 before the factor. */
static int32_t largest_difference(const tiny_target_loss *op, const comparison *c) {
    int32_t largest = 0;
    for (uint32_t i = 0; i < op->count; i++) {
        largest = tiny_max(largest, absolute(difference(c, i)));
    }
    return largest;
}

/* Stores the gradient at the smallest exponent at which it fits in 8 bits, and not below the least
 * that the other gradients have. 2^15 * 65535, the largest peak, fits in int32. */
static void store(const tiny_target_loss *op, const comparison *c, const tiny_gradient_out *dy) {
    const tiny_factor *factor = &op->factor;
    const int32_t peak = largest_difference(op, c) * factor->mantissa;
    const int32_t shift = tiny_max(tiny_loss_shift(peak), TINY_EXPONENT_MIN - factor->exponent);
    for (uint32_t i = 0; i < op->count; i++) {
        const int64_t v = (int64_t)difference(c, i) * factor->mantissa;
        dy->d[i] = (int8_t)tiny_clamp(tiny_shift_round(v, shift), -127, 127);
    }
    dy->scale->exponent = (int8_t)(factor->exponent + shift);
    dy->scale->peak = peak;
}

/* The sum of at most 65535 squares of at most 255^2 fits in uint32. */
void tiny_squared_loss(const tiny_target_loss *op, const int8_t *x, const int8_t *target,
                       tiny_state *state, const tiny_gradient_out *dy) {
    const comparison c = {x, target, NULL};
    uint32_t error = 0;
    for (uint32_t i = 0; i < op->count; i++) {
        const int32_t g = difference(&c, i);
        error += (uint32_t)(g * g);
    }
    store(op, &c, dy);
    state->error = error;
}

/* The error is the distance of the probabilities, Q15: cross-entropy would need a logarithm. */
void tiny_sigmoid_loss(const tiny_target_loss *op, const int8_t *x, const int8_t *target,
                       const uint16_t *probabilities, tiny_state *state,
                       const tiny_gradient_out *dy) {
    const comparison c = {x, target, probabilities};
    uint32_t error = 0;
    for (uint32_t i = 0; i < op->count; i++) {
        error += (uint32_t)absolute(difference(&c, i));
    }
    store(op, &c, dy);
    state->error = error;
}
