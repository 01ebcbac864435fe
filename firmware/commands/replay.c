/* The command of the replay buffer, and its memory. */
#include "tinyflash/replay.h"

#include "commands/commands.h"
#include "commands/replay.h"
#include "tinyflash/crc32.h"

#if REPLAY_SLOTS > 0

#include <stddef.h>

#include "model.h"

/* Bytes of the head and of each sample (SPEC 12.1), in words. */
#define WORDS ((8u + MODEL_CLASSES * (4u + REPLAY_SLOTS * MODEL_INPUT_BYTES) + 3u) / 4u)

#define MOST_REPEATS 255 /* so that TRAIN ends in time */

static uint32_t replayed_samples[WORDS];
static tiny_replay replay = {
    .memory = replayed_samples, .memory_bytes = sizeof replayed_samples, .slots = REPLAY_SLOTS};
static int is_replaying;
static transfer filled; /* the memory, as it comes from the host */

tiny_error replay_keep(tiny_session *session, uint32_t label, tiny_factor rate) {
    tiny_error error = TINY_OK;
    if (is_replaying) { /* with rows it is not: then a step can fail later, and has begun nothing */
        error = tiny_train_begin(session, label, rate);
        if (error == TINY_OK) {
            (void)tiny_replay_keep(&replay, session, label); /* the label is checked */
        }
    }
    return error;
}

void replay_run(tiny_session *session, tiny_factor rate) {
    if (is_replaying) {
        (void)tiny_replay_run(&replay, session, rate); /* so is the rate */
    }
}

void replay_stop(void) { is_replaying = 0; }

const uint8_t *replay_memory(uint32_t *count) {
    *count = sizeof replayed_samples;
    return is_replaying ? (const uint8_t *)replayed_samples : NULL;
}

/* A buffer in use would lose what it keeps, so it ends. */
transfer *replay_restore(void) {
    replay_stop();
    filled.memory = (uint8_t *)replayed_samples;
    filled.size = sizeof replayed_samples;
    return &filled;
}

/* body: repeats 32, CRC-32 of the memory that was written 32. Any bytes are a buffer. */
static protocol_status start(const device *self, const uint8_t *body) {
    const uint32_t repeats = frame_get32(body);
    if (repeats == 0 || repeats > MOST_REPEATS) {
        return PROTOCOL_BAD_RANGE;
    }
    if (tiny_replay_begin(&replay, &self->arena.session) != TINY_OK) {
        return PROTOCOL_NO_REPLAY;
    }
    if (!transfer_is_complete(&filled) ||
        tiny_crc32(0, (const uint8_t *)replayed_samples, sizeof replayed_samples) !=
            frame_get32(body + 4)) {
        return PROTOCOL_BAD_CHECKSUM;
    }
    replay.repeats = repeats;
    filled = (transfer){0};
    is_replaying = 1;
    return PROTOCOL_OK;
}

static protocol_status stop(const device *self, const uint8_t *body) {
    (void)self, (void)body;
    replay_stop();
    return PROTOCOL_OK;
}

static protocol_status tell(const device *self, const uint8_t *body) {
    (void)self, (void)body;
    return PROTOCOL_OK;
}

typedef struct replay_action {
    uint32_t body_bytes; /* after the action */
    protocol_status (*run)(const device *self, const uint8_t *body);
} replay_action;

static const replay_action replay_actions[] = {
    [PROTOCOL_REPLAY_TELL] = {0, tell},
    [PROTOCOL_REPLAY_START] = {8, start},
    [PROTOCOL_REPLAY_STOP] = {0, stop},
};

/* body: action 8, then its arguments.
 * Reply: samples kept of each class at most, repeats (0: not in use), samples kept, samples replayed,
 * each 32. */
protocol_status command_replay(device *self, const uint8_t *body, uint32_t count) {
    if (body[0] >= sizeof replay_actions / sizeof replay_actions[0]) {
        return PROTOCOL_BAD_RANGE;
    }
    const replay_action *action = &replay_actions[body[0]];
    if (count != 1 + action->body_bytes) {
        return PROTOCOL_BAD_LENGTH;
    }
    const protocol_status status = action->run(self, body + 1);
    if (status == PROTOCOL_OK) {
        const tiny_model *model = self->arena.session.model;
        reply_put32(&self->link.reply, REPLAY_SLOTS);
        reply_put32(&self->link.reply, is_replaying ? replay.repeats : 0);
        reply_put32(&self->link.reply, is_replaying ? tiny_replay_count(&replay, model) : 0);
        reply_put32(&self->link.reply, is_replaying ? tiny_replay_done(&replay) : 0);
    }
    return status;
}

#else

tiny_error replay_keep(tiny_session *session, uint32_t label, tiny_factor rate) {
    (void)session, (void)label, (void)rate;
    return TINY_OK;
}

void replay_run(tiny_session *session, tiny_factor rate) { (void)session, (void)rate; }

void replay_stop(void) {}

const uint8_t *replay_memory(uint32_t *count) {
    *count = 0;
    return 0;
}

transfer *replay_restore(void) { return 0; }

protocol_status command_replay(device *self, const uint8_t *body, uint32_t count) {
    (void)self, (void)body, (void)count;
    return PROTOCOL_NO_REPLAY;
}

#endif
