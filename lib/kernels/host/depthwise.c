/* Depthwise convolution of multiplier 1 on a PC: 16 or 8 channels at a time, tap by tap.
 *
 * The input gradient is the same sums over dy, of the taps that read a position, with a zero point
 * of 0. A product of 9 by 8 bits fits in int16: it is widened after it is multiplied.
 */
#include "../../arith.h"
#include "eight.h"
#include "tinyflash/ops.h"
#include "wide.h"

#if TINY_HOST_ASM

#define TAPS 64u

/* The taps of a window that are inside the map: their place, and which they are. */
typedef struct taps {
    uint32_t count;
    const int8_t *at[TAPS];
    uint32_t tap[TAPS];
} taps;

static void add_tap(taps *t, const int8_t *at, int32_t tap) {
    t->at[t->count] = at;
    t->tap[t->count++] = (uint32_t)tap;
}

/* Those that an output position reads. */
static void taps_read(const tiny_window *win, const int8_t *x, int32_t row, int32_t column,
                      taps *t) {
    t->count = 0;
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t iy = tiny_window_row(win, row, ky);
        for (int32_t kx = 0; kx < win->kernel_w && iy >= 0 && iy < win->x.height; kx++) {
            const int32_t ix = tiny_window_column(win, column, kx);
            if (ix >= 0 && ix < win->x.width) {
                add_tap(t, tiny_map_row(&win->x, x, iy) + ix * win->x.channels,
                        ky * win->kernel_w + kx);
            }
        }
    }
}

/* Those through which an input position is read. */
static void taps_reading(const tiny_window *win, const int8_t *dy, int32_t row, int32_t column,
                         taps *t) {
    t->count = 0;
    for (int32_t ky = 0; ky < win->kernel_h; ky++) {
        const int32_t oy = tiny_window_source(row, win->pad_top, ky, win->dilation_h, win->stride_h,
                                              win->y.height);
        for (int32_t kx = 0; kx < win->kernel_w && oy >= 0; kx++) {
            const int32_t ox = tiny_window_source(column, win->pad_left, kx, win->dilation_w,
                                                  win->stride_w, win->y.width);
            if (ox >= 0) {
                add_tap(t, dy + (oy * win->y.width + ox) * win->y.channels,
                        ky * win->kernel_w + kx);
            }
        }
    }
}

/* Channels that share one weight array, w[tap][width]; the first is channel `first` of the map. */
typedef struct part {
    const int8_t *w;
    uint32_t first, width;
} part;

/* Adds the sums of channels [i, i + 16) of a part to `low` and `high`. */
TINY_WIDE_INLINE void add_sixteen(const taps *t, const part *p, uint32_t i, int32_t x_zero,
                                  __m256i *low, __m256i *high) {
    const __m256i zero = _mm256_set1_epi16((int16_t)x_zero);
    for (uint32_t n = 0; n < t->count; n++) {
        const __m256i x = _mm256_sub_epi16(tiny_widened(t->at[n] + p->first + i), zero);
        const __m256i w = tiny_widened(p->w + (size_t)t->tap[n] * p->width + i);
        const __m256i product = _mm256_mullo_epi16(x, w);
        *low = _mm256_add_epi32(*low, _mm256_cvtepi16_epi32(_mm256_castsi256_si128(product)));
        *high =
            _mm256_add_epi32(*high, _mm256_cvtepi16_epi32(_mm256_extracti128_si256(product, 1)));
    }
}

/* Channels [i, i + count) of a part, from one of its channels on; of a narrow part, with a copy. */
TINY_WIDE_INLINE __m128i eight_of(const part *p, const int8_t *at, uint32_t count) {
    const __m128i bytes =
        p->width < TINY_LANES ? tiny_eight_bytes(at, count) : tiny_last_bytes(at, count);
    return _mm_cvtepi8_epi16(bytes);
}

/* The same for channels [i, i + count), count <= 8. */
TINY_WIDE_INLINE __m256i plus_eight(const taps *t, const part *p, uint32_t i, uint32_t count,
                                    int32_t x_zero, __m256i sum) {
    const __m128i zero = _mm_set1_epi16((int16_t)x_zero);
    for (uint32_t n = 0; n < t->count; n++) {
        const __m128i x = _mm_sub_epi16(eight_of(p, t->at[n] + p->first + i, count), zero);
        const __m128i w = eight_of(p, p->w + (size_t)t->tap[n] * p->width + i, count);
        sum = _mm256_add_epi32(sum, _mm256_cvtepi16_epi32(_mm_mullo_epi16(x, w)));
    }
    return sum;
}

/* Biases, or zeros. */
TINY_WIDE_INLINE __m256i biases_at(const int32_t *b, uint32_t o, uint32_t count) {
    return b ? tiny_eight_words(b + o, count) : _mm256_setzero_si256();
}

TINY_WIDE_INLINE void put(const tiny_requant *q, __m256i sum, uint32_t o, uint32_t count,
                          int8_t *y) {
    const __m256i multiplier = tiny_eight_words(q->multiplier + o, count);
    const __m256i shift = tiny_eight_words(q->shift + o, count);
    tiny_store_bytes(y + o, tiny_requantized(q, sum, multiplier, shift), count);
}

