/* Average and max pooling over windows, four channels at a time.
 *
 * A window of whole rows of a map that is in memory as a whole is one run of positions, as in the pool
 * over all of a map that ends many networks.
 */
#include "../../windows.h"
#include "columns.h"
#include "lanes.h"
#include "tinyflash/ops.h"

/* SPEC 3.2. C divides towards zero: half of n first, away from zero, rounds to nearest. */
static int8_t average_of(const tiny_pool *op, int32_t sum, int32_t n) {
    const int32_t mean = (sum > 0 ? sum + n / 2 : sum - n / 2) / n;
    return (int8_t)tiny_clamp(mean, op->y_min, op->y_max);
}

/* The sums of four channels in a window of so few positions that halves hold them. */
static inline void small_sums(const tiny_runs *r, uint32_t c, int32_t *sums) {
    const uint32_t step = r->map->channels;
    tiny_column_pairs pairs = {0, 0};
    for (uint32_t row = 0; row < r->rows; row++) {
        pairs = tiny_add_words(pairs, tiny_run_at(r, row) + c, step, r->count);
    }
    tiny_add_pairs(pairs, sums);
}

static TINY_APART void averages(const tiny_pool *op, const tiny_runs *r, int8_t *y) {
    const uint32_t channels = r->map->channels;
    const int32_t n = (int32_t)(r->rows * r->count);
    for (uint32_t c = 0; c < channels; c += TINY_SUMS) {
        const uint32_t some = channels - c < TINY_SUMS ? channels - c : TINY_SUMS;
        int32_t sums[TINY_SUMS] = {0};
        if (some == TINY_SUMS && n <= TINY_SUM_ROWS) {
            small_sums(r, c, sums);
        } else {
            for (uint32_t row = 0; row < r->rows; row++) {
                tiny_add_columns(tiny_run_at(r, row) + c, channels, r->count, some, sums);
            }
        }
        for (uint32_t i = 0; i < some; i++) {
            y[c + i] = average_of(op, sums[i], n);
        }
    }
}

/* The largest of up to four channels in a run, and in those before. */
static inline uint32_t largest_in(const int8_t *from, uint32_t step, uint32_t count, uint32_t some,
                                  uint32_t largest) {
    for (; count; count--, from += step) {
        largest = tiny_larger_bytes(tiny_load_some(from, some), largest);
    }
    return largest;
}

static TINY_APART void maxima(const tiny_pool *op, const tiny_runs *r, int8_t *y) {
    const uint32_t channels = r->map->channels;
    for (uint32_t c = 0; c < channels; c += TINY_SUMS) {
        const uint32_t some = channels - c < TINY_SUMS ? channels - c : TINY_SUMS;
        uint32_t largest = tiny_four(INT8_MIN);
        for (uint32_t row = 0; row < r->rows; row++) {
            const int8_t *from = tiny_run_at(r, row) + c;
            largest = some == TINY_SUMS ? largest_in(from, channels, r->count, TINY_SUMS, largest)
                                        : largest_in(from, channels, r->count, some, largest);
        }
        for (uint32_t i = 0; i < some; i++) {
            y[c + i] = (int8_t)tiny_clamp(tiny_byte_of(largest, i), op->y_min, op->y_max);
        }
    }
}

/* An average, or the largest. Not by a pointer to a function: the depth of the stack would be unknown. */
typedef enum kind { AVERAGE, LARGEST } kind;

static inline void pool_rows(const tiny_pool *op, const int8_t *x, int8_t *y, tiny_band band,
                             kind of) {
    const tiny_map *out = &op->window.y;
    for (int32_t row = band.first; row < band.first + band.count; row++) {
        int8_t *to = tiny_map_row_out(out, y, row);
        for (int32_t column = 0; column < out->width; column++, to += out->channels) {
            const tiny_runs r =
                tiny_runs_of(&op->window.x, x, tiny_extent_of(&op->window, row, column));
            if (of == AVERAGE) {
                averages(op, &r, to);
            } else {
                maxima(op, &r, to);
            }
        }
    }
}

TINY_OP(average_pool_forward_dsp) { pool_rows(record, buffers[0], buffers[1], band, AVERAGE); }

TINY_OP(max_pool_forward_dsp) { pool_rows(record, buffers[0], buffers[1], band, LARGEST); }
