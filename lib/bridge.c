/* From the row of pointers that a table holds to the arguments of a kernel (tinyflash/ops.h).
 *
 * Kernels have typed arguments, which the C compiler checks; a table has one type of function for
 * all of them. The functions between are made by macros, one for each shape of arguments, and do no
 * arithmetic, with one exception: a gradient about to be computed gets its exponent (SPEC 5.2),
 * since its kernel reads it. The order of buffers is that of tinyflash/ops.h.
 */
#include "buffers.h"
#include "tinyflash/kernels.h"
#include "tinyflash/ops.h"

/* ---- Layers with weights ---- */

#define FORWARD(layer)                                                                \
    TINY_OP(layer##_forward) {                                                        \
        const tiny_weights w = tiny_weights_at(buffers + 1);                          \
        tiny_##layer##_forward(record, buffers[0], &w, buffers[3], buffers[4], band); \
    }

/* What follows computes all rows at once: (void)band. */
#define BACKWARD(layer)                                                \
    TINY_OP(layer##_backward_input) {                                  \
        (void)band;                                                    \
        const tiny_gradient dy = tiny_gradient_at(buffers);            \
        const tiny_weights w = tiny_weights_at(buffers + 2);           \
        const tiny_gradient_out dx = tiny_following(&dy, buffers + 4); \
        tiny_##layer##_backward_input(record, &dy, &w, &dx);           \
    }

#define UPDATE(layer)                                                   \
    TINY_OP(layer##_update) {                                           \
        (void)band;                                                     \
        const tiny_gradient dy = tiny_gradient_at(buffers + 1);         \
        const tiny_trained w = {buffers[3], buffers[5], buffers[6]};    \
        tiny_##layer##_update(record, buffers[0], &dy, &w, buffers[4]); \
    }

FORWARD(fully_connected)
FORWARD(conv2d)
FORWARD(depthwise)

BACKWARD(fully_connected)
BACKWARD(conv2d)
BACKWARD(depthwise)

UPDATE(fully_connected)
UPDATE(conv2d)
UPDATE(depthwise)

TINY_OP(bias_update) {
    (void)band;
    const tiny_gradient dy = tiny_gradient_at(buffers);
    tiny_bias_update(record, &dy, buffers[2], buffers[4], buffers[3]);
}

TINY_OP(fisher) {
    (void)band;
    const tiny_gradient dy = tiny_gradient_at(buffers + 1);
    tiny_fisher_add(record, buffers[0], &dy, buffers[3]);
}

/* ---- Operators without weights ---- */

#define UNARY(name) \
    TINY_OP(name##_forward) { tiny_##name##_forward(record, buffers[0], buffers[1], band); }

#define UNARY_WHOLE(name)                                      \
    TINY_OP(name##_forward) {                                  \
        (void)band;                                            \
        tiny_##name##_forward(record, buffers[0], buffers[1]); \
    }

#define UNARY_BACKWARD(name)                                           \
    TINY_OP(name##_backward_input) {                                   \
        (void)band;                                                    \
        const tiny_gradient dy = tiny_gradient_at(buffers);            \
        const tiny_gradient_out dx = tiny_following(&dy, buffers + 2); \
        tiny_##name##_backward_input(record, &dy, &dx);                \
    }

UNARY(average_pool)
UNARY(max_pool)
UNARY_WHOLE(mean)
UNARY(copy)
UNARY(pad)
UNARY_WHOLE(transpose)
UNARY(take)
UNARY(mask)

UNARY_BACKWARD(average_pool)
UNARY_BACKWARD(mean)
UNARY_BACKWARD(pad)
UNARY_BACKWARD(copy)
UNARY_BACKWARD(take)
UNARY_BACKWARD(transpose)

/* The gradient of an operator that also reads x, y, or its other operand. */
#define READING_BACKWARD(name)                                         \
    TINY_OP(name) {                                                    \
        (void)band;                                                    \
        const tiny_gradient dy = tiny_gradient_at(buffers + 1);        \
        const tiny_gradient_out dx = tiny_following(&dy, buffers + 3); \
        tiny_##name(record, buffers[0], &dy, &dx);                     \
    }

READING_BACKWARD(max_pool_backward_input)
READING_BACKWARD(softmax_backward_input)
READING_BACKWARD(mul_backward_a)
READING_BACKWARD(mul_backward_b)

/* The gradient of an operator that reads two maps besides dy. */
#define READING_TWO_BACKWARD(name)                                     \
    TINY_OP(name) {                                                    \
        (void)band;                                                    \
        const tiny_gradient dy = tiny_gradient_at(buffers + 2);        \
        const tiny_gradient_out dx = tiny_following(&dy, buffers + 4); \
        tiny_##name(record, buffers[0], buffers[1], &dy, &dx);         \
    }

READING_TWO_BACKWARD(lookup_backward_input)
READING_TWO_BACKWARD(prelu_backward_input)
READING_TWO_BACKWARD(minimum_backward_a)
READING_TWO_BACKWARD(minimum_backward_b)

TINY_OP(sub_backward_b) {
    (void)band;
    const tiny_gradient dy = tiny_gradient_at(buffers);
    const tiny_gradient_out db = tiny_following(&dy, buffers + 2);
    tiny_sub_backward_b(record, &dy, &db);
}

TINY_OP(add_forward) { tiny_add_forward(record, buffers[0], buffers[1], buffers[2], band); }

TINY_OP(minimum_forward) { tiny_minimum_forward(record, buffers[0], buffers[1], buffers[2], band); }

TINY_OP(mul_forward) { tiny_mul_forward(record, buffers[0], buffers[1], buffers[2], band); }

TINY_OP(prelu_forward) { tiny_prelu_forward(record, buffers[0], buffers[1], buffers[2], band); }

TINY_OP(gradient_add) {
    (void)band;
    const tiny_gradient a = tiny_gradient_at(buffers);
    const tiny_gradient b = tiny_gradient_at(buffers + 2);
    const tiny_gradient_out dx = tiny_following_both(&a, b.scale, buffers + 4);
    tiny_gradient_add(record, 0, &a, &b, &dx);
}

TINY_OP(lookup_forward) { tiny_lookup_forward(record, buffers[0], buffers[1], buffers[2], band); }

TINY_OP(softmax_forward) { tiny_softmax_forward(record, buffers[0], buffers[1], buffers[2], band); }

TINY_OP(log_softmax_forward) {
    tiny_log_softmax_forward(record, buffers[0], buffers[1], buffers[2], band);
}

/* ---- Training ---- */

/* A loss computes its exponent, and its gradient is not masked (SPEC 4.4, 4.7). */

TINY_OP(softmax_loss) {
    (void)band;
    const tiny_gradient_out dy = {buffers[3], buffers[4], NULL};
    tiny_softmax_loss(record, buffers[0], buffers[1], buffers[2], &dy);
}

TINY_OP(squared_loss) {
    (void)band;
    const tiny_gradient_out dy = {buffers[3], buffers[4], NULL};
    tiny_squared_loss(record, buffers[0], buffers[1], buffers[2], &dy);
}

TINY_OP(sigmoid_loss) {
    (void)band;
    const tiny_gradient_out dy = {buffers[4], buffers[5], NULL};
    tiny_sigmoid_loss(record, buffers[0], buffers[1], buffers[2], buffers[3], &dy);
}

TINY_OP(advance_scales) {
    (void)band;
    tiny_advance_scales(record, buffers[0]);
}
