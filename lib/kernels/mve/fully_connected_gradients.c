/* Input gradient and update of fully connected layers: convolutions of 1x1, whose positions are the
 * vectors that the layer is applied to; one vector is apart (fully_connected_single.c).
 */
#include <stddef.h>

#include "../../buffers.h"
#include "tiles.h"
#include "tinyflash/ops.h"

static tiny_conv2d as_conv2d(const tiny_fully_connected *op) {
    const uint16_t height = op->height, width = (uint16_t)(op->rows / op->height);
    const tiny_conv2d conv = {
        .window = {.x = {height, width, (uint16_t)op->in, height},
                   .y = {height, width, (uint16_t)op->out, height},
                   .kernel_h = 1,
                   .kernel_w = 1,
                   .stride_h = 1,
                   .stride_w = 1,
                   .dilation_h = 1,
                   .dilation_w = 1},
        .depth = op->in,
        .kept = op->kept,
        .requant = op->requant,
        .descent = op->descent,
    };
    return conv;
}

TINY_OP(fully_connected_backward_input_mve) {
    (void)band;
    const tiny_fully_connected *op = record;
    const tiny_gradient dy = tiny_gradient_at(buffers);
    const tiny_weights w = tiny_weights_at(buffers + 2);
    const tiny_gradient_out dx = tiny_following(&dy, buffers + 4);
    if (op->rows == 1) {
        tiny_descend_single(op, &dy, &w, &dx, buffers[TINY_SCRATCH]);
    } else {
        const tiny_conv2d conv = as_conv2d(op);
        tiny_descend(&conv, &dy, &w, &dx, buffers[TINY_SCRATCH]);
    }
}

TINY_OP(fully_connected_update_mve) {
    (void)band;
    const tiny_fully_connected *op = record;
    const tiny_gradient dy = tiny_gradient_at(buffers + 1);
    const tiny_trained w = {buffers[3], buffers[5], buffers[6]};
    if (op->rows == 1) {
        tiny_learn_single(op, buffers[0], &dy, &w, buffers[4], buffers[TINY_SCRATCH]);
    } else {
        const tiny_conv2d conv = as_conv2d(op);
        tiny_learn(&conv, buffers[0], &dy, &w, buffers[4], buffers[TINY_SCRATCH]);
    }
}
