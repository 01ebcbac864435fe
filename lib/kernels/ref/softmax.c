/* Softmax as TensorFlow Lite computes it, and the loss that training starts from.
 *
 * All of them walk row by row, and each row several times: first for its largest element, then for
 * the sum, then for the results. exp(x - largest) comes from a table of 256 entries, since a
 * distance of two int8 has no more values: no exponential is computed here, and no exponent can
 * overflow. Sums and the reciprocal are in registers; no row is copied.
 *
 * Two precisions: softmax_forward has TensorFlow Lite's bits (Q31 table, SPEC 3.4). The loss has a
 * Q15 table and divides by the exact sum (SPEC 4.7): it starts the gradient, and y of 8 bits would
 * be too coarse for that.
 */
#include "../../arith.h"

/* Constants of the Newton iteration for 1 / d, Q29: 48/17 - 32/17 d. */
#define NEWTON_OFFSET 1515870810
#define NEWTON_SLOPE (-1010580540)
/* Of the logarithm, Q31: log 2, the root of 1/2, and its root. */
#define LOG_2 1488522236
#define ROOT_HALF 1518500250
#define ROOT_ROOT_HALF 1805811301

/* v * 2^bits, saturated (SPEC 3.4). */
static int32_t shift_left(int32_t v, int32_t bits) {
    return tiny_saturate32((int64_t)v * ((int64_t)1 << bits));
}

/* 1 / (1 + t), Q31, t in [0, 1) as Q31 (SPEC 3.4). Newton's q += q * (1 - d * q) for d = (1 + t) /
 * 2, in [1/2, 1): from its linear first guess, three steps are exact enough for 31 bits. */
static int32_t reciprocal(int32_t t) {
    const int32_t half = (int32_t)(((int64_t)t + INT32_MAX + 1) >> 1);
    int32_t q = NEWTON_OFFSET + tiny_high_multiply(half, NEWTON_SLOPE);
    for (int step = 0; step < 3; step++) {
        const int32_t error = (1 << 29) - tiny_high_multiply(half, q);
        q += shift_left(tiny_high_multiply(q, error), 2);
    }
    return shift_left(q, 1);
}

/* v is not 0: the largest element of a row adds 2^19 to the sum. */
static int32_t leading_zeros(uint32_t v) {
    int32_t count = 0;
    while (!(v & 0x80000000u)) {
        v <<= 1;
        count++;
    }
    return count;
}

/* Index of the largest element, the first of equals. */
static uint32_t arg_max(const int8_t *x, uint32_t count) {
    uint32_t at = 0;
    for (uint32_t i = 1; i < count; i++) {
        at = x[i] > x[at] ? i : at;
    }
    return at;
}

/* The sum of a row's exponentials has 12 integer bits (Q19), room for 4,095 classes of at most 1. */
static int32_t sum_of(const int8_t *x, uint32_t classes, const int32_t *exponentials,
                      int32_t largest) {
    int32_t sum = 0;
    for (uint32_t i = 0; i < classes; i++) {
        sum += tiny_rounding_divide(exponentials[largest - x[i]], 12);
    }
    return sum;
}

/* The sum is normalised to [1, 2), whose reciprocal meets each exponential again; 35 - zeros takes
 * the normalisation back and leaves units of 1/256 (SPEC 3.4). */
static void softmax_row(const int8_t *x, uint32_t classes, const int32_t *exponentials, int8_t *y) {
    const int32_t largest = x[arg_max(x, classes)];
    const int32_t sum = sum_of(x, classes, exponentials, largest);
    const int32_t zeros = leading_zeros((uint32_t)sum);
    const int32_t scale = reciprocal((int32_t)(((uint32_t)sum << zeros) - 0x80000000u));
    for (uint32_t i = 0; i < classes; i++) {
        const int32_t product = tiny_high_multiply(scale, exponentials[largest - x[i]]);
        const int32_t probability = tiny_rounding_divide(product, 35 - zeros);
        y[i] = (int8_t)tiny_clamp(probability - 128, INT8_MIN, INT8_MAX);
    }
}

void tiny_softmax_forward(const tiny_softmax *op, const int8_t *x, const int32_t *exponentials,
                          int8_t *y, tiny_band band) {
    const uint32_t size = op->rows * op->classes / op->height; /* of a row of the map */
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        const int8_t *from = x + tiny_slot(row, op->x_ring) * size;
        int8_t *to = y + tiny_slot(row, op->y_ring) * size;
        for (uint32_t i = 0; i < size; i += op->classes) {
            softmax_row(from + i, op->classes, exponentials, to + i);
        }
    }
}

/* log(sum), Q19 to Q26 (SPEC 3.10). The sum is a power of two, e, times a fraction r around K, the
 * root of the root of 1/2: of two candidates half a power apart, the one whose fraction is nearer.
 * A quotient of polynomials in r - K is the logarithm of the rest. */
static int32_t logarithm(int32_t sum) {
    const int32_t below = tiny_high_multiply(sum, ROOT_HALF);
    const int32_t a = leading_zeros((uint32_t)sum);
    const int32_t b = leading_zeros((uint32_t)below) - 1;
    const int32_t half = tiny_high_multiply(shift_left(sum, a - 1), ROOT_HALF);
    const int32_t r = tiny_min(shift_left(half, 1), shift_left(sum, b));
    const int32_t e = tiny_max((12 - a) * (1 << 25) + (1 << 23), (12 - b) * (1 << 25) - (1 << 23));
    const int32_t p = (int32_t)(((int64_t)r + ROOT_ROOT_HALF + 1) >> 1);
    const int32_t q = 2 * (r - ROOT_ROOT_HALF);
    const int32_t square = tiny_high_multiply(q, q);
    const int32_t cube = tiny_high_multiply(q, square);
    const int32_t over = tiny_high_multiply(q, r) + tiny_high_multiply(cube, 117049297);
    const int32_t factor = 1057819769 + q + tiny_high_multiply(127690142, square);
    const int32_t under = tiny_high_multiply(p, factor) + tiny_high_multiply(638450708, q);
    const int32_t rest = tiny_high_multiply(tiny_rounding_divide(over, 6), reciprocal(under));
    return 2 * (tiny_high_multiply(e, LOG_2) + rest);
}

