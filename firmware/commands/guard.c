/* The command of the guard, and its memory: held-out samples, and a copy of the best weights. */
#include "tinyflash/guard.h"

#include "commands/commands.h"
#include "commands/guard.h"
#include "tinyflash/crc32.h"

#if GUARD_SAMPLES > 0

#include <stddef.h>

#include "model.h"

/* One byte more, since a model may have no trained bytes. */
#define SNAPSHOT_BYTES \
    (MODEL_WEIGHTS_BYTES + (MODEL_STATE_BYTES - sizeof(tiny_state)) / sizeof(tiny_scale) + 1)

static uint8_t held_out_samples[GUARD_SAMPLES][MODEL_INPUT_BYTES];
static uint16_t held_out_labels[GUARD_SAMPLES];
static uint8_t best_weights[SNAPSHOT_BYTES];
static tiny_guard guard;
static int is_watching;
static transfer restored; /* the best weights that come from the host */

uint8_t *guard_room(void) {
    const uint32_t count = guard.held_out.count;
    return count < GUARD_SAMPLES ? held_out_samples[count] : NULL;
}

void guard_watch(arena_owner *arena) {
    if (is_watching) {
        tiny_guard_watch(&guard, arena_clear(arena));
    }
}

void guard_stop(void) { is_watching = 0; }

const uint8_t *guard_best(uint32_t *count) {
    *count = sizeof best_weights - 1;
    return is_watching ? best_weights : NULL;
}

/* One that goes on would lose what it keeps, so it ends. */
transfer *guard_restore(void) {
    guard_stop();
    restored.memory = best_weights;
    restored.size = sizeof best_weights - 1;
    return &restored;
}

static protocol_status clear(device *self, const uint8_t *body) {
    (void)self, (void)body;
    guard_stop();
    guard = (tiny_guard){0};
    return PROTOCOL_OK;
}

/* body: label 32. The sample is already in its place. */
static protocol_status hold(device *self, const uint8_t *body) {
    const uint32_t label = frame_get32(body);
    if (self->restore.spaces) {
        return PROTOCOL_HALF_WRITTEN;
    }
    if (!arena_take_held_out(&self->arena, guard_room())) {
        return PROTOCOL_NO_SAMPLE;
    }
    if (label >= self->arena.session.model->classes) {
        return PROTOCOL_BAD_LABEL;
    }
    guard_stop();
    held_out_labels[guard.held_out.count++] = (uint16_t)label;
    return PROTOCOL_OK;
}

/* A guard of the samples held so far; body: interval 32, tolerance 32. */
static tiny_guard guard_for(const uint8_t *body) {
    return (tiny_guard){
        .held_out = {held_out_samples[0], held_out_labels, guard.held_out.count},
        .snapshot = best_weights,
        .snapshot_bytes = sizeof best_weights,
        .interval = frame_get32(body),
        .tolerance = frame_get32(body + 4),
    };
}

/* body: as guard_for. */
static protocol_status begin(device *self, const uint8_t *body) {
    if (self->restore.spaces) {
        return PROTOCOL_HALF_WRITTEN;
    }
    guard = guard_for(body);
    is_watching = tiny_guard_begin(&guard, arena_clear(&self->arena)) == TINY_OK;
    return is_watching ? PROTOCOL_OK : PROTOCOL_BAD_GUARD;
}

/* The weights of a snapshot that a host sent, then its gains. */
static int is_sound_snapshot(const tiny_model *model) {
    for (uint32_t i = model->weights_bytes; i < restored.size; i++) {
        if (!restore_is_sound_gain((int8_t)best_weights[i])) {
            return 0;
        }
    }
    return restore_is_sound(model, best_weights);
}

/* body: interval, tolerance, waited, evaluations, roll-backs; last and best score: correct, margin;
 * CRC of the best weights; 32 each. */
static protocol_status resume(device *self, const uint8_t *body) {
    const tiny_model *model = self->arena.session.model;
    if (self->restore.spaces) {
        return PROTOCOL_HALF_WRITTEN;
    }
    if (!transfer_is_complete(&restored) ||
        tiny_crc32(0, best_weights, restored.size) != frame_get32(body + 36)) {
        return PROTOCOL_BAD_CHECKSUM;
    }
    if (!is_sound_snapshot(model)) {
        return PROTOCOL_BAD_STATE;
    }
    guard = guard_for(body);
    guard.waited = frame_get32(body + 8);
    guard.evaluations = frame_get32(body + 12);
    guard.rollbacks = frame_get32(body + 16);
    guard.last = (tiny_score){frame_get32(body + 20), (int32_t)frame_get32(body + 24)};
    guard.best = (tiny_score){frame_get32(body + 28), (int32_t)frame_get32(body + 32)};
    is_watching = tiny_guard_resume(&guard, &self->arena.session) == TINY_OK;
    return is_watching ? PROTOCOL_OK : PROTOCOL_BAD_GUARD;
}

static protocol_status finish(device *self, const uint8_t *body) {
    (void)body;
    if (!is_watching) {
        return PROTOCOL_NOT_GUARDING;
    }
    tiny_guard_finish(&guard, arena_clear(&self->arena));
    guard_stop();
    return PROTOCOL_OK;
}

static protocol_status tell(device *self, const uint8_t *body) {
    (void)self, (void)body;
    return PROTOCOL_OK;
}

typedef struct guard_action {
    uint32_t body_bytes; /* after the action */
    protocol_status (*run)(device *self, const uint8_t *body);
} guard_action;

static const guard_action guard_actions[] = {
    [PROTOCOL_GUARD_TELL] = {0, tell},     [PROTOCOL_GUARD_CLEAR] = {0, clear},
    [PROTOCOL_GUARD_HOLD] = {4, hold},     [PROTOCOL_GUARD_BEGIN] = {8, begin},
    [PROTOCOL_GUARD_FINISH] = {0, finish}, [PROTOCOL_GUARD_RESUME] = {40, resume},
};

/* Reply: room for samples, samples, evaluations, returns; last and best score: correct, margin. */
static void report(reply *to) {
    const uint32_t numbers[] = {
        GUARD_SAMPLES,      guard.held_out.count,        guard.evaluations,
        guard.rollbacks,    guard.last.correct,          (uint32_t)guard.last.margin,
        guard.best.correct, (uint32_t)guard.best.margin,
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        reply_put32(to, numbers[i]);
    }
}

/* body: action 8, then the fields of the action. */
protocol_status command_guard(device *self, const uint8_t *body, uint32_t count) {
    if (body[0] >= sizeof guard_actions / sizeof guard_actions[0]) {
        return PROTOCOL_BAD_RANGE;
    }
    const guard_action *action = &guard_actions[body[0]];
    if (count != 1 + action->body_bytes) {
        return PROTOCOL_BAD_LENGTH;
    }
    const protocol_status status = action->run(self, body + 1);
    if (status == PROTOCOL_OK) {
        report(&self->link.reply);
    }
    return status;
}

#else

uint8_t *guard_room(void) { return 0; }

void guard_watch(arena_owner *arena) { (void)arena; }

void guard_stop(void) {}

const uint8_t *guard_best(uint32_t *count) {
    *count = 0;
    return 0;
}

transfer *guard_restore(void) { return 0; }

protocol_status command_guard(device *self, const uint8_t *body, uint32_t count) {
    (void)self, (void)body, (void)count;
    return PROTOCOL_NO_GUARD;
}

#endif
