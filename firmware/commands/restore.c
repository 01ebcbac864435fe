/* Restores weights and state, all or nothing. */
#include "commands/restore.h"

#include <stddef.h>
#include <string.h>

#include "tinyflash/crc32.h"
#include "tinyflash/kernels/bias.h"

#define WEIGHTS_BIT (1u << PROTOCOL_WEIGHTS)
#define STATE_BIT (1u << PROTOCOL_STATE)

/* SPEC 5.1 */
#define LOWEST_EXPONENT (-40)
#define HIGHEST_EXPONENT 15

/* SPEC 1.4 */
#define LOWEST_RATE (-512)
#define HIGHEST_RATE 511

protocol_status restore_begin(restore *self, const tiny_session *session, uint8_t spaces) {
    const tiny_model *model = session->model;
    if (spaces == 0 || (spaces & ~(WEIGHTS_BIT | STATE_BIT))) {
        return PROTOCOL_BAD_RANGE;
    }
    if (self->spaces & ~spaces) {
        return PROTOCOL_HALF_WRITTEN;
    }
    self->spaces = spaces;
    self->weights = (transfer){session->base[TINY_WEIGHTS], model->weights_bytes, 0};
    self->state = (transfer){session->base[TINY_STATE], model->state_bytes, 0};
    return PROTOCOL_OK;
}

transfer *restore_into(restore *self, uint8_t space) {
    if (space == PROTOCOL_WEIGHTS && (self->spaces & WEIGHTS_BIT)) {
        return &self->weights;
    }
    if (space == PROTOCOL_STATE && (self->spaces & STATE_BIT)) {
        return &self->state;
    }
    return NULL;
}

/* A normalised rate (SPEC 1.4), and labels that the model has: the loss reads one. */
static int is_sound_head(const tiny_state *state, uint32_t classes) {
    const uint16_t mantissa = state->rate.mantissa;
    const int16_t exponent = state->rate.exponent;
    const uint32_t most = classes > 0 ? classes - 1 : 0;
    return (mantissa == 0 || mantissa >= 0x8000u) && exponent >= LOWEST_RATE &&
           exponent <= HIGHEST_RATE && state->label <= most && state->predicted <= most;
}

/* Checks the ranges of SPEC 1.4 and 5.1, for any bytes from the host. */
int restore_is_sound_state(const tiny_session *session) {
    const tiny_state *state = tiny_session_state(session);
    tiny_state initial;
    memcpy(&initial, session->model->state_image, sizeof initial);
    if (state->scale_count != initial.scale_count ||
        !is_sound_head(state, session->model->classes)) {
        return 0;
    }
    const tiny_scale *scales = tiny_state_scales(tiny_session_state(session));
    for (uint32_t i = 0; i < state->scale_count; i++) {
        const tiny_scale *scale = &scales[i];
        if (scale->exponent < LOWEST_EXPONENT || scale->exponent > HIGHEST_EXPONENT ||
            !restore_is_sound_gain(scale->gain) || scale->peak < 0) {
            return 0;
        }
    }
    return 1;
}

/* The operation trains biases: bias_update, of any kernel set, is the one whose third buffer is in
 * WEIGHTS and whose fourth is the state (tinyflash/ops.h). */
static int trains_biases(const tiny_op *op) {
    return op->buffers[2] >> 30 == TINY_WEIGHTS && op->buffers[3] == TINY_BUFFER(TINY_STATE, 0);
}

/* Beyond its limit, a bias could overflow a sum of the next inference (SPEC 6.5). That of a dead
 * channel never changes; it is within its limit (10.7), so any weights are safe with it. */
static int are_sound_biases(const tiny_model *model, const uint8_t *weights, const tiny_op *op) {
    const tiny_bias *record = op->record;
    const uint32_t offset = op->buffers[2] & 0x3FFFFFFFu;
    for (uint32_t o = 0; o < record->out; o++) {
        int32_t now, compiled;
        memcpy(&now, weights + offset + 4 * o, sizeof now);
        memcpy(&compiled, model->weights_image + offset + 4 * o, sizeof compiled);
        const int within = now >= -record->limit && now <= record->limit;
        if (record->rate[o].mantissa ? !within : now != compiled) {
            return 0;
        }
    }
    return 1;
}

int restore_is_sound(const tiny_model *model, const uint8_t *weights) {
    const tiny_table *table = &model->train;
    for (uint32_t i = 0; i < table->count; i++) {
        const tiny_op *op = &table->ops[table->calls[i].op];
        if (trains_biases(op) && !are_sound_biases(model, weights, op)) {
            return 0;
        }
    }
    return 1;
}

protocol_status restore_commit(restore *self, const tiny_session *session, uint32_t crc) {
    uint32_t actual = 0;
    for (uint8_t space = PROTOCOL_WEIGHTS; space <= PROTOCOL_STATE; space++) {
        const transfer *into = restore_into(self, space);
        if (into != NULL && !transfer_is_complete(into)) {
            return PROTOCOL_HALF_WRITTEN;
        }
        if (into != NULL) {
            actual = tiny_crc32(actual, into->memory, into->size);
        }
    }
    if (actual != crc) {
        return PROTOCOL_BAD_CHECKSUM;
    }
    if ((self->spaces & STATE_BIT) && !restore_is_sound_state(session)) {
        return PROTOCOL_BAD_STATE;
    }
    if ((self->spaces & WEIGHTS_BIT) &&
        !restore_is_sound(session->model, session->base[TINY_WEIGHTS])) {
        return PROTOCOL_BAD_STATE;
    }
    self->spaces = 0;
    return PROTOCOL_OK;
}
