/* Commands for what the model has learned: read, restore, write, commit, reset. */
#include <stddef.h>
#include <string.h>

#include "commands/commands.h"
#include "commands/guard.h"
#include "commands/replay.h"

typedef struct span {
    const uint8_t *bytes;
    uint32_t count;
} span;

/* The contents of a space; bytes are null if it has none. */
static span contents(const device *self, uint8_t space) {
    const tiny_session *session = &self->arena.session;
    const tiny_model *model = session->model;
    span other;
    switch (space) {
        case PROTOCOL_WEIGHTS:
            return (span){session->base[TINY_WEIGHTS], model->weights_bytes};
        case PROTOCOL_STATE:
            return (span){session->base[TINY_STATE], model->state_bytes};
        case PROTOCOL_OUTPUT:
            return (span){arena_output(&self->arena), model->output_bytes};
        case PROTOCOL_SNAPSHOT:
            other.bytes = guard_best(&other.count);
            return other;
        case PROTOCOL_REPLAYED:
            other.bytes = replay_memory(&other.count);
            return other;
        default:
            return (span){NULL, 0};
    }
}

/* Why a space has no contents. */
static protocol_status missing(uint8_t space) {
    switch (space) {
        case PROTOCOL_OUTPUT:
            return PROTOCOL_NO_OUTPUT;
        case PROTOCOL_SNAPSHOT:
            return PROTOCOL_NOT_GUARDING;
        case PROTOCOL_REPLAYED:
            return PROTOCOL_NO_REPLAY;
        default:
            return PROTOCOL_BAD_RANGE;
    }
}

/* Returns the transfer that a WRITE to a space belongs to; null: none. */
static transfer *destination(device *self, uint8_t space) {
    switch (space) {
        case PROTOCOL_SNAPSHOT:
            return guard_restore();
        case PROTOCOL_REPLAYED:
            return replay_restore();
        default:
            return restore_into(&self->restore, space);
    }
}

/* body: space 8, offset 32, count 16. Reply: the bytes. */
protocol_status command_read(device *self, const uint8_t *body, uint32_t count) {
    const uint8_t space = body[0];
    const uint32_t offset = frame_get32(body + 1), bytes = frame_get16(body + 5);
    const span from = contents(self, space);
    (void)count;
    if (self->restore.spaces & (1u << (space & 7))) {
        return PROTOCOL_HALF_WRITTEN;
    }
    if (from.bytes == NULL) {
        return missing(space);
    }
    if (offset > from.count || bytes > from.count - offset ||
        bytes > reply_room(&self->link.reply)) {
        return PROTOCOL_BAD_RANGE;
    }
    reply_put_bytes(&self->link.reply, from.bytes + offset, bytes);
    return PROTOCOL_OK;
}

/* body: model hash 32, set of spaces 8. */
protocol_status command_restore(device *self, const uint8_t *body, uint32_t count) {
    (void)count;
    if (frame_get32(body) != self->arena.session.model->hash) {
        return PROTOCOL_OTHER_MODEL;
    }
    guard_stop();
    return restore_begin(&self->restore, &self->arena.session, body[4]);
}

/* body: space 8, offset 32, bytes. */
protocol_status command_write(device *self, const uint8_t *body, uint32_t count) {
    const uint32_t offset = frame_get32(body + 1);
    const uint32_t bytes = count - COMMAND_WRITE_HEAD;
    transfer *into = destination(self, body[0]);
    if (into == NULL || !transfer_fits(into, offset, bytes)) {
        return PROTOCOL_BAD_RANGE;
    }
    memcpy(into->memory + offset, body + COMMAND_WRITE_HEAD, bytes);
    into->done += bytes;
    return PROTOCOL_OK;
}

/* body: CRC-32 of all bytes restored. */
protocol_status command_commit(device *self, const uint8_t *body, uint32_t count) {
    (void)count;
    return restore_commit(&self->restore, &self->arena.session, frame_get32(body));
}

/* Restores the compiled weights and state, and forgets the run. */
protocol_status command_reset(device *self, const uint8_t *body, uint32_t count) {
    (void)body, (void)count;
    tiny_reset(&self->arena.session);
    self->restore = (restore){0};
    self->schedule = (tiny_schedule){0};
    guard_stop();
    replay_stop();
    return PROTOCOL_OK;
}
