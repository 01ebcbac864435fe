/* Average and max pooling over windows: sums of eight channels, or the largest of 16, at a time.
 *
 * A window of whole rows of a map that is in memory as a whole is one run of positions, as in the pool
 * over all of a map that ends many networks.
 */
#include "../../windows.h"
#include "column_sums.h"
#include "helium.h"
#include "tinyflash/ops.h"

#define SIXTEEN 16u

/* SPEC 3.2. C divides towards zero: half of n first, away from zero, rounds to nearest. */
static void divide(const tiny_eight *eight, uint32_t count, int32_t n, int32_t least, int32_t most,
                   int8_t *y) {
    const int32_t half = (int32_t)((uint32_t)n / 2);
    for (uint32_t i = 0; i < count; i++) {
        const int32_t sum = tiny_eight_sum(eight, i);
        y[i] = (int8_t)tiny_clamp((sum > 0 ? sum + half : sum - half) / n, least, most);
    }
}

#if TINY_MVE_ASM

/* The same for 2 to 255 positions, by a product with 2^32 / n, rounded up to `inverse`: its
 * error is below n, and so that of a product with less than 2^16 is below 2^24 / 2^32: too small to
 * reach the next number. */
static inline void divide_few(const int16_t *sums, uint32_t count, uint32_t n, int32_t least,
                              int32_t most, int8_t *y) {
    const uint32_t inverse = UINT32_MAX / n + 1;
    __asm__ volatile(
        "vdup.32 q2, %[inverse]\n"
        "vdup.32 q3, %[least]\n"
        "vdup.32 q4, %[most]\n"
        "dlstp.32 lr, %[count]\n"
        "1:\n"
        "vldrh.s32 q0, [%[sums]], #8\n"
        "vabs.s32 q1, q0\n"
        "vadd.i32 q1, q1, %[half]\n"
        "vmulh.u32 q1, q1, q2\n"
        "vpt.s32 lt, q0, zr\n"
        "vnegt.s32 q1, q1\n"
        "vmax.s32 q1, q1, q3\n"
        "vmin.s32 q1, q1, q4\n"
        "vstrb.32 q1, [%[y]], #4\n"
        "letp lr, 1b\n"
        : [sums] "+&l"(sums), [y] "+&l"(y)
        : [count] "r"(count), [inverse] "r"(inverse), [half] "r"(n / 2), [least] "r"(least),
          [most] "r"(most)
        : "lr", "q0", "q1", "q2", "q3", "q4", "cc", "memory");
}

#else

/* The C twin. */
static void divide_few(const int16_t *sums, uint32_t count, uint32_t n, int32_t least, int32_t most,
                       int8_t *y) {
    const uint64_t inverse = UINT32_MAX / n + 1;
    for (uint32_t i = 0; i < count; i++) {
        const int32_t sum = sums[i];
        const int32_t mean =
            (int32_t)((uint64_t)((uint32_t)(sum < 0 ? -sum : sum) + n / 2) * inverse >> 32);
        y[i] = (int8_t)tiny_clamp(sum < 0 ? -mean : mean, least, most);
    }
}

#endif

static void averages(const tiny_pool *op, const tiny_runs *r, int8_t *y) {
    const uint32_t channels = r->map->channels, n = r->rows * r->count;
    for (uint32_t c = 0; c < channels; c += TINY_EIGHT) {
        const uint32_t some = channels - c < TINY_EIGHT ? channels - c : TINY_EIGHT;
        tiny_eight eight;
        tiny_eight_begin(&eight);
        for (uint32_t row = 0; row < r->rows; row++) {
            tiny_eight_add(&eight, tiny_run_at(r, row) + c, channels, r->count, some);
        }
        if (n > 1 && n < TINY_EIGHT_ROWS) {
            divide_few(eight.some, some, n, op->y_min, op->y_max, y + c);
        } else {
            divide(&eight, some, (int32_t)n, op->y_min, op->y_max, y + c);
        }
    }
}

#if TINY_MVE_ASM

/* The largest of up to 16 columns of a run, and of `largest` before. */
static inline void largest_of(const int8_t *x, uint32_t step, uint32_t count, uint32_t columns,
                              int8_t *largest) {
    __asm__ volatile(
        "vldrb.u8 q1, [%[largest]]\n"
        "vctp.8 %[columns]\n"
        "dls lr, %[count]\n"
        "1:\n"
        "vpst\n"
        "vldrbt.u8 q0, [%[x]]\n"
        "add %[x], %[step]\n"
        "vmax.s8 q1, q1, q0\n"
        "le lr, 1b\n"
        "vstrb.8 q1, [%[largest]]\n"
        : [x] "+&r"(x)
        : [largest] "r"(largest), [step] "r"(step), [count] "r"(count), [columns] "r"(columns)
        : "lr", "q0", "q1", "cc", "memory");
}

#else

/* The C twin. */
static void largest_of(const int8_t *x, uint32_t step, uint32_t count, uint32_t columns,
                       int8_t *largest) {
    for (; count; count--, x += step) {
        for (uint32_t i = 0; i < columns; i++) {
            largest[i] = x[i] > largest[i] ? x[i] : largest[i];
        }
    }
}

#endif

static void maxima(const tiny_pool *op, const tiny_runs *r, int8_t *y) {
    const uint32_t channels = r->map->channels;
    for (uint32_t c = 0; c < channels; c += SIXTEEN) {
        const uint32_t some = channels - c < SIXTEEN ? channels - c : SIXTEEN;
        int8_t largest[SIXTEEN];
        tiny_fill_bytes(largest, SIXTEEN, INT8_MIN);
        for (uint32_t row = 0; row < r->rows; row++) {
            largest_of(tiny_run_at(r, row) + c, channels, r->count, some, largest);
        }
        for (uint32_t i = 0; i < some; i++) {
            y[c + i] = (int8_t)tiny_clamp(largest[i], op->y_min, op->y_max);
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

TINY_OP(average_pool_forward_mve) { pool_rows(record, buffers[0], buffers[1], band, AVERAGE); }

TINY_OP(max_pool_forward_mve) { pool_rows(record, buffers[0], buffers[1], band, LARGEST); }
