/* A model whose tables leave nothing of the arena as it was, for the tests of the link.
 *
 * infer: output[i] = input[i] + input[88 + i] + weights[i]. train: weights[i] = input[i] + input[88 + i] + label, or
 * + target[i] where it learns from targets. Then each fills the rest of the arena. The input of
 * each table, the target and the output share memory, except for what train reads.
 *
 * -DTARGETS: it learns from targets. -DROWS: it reads its sample by rows.
 */
#include "model.h"

#define VALUES MODEL_OUTPUT_BYTES
#define ROW_BYTES 24
#define ROW_COUNT 4
#define TRAIN_INPUT 0
#define INFER_INPUT 16
#define OUTPUT 60
#define TARGET 104

static void fill(uint8_t *arena, uint8_t value, uint32_t first, uint32_t last) {
    for (uint32_t i = 0; i < MODEL_ARENA_BYTES; i++) {
        arena[i] = i >= first && i < last ? arena[i] : value;
    }
}

static void infer(const void *record, void *const *buffers, tiny_band band) {
    uint8_t *arena = buffers[0];
    const uint8_t *input = arena + INFER_INPUT, *weights = buffers[1];
    uint8_t sums[VALUES];
    (void)record;
    (void)band;
    for (uint32_t i = 0; i < VALUES; i++) {
        sums[i] = (uint8_t)(input[i] + input[MODEL_INPUT_BYTES - VALUES + i] + weights[i]);
    }
    for (uint32_t i = 0; i < VALUES; i++) {
        arena[OUTPUT + i] = sums[i];
    }
    fill(arena, 0xA5, OUTPUT, OUTPUT + VALUES);
}

static void train(const void *record, void *const *buffers, tiny_band band) {
    uint8_t *arena = buffers[0], *weights = buffers[1];
    tiny_state *state = buffers[2];
    const uint8_t *input = arena + TRAIN_INPUT;
    (void)record;
    (void)band;
    for (uint32_t i = 0; i < VALUES; i++) {
#ifdef TARGETS
        const uint8_t wanted = arena[TARGET + i];
#else
        const uint8_t wanted = (uint8_t)state->label;
#endif
        weights[i] = (uint8_t)(input[i] + input[MODEL_INPUT_BYTES - VALUES + i] + wanted);
    }
    fill(arena, 0x5A, 0, 0);
    state->step++;
}

#define WEIGHTS TINY_BUFFER(TINY_WEIGHTS, 0)
#define STATE TINY_BUFFER(TINY_STATE, 0)
#define ARENA(offset) TINY_BUFFER(TINY_ARENA, offset)
#define NONE TINY_NO_BUFFER
#define NONE5 NONE, NONE, NONE, NONE, NONE
#define INFER_OP                                     \
    {                                                \
        infer, 0, { ARENA(0), WEIGHTS, NONE, NONE5 } \
    }
#define TRAIN_OP                                      \
    {                                                 \
        train, 0, { ARENA(0), WEIGHTS, STATE, NONE5 } \
    }

#ifdef ROWS
static const tiny_rows rows = {ROW_BYTES, ROW_COUNT};
#define SOURCE_OP(input)                              \
    {                                                 \
        0, &rows, { ARENA(input), NONE, NONE, NONE5 } \
    }
static const tiny_op infer_ops[] = {SOURCE_OP(INFER_INPUT), INFER_OP};
static const tiny_op train_ops[] = {SOURCE_OP(TRAIN_INPUT), TRAIN_OP};
static const tiny_call calls[] = {{0, {0, 1}}, {0, {1, 3}}, {1, {0, 1}}};
#define CALLS 3
#else
static const tiny_op infer_ops[] = {INFER_OP};
static const tiny_op train_ops[] = {TRAIN_OP};
static const tiny_call calls[] = {{0, {0, 1}}};
#define CALLS 1
#endif

/* One scale. */
static const uint32_t state_image[MODEL_STATE_BYTES / 4] = {1, 0, 0, 0, 1u << 16};
static const uint8_t weights_image[MODEL_WEIGHTS_BYTES] = {1, 2, 3};

const tiny_model model = {
    .infer = {infer_ops, calls, CALLS},
    .train = {train_ops, calls, CALLS},
    .flash = weights_image,
    .weights_image = weights_image,
    .state_image = (const uint8_t *)state_image,
    .weights_bytes = MODEL_WEIGHTS_BYTES,
    .state_bytes = MODEL_STATE_BYTES,
    .arena_bytes = MODEL_ARENA_BYTES,
    .output = ARENA(OUTPUT),
#ifdef ROWS
    .input = NONE,
    .train_input = NONE,
    .row_bytes = ROW_BYTES,
#else
    .input = ARENA(INFER_INPUT),
    .train_input = ARENA(TRAIN_INPUT),
#endif
#ifdef TARGETS
    .target = ARENA(TARGET),
    .target_bytes = VALUES,
#else
    .target = NONE,
    .classes = VALUES,
#endif
    .input_bytes = MODEL_INPUT_BYTES,
    .output_bytes = MODEL_OUTPUT_BYTES,
    .hash = MODEL_HASH,
};
