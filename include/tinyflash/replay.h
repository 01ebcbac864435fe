/* A replay buffer: what was learned before is not forgotten while something new is learned (SPEC 12).
 *
 * It keeps `slots` samples of each class in RAM, each class drawn evenly from all of its samples so
 * far, and trains on some of them again after each new one. The caller supplies all memory.
 * Firmware that calls no tiny_replay function links none of it.
 *
 *     replay = (tiny_replay){.memory = ..., .memory_bytes = ..., .slots = 5, .repeats = 1};
 *     tiny_replay_begin(&replay, &session);
 *     for each sample, in tiny_train_input(&session):
 *         tiny_replay_keep(&replay, &session, label);
 *         tiny_train(&session, label, rate);
 *         tiny_replay_run(&replay, &session, rate);
 */
#ifndef TINYFLASH_REPLAY_H
#define TINYFLASH_REPLAY_H

#include "tinyflash/model.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tiny_replay {
    /* [tiny_replay_bytes() / 4] words: a seed, the samples replayed so far, how many samples of each
     * class there were so far; then the samples themselves (SPEC 12.1). All 0: empty. It is all that
     * a buffer remembers: one that is saved and restored goes on. */
    uint32_t *memory;
    uint32_t memory_bytes; /* what there is */
    uint32_t slots;        /* samples of each class to keep; at least 1 */
    uint32_t repeats;      /* training steps on kept samples after each new one */
} tiny_replay;

/* Bytes of the memory. 0: this model cannot have a buffer, or its size is not below 2^32. */
uint32_t tiny_replay_bytes(const tiny_model *model, uint32_t slots);

/* Checks a buffer. The other functions need one that was checked.
 *
 * TINY_ERROR_NO_TRAIN: the model is for inference only. TINY_ERROR_REPLAY: no slots, too little
 * memory, or a model that learns from targets or reads its input from a source of rows. */
tiny_error tiny_replay_begin(const tiny_replay *replay, const tiny_session *session);

/* Keeps the sample in tiny_train_input, or not, as SPEC 12.2 draws it. Call it before tiny_train,
 * which may use that memory. TINY_ERROR_LABEL: the label is not below model->classes; nothing has
 * changed. */
tiny_error tiny_replay_keep(tiny_replay *replay, const tiny_session *session, uint32_t label);

/* Trains on `repeats` kept samples, drawn as in SPEC 12.3; on none while the buffer is empty. ARENA
 * is overwritten, and what the step before reported: read that first. rate: as for tiny_train.
 * TINY_ERROR_RATE: it is none. Cost: one training step for each. */
tiny_error tiny_replay_run(tiny_replay *replay, tiny_session *session, tiny_factor rate);

/* Samples that are kept now. */
uint32_t tiny_replay_count(const tiny_replay *replay, const tiny_model *model);

/* Training steps on kept samples so far; wraps. */
uint32_t tiny_replay_done(const tiny_replay *replay);

#ifdef __cplusplus
}
#endif

#endif
