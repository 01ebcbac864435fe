/* What training needs besides the operators: clip masks, and the exponents of gradients.
 *
 * A mask is made while y is in memory, by the rows of a band, so that y itself need not be kept for
 * the backward pass: one bit for each element (SPEC 4.4). Rows need not begin at a byte, so a byte
 * is made of the bits of at most one row at a time, and keeps those of others.
 *
 * Exponents: the magnitude of a gradient is not known before all of it is computed, and to compute
 * it twice would double the backward pass. So its exponent follows the level of what it is computed
 * from, in the same step, plus a gain that earlier steps learned (SPEC 5.2, 5.3).
 */
#include "../../arith.h"

/* Where gains stay, in bits (SPEC 5.1). */
#define GAIN_MIN (-64)
#define GAIN_MAX 63

#define NOTHING INT32_MIN /* the level of a gradient that is zero */

/* y may be a ring, the mask is whole: elements are numbered as in the whole map. */
void tiny_mask_forward(const tiny_mask *op, const int8_t *y, uint8_t *mask, tiny_band band) {
    const uint32_t size = op->count / op->height;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        const int8_t *from = y + tiny_slot(row, op->ring) * size;
        uint32_t at = row * size;
        for (uint32_t end; at < (row + 1) * size; from += end - at, at = end) {
            end = at - at % 8 + 8;
            end = end < (row + 1) * size ? end : (row + 1) * size;
            tiny_mask_byte(op, from, at, end, mask);
        }
    }
}

/* SPEC 5.2: the power of two above all that a gradient has; NOTHING where it is zero. A peak above
 * 127 was stored as 127, and 127 is what the next kernel reads. */
static int32_t level(const tiny_scale *scale) {
    int32_t exponent = scale->exponent;
    for (int32_t rest = tiny_min(scale->peak, 127); rest > 0; rest >>= 1) {
        exponent++;
    }
    return scale->peak ? exponent : NOTHING;
}

void tiny_follow(const tiny_scale *from, const tiny_scale *also, tiny_scale *to) {
    const int32_t above = tiny_max(level(from), also ? level(also) : NOTHING);
    if (above != NOTHING) {
        to->exponent = (int8_t)tiny_clamp(above + to->gain, TINY_EXPONENT_MIN, TINY_EXPONENT_MAX);
    } else { /* zeros say nothing about magnitudes: tiny_advance_scales takes it back */
        to->gain = (int8_t)tiny_min(to->gain + 1, GAIN_MAX);
    }
}

/* SPEC 5.3: up at once by as many bits as the peak was too large, down by one bit a step if two
 * bits were unused: a saturated gradient does more harm than a coarse one. */
static void advance(tiny_scale *scale, int32_t limit) {
    int32_t gain = scale->gain;
    if (scale->peak > limit) {
        for (int32_t peak = scale->peak; peak > limit; peak >>= 1) {
            gain++;
        }
    } else if (scale->peak <= limit / 4) {
        gain--;
    } else {
        /* the exponent fits */
    }
    scale->gain = (int8_t)tiny_clamp(gain, GAIN_MIN, GAIN_MAX);
}

void tiny_advance_scales(const tiny_advance *op, tiny_state *state) {
    tiny_scale *scales = tiny_state_scales(state);
    for (uint32_t i = 0; i < state->scale_count; i++) {
        if (i > 0) { /* the loss chooses its exponent itself */
            advance(&scales[i], 127 >> op->headroom);
        }
        scales[i].peak = 0;
        scales[i].clipped = 0;
    }
    state->step++;
}
