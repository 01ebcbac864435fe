/* Slices, and maps in another size. Forward bytes move; the gradient sums what became of each. */
#include "../../arith.h"

/* SPEC 3.8. Most units are 1, and machines without a divider divide slowly. */
static int32_t place(const tiny_steps *steps, int32_t i) {
    const int32_t at = steps->first + i * steps->step;
    return steps->unit == 1 ? at : at / steps->unit;
}

void tiny_take_forward(const tiny_take *op, const int8_t *x, int8_t *y, tiny_band band) {
    for (int32_t row = band.first; row < band.first + band.count; row++) {
        const int8_t *from = tiny_map_row(&op->x, x, place(&op->rows, row));
        int8_t *to = tiny_map_row_out(&op->y, y, row);
        for (int32_t column = 0; column < op->y.width; column++) {
            const int8_t *pixel = from + place(&op->columns, column) * op->x.channels;
            for (int32_t c = 0; c < op->y.channels; c++) {
                *to++ = pixel[place(&op->channels, c)];
            }
        }
    }
}

/* The first place of y that is `at` or a later place of x; `count` if none is. Places ascend, so
 * those that are `at` end where those of at + 1 begin. */
static int32_t first_of(const tiny_steps *steps, int32_t at, int32_t count) {
    const int32_t above = at * steps->unit - steps->first;
    return above > 0 ? tiny_min((above + steps->step - 1) / steps->step, count) : 0;
}

/* The sum of dy at one row and one column of x, over the rows, columns and channels that are c. */
static int32_t taken_sum(const tiny_take *op, const int8_t *dy, int32_t row, int32_t column,
                         int32_t c) {
    const int32_t rows = first_of(&op->rows, row + 1, op->y.height);
    const int32_t columns = first_of(&op->columns, column + 1, op->y.width);
    const int32_t channels = first_of(&op->channels, c + 1, op->y.channels);
    int32_t sum = 0;
    for (int32_t i = first_of(&op->rows, row, op->y.height); i < rows; i++) {
        for (int32_t j = first_of(&op->columns, column, op->y.width); j < columns; j++) {
            const int8_t *d = dy + (i * op->y.width + j) * op->y.channels;
            for (int32_t k = first_of(&op->channels, c, op->y.channels); k < channels; k++) {
                sum += d[k];
            }
        }
    }
    return sum;
}

void tiny_take_backward_input(const tiny_take *op, const tiny_gradient *dy,
                              const tiny_gradient_out *dx) {
    const int32_t exponent = dy->scale->exponent - dx->scale->exponent;
    uint32_t i = 0;
    for (int32_t row = 0; row < op->x.height; row++) {
        for (int32_t column = 0; column < op->x.width; column++) {
            for (int32_t c = 0; c < op->x.channels; c++, i++) {
                const int32_t sum = taken_sum(op, dy->d, row, column, c);
                tiny_store_gradient(dx, i, tiny_scale_by(sum, 1, exponent));
            }
        }
    }
}
