/* One stochastically rounded step of descent, shared by every update kernel (SPEC 6).
 *
 * A kernel begins an update (what holds for the tensor), then each row, and then passes the
 * gradient sum of each element, in the order of SPEC 6.3. Plain descent is inline, since it is
 * called for each weight; what other rules add is in update.c.
 *
 * Steps are int32 in units of 2^-16 of a stored unit. A step is often far below one unit: rounded
 * to nearest it would be lost, so it is rounded up or down at random, with the right mean.
 */
#ifndef TINYFLASH_LIB_UPDATE_H
#define TINYFLASH_LIB_UPDATE_H

#include "arith.h"
#include "random.h"

#define TINY_DELTA_MAX 0x7FFF0000 /* bound of a step in units of 2^-16 */

/* mantissa * 2^exponent turns a sum into units of 2^-16. */
typedef struct tiny_rate {
    uint32_t mantissa; /* 0: the sum counts as 0 */
    int32_t exponent;
} tiny_rate;

/* What a rule amounts to in this training step. */
typedef struct tiny_course {
    tiny_factor rate; /* learning rate; mantissa 0 if this update is skipped */
    int32_t momentum; /* of the velocity, Q15 */
    uint32_t key;     /* tiny_tensor_key */
    int32_t nearest;  /* whether every element is rounded to nearest */
    int32_t moves;    /* whether weights move, or only the velocity */
    int32_t dy_exponent;
} tiny_course;

/* The update of one tensor of weights. */
typedef struct tiny_update {
    tiny_course course;
    int32_t decay, decay_shift; /* of a weight: w * decay / 2^decay_shift; decay 0: none */
    tiny_trained to;
    const uint16_t *source; /* of tiny_descent */
    int8_t *plain;          /* to.w under plain descent, else null */
    tiny_state *state;
} tiny_update;

/* One row of it. The remainder of rounding an element goes to the next (SPEC 6.3): of a weight in
 * the upper 16 bits of `remainders`, of which the lower 8 count if it has a low byte; of a velocity
 * in the lowest 8. Both are in units of 2^-16. */
typedef struct tiny_row {
    tiny_rate rate;
    uint32_t remainders;
    int32_t moves; /* 0: nothing in this row can change */
    int8_t *plain; /* the weights, if nothing but SPEC 6.2 to 6.4 moves them */
} tiny_row;

/* SPEC 6.3, 6.7, 6.8: begins an update; counts it if it is skipped. */
tiny_course tiny_begin_course(const tiny_rule *rule, uint32_t id, const tiny_gradient *dy,
                              tiny_state *state);

/* The same, for weights: all that is the same for each of them. */
tiny_update tiny_begin_update(const tiny_descent *descent, const tiny_gradient *dy,
                              const tiny_trained *to, tiny_state *state);

/* Moves weight i by `delta`, in units of 2^-16, as any rule has it (SPEC 6.4, 6.8, 6.9). Returns
 * the remainders for the next one. */
uint32_t tiny_move_weight(const tiny_update *update, uint32_t i, int32_t delta,
                          uint32_t remainders);

/* Moves bias o, which is not dead, by the step for its gradient sum (SPEC 6.5); velocity may be null. */
void tiny_move_bias(const tiny_bias *op, const tiny_course *course, uint32_t o, int32_t sum,
                    int32_t *b, int32_t *velocity);

/* SPEC 6.2, the part that is the same for a whole row: learning rate times the row's own, times the
 * exponent of dy, in units of 2^-16. Two mantissas of 16 bits, halved, are below the
 * 2^31 that SPEC 1.3 needs. */
static inline tiny_rate tiny_row_rate(const tiny_course *course, const tiny_factor *factor) {
    const tiny_rate rate = {
        ((uint32_t)course->rate.mantissa * factor->mantissa) >> 1,
        course->rate.exponent + factor->exponent + 1 + course->dy_exponent + 16,
    };
    return rate;
}

/* SPEC 6.2: the step for a gradient sum. */
static inline int32_t tiny_delta(const tiny_rate *rate, int32_t sum) {
    const int32_t delta = tiny_scale_by(sum, rate->mantissa, rate->exponent);
    return tiny_clamp(delta, -TINY_DELTA_MAX, TINY_DELTA_MAX);
}

/* Begins row `row` with its random bits (SPEC 6.3). With a rate of 0 nothing moves, except what a
 * velocity still carries; a dead channel's rate is 0 in `factor` and stops that, too (SPEC 6.4). */
static inline tiny_row tiny_begin_row(const tiny_update *update, const tiny_factor *factor,
                                      uint32_t row) {
    const tiny_rate rate = tiny_row_rate(&update->course, factor);
    const tiny_row begun = {
        .rate = rate,
        .remainders = tiny_row_bits(update->course.key, update->source, row),
        .moves = rate.mantissa || (factor->mantissa && update->to.velocity),
        .plain = update->plain,
    };
    return begun;
}

/* SPEC 6.4: the weight after a step; `fraction` of a unit is added before it is rounded down. A
 * uniform fraction in [0, 1) makes that rounding unbiased. */
static inline int8_t tiny_moved(int8_t w, int32_t fraction, int32_t delta, tiny_state *state) {
    const int32_t moved = w + ((fraction - delta) >> 16);
    const int32_t clamped = tiny_clamp(moved, -127, 127);
    if (clamped != moved) {
        tiny_count(&state->weights_saturated);
    }
    return (int8_t)clamped;
}

/* Moves weight i, the next of its row, by `delta`. */
static inline void tiny_step_weight(const tiny_update *update, tiny_row *row, uint32_t i,
                                    int32_t delta) {
    if (row->plain) {
        const int32_t fraction = (int32_t)(row->remainders >> 16);
        row->plain[i] = tiny_moved(row->plain[i], fraction, delta, update->state);
        row->remainders -= (uint32_t)delta << 16;
    } else {
        row->remainders = tiny_move_weight(update, i, delta, row->remainders);
    }
}

/* The same by the step for its gradient sum. */
static inline void tiny_update_weight(const tiny_update *update, tiny_row *row, uint32_t i,
                                      int32_t sum) {
    tiny_step_weight(update, row, i, tiny_delta(&row->rate, sum));
}

#endif
