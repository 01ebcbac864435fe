/* Commands that run the model: hello, sample, infer, train, schedule, counters. */
#include <stddef.h>

#include "board.h"
#include "commands/commands.h"
#include "commands/guard.h"
#include "link/coding.h"

protocol_status command_hello(device *self, const uint8_t *body, uint32_t count) {
    const tiny_model *model = self->session.model;
    (void)body, (void)count;
    reply_put8(&self->link.reply, PROTOCOL_VERSION);
    reply_put8(&self->link.reply,
               (uint8_t)((model->train.count > 0 ? PROTOCOL_FLAG_TRAINS : 0) |
                         (self->restore.spaces ? PROTOCOL_FLAG_HALF_WRITTEN : 0)));
    reply_put16(&self->link.reply, FRAME_BYTES);
    reply_put32(&self->link.reply, model->hash);
    reply_put32(&self->link.reply, model->weights_bytes);
    reply_put32(&self->link.reply, model->state_bytes);
    reply_put32(&self->link.reply, model->arena_bytes);
    reply_put32(&self->link.reply, model->input_bytes);
    reply_put32(&self->link.reply, model->output_bytes);
    reply_put32(&self->link.reply, model->classes);
    reply_put32(&self->link.reply, board_stack_bytes());
    reply_put32(&self->link.reply, model->target_bytes);
    reply_put32(&self->link.reply, model->row_bytes);
    reply_put_text(&self->link.reply, board_name);
    reply_put_text(&self->link.reply, self->model_name);
    return PROTOCOL_OK;
}

/* Returns where a sample for this purpose goes; memory null: nowhere. */
static transfer place_for(const device *self, uint8_t purpose) {
    const tiny_session *session = &self->session;
    const tiny_model *model = session->model;
    switch (purpose) {
        case PROTOCOL_FOR_INFER:
            return (transfer){tiny_infer_input(session), model->input_bytes, 0};
        case PROTOCOL_FOR_TRAIN:
            return (transfer){tiny_train_input(session), model->input_bytes, 0};
        case PROTOCOL_TARGET:
            return (transfer){tiny_train_target(session), model->target_bytes, 0};
        case PROTOCOL_HELD_OUT:
            return (transfer){guard_room(), model->input_bytes, 0};
        default:
            return (transfer){0};
    }
}

/* Whether the device can take a sample for this purpose. */
static protocol_status check_place(const device *self, uint8_t purpose, const transfer *to) {
    if (purpose == PROTOCOL_FOR_TRAIN && self->session.model->train.count == 0) {
        return PROTOCOL_NO_TRAINING;
    }
    if (purpose == PROTOCOL_HELD_OUT && to->memory == NULL) {
        return PROTOCOL_NO_GUARD;
    }
    return to->memory == NULL ? PROTOCOL_BAD_RANGE : PROTOCOL_OK;
}

/* body: purpose 8, group 8, stride 16, offset 32, count 16, `count` bytes (group 0) or code. */
protocol_status command_sample(device *self, const uint8_t *body, uint32_t count) {
    const uint8_t purpose = body[0];
    const coding_range range = {
        .first = frame_get32(body + 4),
        .count = frame_get16(body + 8),
        .stride = frame_get16(body + 2),
        .group = body[1],
    };
    const transfer to = place_for(self, purpose);
    const protocol_status status = check_place(self, purpose, &to);
    if (status != PROTOCOL_OK) {
        return status;
    }
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
    if (!coding_place(to.memory, &range, body + COMMAND_SAMPLE_HEAD, count - COMMAND_SAMPLE_HEAD)) {
        return PROTOCOL_BAD_CODE;
    }
    into->done += range.count;
    return PROTOCOL_OK;
}

/* Prepares a run: on the sample at `input`, or on one that the host sends by rows. */
static protocol_status begin_run(device *self, const uint8_t *input) {
    rows_begin(&self->link.rows);
    if (self->session.model->row_bytes == 0) {
        return device_take_sample(self, input);
    }
    self->output = NULL;
    return self->restore.spaces ? PROTOCOL_HALF_WRITTEN : PROTOCOL_OK;
}

/* Returns the board's own ticks since `start`, without those spent waiting for the host. */
static uint32_t ticks_since(const device *self, uint32_t start) {
    return board_ticks() - start - self->link.rows.waited;
}

