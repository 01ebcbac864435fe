/* A model for the tests of the link.
 *
 * infer: output[i] = input[i] + weights[i], weights ending before the input does. train:
 * weights[i] += input[i] + label; step += 1; predicted = label, probability = 2^14. Labels of 3 and
 * more crash.
 */
#include "model.h"

#define INFER_INPUT 0
#define OUTPUT 3000
#define TRAIN_INPUT 1024

enum { LABEL_UNMAPPED = 3, LABEL_UNDEFINED = 4, LABEL_STACK = 5, CLASSES = 6 };

static void infer(const void *record, void *const *buffers, tiny_band band) {
    const uint8_t *input = buffers[0], *weights = buffers[1];
    uint8_t *output = buffers[2];
    (void)record;
    (void)band;
    for (uint32_t i = 0; i < MODEL_OUTPUT_BYTES; i++) {
        output[i] = (uint8_t)(input[i] + (i < MODEL_WEIGHTS_BYTES ? weights[i] : 0));
    }
}

/* An overflow that no compiler sees, for it would be refused at the link. */
#ifdef __arm__
#define FILL_STACK "1: push {r0}\n b 1b"
#elif defined __riscv
#define FILL_STACK "1: addi sp, sp, -4\n sw a0, 0(sp)\n j 1b"
#else
#define FILL_STACK "1: push %rax\n jmp 1b"
#endif

#ifdef __riscv
#define UNDEFINED ".short 0, 0"
#else
#define UNDEFINED ".short 0xde00"
#endif

static void crash(uint32_t label) {
    switch (label) {
        case LABEL_UNMAPPED:
            (void)*(volatile uint8_t *)0x48000000u;
            break;
        case LABEL_UNDEFINED:
            __asm volatile(UNDEFINED);
            break;
        case LABEL_STACK:
            __asm volatile(FILL_STACK);
            break;
        default:
            break;
    }
}

static void train(const void *record, void *const *buffers, tiny_band band) {
    const uint8_t *input = buffers[0];
    uint8_t *weights = buffers[1];
    tiny_state *state = buffers[2];
    (void)record;
    (void)band;
    crash(state->label);
    for (uint32_t i = 0; i < MODEL_WEIGHTS_BYTES; i++) {
        weights[i] = (uint8_t)(weights[i] + input[i] + state->label);
    }
    state->step++;
    state->predicted = state->label;
    state->probability = 1 << 14;
}

#define NONE5 TINY_NO_BUFFER, TINY_NO_BUFFER, TINY_NO_BUFFER, TINY_NO_BUFFER, TINY_NO_BUFFER

static const tiny_op infer_op = {
    infer,
    0,
    {TINY_BUFFER(TINY_ARENA, INFER_INPUT), TINY_BUFFER(TINY_WEIGHTS, 0),
     TINY_BUFFER(TINY_ARENA, OUTPUT), NONE5},
};

static const tiny_op train_op = {
    train,
    0,
    {TINY_BUFFER(TINY_ARENA, TRAIN_INPUT), TINY_BUFFER(TINY_WEIGHTS, 0), TINY_BUFFER(TINY_STATE, 0),
     NONE5},
};

static const tiny_call one_call = {0, {0, 1}};

/* Two scales, of exponents -7 and -3. */
static const uint32_t state_image[MODEL_STATE_BYTES / 4] = {
    1, 0, 0, 0, 2u << 16, 0, 0, 0, 0xF9, 0, 0, 0xFD, 0, 0,
};
static const uint8_t weights_image[MODEL_WEIGHTS_BYTES] = {1, 2, 3, 4, 5};

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
    .input_bytes = MODEL_INPUT_BYTES,
    .output_bytes = MODEL_OUTPUT_BYTES,
    .classes = CLASSES,
    .hash = MODEL_HASH,
};
