/* Pools by arm_avgpool_s8 and arm_max_pool_s8. Rows that a ring divides are left to the reference. */
#include "adapter.h"

#if TINY_CMSIS_NN

/* A call of either function, for some rows of y. */
typedef struct pool_call {
    cmsis_nn_pool_params params;
    cmsis_nn_dims in, filter, out;
    const int8_t *x;
} pool_call;

static pool_call pool_of(const tiny_pool *op, const int8_t *x, int32_t rows, tiny_rows_read read) {
    const tiny_window *win = &op->window;
    const pool_call call = {
        .params =
            {
                .stride = {win->stride_w, win->stride_h},
                .padding = {win->pad_left, read.pad},
                .activation = {op->y_min, op->y_max},
            },
        .in = {1, read.count, win->x.width, win->x.channels},
        .filter = {1, win->kernel_h, win->kernel_w, 1},
        .out = {1, rows, win->y.width, win->y.channels},
        .x = tiny_map_row(&win->x, x, read.first),
    };
    return call;
}

TINY_OP(average_pool_forward_cmsis_nn) {
    const tiny_pool *op = record;
    const cmsis_nn_context context = {buffers[TINY_SCRATCH], 0};
    const int32_t step = tiny_rows_at_once(&op->window, band);
    for (int32_t row = band.first; row < band.first + band.count; row += step) {
        const tiny_rows_read read = tiny_rows_below(&op->window, row, step, 1);
        if (tiny_rows_adjacent(&op->window.x, read)) {
            const pool_call call = pool_of(op, buffers[0], step, read);
            (void)arm_avgpool_s8(&context, &call.params, &call.in, call.x, &call.filter, &call.out,
                                 tiny_map_row_out(&op->window.y, buffers[1], row));
        } else {
            const tiny_band rows = {(uint16_t)row, (uint16_t)step};
            tiny_average_pool_forward(op, buffers[0], buffers[1], rows);
        }
    }
}

TINY_OP(max_pool_forward_cmsis_nn) {
    const tiny_pool *op = record;
    const cmsis_nn_context context = {NULL, 0};
    const int32_t step = tiny_rows_at_once(&op->window, band);
    for (int32_t row = band.first; row < band.first + band.count; row += step) {
        const tiny_rows_read read = tiny_rows_below(&op->window, row, step, 1);
        if (tiny_rows_adjacent(&op->window.x, read)) {
            const pool_call call = pool_of(op, buffers[0], step, read);
            (void)arm_max_pool_s8(&context, &call.params, &call.in, call.x, &call.filter, &call.out,
                                  tiny_map_row_out(&op->window.y, buffers[1], row));
        } else {
            const tiny_band rows = {(uint16_t)row, (uint16_t)step};
            tiny_max_pool_forward(op, buffers[0], buffers[1], rows);
        }
    }
}

#endif
