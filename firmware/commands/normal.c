/* The command that judges what is normal (SPEC 13), and the scores that it holds. */
#include "tinyflash/normal.h"

#include <stddef.h>

#include "commands/commands.h"
#include "model.h"

#if MODEL_TARGET_BYTES > 0

#define OFFSET_BYTES 4

static tiny_normal held;
static uint32_t score; /* of the values of the output that were compared: arena.compared */

/* The whole output of the last inference was compared, and nothing has overwritten it. */
static int is_scored(const arena_owner *arena) {
    return arena_output(arena) != NULL && arena->compared == arena->session.model->output_bytes;
}

static protocol_status tell(device *self, const uint8_t *body, uint32_t count) {
    (void)self, (void)body, (void)count;
    return PROTOCOL_OK;
}

static protocol_status clear(device *self, const uint8_t *body, uint32_t count) {
    (void)self, (void)body, (void)count;
    held = (tiny_normal){0};
    return PROTOCOL_OK;
}

/* body: offset 32, then values of the target, which are compared at once: they need no memory. */
static protocol_status compare(device *self, const uint8_t *body, uint32_t count) {
    arena_owner *arena = &self->arena;
    const uint8_t *output = arena_output(arena);
    const uint32_t offset = frame_get32(body), values = count - OFFSET_BYTES;
    if (output == NULL) {
        return PROTOCOL_NO_OUTPUT;
    }
    if (offset == 0) {
        arena->compared = 0;
        score = 0;
    }
    if (offset != arena->compared || values > arena->session.model->output_bytes - offset) {
        return PROTOCOL_BAD_RANGE;
    }
    score += tiny_normal_score(output + offset, body + OFFSET_BYTES, values);
    arena->compared += values;
    return PROTOCOL_OK;
}

/* A score is held once. */
static protocol_status hold(device *self, const uint8_t *body, uint32_t count) {
    (void)body, (void)count;
    if (!is_scored(&self->arena)) {
        return PROTOCOL_NO_SAMPLE;
    }
    tiny_normal_hold(&held, score);
    self->arena.compared = 0;
    return PROTOCOL_OK;
}

/* body: rank 32. */
static protocol_status set(device *self, const uint8_t *body, uint32_t count) {
    (void)count;
    return tiny_normal_set(&held, frame_get32(body), &self->arena.session) ? PROTOCOL_OK
                                                                           : PROTOCOL_NO_THRESHOLD;
}

/* body: scores held, and the largest of them, 32 each. Any numbers are sound: one of them becomes
 * the threshold. */
static protocol_status resume(device *self, const uint8_t *body, uint32_t count) {
    (void)self, (void)count;
    held.count = frame_get32(body);
    for (uint32_t i = 0; i < TINY_NORMAL_LARGEST; i++) {
        held.largest[i] = frame_get32(body + 4 + 4 * i);
    }
    return PROTOCOL_OK;
}

typedef struct normal_action {
    uint32_t least, most; /* bytes of the body after the action */
    protocol_status (*run)(device *self, const uint8_t *body, uint32_t count);
} normal_action;

static const normal_action normal_actions[] = {
    [PROTOCOL_NORMAL_TELL] = {0, 0, tell},
    [PROTOCOL_NORMAL_CLEAR] = {0, 0, clear},
    [PROTOCOL_NORMAL_SCORE] = {OFFSET_BYTES + 1, FRAME_BODY_BYTES, compare},
    [PROTOCOL_NORMAL_HOLD] = {0, 0, hold},
    [PROTOCOL_NORMAL_SET] = {4, 4, set},
    [PROTOCOL_NORMAL_RESUME] = {4 + 4 * TINY_NORMAL_LARGEST, 4 + 4 * TINY_NORMAL_LARGEST, resume},
};

/* Reply: values compared, their score, scores held, threshold, 32 each; abnormal 8. */
static void report(device *self) {
    const tiny_session *session = &self->arena.session;
    reply *to = &self->link.reply;
    reply_put32(to, self->arena.compared);
    reply_put32(to, score);
    reply_put32(to, held.count);
    reply_put32(to, tiny_normal_threshold(session));
    reply_put8(to, is_scored(&self->arena) && tiny_normal_is_abnormal(session, score));
}

/* body: action 8, then its arguments. */
protocol_status command_normal(device *self, const uint8_t *body, uint32_t count) {
    if (body[0] >= sizeof normal_actions / sizeof normal_actions[0]) {
        return PROTOCOL_BAD_RANGE;
    }
    const normal_action *action = &normal_actions[body[0]];
    if (count - 1 < action->least || count - 1 > action->most) {
        return PROTOCOL_BAD_LENGTH;
    }
    if (self->restore.spaces) {
        return PROTOCOL_HALF_WRITTEN;
    }
    const protocol_status status = action->run(self, body + 1, count - 1);
    if (status == PROTOCOL_OK) {
        report(self);
    }
    return status;
}

#endif
