/* A compiled model is data: four memory spaces, two tables of operations that act on them, and the
 * order in which rows of what they compute are made.
 *
 * The compiler writes a `const tiny_model`; firmware supplies the memory and calls tiny_infer and
 * tiny_train. lib/SPEC.md numbers every rule of the arithmetic (cited here as SPEC n.m).
 */
#ifndef TINYFLASH_MODEL_H
#define TINYFLASH_MODEL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Of the structures and of the buffers of each kernel (ops.h): a model.c that was compiled for other
 * ones is refused. */
#define TINY_MODEL_VERSION 2

/* What can go wrong outside a kernel. Negative; tiny_error_text has a line for each. */
typedef enum tiny_error {
    TINY_OK = 0,
    TINY_ERROR_MEMORY = -1,   /* a memory passed is smaller than the model needs, or not aligned */
    TINY_ERROR_LABEL = -2,    /* the label is not below the number of classes */
    TINY_ERROR_RATE = -3,     /* the learning rate is not a normalised tiny_factor */
    TINY_ERROR_NO_TRAIN = -4, /* the model was compiled for inference only */
    TINY_ERROR_SCHEDULE = -5, /* a field of the schedule is out of its range */
    TINY_ERROR_HELD_OUT = -6, /* held-out samples that cannot be judged, or no memory for a guard */
    TINY_ERROR_NO_SOURCE = -7, /* the model reads its input from a source of rows, and has none */
    TINY_ERROR_SOURCE = -8,    /* the source of rows failed */
    TINY_ERROR_STORE = -9,     /* the flash of a store is too small, or its sizes are impossible */
    TINY_ERROR_FLASH = -10,    /* the flash of a store cannot be read, or does not keep a record */
    TINY_ERROR_REPLAY = -11,   /* no memory for a replay buffer, or a model that cannot have one */
    TINY_ERROR_CHOICE = -12    /* no candidates, or the session is not that of their judge */
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

/* A number >= 0 as mantissa * 2^exponent: mantissa in [2^15, 2^16), exponent in [-512, 511]; or 0
 * for zero (SPEC 1.4). */
typedef struct tiny_factor {
    uint16_t mantissa;
    int16_t exponent;
} tiny_factor;

/* The scale of one gradient tensor: real = stored * 2^exponent (SPEC 5). */
typedef struct tiny_scale {
    int8_t exponent;    /* of this step, in [-40, 15] */
    int8_t gain;        /* in [-64, 63], added to the level of what this one is computed from */
    uint16_t clipped;   /* elements saturated in this step; stays at its maximum */
    int32_t peak;       /* largest magnitude of this step, after the mask, before saturation */
    uint32_t saturated; /* elements saturated since the start; stays at its maximum when full */
} tiny_scale;

/* All that training remembers besides the weights; 4-byte aligned, in STATE. `scale_count` scales
 * follow it there: tiny_state_scales. */
typedef struct tiny_state {
    uint32_t seed;              /* of the stochastic rounding */
    uint32_t step;              /* training steps done; wraps */
    tiny_factor rate;           /* learning rate, per real unit of weight */
    uint16_t label;             /* of the current sample */
    uint16_t predicted;         /* arg max of the logits, the first of equals */
    uint16_t probability;       /* that the softmax gave to the label, in units of 2^-15 */
    uint16_t scale_count;       /* gradient tensors */
    uint32_t weights_saturated; /* updates that ended at +-127 by saturation, since the start */
    uint32_t updates_skipped;   /* updates of whole tensors left out, since the start (SPEC 6.7) */
    uint32_t error;             /* of the last sample, for losses with a target (SPEC 4.8) */
} tiny_state;

/* The scales of a state, one of each gradient tensor; the first is the gradient of the loss. */
static inline tiny_scale *tiny_state_scales(tiny_state *state) {
    return (tiny_scale *)(void *)(state + 1);
}

/* Rows [first, first + count) of the map that an operation computes. A kernel without bands ignores
 * it, and computes all rows. */
typedef struct tiny_band {
    uint16_t first, count;
} tiny_band;

/* A kernel as a table names it. It gets the buffers of its operation as pointers, in the order that
 * tinyflash/ops.h gives; null for TINY_NO_BUFFER. It cannot fail. */
#define TINY_OP_BUFFERS 8
#define TINY_SCRATCH (TINY_OP_BUFFERS - 1) /* the buffer of a kernel that uses scratch */
typedef void (*tiny_kernel)(const void *record, void *const *buffers, tiny_band band);

/* One operation. Kernels are named here, so the linker keeps only those that a model uses. */
typedef struct tiny_op {
    tiny_kernel kernel; /* null: the session's source of rows fills buffers[0] */
    const void *record; /* const tiny_conv2d *, ... : shapes and constants, in flash */
    tiny_buffer buffers[TINY_OP_BUFFERS];
} tiny_op;

/* One step of the order of execution. An operation that is not cut has one call. */
typedef struct tiny_call {
    uint16_t op;
    tiny_band band;
} tiny_call;

/* Operations, and the calls that execute them. The compiler has proved the order: whoever walks it
 * has nothing to decide. */
typedef struct tiny_table {
    const tiny_op *ops;
    const tiny_call *calls;
    uint32_t count; /* of calls */
} tiny_table;

/* Writes rows of the next sample to `rows`, one after the other, row_bytes of the model each.
 * Returns 0 when done; anything else fails the step. A training step or an inference asks for each
 * row once, in ascending order. `context` is the one given to tiny_set_source. */
typedef int (*tiny_source)(void *context, tiny_band band, uint8_t *rows);

/* The record of an operation that a source fills: row r of the input is at r mod ring. */
typedef struct tiny_rows {
    uint32_t row_bytes;
    uint16_t ring;
} tiny_rows;

typedef struct tiny_model {
    tiny_table infer;
    tiny_table train;             /* forward, loss, backward and update; count 0: inference only */
    const uint8_t *flash;         /* the FLASH space */
    const uint8_t *weights_image; /* initial WEIGHTS */
    const uint8_t *state_image;   /* initial STATE */
    uint32_t flash_bytes, weights_bytes, state_bytes, arena_bytes;
    /* Of the infer table: the sample, raw bytes as the first operation reads them. TINY_NO_BUFFER:
     * both tables ask a source for its rows. */
    tiny_buffer input;
    tiny_buffer output;      /* of the infer table */
    tiny_buffer train_input; /* as input, of the train table; plans may place it elsewhere */
    tiny_buffer target;      /* of the train table; TINY_NO_BUFFER: it learns from labels */
    uint32_t input_bytes, output_bytes;
    uint32_t row_bytes;    /* of the rows that a source writes; 0: the input is in memory */
    uint32_t target_bytes; /* 0: it learns from labels */
    uint32_t classes;      /* labels are below this; 0 where it learns from targets */
    uint32_t hash;         /* identifies model, scheme and layout of WEIGHTS and STATE */
} tiny_model;

/* A model bound to memory. Filled by tiny_init; no field is for the caller to change. */
typedef struct tiny_session {
    const tiny_model *model;
    uint8_t *base[4]; /* by tiny_space; FLASH is never written */
    tiny_source source;
    void *context; /* the source's */
} tiny_session;

/* Memory for a session: each aligned to 4 bytes, each at least as long as the model says. */
typedef struct tiny_memory {
    void *weights, *state, *arena;
    uint32_t weights_bytes, state_bytes, arena_bytes;
} tiny_memory;

/* Binds a model to memory and loads its initial weights and state.
 *
 *   session  filled
 *   model    must outlive the session
 *   memory   is read only here; what it points to must outlive the session
 *
 * TINY_ERROR_MEMORY: a memory is too small or not aligned; then the session is not changed.
 * Cost: copies weights_bytes and state_bytes. */
tiny_error tiny_init(tiny_session *session, const tiny_model *model, const tiny_memory *memory);

/* Sets weights and state back to the model's initial images. ARENA is left as it is. */
void tiny_reset(tiny_session *session);

/* Where the caller writes the next sample, input_bytes long, before each tiny_infer or tiny_train:
 * the memory may be used for other tensors during the run. Null where the model asks a source. */
uint8_t *tiny_infer_input(const tiny_session *session);
uint8_t *tiny_train_input(const tiny_session *session);

/* Where the caller writes the target of the next sample, target_bytes long, before each tiny_train.
 * As with samples, any run may overwrite it, also tiny_infer and a guard's evaluation. Null where the model learns from labels. SPEC 4.8 says what a target means. */
uint8_t *tiny_train_target(const tiny_session *session);

/* Sets the source of a model compiled for one. Inference and training ask it for rows as they need
 * them, into a few rows of memory, so the sample is never in memory as a whole. `source` null:
 * none, as after tiny_init. */
void tiny_set_source(tiny_session *session, tiny_source source, void *context);

/* A sample in memory or in mapped flash. */
typedef struct tiny_picture {
    const uint8_t *rows;
    uint32_t row_bytes; /* the model's */
} tiny_picture;

/* A source, its context a const tiny_picture *: copies the rows of a picture, and never fails. */
int tiny_picture_source(void *context, tiny_band band, uint8_t *rows);

/* Runs the infer table. Returns the result, output_bytes long, valid until the next run.
 * Null: the source of rows is missing or failed, which is all that can go wrong. WEIGHTS and STATE
 * are not changed. */
const uint8_t *tiny_infer(tiny_session *session);

/* Runs one training step on the sample in tiny_train_input: forward, backward, update in place.
 *
 *   label  below model->classes; ignored where the model learns from a target
 *   rate   learning rate per real unit of weight; a normalised factor, or zero
 *
 * The outcome is in tiny_session_state: predicted and probability, or error; counters.
 * TINY_ERROR_NO_TRAIN, _LABEL, _RATE: the arguments. _NO_SOURCE, _SOURCE: the rows. After an error
 * WEIGHTS and STATE are as before. */
tiny_error tiny_train(tiny_session *session, uint32_t label, tiny_factor rate);

/* Checks and stores label and rate, as tiny_train does, but runs nothing. Then tiny_run executes
 * model->train in as many pieces as a scheduler wants. */
tiny_error tiny_train_begin(tiny_session *session, uint32_t label, tiny_factor rate);

/* Runs calls [first, first + count) of a table of the session's model; the caller keeps them within
 * table->count, and in order. It ends early where the source of rows is missing or fails, which is
 * before a step has changed anything except rate and label. */
tiny_error tiny_run(tiny_session *session, const tiny_table *table, uint32_t first, uint32_t count);

/* The state of a session: what a step reported, and all counters. */
tiny_state *tiny_session_state(const tiny_session *session);

/* One line for a person; never null, also for numbers that are no tiny_error. */
const char *tiny_error_text(tiny_error error);

#ifdef __cplusplus
}
#endif

#endif