/* SPEC 3.10. Within reach, a logarithm lies above -32: in 64 bits, less that of the sum fits. */
static void log_softmax_row(const tiny_log_softmax *op, const int8_t *x,
                            const int32_t *exponentials, int8_t *y) {
    const int32_t largest = x[arg_max(x, op->classes)];
    const int32_t whole = logarithm(sum_of(x, op->classes, exponentials, largest));
    for (uint32_t i = 0; i < op->classes; i++) {
        const int32_t distance = largest - x[i];
        const int32_t own = tiny_multiply(-distance, op->multiplier, op->shift);
        const int32_t v =
            tiny_rounding_divide(tiny_saturate32((int64_t)own - whole), 22) + INT8_MAX;
        y[i] = (int8_t)(distance > op->reach ? INT8_MIN : tiny_clamp(v, INT8_MIN, INT8_MAX));
    }
}

void tiny_log_softmax_forward(const tiny_log_softmax *op, const int8_t *x,
                              const int32_t *exponentials, int8_t *y, tiny_band band) {
    const uint32_t size = op->rows * op->classes / op->height; /* of a row of the map */
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        const int8_t *from = x + tiny_slot(row, op->x_ring) * size;
        int8_t *to = y + tiny_slot(row, op->y_ring) * size;
        for (uint32_t i = 0; i < size; i += op->classes) {
            log_softmax_row(op, from + i, exponentials, to + i);
        }
    }
}

/* The probability that y stands for, in units of 1/256. */
static int32_t share_of(int8_t y) { return y - INT8_MIN; }

/* The Jacobian of softmax is never formed: dx = y * (dy - sum of dy * y) needs two passes over a
 * row. In units of 1/256 for each y, so the exponent takes back 16 bits (SPEC 4.6). */
void tiny_softmax_backward_input(const tiny_softmax *op, const int8_t *y, const tiny_gradient *dy,
                                 const tiny_gradient_out *dx) {
    const int32_t exponent = op->beta.exponent + dy->scale->exponent - dx->scale->exponent - 16;
    for (uint32_t at = 0; at < op->rows * op->classes; at += op->classes) {
        int32_t sum = 0;
        for (uint32_t i = at; i < at + op->classes; i++) {
            sum += dy->d[i] * share_of(y[i]);
        }
        for (uint32_t i = at; i < at + op->classes; i++) {
            const int32_t v = share_of(y[i]) * (256 * dy->d[i] - sum);
            tiny_store_gradient(dx, i, tiny_scale_by(v, op->beta.mantissa, exponent));
        }
    }
}

/* The softmax of a row in Q15, one class at a time. */
typedef struct distribution {
    const int8_t *logits;
    const uint16_t *exponentials;
    int32_t largest;
    uint32_t sum;
} distribution;

/* `predicted`: where the largest logit is. */
static distribution distribution_of(const int8_t *logits, uint32_t classes,
                                    const uint16_t *exponentials, uint32_t predicted) {
    distribution d = {logits, exponentials, logits[predicted], 0};
    for (uint32_t i = 0; i < classes; i++) {
        d.sum += exponentials[d.largest - logits[i]];
    }
    return d;
}

/* p of SPEC 4.7, rounded to nearest: E is at most 2^15, so E * 2^15 fits in 32 bits. */
static int32_t probability_of(const distribution *d, uint32_t i) {
    const uint32_t e = d->exponentials[d->largest - d->logits[i]];
    return (int32_t)(((e << 15) + d->sum / 2) / d->sum);
}

/* Derivative of the loss by logit i, Q15. */
static int32_t slope_of(const tiny_loss *op, const distribution *d, uint32_t i, uint32_t label) {
    return probability_of(d, i) - (i == label ? op->on : op->off);
}

/* Slopes are computed twice, once for their peak and once to be stored, which saves an array of 32
 * bits for each class. The exponent is chosen such that the peak just fits (SPEC 4.7): the gradient
 * of the loss is known in full precision; unlike all others, it needs no predicted exponent. */
void tiny_softmax_loss(const tiny_loss *op, const int8_t *logits, const uint16_t *exponentials,
                       tiny_state *state, const tiny_gradient_out *dy) {
    const uint32_t predicted = arg_max(logits, op->classes);
    const distribution d = distribution_of(logits, op->classes, exponentials, predicted);
    int32_t peak = 0;
    for (uint32_t i = 0; i < op->classes; i++) {
        const int32_t g = slope_of(op, &d, i, state->label);
        peak = tiny_max(peak, g < 0 ? -g : g);
    }
    const int32_t shift = tiny_loss_shift(peak);
    for (uint32_t i = 0; i < op->classes; i++) {
        const int32_t g = slope_of(op, &d, i, state->label);
        dy->d[i] = (int8_t)tiny_clamp(tiny_shift_round(g, shift), -127, 127);
    }
    dy->scale->exponent = (int8_t)(shift - 15);
    dy->scale->peak = peak;
    state->predicted = (uint16_t)predicted;
    state->probability = (uint16_t)tiny_min(probability_of(&d, state->label), UINT16_MAX);
}
