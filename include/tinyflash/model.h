/* A compiled model is data: four memory spaces and two tables of operations that act on them.
 *
 * The compiler writes a `const tiny_model`; firmware supplies the memory and calls tiny_infer and
 * tiny_train. lib/SPEC.md numbers every rule of the arithmetic (cited here as SPEC n.m).
 */
#ifndef TINYFLASH_MODEL_H
#define TINYFLASH_MODEL_H

#include <stddef.h>
#include <stdint.h>

/* What can go wrong outside a kernel. Negative; the texts are in tiny_error_text. */
typedef enum tiny_error {
    TINY_OK = 0,
    TINY_ERROR_MEMORY = -1,   /* a memory passed is smaller than the model needs, or not aligned */
    TINY_ERROR_LABEL = -2,    /* the label is not below the number of classes */
    TINY_ERROR_RATE = -3,     /* the learning rate is not a normalised tiny_factor */
    TINY_ERROR_NO_TRAIN = -4, /* the model was compiled for inference alone */
    TINY_ERROR_SCHEDULE = -5, /* a field of the schedule is out of its range */
    TINY_ERROR_HELD_OUT = -6  /* held-out samples that cannot be judged, or no memory for a guard */
} tiny_error;

/* The space a buffer lives in; the value indexes tiny_session.base. */
typedef enum tiny_space {
    TINY_FLASH = 0,   /* frozen weights and constants, read only */
    TINY_WEIGHTS = 1, /* trained weights and biases */
    TINY_STATE = 2,   /* one tiny_state; saved and restored together with WEIGHTS */
    TINY_ARENA = 3    /* everything else, placed by the compiler */
} tiny_space;

/* A buffer: the space in the two upper bits, the offset in bytes below. */
typedef uint32_t tiny_buffer;
#define TINY_BUFFER(space, offset) (((uint32_t)(space) << 30) | (uint32_t)(offset))
#define TINY_NO_BUFFER 0xFFFFFFFFu /* resolves to a null pointer */

/* A positive number as mantissa * 2^exponent; mantissa in [2^15, 2^16), or 0 for zero (SPEC 1.4). */
typedef struct tiny_factor {
    uint16_t mantissa;
    int16_t exponent;
} tiny_factor;

/* The scale of one gradient tensor: real = stored * 2^exponent (SPEC 5). */
typedef struct tiny_scale {
    int8_t exponent;
    uint8_t quiet;      /* consecutive steps with room, below 16 */
    uint16_t clipped;   /* elements saturated in this step; stays at its maximum */
    int32_t peak;       /* largest magnitude of this step, after the mask, before saturation */
    uint32_t saturated; /* elements saturated since the start; stays at its maximum when full */
} tiny_scale;

/* All that training remembers besides the weights. `scales` has one entry per gradient tensor; entry 0
 * belongs to the gradient of the loss. */
typedef struct tiny_state {
    uint32_t seed;        /* of the stochastic rounding */
    uint32_t step;        /* training steps done; wraps */
    tiny_factor rate;     /* learning rate, per real unit of weight */
    uint16_t label;       /* of the current sample */
    uint16_t predicted;   /* arg max of the logits, the first of equals */
    uint16_t probability; /* that the softmax gave to the label, in units of 2^-15 */
    uint16_t scale_count;
    uint32_t weights_saturated; /* updates that ended at +-127 by saturation, since the start */
    uint32_t updates_skipped;   /* updates of whole tensors left out, since the start (SPEC 6.7) */
    uint32_t error;             /* of the last sample, for losses with a target (SPEC 4.8) */
    tiny_scale scales[];
} tiny_state;

/* The buffers of one operation, as pointers; the meaning of each is in tinyflash/ops.h. */
#define TINY_OP_BUFFERS 8
typedef void (*tiny_kernel)(const void *record, void *const *buffers);

/* One row of the table. Kernels are named here, so the linker keeps only those that a model uses. */
typedef struct tiny_op {
    tiny_kernel kernel;
    const void *record; /* const tiny_conv2d *, ... : shapes and constants, in flash */
    tiny_buffer buffers[TINY_OP_BUFFERS];
} tiny_op;

/* Operations in execution order. */
typedef struct tiny_table {
    const tiny_op *ops;
    uint32_t count;
} tiny_table;

typedef struct tiny_model {
    tiny_table infer;
    tiny_table train;             /* forward, loss, backward and update; count 0: inference alone */
    const uint8_t *flash;         /* the FLASH space */
    const uint8_t *weights_image; /* initial WEIGHTS */
    const uint8_t *state_image;   /* initial STATE */
    uint32_t flash_bytes, weights_bytes, state_bytes, arena_bytes;
    tiny_buffer input; /* of both tables: the sample, raw bytes as the first operation reads them */
    tiny_buffer output;      /* of the infer table */
    tiny_buffer train_input; /* of the train table; plans may place it elsewhere */
    tiny_buffer target;      /* of the train table; TINY_NO_BUFFER: it learns from labels */
    uint32_t input_bytes, output_bytes;
    uint32_t target_bytes; /* 0: it learns from labels */
    uint32_t classes;      /* labels are below this; 0 where it learns from targets */
    uint32_t hash;         /* identifies model, scheme and layout of WEIGHTS and STATE */
} tiny_model;

/* A model bound to memory. Filled by tiny_init; no field is for the caller to change. */
typedef struct tiny_session {
    const tiny_model *model;
    uint8_t *base[4]; /* by tiny_space; FLASH is never written */
} tiny_session;

/* Memory for a session: each aligned to 4 bytes, each at least as long as the model says. */
typedef struct tiny_memory {
    uint8_t *weights, *state, *arena;
    uint32_t weights_bytes, state_bytes, arena_bytes;
} tiny_memory;

/* Binds a model to memory and loads its initial weights and state. */
tiny_error tiny_init(tiny_session *session, const tiny_model *model, const tiny_memory *memory);

/* Sets weights and state back to the model's initial images. */
void tiny_reset(tiny_session *session);

/* Where the caller writes the next sample, input_bytes long, before tiny_infer or tiny_train. */
uint8_t *tiny_infer_input(const tiny_session *session);
uint8_t *tiny_train_input(const tiny_session *session);

/* Where the caller writes the target of the next sample, target_bytes long, before tiny_train; null where
 * the model learns from labels. What a target means is SPEC 4.8. */
uint8_t *tiny_train_target(const tiny_session *session);

/* Runs the infer table; the result, output_bytes long, stays valid until the next run. */
const uint8_t *tiny_infer(tiny_session *session);

/* One training step on the sample in tiny_train_input: forward, backward, update in place. The outcome is
 * in tiny_session_state(session): predicted and probability, or error; counters. The label counts for
 * nothing where the model learns from a target. */
tiny_error tiny_train(tiny_session *session, uint32_t label, tiny_factor rate);

/* Prepares a training step without running it; then tiny_run executes `table.train` in as many
 * pieces as a scheduler wants. tiny_train is these two in one. */
tiny_error tiny_train_begin(tiny_session *session, uint32_t label, tiny_factor rate);

/* Runs ops [first, first + count) of a table of the session's model. */
void tiny_run(tiny_session *session, const tiny_table *table, uint32_t first, uint32_t count);

tiny_state *tiny_session_state(const tiny_session *session);

/* One line for a person. */
const char *tiny_error_text(tiny_error error);

#endif
