/* Clip masks and biases on a PC. */
#include "../../arith.h"
#include "../../buffers.h"
#include "../../update.h"
#include "eight.h"
#include "tinyflash/ops.h"
#include "wide.h"

#if TINY_HOST_ASM

#define BYTES 32u      /* in a register */
#define SAFE_ROWS 256u /* of which the sum is in int16 */

/* Bits of eight elements, of which the first `count` are there: whether y_min < y < y_max. */
TINY_WIDE_INLINE uint32_t bits_of(const tiny_mask *op, const int8_t *y, uint32_t count) {
    const __m128i v = tiny_eight_bytes(y, count);
    const __m128i above = _mm_cmpgt_epi8(v, _mm_set1_epi8((char)op->y_min));
    const __m128i inside = _mm_and_si128(above, _mm_cmpgt_epi8(_mm_set1_epi8((char)op->y_max), v));
    return (uint32_t)_mm_movemask_epi8(inside) & ((1u << count) - 1u);
}

/* Bits [from, end) of the mask, all of one byte. Those of rows before and behind stay; with the last
 * element's go the padding bits. */
TINY_WIDE_INLINE void mask_byte(const tiny_mask *op, const int8_t *y, uint32_t from, uint32_t end,
                                uint8_t *mask) {
    const uint32_t first = from & 7u;
    const uint32_t others = (1u << first) - 1u;
    const uint32_t above = end == op->count ? 0 : ~0u << (first + end - from);
    const uint32_t bits = bits_of(op, y, end - from) << first;
    mask[from >> 3] = (uint8_t)((mask[from >> 3] & (others | above)) | bits);
}

/* 32 elements from a whole byte of the mask on. */
TINY_WIDE_INLINE void mask_bytes(const tiny_mask *op, const int8_t *y, uint8_t *mask) {
    const __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)y);
    const __m256i above = _mm256_cmpgt_epi8(v, _mm256_set1_epi8((char)op->y_min));
    const __m256i below = _mm256_cmpgt_epi8(_mm256_set1_epi8((char)op->y_max), v);
    const int bits = _mm256_movemask_epi8(_mm256_and_si256(above, below));
    memcpy(mask, &bits, sizeof bits);
}

/* The row of elements [at, end), of which y is the first. */
TINY_WIDE static void mask_row(const tiny_mask *op, const int8_t *y, uint32_t at, uint32_t end,
                               uint8_t *mask) {
    while (at < end) {
        uint32_t next = at + BYTES;
        if (at % 8 == 0 && next <= end) {
            mask_bytes(op, y, mask + at / 8);
        } else {
            next = at - at % 8 + 8;
            next = next < end ? next : end;
            mask_byte(op, y, at, next, mask);
        }
        y += next - at;
        at = next;
    }
}

TINY_OP(mask_forward_host) {
    const tiny_mask *op = record;
    const uint32_t size = op->count / op->height;
    const int8_t *y = buffers[0];
    if (!tiny_host_is_wide()) {
        tiny_op_mask_forward(record, buffers, band);
        return;
    }
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        mask_row(op, y + tiny_slot(row, op->ring) * size, row * size, (row + 1) * size, buffers[1]);
    }
}

/* Sums of 16 columns of dy from `first` on; those behind its last column are undefined. */
TINY_WIDE static void column_sums(const tiny_bias *op, const int8_t *dy, uint32_t first,
                                  int32_t *sums) {
    const int8_t *end = dy + (size_t)op->rows * op->out;
    const int8_t *at = dy + first;
    __m256i low = _mm256_setzero_si256(), high = _mm256_setzero_si256();
    for (uint32_t n = 0; n < op->rows; n += SAFE_ROWS) {
        const uint32_t rows = op->rows - n < SAFE_ROWS ? op->rows - n : SAFE_ROWS;
        __m256i some = _mm256_setzero_si256();
        for (uint32_t i = 0; i < rows; i++, at += op->out) {
            some = _mm256_add_epi16(some, _mm256_cvtepi8_epi16(tiny_bytes_at(at, end)));
        }
        low = _mm256_add_epi32(low, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(some)));
        high = _mm256_add_epi32(high, _mm256_cvtepi16_epi32(_mm256_extracti128_si256(some, 1)));
    }
    _mm256_storeu_si256((__m256i *)(void *)sums, low);
    _mm256_storeu_si256((__m256i *)(void *)(sums + 8), high);
}

TINY_OP(bias_update_host) {
    const tiny_bias *op = record;
    const tiny_gradient dy = tiny_gradient_at(buffers);
    int32_t sums[TINY_HOST_STEP];
    if (!tiny_host_is_wide()) {
        tiny_op_bias_update(record, buffers, band);
        return;
    }
    const tiny_course course = tiny_begin_course(&op->rule, op->id, &dy, buffers[3]);
    for (uint32_t o = 0; o < op->out; o++) {
        if (o % TINY_HOST_STEP == 0) {
            column_sums(op, dy.d, o, sums);
        }
        if (op->rate[o].mantissa) { /* no dead channel (SPEC 6.6) */
            tiny_move_bias(op, &course, o, sums[o % TINY_HOST_STEP], buffers[2], buffers[4]);
        }
    }
}

#else

TINY_OP(mask_forward_host) { tiny_op_mask_forward(record, buffers, band); }

TINY_OP(bias_update_host) { tiny_op_bias_update(record, buffers, band); }

#endif
