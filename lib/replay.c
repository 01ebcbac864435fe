/* A replay buffer: what was learned before is not forgotten (SPEC 12). */
#include "tinyflash/replay.h"

#include <string.h>

#include "arith.h"
#include "random.h"

/* Words of the memory. */
enum { SEED = 0, DONE = 1, SEEN = 2 };

/* Sets the draws of 12.2 apart from those of 12.3, and both from those of 6.3. */
#define KEEPS 0x6B656570u /* "keep" */
#define DRAWS 0x64726177u /* "draw" */

uint32_t tiny_replay_bytes(const tiny_model *model, uint32_t slots) {
    const uint64_t head = sizeof(uint32_t) * (SEEN + (uint64_t)model->classes);
    const uint64_t all = (uint64_t)model->classes * slots; /* at most 2^48 */
    if (all == 0 || model->row_bytes || all > UINT32_MAX / (model->input_bytes + 1u)) {
        return 0;
    }
    const uint64_t bytes = (head + all * model->input_bytes + 3u) & ~(uint64_t)3u;
    return bytes <= UINT32_MAX ? (uint32_t)bytes : 0;
}

tiny_error tiny_replay_begin(const tiny_replay *replay, const tiny_session *session) {
    const uint32_t bytes = tiny_replay_bytes(session->model, replay->slots);
    if (session->model->train.count == 0) {
        return TINY_ERROR_NO_TRAIN;
    }
    return bytes && bytes <= replay->memory_bytes ? TINY_OK : TINY_ERROR_REPLAY;
}

static uint8_t *sample_at(const tiny_replay *replay, const tiny_model *model, uint32_t label,
                          uint32_t slot) {
    uint8_t *samples = (uint8_t *)(replay->memory + SEEN + model->classes);
    return samples + ((size_t)label * replay->slots + slot) * model->input_bytes;
}

static uint32_t kept(const tiny_replay *replay, uint32_t label) {
    const uint32_t seen = replay->memory[SEEN + label];
    return seen < replay->slots ? seen : replay->slots;
}

/* A number below `limit` from 32 random bits. */
static uint32_t below(uint32_t bits, uint32_t limit) {
    return (uint32_t)(((uint64_t)bits * limit) >> 32);
}

/* SPEC 12.2: algorithm R, one reservoir for each class. */
tiny_error tiny_replay_keep(tiny_replay *replay, const tiny_session *session, uint32_t label) {
    const tiny_model *model = session->model;
    if (label >= model->classes) {
        return TINY_ERROR_LABEL;
    }
    uint32_t *seen = &replay->memory[SEEN + label], slot = *seen;
    tiny_count(seen);
    if (slot >= replay->slots) {
        const uint32_t key = tiny_mix(tiny_mix(replay->memory[SEED] ^ KEEPS) ^ label);
        slot = below(tiny_mix(key ^ *seen), *seen);
    }
    if (slot < replay->slots) {
        memcpy(sample_at(replay, model, label, slot), tiny_train_input(session),
               model->input_bytes);
    }
    return TINY_OK;
}

/* Returns the label with number `turn` of those that have samples. */
static uint32_t label_at(const tiny_replay *replay, uint32_t turn) {
    uint32_t label = 0;
    for (;; label++) {
        if (kept(replay, label) > 0 && turn-- == 0) {
            return label;
        }
    }
}

/* SPEC 12.3: one of the classes that have samples, then one of its samples. */
static tiny_error step(tiny_replay *replay, tiny_session *session, tiny_factor rate,
                       uint32_t labels) {
    const tiny_model *model = session->model;
    const uint32_t key = tiny_mix(replay->memory[SEED] ^ DRAWS);
    const uint32_t bits = tiny_mix(key ^ replay->memory[DONE]);
    const uint32_t label = label_at(replay, below(bits, labels));
    const uint32_t slot = below(tiny_mix(bits ^ label), kept(replay, label));
    memcpy(tiny_train_input(session), sample_at(replay, model, label, slot), model->input_bytes);
    const tiny_error error = tiny_train(session, label, rate);
    replay->memory[DONE] += error == TINY_OK;
    return error;
}

tiny_error tiny_replay_run(tiny_replay *replay, tiny_session *session, tiny_factor rate) {
    uint32_t labels = 0;
    for (uint32_t label = 0; label < session->model->classes; label++) {
        labels += kept(replay, label) > 0;
    }
    tiny_error error = TINY_OK;
    for (uint32_t i = 0; labels && error == TINY_OK && i < replay->repeats; i++) {
        error = step(replay, session, rate, labels);
    }
    return error;
}

uint32_t tiny_replay_count(const tiny_replay *replay, const tiny_model *model) {
    uint32_t count = 0;
    for (uint32_t label = 0; label < model->classes; label++) {
        count += kept(replay, label);
    }
    return count;
}

uint32_t tiny_replay_done(const tiny_replay *replay) { return replay->memory[DONE]; }
