/* A guard: training never leaves the model worse than it was (SPEC 9).
 *
 * Every few training steps it infers held-out samples, keeps the best weights so far, and goes back
 * to them when they are lost. The caller supplies all memory. Firmware that calls no tiny_guard
 * function links none of it.
 *
 *     guard = (tiny_guard){.held_out = ..., .snapshot = ..., .interval = 50, .tolerance = 1};
 *     tiny_guard_begin(&guard, &session);
 *     for each sample: tiny_train(...), tiny_guard_watch(&guard, &session);
 *     tiny_guard_finish(&guard, &session);
 */
#ifndef TINYFLASH_GUARD_H
#define TINYFLASH_GUARD_H

#include "tinyflash/model.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How well held-out samples are told apart: by `correct`; of equals, by `margin`. */
typedef struct tiny_score {
    uint32_t correct; /* samples whose label has the highest score, the first of equals */
    int32_t margin;   /* sum over all samples: score of the label - the highest of the others;
                         exact, since there are fewer than 2^23 samples */
} tiny_score;

/* Samples never trained on, in RAM or in flash. */
typedef struct tiny_held_out {
    const uint8_t *samples; /* [count][input_bytes], as the infer table reads them */
    const uint16_t *labels; /* [count] */
    uint32_t count;         /* below 2^23 */
} tiny_held_out;

typedef struct tiny_guard {
    /* The caller's. */
    tiny_held_out held_out;
    uint8_t *snapshot;       /* of the best weights; tiny_guard_bytes() long */
    uint32_t snapshot_bytes; /* what there is */
    uint32_t interval;       /* training steps between two evaluations; where samples accumulate,
                                a multiple of their number, so that no sum is torn */
    uint32_t tolerance;      /* correct samples that may be lost before the guard goes back */
    /* The guard's. */
    tiny_score best, last;
    uint32_t evaluations;
    uint32_t rollbacks; /* returns to the best weights while training; stays at its maximum */
    uint32_t waited;    /* training steps since the last evaluation */
} tiny_guard;

/* Bytes of a snapshot: WEIGHTS, and an exponent for each gradient. */
uint32_t tiny_guard_bytes(const tiny_model *model);

/* Infers the samples, one after the other, and adds up their scores (SPEC 9.1). ARENA is
 * overwritten; the session's source of rows is the same after the call. The labels must be below
 * model->classes, which tiny_guard_begin checks. Cost: one inference for each sample. */
tiny_score tiny_guard_score(tiny_session *session, const tiny_held_out *held_out);

/* Checks the guard, evaluates the weights as they are, and keeps them as the best.
 *
 * TINY_ERROR_NO_TRAIN: the model is for inference only. TINY_ERROR_HELD_OUT: no samples, 2^23 or
 * more, a label out of range, interval 0, a snapshot that is too small, or an output that is not
 * one score for each class. */
tiny_error tiny_guard_begin(tiny_guard *guard, tiny_session *session);

/* Checks a guard that goes on where an earlier one stopped, with the same WEIGHTS and STATE: in place
 * of tiny_guard_begin, and without an evaluation.
 *
 * The caller has restored every field, and the snapshot. TINY_ERROR_NO_TRAIN and
 * TINY_ERROR_HELD_OUT are those of tiny_guard_begin; the latter also for a score of more samples
 * than there are. The bytes of the snapshot are the caller's to check: like those of WEIGHTS, they
 * must come from training this model. */
tiny_error tiny_guard_resume(const tiny_guard *guard, const tiny_session *session);

/* Call it after each training step. Every `interval` calls it evaluates, and keeps the weights or
 * goes back (SPEC 9.2). Going back leaves seed, step counter and other counters as they are, so
 * random bits are not drawn twice (SPEC 9.3). */
void tiny_guard_watch(tiny_guard *guard, tiny_session *session);

/* Evaluates unless it just did, and leaves the best weights in the session. */
void tiny_guard_finish(tiny_guard *guard, tiny_session *session);

#ifdef __cplusplus
}
#endif

#endif
