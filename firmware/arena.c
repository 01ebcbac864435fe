/* The owner of the arena. */
#include "arena.h"

#include <stddef.h>

#include "protocol.h"

/* Returns where bytes for this purpose go; memory null: nowhere. */
static transfer place_for(const tiny_session *session, uint8_t purpose, uint8_t *room) {
    const tiny_model *model = session->model;
    switch (purpose) {
        case PROTOCOL_FOR_INFER:
            return (transfer){tiny_infer_input(session), model->input_bytes, 0};
        case PROTOCOL_FOR_TRAIN:
            return (transfer){tiny_train_input(session), model->input_bytes, 0};
        case PROTOCOL_TARGET:
            return (transfer){tiny_train_target(session), model->target_bytes, 0};
        case PROTOCOL_HELD_OUT:
            return (transfer){room, model->input_bytes, 0};
        default:
            return (transfer){0};
    }
}

/* The inputs of one table are placed apart. Those of two tables, and outputs, may share memory. */
static void void_others(arena_owner *self, uint8_t purpose) {
    if (purpose != PROTOCOL_HELD_OUT) {
        self->has_output = 0;
    }
    if (purpose == PROTOCOL_FOR_INFER) {
        self->target = (transfer){0};
    }
    if (purpose == PROTOCOL_TARGET && self->purpose == PROTOCOL_FOR_INFER) {
        self->sample = (transfer){0};
    }
}

transfer *arena_piece(arena_owner *self, uint8_t purpose, uint8_t *room, uint32_t offset,
                      uint32_t count) {
    const transfer place = place_for(&self->session, purpose, room);
    const int is_target = purpose == PROTOCOL_TARGET;
    transfer *into = is_target ? &self->target : &self->sample;
    if (place.memory == NULL) {
        return NULL;
    }
    if (offset == 0) {
        *into = place;
        self->purpose = is_target ? self->purpose : purpose;
    }
    if ((!is_target && self->purpose != purpose) || into->memory != place.memory ||
        !transfer_fits(into, offset, count)) {
        return NULL;
    }
    void_others(self, purpose);
    return into;
}

int arena_is_ready(const arena_owner *self, uint8_t purpose) {
    const tiny_model *model = self->session.model;
    const int has_sample = self->purpose == purpose && transfer_is_complete(&self->sample);
    const int has_target = transfer_is_complete(&self->target);
    return (has_sample || model->row_bytes) &&
           (has_target || !model->target_bytes || purpose == PROTOCOL_FOR_INFER);
}

int arena_take_held_out(arena_owner *self, const uint8_t *room) {
    const int is_there = self->purpose == PROTOCOL_HELD_OUT && self->sample.memory == room &&
                         transfer_is_complete(&self->sample);
    if (is_there) {
        self->sample = (transfer){0};
    }
    return is_there;
}

tiny_session *arena_clear(arena_owner *self) {
    self->sample = (transfer){0};
    self->target = (transfer){0};
    self->compared = 0;
    self->has_output = 0;
    return &self->session;
}

const uint8_t *arena_infer(arena_owner *self) {
    const uint8_t *output = tiny_infer(arena_clear(self));
    self->has_output = output != NULL;
    return output;
}

const uint8_t *arena_output(const arena_owner *self) {
    const tiny_buffer output = self->session.model->output;
    return self->has_output ? self->session.base[output >> 30] + (output & 0x3FFFFFFFu) : NULL;
}
