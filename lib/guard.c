/* A guard: training never leaves the model worse than it was (SPEC 9). */
#include "tinyflash/guard.h"

#include <string.h>

#include "arith.h"

#define SAMPLES_LIMIT (1u << 23) /* so that a margin fits 32 bits */

/* Known before a session exists: tiny_state ends with its scales. */
static uint32_t scale_count(const tiny_model *model) {
    return (uint32_t)((model->state_bytes - sizeof(tiny_state)) / sizeof(tiny_scale));
}

uint32_t tiny_guard_bytes(const tiny_model *model) {
    return model->weights_bytes + scale_count(model);
}

/* SPEC 9.1: adds one sample's scores y to the sum. Of equal scores the first index wins, as in an
 * arg max: a rival before the label beats it when equal, one behind it only when larger. */
static void judge(tiny_score *sum, const int8_t *y, uint32_t classes, uint32_t label) {
    int32_t rival = INT8_MIN;
    int beaten = 0;
    for (uint32_t i = 0; i < classes; i++) {
        if (i != label) {
            rival = tiny_max(rival, y[i]);
            beaten |= y[i] > y[label] - (i < label);
        }
    }
    sum->correct += !beaten;
    sum->margin += y[label] - rival;
}

/* Infers a sample, which replaces the session's source of rows where its model has one. */
static const int8_t *infer(tiny_session *session, const uint8_t *sample) {
    const tiny_session caller = *session;
    tiny_picture picture = {sample, session->model->row_bytes};
    if (picture.row_bytes) {
        tiny_set_source(session, tiny_picture_source, &picture);
    } else {
        memcpy(tiny_infer_input(session), sample, session->model->input_bytes);
    }
    const uint8_t *y = tiny_infer(session);
    tiny_set_source(session, caller.source, caller.context);
    return (const int8_t *)y;
}

tiny_score tiny_guard_score(tiny_session *session, const tiny_held_out *held_out) {
    const tiny_model *model = session->model;
    tiny_score sum = {0, 0};
    for (uint32_t i = 0; i < held_out->count; i++) {
        const uint8_t *sample = held_out->samples + (size_t)i * model->input_bytes;
        judge(&sum, infer(session, sample), model->classes, held_out->labels[i]);
    }
    return sum;
}

static int is_better(tiny_score a, tiny_score b) {
    return a.correct > b.correct || (a.correct == b.correct && a.margin > b.margin);
}

/* Keeps WEIGHTS and all gains: what training has learned (SPEC 9.2). */
static void keep(tiny_guard *guard, const tiny_session *session) {
    tiny_state *state = tiny_session_state(session);
    const tiny_scale *scales = tiny_state_scales(state);
    const uint32_t weights_bytes = session->model->weights_bytes;
    memcpy(guard->snapshot, session->base[TINY_WEIGHTS], weights_bytes);
    for (uint32_t i = 0; i < state->scale_count; i++) {
        guard->snapshot[weights_bytes + i] = (uint8_t)scales[i].gain;
    }
    guard->best = guard->last;
}

/* SPEC 9.3. */
static void go_back(tiny_guard *guard, tiny_session *session) {
    tiny_state *state = tiny_session_state(session);
    tiny_scale *scales = tiny_state_scales(state);
    const uint32_t weights_bytes = session->model->weights_bytes;
    memcpy(session->base[TINY_WEIGHTS], guard->snapshot, weights_bytes);
    for (uint32_t i = 0; i < state->scale_count; i++) {
        scales[i].gain = (int8_t)guard->snapshot[weights_bytes + i];
    }
    guard->last = guard->best;
}

static void evaluate(tiny_guard *guard, tiny_session *session) {
    guard->last = tiny_guard_score(session, &guard->held_out);
    guard->evaluations++;
    guard->waited = 0;
}

/* Everything that the calls after tiny_guard_begin rely on. */
static int can_judge(const tiny_guard *guard, const tiny_model *model) {
    const tiny_held_out *held_out = &guard->held_out;
    if (held_out->count == 0 || held_out->count >= SAMPLES_LIMIT || guard->interval == 0 ||
        model->classes == 0 || model->output_bytes != model->classes ||
        guard->snapshot_bytes < tiny_guard_bytes(model)) {
        return 0;
    }
    for (uint32_t i = 0; i < held_out->count; i++) {
        if (held_out->labels[i] >= model->classes) {
            return 0;
        }
    }
    return 1;
}

static tiny_error check(const tiny_guard *guard, const tiny_model *model) {
    if (model->train.count == 0) {
        return TINY_ERROR_NO_TRAIN;
    }
    return can_judge(guard, model) ? TINY_OK : TINY_ERROR_HELD_OUT;
}

tiny_error tiny_guard_begin(tiny_guard *guard, tiny_session *session) {
    const tiny_error error = check(guard, session->model);
    if (error != TINY_OK) {
        return error;
    }
    guard->evaluations = 0;
    guard->rollbacks = 0;
    evaluate(guard, session);
    keep(guard, session);
    return TINY_OK;
}

tiny_error tiny_guard_resume(const tiny_guard *guard, const tiny_session *session) {
    const uint32_t count = guard->held_out.count;
    const tiny_error error = check(guard, session->model);
    if (error == TINY_OK && (guard->best.correct > count || guard->last.correct > count)) {
        return TINY_ERROR_HELD_OUT;
    }
    return error;
}

void tiny_guard_watch(tiny_guard *guard, tiny_session *session) {
    if (++guard->waited < guard->interval) {
        return;
    }
    evaluate(guard, session);
    if (is_better(guard->last, guard->best)) {
        keep(guard, session);
    } else if (guard->best.correct - guard->last.correct > guard->tolerance) {
        go_back(guard, session);
        tiny_count(&guard->rollbacks);
    } else {
        /* within tolerance: training goes on from here */
    }
}

void tiny_guard_finish(tiny_guard *guard, tiny_session *session) {
    if (guard->waited > 0) {
        evaluate(guard, session);
    }
    if (is_better(guard->best, guard->last)) {
        go_back(guard, session);
    }
}