/* Reply: ticks 32, then as much of the output as fits. */
protocol_status command_infer(device *self, const uint8_t *body, uint32_t count) {
    const uint32_t output_bytes = self->session.model->output_bytes;
    const protocol_status status = begin_run(self, tiny_infer_input(&self->session));
    (void)body, (void)count;
    if (status != PROTOCOL_OK) {
        return status;
    }
    const uint32_t start = board_ticks();
    self->output = tiny_infer(&self->session);
    if (self->output == NULL) {
        return self->link.rows.status;
    }
    reply_put32(&self->link.reply, ticks_since(self, start));
    const uint32_t room = reply_room(&self->link.reply);
    reply_put_bytes(&self->link.reply, self->output, output_bytes < room ? output_bytes : room);
    return PROTOCOL_OK;
}

static protocol_status status_of(const device *self, tiny_error error) {
    switch (error) {
        case TINY_OK:
            return PROTOCOL_OK;
        case TINY_ERROR_LABEL:
            return PROTOCOL_BAD_LABEL;
        case TINY_ERROR_RATE:
            return PROTOCOL_BAD_RATE;
        case TINY_ERROR_SOURCE:
            return self->link.rows.status;
        default:
            return PROTOCOL_NO_TRAINING;
    }
}

static tiny_factor get_factor(const uint8_t *bytes) {
    return (tiny_factor){frame_get16(bytes), (int16_t)frame_get16(bytes + 2)};
}

/* Returns the rate in TRAIN, or the schedule's. */
static tiny_factor rate_for(const device *self, const uint8_t *body, uint32_t count) {
    if (count == COMMAND_TRAIN_AT_RATE) {
        return get_factor(body + 4);
    }
    const uint32_t step = tiny_session_state(&self->session)->step - self->first_step;
    return tiny_schedule_rate(&self->schedule, step);
}

/* Whether the device has everything a step needs except the sample. */
static protocol_status check_train(const device *self, uint32_t count) {
    if (count != COMMAND_TRAIN_SCHEDULED && count != COMMAND_TRAIN_AT_RATE) {
        return PROTOCOL_BAD_LENGTH;
    }
    if (count == COMMAND_TRAIN_SCHEDULED && self->schedule.steps == 0) {
        return PROTOCOL_NO_RATE;
    }
    if (self->session.model->target_bytes && !transfer_is_complete(&self->target)) {
        return PROTOCOL_NO_SAMPLE;
    }
    return PROTOCOL_OK;
}

/* body: label 32, [rate mantissa 16, rate exponent 16].
 * Reply: ticks 32, predicted 16, probability 16, error 32. */
protocol_status command_train(device *self, const uint8_t *body, uint32_t count) {
    protocol_status status = check_train(self, count);
    if (status == PROTOCOL_OK) {
        status = begin_run(self, tiny_train_input(&self->session));
    }
    if (status != PROTOCOL_OK) {
        return status;
    }
    self->target = (transfer){0};
    const tiny_factor rate = rate_for(self, body, count);
    const uint32_t start = board_ticks();
    status = status_of(self, tiny_train(&self->session, frame_get32(body), rate));
    if (status == PROTOCOL_OK) {
        const tiny_state *state = tiny_session_state(&self->session);
        reply_put32(&self->link.reply, ticks_since(self, start));
        reply_put16(&self->link.reply, state->predicted);
        reply_put16(&self->link.reply, state->probability);
        reply_put32(&self->link.reply, state->error);
        guard_watch(&self->session);
    }
    return status;
}

/* body: rate, drop: mantissa 16, exponent 16 each; steps, warm-up, steps done 32; kind, drops 8. */
protocol_status command_schedule(device *self, const uint8_t *body, uint32_t count) {
    const tiny_schedule schedule = {
        .rate = get_factor(body),
        .drop = get_factor(body + 4),
        .steps = frame_get32(body + 8),
        .warmup = frame_get32(body + 12),
        .kind = body[20],
        .drops = body[21],
    };
    (void)count;
    if (tiny_schedule_check(&schedule) != TINY_OK) {
        return PROTOCOL_BAD_SCHEDULE;
    }
    self->schedule = schedule;
    self->first_step = tiny_session_state(&self->session)->step - frame_get32(body + 16);
    return PROTOCOL_OK;
}

/* Reply: training steps, weights saturated, deepest stack, frames damaged, each 32. */
protocol_status command_counters(device *self, const uint8_t *body, uint32_t count) {
    const tiny_state *state = tiny_session_state(&self->session);
    (void)body, (void)count;
    reply_put32(&self->link.reply, state->step);
    reply_put32(&self->link.reply, state->weights_saturated);
    reply_put32(&self->link.reply, board_stack_used());
    reply_put32(&self->link.reply, self->link.receiver.damaged);
    return PROTOCOL_OK;
}
