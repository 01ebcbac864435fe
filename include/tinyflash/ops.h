/* Kernels as a table names them: a record, pointers in the order given here, and a band of rows.
 *
 *   record   the struct that the kernel takes as `op`
 *   buffers  those in [] may be null. `s_` is the tiny_scale of a gradient, `state` the tiny_state.
 *            Weights come as two buffers, kept and frozen (tiny_weights)
 *   band     rows of y; ignored by kernels without bands
 *
 * Each calls the kernel of its name, whose contract is in tinyflash/kernels/. Before an input
 * gradient is computed, it is given its exponent (tiny_follow).
 *
 * These are the kernels of lib/kernels/ref. Another set has the same under names that end in its
 * own: TINY_OP(add_forward_dsp).
 */
#ifndef TINYFLASH_OPS_H
#define TINYFLASH_OPS_H

#include "tinyflash/model.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TINY_OP(name) void tiny_op_##name(const void *record, void *const *buffers, tiny_band band)

/* x, w kept, w frozen, [b], y */
TINY_OP(fully_connected_forward);
TINY_OP(conv2d_forward);
TINY_OP(depthwise_forward);
/* dy, s_dy, w kept, w frozen, [mask], dx, s_dx */
TINY_OP(fully_connected_backward_input);
TINY_OP(conv2d_backward_input);
TINY_OP(depthwise_backward_input);
/* x, dy, s_dy, w, state, [velocity], [low] */
TINY_OP(fully_connected_update);
TINY_OP(conv2d_update);
TINY_OP(depthwise_update);
/* dy, s_dy, b, state, [velocity] */
TINY_OP(bias_update);

/* x, y */
TINY_OP(average_pool_forward);
TINY_OP(max_pool_forward);
TINY_OP(mean_forward);
TINY_OP(copy_forward);
TINY_OP(pad_forward);
TINY_OP(take_forward);
TINY_OP(transpose_forward);
/* dy, s_dy, [mask], dx, s_dx */
TINY_OP(average_pool_backward_input);
TINY_OP(mean_backward_input);
TINY_OP(pad_backward_input);
TINY_OP(copy_backward_input);
TINY_OP(sub_backward_b);
TINY_OP(take_backward_input);
TINY_OP(transpose_backward_input);
/* x, dy, s_dy, [mask], dx, s_dx */
TINY_OP(max_pool_backward_input);
/* x, slope, dy, s_dy, [mask], dx, s_dx */
TINY_OP(lookup_backward_input);
/* x, alpha, dy, s_dy, [mask], dx, s_dx */
TINY_OP(prelu_backward_input);
/* y, dy, s_dy, [mask], dx, s_dx */
TINY_OP(softmax_backward_input);
/* a, y, dy, s_dy, [mask], dx, s_dx */
TINY_OP(minimum_backward_a);
TINY_OP(minimum_backward_b);
/* b, dy, s_dy, [mask], da, s_da */
TINY_OP(mul_backward_a);
/* a, dy, s_dy, [mask], db, s_db */
TINY_OP(mul_backward_b);

/* a, b, y */
TINY_OP(add_forward);
TINY_OP(minimum_forward);
TINY_OP(mul_forward);
/* a, s_a, [b], [s_b], [mask], dx, s_dx */
TINY_OP(gradient_add);
/* x, alpha, y */
TINY_OP(prelu_forward);
/* x, table, y */
TINY_OP(lookup_forward);
TINY_OP(softmax_forward);
TINY_OP(log_softmax_forward);
/* y, mask */
TINY_OP(mask_forward);
/* logits, table, state, dy, s_dy */
TINY_OP(softmax_loss);
/* x, target, state, dy, s_dy */
TINY_OP(squared_loss);
/* x, target, table, state, dy, s_dy */
TINY_OP(sigmoid_loss);
/* y, dy, s_dy, d */
TINY_OP(fisher);
/* state */
TINY_OP(advance_scales);

#ifdef __cplusplus
}
#endif

#endif
