/* Softmax, and the loss of a classifier: softmax with cross-entropy. */
#ifndef TINYFLASH_KERNELS_SOFTMAX_H
#define TINYFLASH_KERNELS_SOFTMAX_H

#include "tinyflash/kernels/arguments.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tiny_softmax {
    uint32_t rows, classes;          /* the compiler refuses more than 511 classes */
    uint16_t height, x_ring, y_ring; /* of maps with rows / height of those in each row */
    tiny_factor beta;                /* what x is multiplied by, for the gradient */
} tiny_softmax;

/* Computes y[n][i] = exp(x[n][i]) / sum over j of exp(x[n][j]), by rows, as TensorFlow Lite does.
 *
 *   x             int8   [rows][classes], or a ring
 *   exponentials  int32  [256]  Q31 of exp(-d * beta * input scale), d the distance below the row's
 *                        largest x
 *   y             int8   [rows][classes], scale 1/256, zero point -128 (SPEC 3.4)
 *
 * Cost: 2 * rows * classes table entries and, for each row, a reciprocal in three Newton steps.
 */
void tiny_softmax_forward(const tiny_softmax *op, const int8_t *x, const int32_t *exponentials,
                          int8_t *y, tiny_band band);

/* Computes dx[n][i] = beta * y[n][i] * (dy[n][i] - sum over j of dy[n][j] * y[n][j]), by rows.
 *
 *   y   int8  [rows][classes]  the forward output, unchanged since
 *   dy  int8  [rows][classes]  in [-127, 127]
 *   dx  int8  [rows][classes]  stored (SPEC 4.6, 4.3)
 *
 * |product| < 2^25 with up to 511 classes. Cost: 3 * rows * classes products.
 */
void tiny_softmax_backward_input(const tiny_softmax *op, const int8_t *y, const tiny_gradient *dy,
                                 const tiny_gradient_out *dx);

typedef struct tiny_log_softmax {
    uint32_t rows, classes;          /* the compiler refuses more than 4,095 classes */
    uint16_t height, x_ring, y_ring; /* of maps with rows / height of those in each row */
    int32_t multiplier, shift;       /* of a distance, for its logarithm in Q26 */
    int32_t reach;                   /* the largest distance that has one */
} tiny_log_softmax;

/* Computes y[n][i] = log(exp(x[n][i]) / sum over j of exp(x[n][j])), by rows, as TensorFlow Lite
 * does.
 *
 *   x             int8   [rows][classes], or a ring
 *   exponentials  int32  [256]  as of tiny_softmax_forward
 *   y             int8   [rows][classes], scale 1/16, zero point 127 (SPEC 3.10)
 *
 * Has no gradient: training reads the logits. Cost: rows * classes products and table entries, and,
 * for each row, a logarithm of some 20 products.
 */
void tiny_log_softmax_forward(const tiny_log_softmax *op, const int8_t *x,
                              const int32_t *exponentials, int8_t *y, tiny_band band);

/* Without label smoothing on is 2^15 and off is 0. */
typedef struct tiny_loss {
    uint32_t classes; /* up to 65,535; the compiler refuses more (SPEC 10.20) */
    int32_t on, off;  /* what the label's probability should be, and that of the others; Q15 */
} tiny_loss;

/* Computes dy[i] = softmax(logits)[i] - (i == label ? on : off), the gradient of the cross-entropy.
 *
 *   logits        int8    [classes]
 *   exponentials  uint16  [256]      Q15 of exp(-d * logit scale), d the distance below the largest
 *   state         label is read; predicted and probability are set
 *   dy            int8    [classes]  ties to even; exponent and peak are set, nothing is counted,
 *                                    no mask is read (SPEC 4.7)
 *
 * The exponent is the smallest from -15 up at which |dy| < 127.5. Cost: in kernels/ref, three
 * divisions for each class.
 */
void tiny_softmax_loss(const tiny_loss *op, const int8_t *logits, const uint16_t *exponentials,
                       tiny_state *state, const tiny_gradient_out *dy);

#ifdef __cplusplus
}
#endif

#endif
