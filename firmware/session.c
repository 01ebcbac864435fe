/* Commands of a model at work: hello, sample, infer, train, counters. */
#include <stddef.h>
#include <string.h>

#include "board.h"
#include "coding.h"
#include "commands.h"

protocol_status command_hello(device *self, const uint8_t *body, uint32_t count) {
    const tiny_model *model = self->session.model;
    (void)body, (void)count;
    reply_put8(&self->reply, PROTOCOL_VERSION);
    reply_put8(&self->reply, (uint8_t)((model->train.count > 0 ? PROTOCOL_FLAG_TRAINS : 0) |
                                       (self->restore.spaces ? PROTOCOL_FLAG_HALF_WRITTEN : 0)));
    reply_put16(&self->reply, LINK_FRAME_BYTES);
    reply_put32(&self->reply, model->hash);
    reply_put32(&self->reply, model->weights_bytes);
    reply_put32(&self->reply, model->state_bytes);
    reply_put32(&self->reply, model->arena_bytes);
    reply_put32(&self->reply, model->input_bytes);
    reply_put32(&self->reply, model->output_bytes);
    reply_put32(&self->reply, model->classes);
    reply_put32(&self->reply, board_stack_bytes());
    reply_put32(&self->reply, model->target_bytes);
    reply_put_text(&self->reply, board_name);
    reply_put_text(&self->reply, self->model_name);
    return PROTOCOL_OK;
}

/* Where a sample for this purpose goes; nowhere if the model takes none. */
static transfer place_for(const device *self, uint8_t purpose) {
    const tiny_session *session = &self->session;
    switch (purpose) {
        case PROTOCOL_TARGET:
            return (transfer){tiny_train_target(session), session->model->target_bytes, 0};
        case PROTOCOL_FOR_TRAIN:
            return (transfer){tiny_train_input(session), session->model->input_bytes, 0};
        default:
            return (transfer){tiny_infer_input(session), session->model->input_bytes, 0};
    }
}

/* Whether a sample for this purpose can be taken at all. */
static protocol_status check_purpose(const device *self, uint8_t purpose) {
    const tiny_model *model = self->session.model;
    if (purpose > PROTOCOL_TARGET || (purpose == PROTOCOL_TARGET && model->target_bytes == 0)) {
        return PROTOCOL_BAD_RANGE;
    }
    if (purpose == PROTOCOL_FOR_TRAIN && model->train.count == 0) {
        return PROTOCOL_NO_TRAINING;
    }
    return PROTOCOL_OK;
}

/* Puts raw or coded bytes in their place; 0 if they are not those that `range` says. */
static int place(uint8_t *input, const coding_range *range, const uint8_t *data, uint32_t size) {
    if (range->group != PROTOCOL_RAW) {
        return coding_decode(input, range, data, size);
    }
    if (range->count != size) {
        return 0;
    }
    memcpy(input + range->first, data, size);
    return 1;
}

/* body: purpose 8, group 8, stride 16, offset 32, count 16, then `count` bytes (group 0), or code. */
protocol_status command_sample(device *self, const uint8_t *body, uint32_t count) {
    const uint8_t purpose = body[0];
    const coding_range range = {
        .first = link_get32(body + 4),
        .count = link_get16(body + 8),
        .stride = link_get16(body + 2),
        .group = body[1],
    };
    const protocol_status status = check_purpose(self, purpose);
    if (status != PROTOCOL_OK) {
        return status;
    }
    const transfer to = place_for(self, purpose);
    transfer *into = purpose == PROTOCOL_TARGET ? &self->target : &self->sample;
    if (range.first == 0) {
        *into = to;
        self->output = NULL;
    }
    if (purpose == PROTOCOL_FOR_INFER) {
        self->target = (transfer){0}; /* the two tables share their memory */
    }
    if (into->memory != to.memory || !transfer_fits(into, range.first, range.count)) {
        return PROTOCOL_BAD_RANGE;
    }
    if (!place(to.memory, &range, body + COMMAND_SAMPLE_HEAD, count - COMMAND_SAMPLE_HEAD)) {
        return PROTOCOL_BAD_CODE;
    }
    into->done += range.count;
    return PROTOCOL_OK;
}

/* The sample is in place, and the session fit to run. Running uses the sample up. */
static protocol_status take_sample(device *self, const uint8_t *input) {
    if (self->restore.spaces) {
        return PROTOCOL_HALF_WRITTEN;
    }
    if (self->sample.memory != input || !transfer_is_complete(&self->sample)) {
        return PROTOCOL_NO_SAMPLE;
    }
    self->sample = (transfer){0};
    self->output = NULL;
    return PROTOCOL_OK;
}

/* Reply: ticks 32, then as much of the output as there is room for. */
protocol_status command_infer(device *self, const uint8_t *body, uint32_t count) {
    const uint32_t output_bytes = self->session.model->output_bytes;
    const protocol_status status = take_sample(self, tiny_infer_input(&self->session));
    (void)body, (void)count;
    if (status != PROTOCOL_OK) {
        return status;
    }
    const uint32_t start = board_ticks();
    self->output = tiny_infer(&self->session);
    reply_put32(&self->reply, board_ticks() - start);
    const uint32_t room = reply_room(&self->reply);
    reply_put_bytes(&self->reply, self->output, output_bytes < room ? output_bytes : room);
    return PROTOCOL_OK;
}

static protocol_status status_of(tiny_error error) {
    switch (error) {
        case TINY_OK:
            return PROTOCOL_OK;
        case TINY_ERROR_LABEL:
            return PROTOCOL_BAD_LABEL;
        case TINY_ERROR_RATE:
            return PROTOCOL_BAD_RATE;
        default:
            return PROTOCOL_NO_TRAINING;
    }
}

/* body: label 32, rate mantissa 16, rate exponent 16.
 * Reply: ticks 32, predicted 16, probability 16, error 32. */
protocol_status command_train(device *self, const uint8_t *body, uint32_t count) {
    const tiny_factor rate = {link_get16(body + 4), (int16_t)link_get16(body + 6)};
    if (self->session.model->target_bytes && !transfer_is_complete(&self->target)) {
        return PROTOCOL_NO_SAMPLE;
    }
    protocol_status status = take_sample(self, tiny_train_input(&self->session));
    (void)count;
    if (status != PROTOCOL_OK) {
        return status;
    }
    self->target = (transfer){0};
    const uint32_t start = board_ticks();
    status = status_of(tiny_train(&self->session, link_get32(body), rate));
    if (status == PROTOCOL_OK) {
        const tiny_state *state = tiny_session_state(&self->session);
        reply_put32(&self->reply, board_ticks() - start);
        reply_put16(&self->reply, state->predicted);
        reply_put16(&self->reply, state->probability);
        reply_put32(&self->reply, state->error);
    }
    return status;
}

/* Reply: training steps, weights saturated, deepest stack, frames damaged, each 32. */
protocol_status command_counters(device *self, const uint8_t *body, uint32_t count) {
    const tiny_state *state = tiny_session_state(&self->session);
    (void)body, (void)count;
    reply_put32(&self->reply, state->step);
    reply_put32(&self->reply, state->weights_saturated);
    reply_put32(&self->reply, board_stack_used());
    reply_put32(&self->reply, self->receiver.damaged);
    return PROTOCOL_OK;
}
