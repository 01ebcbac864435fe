/* What the rules of descent add to a plain step: velocity, low bytes, decay, skipped updates.
 *
 * A step passes three stations, in this order: decay is added to it (SPEC 6.2), a velocity gathers
 * it (SPEC 6.8), and what comes out moves the weight (SPEC 6.4, 6.9). The last two round, and
 * leave the remainder to the next element of the row: on average no step is lost (SPEC 6.3).
 */
#include "update.h"

#define VELOCITY_MAX 0x7FFF00 /* of an int16 in units of 2^-8, seen in units of 2^-16 */
#define TWICE (1 << 24)       /* beyond twice the largest velocity */
#define ONE_Q15 0x8000
#define HALF 0x8000 /* of a unit, in units of 2^-16 */
/* Remainders that round to nearest: of a weight and a velocity, without and with a low byte. */
#define HALVES 0x80000080u
#define HALVES_WITH_LOW 0x00800080u

/* Accumulation over k samples is a velocity that keeps all of itself (mu' = 1) except at phase 0,
 * and moves the weights at phase k - 1 only (SPEC 6.8). */
tiny_course tiny_begin_course(const tiny_rule *rule, uint32_t id, const tiny_gradient *dy,
                              tiny_state *state) {
    const uint32_t phase = state->step % rule->every;
    tiny_course course = {
        .rate = state->rate,
        .momentum = phase == 0 ? rule->momentum : ONE_Q15,
        .key = tiny_tensor_key(state, id),
        .nearest = rule->nearest,
        .moves = phase == rule->every - 1u,
        .dy_exponent = dy->scale->exponent,
    };
    if (dy->scale->clipped > rule->clipped_limit) {
        course.rate.mantissa = 0;
        tiny_count(&state->updates_skipped);
    }
    return course;
}

/* Without velocity, low bytes, decay, rounding to nearest: the inline path of update.h is taken. */
static int is_plain(const tiny_rule *rule, const tiny_trained *to) {
    return !to->velocity && !to->low && !rule->decay.mantissa && !rule->nearest;
}

tiny_update tiny_begin_update(const tiny_descent *descent, const tiny_gradient *dy,
                              const tiny_trained *to, tiny_state *state) {
    const tiny_rule *rule = &descent->rule;
    tiny_update update = {
        .course = tiny_begin_course(rule, descent->id, dy, state),
        .to = *to,
        .source = descent->source,
        .state = state,
        .plain = is_plain(rule, to) ? to->w : NULL,
    };
    /* SPEC 6.2: n and s, the same for all weights. Where s > 31, decay stays 0. */
    const int32_t shift = -(update.course.rate.exponent + rule->decay.exponent + 9 + 16);
    if (shift <= 31) {
        update.decay =
            (int32_t)(((uint32_t)update.course.rate.mantissa * rule->decay.mantissa) >> 9);
        update.decay_shift = tiny_max(shift, 1);
    }
    return update;
}

/* SPEC 6.8: the step that momentum and accumulation make of `delta`. The velocity is int16 in units
 * of 2^-8; its remainder, 8 bits, is in the lowest byte of `remainders`. */
static int32_t gathered(int16_t *velocity, int32_t momentum, int32_t delta, uint32_t *remainders) {
    const int32_t before = (*velocity * momentum + (1 << 6)) >> 7;
    const int32_t step = tiny_clamp(delta, -TWICE, TWICE); /* so that the sum fits; it is clamped */
    const int32_t sum = tiny_clamp(before + step, -VELOCITY_MAX, VELOCITY_MAX);
    const int32_t rounded = sum + (int32_t)(*remainders & 255u);
    *velocity = (int16_t)(rounded >> 8);
    *remainders = (*remainders & ~255u) | ((uint32_t)rounded & 255u);
    return sum;
}

/* SPEC 6.4, 6.9: the low byte of a weight that has one keeps the upper part of its fraction;
 * without one, the fraction is the remainder that the element before left. */
static void move(const tiny_update *update, uint32_t i, int32_t delta, uint32_t *remainders) {
    int8_t *w = &update->to.w[i];
    int32_t fraction = (int32_t)(*remainders >> 16);
    if (update->to.low) {
        uint8_t *low = &update->to.low[i];
        fraction = (*low << 8) | (fraction & 255);
        const int32_t moved = *w + ((fraction - delta) >> 16);
        *low = moved > 127 ? 255 : (moved < -127 ? 0 : (uint8_t)(((fraction - delta) >> 8) & 255));
    }
    *w = tiny_moved(*w, fraction, delta, update->state);
    *remainders -= (uint32_t)delta << 16; /* the low byte, times 2^8, adds nothing to t mod 2^8 */
}

/* SPEC 6.2: the step with the decay of weight w. |w n + 2^(s-1)| < 2^31: w has 8 bits, n 23. */
static int32_t decayed(const tiny_update *update, int8_t w, int32_t delta) {
    const int32_t half = 1 << (update->decay_shift - 1);
    const int32_t decay = (w * update->decay + half) >> update->decay_shift;
    return tiny_clamp(tiny_saturate32((int64_t)delta + decay), -TINY_DELTA_MAX, TINY_DELTA_MAX);
}

uint32_t tiny_move_weight(const tiny_update *update, uint32_t i, int32_t delta,
                          uint32_t remainders) {
    const tiny_course *course = &update->course;
    if (course->nearest) {
        remainders = update->to.low ? HALVES_WITH_LOW : HALVES;
    }
    if (update->decay) {
        delta = decayed(update, update->to.w[i], delta);
    }
    if (update->to.velocity) {
        delta = gathered(&update->to.velocity[i], course->momentum, delta, &remainders);
    }
    if (course->moves) {
        move(update, i, delta, &remainders);
    }
    return remainders;
}

/* SPEC 6.8, for biases: the step that momentum and accumulation make of `delta`, in units of 2^-16.
 * C's division rounds towards zero, which lets a velocity come to rest. */
static int32_t gathered_bias(int32_t *velocity, int32_t momentum, int32_t delta) {
    const int64_t sum = (int64_t)*velocity * momentum / 0x8000 + delta;
    *velocity = tiny_clamp(tiny_saturate32(sum), -TINY_DELTA_MAX, TINY_DELTA_MAX);
    return *velocity;
}

void tiny_move_bias(const tiny_bias *op, const tiny_course *course, uint32_t o, int32_t sum,
                    int32_t *b, int32_t *velocity) {
    const tiny_rate rate = tiny_row_rate(course, &op->rate[o]);
    int32_t delta = tiny_delta(&rate, sum);
    if (velocity) {
        delta = gathered_bias(&velocity[o], course->momentum, delta);
    }
    if (course->moves) {
        const uint32_t bits = tiny_row_bits(course->key, op->source, o);
        const int32_t fraction = course->nearest ? HALF : (int32_t)(bits >> 16);
        /* Down by delta, with a random part of a unit added before it is rounded down. */
        const int64_t moved = (int64_t)b[o] + ((fraction - delta) >> 16);
        b[o] = tiny_clamp(tiny_saturate32(moved), -op->limit, op->limit);
    }
}