/* The channels of a part at one position. */
TINY_WIDE_INLINE void forward_part(const tiny_requant *q, const taps *t, const part *p,
                                   const int32_t *b, int8_t *y) {
    uint32_t i = 0;
    for (; i + TINY_HOST_STEP <= p->width; i += TINY_HOST_STEP) {
        const uint32_t o = p->first + i;
        __m256i low = biases_at(b, o, TINY_LANES), high = biases_at(b, o + 8, TINY_LANES);
        add_sixteen(t, p, i, q->x_zero, &low, &high);
        put(q, low, o, TINY_LANES, y);
        put(q, high, o + TINY_LANES, TINY_LANES, y);
    }
    for (; i < p->width; i += TINY_LANES) {
        const uint32_t count = p->width - i < TINY_LANES ? p->width - i : TINY_LANES;
        const __m256i sum =
            plus_eight(t, p, i, count, q->x_zero, biases_at(b, p->first + i, count));
        put(q, sum, p->first + i, count, y);
    }
}

TINY_WIDE static void forward(const tiny_depthwise *op, void *const *buffers, tiny_band band) {
    const tiny_window *win = &op->window;
    const uint32_t out = win->y.channels;
    const part kept = {buffers[1], 0, op->kept}, frozen = {buffers[2], op->kept, out - op->kept};
    taps t;
    for (int32_t row = band.first; row < band.first + band.count; row++) {
        int8_t *to = tiny_map_row_out(&win->y, buffers[4], row);
        for (int32_t column = 0; column < win->y.width; column++, to += out) {
            taps_read(win, buffers[0], row, column, &t);
            forward_part(&op->requant, &t, &kept, buffers[3], to);
            forward_part(&op->requant, &t, &frozen, buffers[3], to);
        }
    }
}

/* Eight weight scales, the factors of their channels; `exponent` is that of the gradients. */
TINY_WIDE_INLINE tiny_host_factors factors_at(const tiny_factor *factor, uint32_t count,
                                              int32_t exponent) {
    const __m256i pairs = tiny_eight_words(factor, count); /* the mantissa is the lower half */
    const __m256i own = _mm256_srai_epi32(pairs, 16);
    return tiny_factors(_mm256_and_si256(pairs, _mm256_set1_epi32(0xFFFF)),
                        _mm256_add_epi32(own, _mm256_set1_epi32(exponent)));
}

/* Where an input position's gradient goes. */
typedef struct target {
    const tiny_factor *factor;
    const tiny_gradient_out *dx;
    uint32_t first; /* element of its channel 0 */
    int32_t exponent;
} target;

TINY_WIDE_INLINE void put_gradient(const target *to, __m256i sum, uint32_t c, uint32_t count) {
    const tiny_host_factors f = factors_at(to->factor + c, count, to->exponent);
    tiny_store_lanes(to->dx, to->first + c, tiny_scaled(sum, &f), count);
}

TINY_WIDE_INLINE void backward_part(const target *to, const taps *t, const part *p) {
    uint32_t i = 0;
    for (; i + TINY_HOST_STEP <= p->width; i += TINY_HOST_STEP) {
        __m256i low = _mm256_setzero_si256(), high = _mm256_setzero_si256();
        add_sixteen(t, p, i, 0, &low, &high);
        put_gradient(to, low, p->first + i, TINY_LANES);
        put_gradient(to, high, p->first + i + TINY_LANES, TINY_LANES);
    }
    for (; i < p->width; i += TINY_LANES) {
        const uint32_t count = p->width - i < TINY_LANES ? p->width - i : TINY_LANES;
        const __m256i sum = plus_eight(t, p, i, count, 0, _mm256_setzero_si256());
        put_gradient(to, sum, p->first + i, count);
    }
}

TINY_WIDE static void backward(const tiny_depthwise *op, void *const *buffers) {
    const tiny_window *win = &op->window;
    const uint32_t channels = win->x.channels;
    const part kept = {buffers[2], 0, op->kept};
    const part frozen = {buffers[3], op->kept, channels - op->kept};
    const tiny_scale *scale = buffers[1];
    const tiny_gradient_out dx = {buffers[5], buffers[6], buffers[4]};
    tiny_follow(scale, NULL, dx.scale);
    target to = {op->descent.factor, &dx, 0, scale->exponent - dx.scale->exponent};
    taps t;
    for (int32_t row = 0; row < win->x.height; row++) {
        for (int32_t column = 0; column < win->x.width; column++, to.first += channels) {
            taps_reading(win, buffers[0], row, column, &t);
            backward_part(&to, &t, &kept);
            backward_part(&to, &t, &frozen);
        }
    }
}

static int is_suited(const tiny_depthwise *op) {
    return op->multiplier == 1 && (uint32_t)op->window.kernel_h * op->window.kernel_w <= TAPS &&
           tiny_host_is_wide();
}

TINY_OP(depthwise_forward_host) {
    if (is_suited(record)) {
        forward(record, buffers, band);
    } else {
        tiny_op_depthwise_forward(record, buffers, band);
    }
}

TINY_OP(depthwise_backward_input_host) {
    if (is_suited(record)) {
        backward(record, buffers);
    } else {
        tiny_op_depthwise_backward_input(record, buffers, band);
    }
}

#else

TINY_OP(depthwise_forward_host) { tiny_op_depthwise_forward(record, buffers, band); }

TINY_OP(depthwise_backward_input_host) { tiny_op_depthwise_backward_input(record, buffers, band); }

#endif
