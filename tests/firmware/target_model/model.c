/* A model that learns from targets, for the tests of the link.
 *
 * infer: output[i] = weights[i]. train: weights[i] = input[i] + target[i]; error = sum of the
 * targets.
 */
#include "model.h"

#define TARGET_BYTES 800
#define INFER_INPUT 200
#define OUTPUT 1200
#define TRAIN_INPUT 0
#define TARGET 1000

static void infer(const void *record, void *const *buffers, tiny_band band) {
    const uint8_t *weights = buffers[0];
    uint8_t *output = buffers[1];
    (void)record;
    (void)band;
    for (uint32_t i = 0; i < MODEL_OUTPUT_BYTES; i++) {
        output[i] = weights[i];
    }
}

static void train(const void *record, void *const *buffers, tiny_band band) {
    const uint8_t *input = buffers[0], *target = buffers[1];
    uint8_t *weights = buffers[2];
    tiny_state *state = buffers[3];
    (void)record;
    (void)band;
    state->error = 0;
    for (uint32_t i = 0; i < MODEL_WEIGHTS_BYTES; i++) {
        weights[i] = (uint8_t)(input[i] + target[i]);
        state->error += target[i];
    }
    state->step++;
}

#define NONE4 TINY_NO_BUFFER, TINY_NO_BUFFER, TINY_NO_BUFFER, TINY_NO_BUFFER

static const tiny_op infer_op = {
    infer,
    0,
    {TINY_BUFFER(TINY_WEIGHTS, 0), TINY_BUFFER(TINY_ARENA, OUTPUT), TINY_NO_BUFFER, TINY_NO_BUFFER,
     NONE4},
};

static const tiny_op train_op = {
    train,
    0,
    {TINY_BUFFER(TINY_ARENA, TRAIN_INPUT), TINY_BUFFER(TINY_ARENA, TARGET),
     TINY_BUFFER(TINY_WEIGHTS, 0), TINY_BUFFER(TINY_STATE, 0), NONE4},
};

static const tiny_call one_call = {0, {0, 1}};

/* One scale. */
static const uint32_t state_image[MODEL_STATE_BYTES / 4] = {1, 0, 0, 0, 1u << 16};
static const uint8_t weights_image[MODEL_WEIGHTS_BYTES] = {1, 2, 3};

const tiny_model model = {
    .infer = {&infer_op, &one_call, 1},
    .train = {&train_op, &one_call, 1},
    .flash = weights_image,
    .weights_image = weights_image,
    .state_image = (const uint8_t *)state_image,
    .weights_bytes = MODEL_WEIGHTS_BYTES,
    .state_bytes = MODEL_STATE_BYTES,
    .arena_bytes = MODEL_ARENA_BYTES,
    .input = TINY_BUFFER(TINY_ARENA, INFER_INPUT),
    .output = TINY_BUFFER(TINY_ARENA, OUTPUT),
    .train_input = TINY_BUFFER(TINY_ARENA, TRAIN_INPUT),
    .target = TINY_BUFFER(TINY_ARENA, TARGET),
    .input_bytes = MODEL_INPUT_BYTES,
    .output_bytes = MODEL_OUTPUT_BYTES,
    .target_bytes = TARGET_BYTES,
    .hash = MODEL_HASH,
};
