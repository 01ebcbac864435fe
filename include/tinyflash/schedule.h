/* The course of the learning rate over a training run, without floating point (SPEC 8). */
#ifndef TINYFLASH_SCHEDULE_H
#define TINYFLASH_SCHEDULE_H

#include "tinyflash/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tiny_schedule_kind {
    TINY_SCHEDULE_CONSTANT = 0, /* stays at the rate */
    TINY_SCHEDULE_STEP = 1,     /* multiplied by `drop`, `drops` times, evenly spread */
    TINY_SCHEDULE_COSINE = 2    /* half a wave, from the rate down to almost nothing */
} tiny_schedule_kind;

typedef struct tiny_schedule {
    tiny_factor rate; /* the highest, per real unit of weight */
    tiny_factor drop; /* at most 1 */
    uint32_t steps;   /* training steps of the whole run, in [1, 2^31) */
    uint32_t warmup;  /* the first of them, below `steps`: the rate rises along a line */
    uint8_t kind;     /* tiny_schedule_kind */
    uint8_t drops;    /* of TINY_SCHEDULE_STEP */
} tiny_schedule;

/* Returns TINY_OK, or TINY_ERROR_SCHEDULE if a field is out of its range. */
tiny_error tiny_schedule_check(const tiny_schedule *schedule);

/* Returns the rate of training step 0, 1, ... of a run; beyond its end, that of its last step. The
 * schedule has passed tiny_schedule_check.
 *
 * Multiplies and shifts only, so every machine has the same bits (SPEC 8). Cost: at most `drops`
 * products for steps, and a division of 31 bit steps for warm-up and cosine. */
tiny_factor tiny_schedule_rate(const tiny_schedule *schedule, uint32_t step);

#ifdef __cplusplus
}
#endif

#endif
