/* Walks the tables of a compiled model; a session is a model bound to memory.
 *
 * Nothing is decided here: the compiler has ordered the calls, placed the buffers and cut the rows.
 * A call resolves at most TINY_OP_BUFFERS offsets, and jumps to a kernel. What can go wrong is
 * checked where a caller comes in: memory, label, rate, and the source of rows.
 */
#include <string.h>

#include "tinyflash/kernels.h"
#include "tinyflash/model.h"

#define ALIGNMENT 4u /* of int32 biases, and of tiny_state */

/* A memory of no bytes may be null. */
static int fits(const void *memory, uint32_t have, uint32_t need) {
    return have >= need && (need == 0 || (memory && (uintptr_t)memory % ALIGNMENT == 0));
}

/* A buffer's space is in its upper 2 bits, the offset in the other 30. */
static void *resolve(const tiny_session *session, tiny_buffer buffer) {
    return buffer == TINY_NO_BUFFER ? NULL : session->base[buffer >> 30] + (buffer & 0x3FFFFFFFu);
}

tiny_error tiny_init(tiny_session *session, const tiny_model *model, const tiny_memory *memory) {
    if (!fits(memory->weights, memory->weights_bytes, model->weights_bytes) ||
        !fits(memory->state, memory->state_bytes, model->state_bytes) ||
        !fits(memory->arena, memory->arena_bytes, model->arena_bytes)) {
        return TINY_ERROR_MEMORY;
    }
    session->model = model;
    tiny_set_source(session, NULL, NULL);
    session->base[TINY_FLASH] = (uint8_t *)(uintptr_t)model->flash; /* no kernel writes there */
    session->base[TINY_WEIGHTS] = memory->weights;
    session->base[TINY_STATE] = memory->state;
    session->base[TINY_ARENA] = memory->arena;
    tiny_reset(session);
    return TINY_OK;
}

/* A model without trained weights has no image, and memcpy wants no null. */
static void load(uint8_t *to, const uint8_t *image, uint32_t bytes) {
    if (bytes) {
        memcpy(to, image, bytes);
    }
}

void tiny_reset(tiny_session *session) {
    const tiny_model *model = session->model;
    load(session->base[TINY_WEIGHTS], model->weights_image, model->weights_bytes);
    load(session->base[TINY_STATE], model->state_image, model->state_bytes);
}

uint8_t *tiny_infer_input(const tiny_session *session) {
    return resolve(session, session->model->input);
}

uint8_t *tiny_train_input(const tiny_session *session) {
    return resolve(session, session->model->train_input);
}

uint8_t *tiny_train_target(const tiny_session *session) {
    return session->model->target_bytes ? resolve(session, session->model->target) : NULL;
}

tiny_state *tiny_session_state(const tiny_session *session) {
    return resolve(session, TINY_BUFFER(TINY_STATE, 0));
}

void tiny_set_source(tiny_session *session, tiny_source source, void *context) {
    session->source = source;
    session->context = context;
}

/* Has the source write rows of the input. The compiler cuts bands such that none crosses the end of
 * the ring. */
static tiny_error fill(const tiny_session *session, const tiny_op *op, tiny_band band) {
    const tiny_rows *rows = op->record;
    uint8_t *to = resolve(session, op->buffers[0]);
    if (!session->source) {
        return TINY_ERROR_NO_SOURCE;
    }
    to += (size_t)(band.first % rows->ring) * rows->row_bytes;
    return session->source(session->context, band, to) ? TINY_ERROR_SOURCE : TINY_OK;
}

/* One call. A row without a kernel is filled by the session's source. */
static tiny_error execute(const tiny_session *session, const tiny_op *op, tiny_band band) {
    void *buffers[TINY_OP_BUFFERS];
    if (!op->kernel) {
        return fill(session, op, band);
    }
    for (int i = 0; i < TINY_OP_BUFFERS; i++) {
        buffers[i] = resolve(session, op->buffers[i]);
    }
    op->kernel(op->record, buffers, band);
    return TINY_OK;
}

tiny_error tiny_run(tiny_session *session, const tiny_table *table, uint32_t first,
                    uint32_t count) {
    tiny_error error = TINY_OK;
    for (uint32_t i = first; i < first + count && error == TINY_OK; i++) {
        const tiny_call *call = &table->calls[i];
        error = execute(session, &table->ops[call->op], call->band);
    }
    return error;
}

const uint8_t *tiny_infer(tiny_session *session) {
    const tiny_table *table = &session->model->infer;
    const tiny_error error = tiny_run(session, table, 0, table->count);
    return error == TINY_OK ? resolve(session, session->model->output) : NULL;
}

tiny_error tiny_train_begin(tiny_session *session, uint32_t label, tiny_factor rate) {
    if (session->model->train.count == 0) {
        return TINY_ERROR_NO_TRAIN;
    }
    const int labelled = session->model->target_bytes == 0;
    if (labelled && label >= session->model->classes) {
        return TINY_ERROR_LABEL;
    }
    if ((rate.mantissa < 0x8000u && rate.mantissa != 0) || rate.exponent < -512 ||
        rate.exponent > 511) {
        return TINY_ERROR_RATE;
    }
    tiny_state *state = tiny_session_state(session);
    state->label = (uint16_t)(labelled ? label : 0);
    state->rate = rate;
    return TINY_OK;
}

tiny_error tiny_train(tiny_session *session, uint32_t label, tiny_factor rate) {
    tiny_state *state = tiny_session_state(session);
    const tiny_table *table = &session->model->train;
    tiny_error error;
    if (table->count == 0) {
        return TINY_ERROR_NO_TRAIN;
    }
    const uint16_t label_before = state->label;
    const tiny_factor rate_before = state->rate;
    error = tiny_train_begin(session, label, rate);
    if (error == TINY_OK) {
        error = tiny_run(session, table, 0, table->count);
    }
    if (error != TINY_OK) { /* nothing else has changed by then */
        state->label = label_before;
        state->rate = rate_before;
    }
    return error;
}

const char *tiny_error_text(tiny_error error) {
    switch (error) {
        case TINY_OK:
            return "no error";
        case TINY_ERROR_MEMORY:
            return "a memory is too small for the model, or not aligned to 4 bytes";
        case TINY_ERROR_LABEL:
            return "the label is not below the number of classes";
        case TINY_ERROR_RATE:
            return "the learning rate is not a normalised factor";
        case TINY_ERROR_NO_TRAIN:
            return "the model was compiled only for inference";
        case TINY_ERROR_SCHEDULE:
            return "a schedule needs a rate, at least 1 step, and a warm-up of fewer steps";
        case TINY_ERROR_HELD_OUT:
            return "a guard needs held-out samples with labels, and one output score per class";
        case TINY_ERROR_NO_SOURCE:
            return "the model reads its input row by row, but no row source is set";
        case TINY_ERROR_SOURCE:
            return "the row source failed; the step was not done";
        case TINY_ERROR_STORE:
            return "the flash has no room for two records, or sizes that a store cannot use";
        case TINY_ERROR_FLASH:
            return "the flash cannot be read, or does not keep what is written";
        case TINY_ERROR_REPLAY:
            return "there is no memory for the replay buffer, or the model cannot have one";
        case TINY_ERROR_CHOICE:
            return "there is nothing to choose from, or the session is not the judge's";
    }
    return "unknown error";
}
