/* Commands that run the model: hello, sample, infer, train, schedule, counters. */
#include <stddef.h>

#include "board.h"
#include "commands/commands.h"
#include "commands/guard.h"
#include "commands/replay.h"
#include "link/coding.h"

protocol_status command_hello(device *self, const uint8_t *body, uint32_t count) {
    const tiny_model *model = self->arena.session.model;
    (void)body, (void)count;
    reply_put8(&self->link.reply, PROTOCOL_VERSION);
    reply_put8(&self->link.reply,
               (uint8_t)((model->train.count > 0 ? PROTOCOL_FLAG_TRAINS : 0) |
                         (self->restore.spaces ? PROTOCOL_FLAG_HALF_WRITTEN : 0) |
                         (self->store.is_there ? PROTOCOL_FLAG_STORES : 0) |
                         (pairing_is_required() ? PROTOCOL_FLAG_PAIRED : 0)));
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

#ifdef PAIRING

/* Reply: a nonce, 64. */
protocol_status command_pair(device *self, const uint8_t *body, uint32_t count) {
    const uint64_t nonce = pairing_open(&self->link.pairing);
    (void)body, (void)count;
    reply_put32(&self->link.reply, (uint32_t)nonce);
    reply_put32(&self->link.reply, (uint32_t)(nonce >> 32));
    return PROTOCOL_OK;
}

#endif

/* Whether the device can take a sample for this purpose at all. */
static protocol_status check_purpose(const device *self, uint8_t purpose) {
    if (purpose == PROTOCOL_FOR_TRAIN && self->arena.session.model->train.count == 0) {
        return PROTOCOL_NO_TRAINING;
    }
    return purpose == PROTOCOL_HELD_OUT && guard_room() == NULL ? PROTOCOL_NO_GUARD : PROTOCOL_OK;
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
    const protocol_status status = check_purpose(self, purpose);
    if (status != PROTOCOL_OK) {
        return status;
    }
    transfer *into = arena_piece(&self->arena, purpose, guard_room(), range.first, range.count);
    if (into == NULL) {
        return PROTOCOL_BAD_RANGE;
    }
    if (!coding_place(into->memory, &range, body + COMMAND_SAMPLE_HEAD,
                      count - COMMAND_SAMPLE_HEAD)) {
        return PROTOCOL_BAD_CODE;
    }
    into->done += range.count;
    return PROTOCOL_OK;
}

/* Prepares a run: on what was sent for it, or on rows that the host sends during the run. */
static protocol_status begin_run(device *self, uint8_t purpose) {
    if (self->restore.spaces) {
        return PROTOCOL_HALF_WRITTEN;
    }
    rows_begin(&self->link.rows);
    return arena_is_ready(&self->arena, purpose) ? PROTOCOL_OK : PROTOCOL_NO_SAMPLE;
}

/* Returns the board's own ticks since `start`, without those spent waiting for the host. */
static uint32_t ticks_since(const device *self, uint32_t start) {
    return board_ticks() - start - self->link.rows.waited;
}

/* Reply: ticks 32, then as much of the output as fits. */
protocol_status command_infer(device *self, const uint8_t *body, uint32_t count) {
    const uint32_t output_bytes = self->arena.session.model->output_bytes;
    const protocol_status status = begin_run(self, PROTOCOL_FOR_INFER);
    (void)body, (void)count;
    if (status != PROTOCOL_OK) {
        return status;
    }
    const uint32_t start = board_ticks();
    const uint8_t *output = arena_infer(&self->arena);
    if (output == NULL) {
        return self->link.rows.status;
    }
    reply_put32(&self->link.reply, ticks_since(self, start));
    const uint32_t room = reply_room(&self->link.reply);
    reply_put_bytes(&self->link.reply, output, output_bytes < room ? output_bytes : room);
    return PROTOCOL_OK;
}

/* Of a step that has all it needs: what is left is a wrong argument, or rows that did not come. */
static protocol_status status_of(const device *self, tiny_error error) {
    if (error == TINY_ERROR_LABEL) {
        return PROTOCOL_BAD_LABEL;
    }
    if (error == TINY_ERROR_RATE) {
        return PROTOCOL_BAD_RATE;
    }
    return error == TINY_OK ? PROTOCOL_OK : self->link.rows.status;
}

static tiny_factor get_factor(const uint8_t *bytes) {
    return (tiny_factor){frame_get16(bytes), (int16_t)frame_get16(bytes + 2)};
}

/* Returns the rate in TRAIN, or the schedule's. */
static tiny_factor rate_for(const device *self, const uint8_t *body, uint32_t count) {
    if (count == COMMAND_TRAIN_AT_RATE) {
        return get_factor(body + 4);
    }
    const uint32_t step = tiny_session_state(&self->arena.session)->step - self->first_step;
    return tiny_schedule_rate(&self->schedule, step);
}

/* Whether the device has everything a step needs except sample and target. */
static protocol_status check_train(const device *self, uint32_t count) {
    if (self->arena.session.model->train.count == 0) {
        return PROTOCOL_NO_TRAINING;
    }
    if (count != COMMAND_TRAIN_SCHEDULED && count != COMMAND_TRAIN_AT_RATE) {
        return PROTOCOL_BAD_LENGTH;
    }
    if (count == COMMAND_TRAIN_SCHEDULED && self->schedule.steps == 0) {
        return PROTOCOL_NO_RATE;
    }
    return PROTOCOL_OK;
}

/* One training step. The replay buffer takes the sample before that uses its memory. */
static protocol_status train_step(device *self, uint32_t label, tiny_factor rate) {
    tiny_session *session = arena_clear(&self->arena);
    tiny_error error = replay_keep(session, label, rate);
    if (error == TINY_OK) {
        error = tiny_train(session, label, rate);
    }
    return status_of(self, error);
}

/* body: label 32, [rate mantissa 16, rate exponent 16].
 * Reply: ticks 32, predicted 16, probability 16, error 32. */
protocol_status command_train(device *self, const uint8_t *body, uint32_t count) {
    protocol_status status = check_train(self, count);
    if (status == PROTOCOL_OK) {
        status = begin_run(self, PROTOCOL_FOR_TRAIN);
    }
    if (status != PROTOCOL_OK) {
        return status;
    }
    const tiny_factor rate = rate_for(self, body, count);
    const uint32_t start = board_ticks();
    status = train_step(self, frame_get32(body), rate);
    if (status == PROTOCOL_OK) {
        const tiny_state *state = tiny_session_state(&self->arena.session);
        reply_put32(&self->link.reply, ticks_since(self, start));
        reply_put16(&self->link.reply, state->predicted);
        reply_put16(&self->link.reply, state->probability);
        reply_put32(&self->link.reply, state->error);
        replay_run(&self->arena.session, rate);
        guard_watch(&self->arena);
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
    self->first_step = tiny_session_state(&self->arena.session)->step - frame_get32(body + 16);
    return PROTOCOL_OK;
}

/* Reply: training steps, weights saturated, deepest stack, frames damaged, each 32. */
protocol_status command_counters(device *self, const uint8_t *body, uint32_t count) {
    const tiny_state *state = tiny_session_state(&self->arena.session);
    (void)body, (void)count;
    reply_put32(&self->link.reply, state->step);
    reply_put32(&self->link.reply, state->weights_saturated);
    reply_put32(&self->link.reply, board_stack_used());
    reply_put32(&self->link.reply, self->link.receiver.damaged);
    return PROTOCOL_OK;
}
