/* Max pools by arm_max_pool_s8. Rows that a ring divides are left to the reference. */
#include "adapter.h"

#if TINY_CMSIS_NN

static void pool(const tiny_pool *op, const int8_t *x, int8_t *y, int32_t rows,
                 tiny_rows_read read) {
    const tiny_window *win = &op->window;
    const cmsis_nn_context context = {NULL, 0};
    const cmsis_nn_pool_params params = {
        .stride = {win->stride_w, win->stride_h},
        .padding = {win->pad_left, read.pad},
        .activation = {op->y_min, op->y_max},
    };
    const cmsis_nn_dims in = {1, read.count, win->x.width, win->x.channels};
    const cmsis_nn_dims filter = {1, win->kernel_h, win->kernel_w, 1};
    const cmsis_nn_dims out = {1, rows, win->y.width, win->y.channels};
    (void)arm_max_pool_s8(&context, &params, &in, tiny_map_row(&win->x, x, read.first), &filter,
                          &out, y);
}

TINY_OP(max_pool_forward_cmsis_nn) {
    const tiny_pool *op = record;
    const int32_t step = tiny_rows_at_once(&op->window, band);
    for (int32_t row = band.first; row < band.first + band.count; row += step) {
        const tiny_rows_read read = tiny_rows_below(&op->window, row, step, 1);
        if (tiny_rows_adjacent(&op->window.x, read)) {
            pool(op, buffers[0], tiny_map_row_out(&op->window.y, buffers[1], row), step, read);
        } else {
            const tiny_band rows = {(uint16_t)row, (uint16_t)step};
            tiny_max_pool_forward(op, buffers[0], buffers[1], rows);
        }
    }
}

#endif
