/* The owner of the arena: samples and targets from the host, and the output of an inference.
 *
 * They share memory with each other and with every run. Whatever may overwrite something is asked
 * for here, and here what it may overwrite becomes void: a piece from the host, and a run. There is
 * one sample at a time, for one purpose; a held-out sample is the only one outside the arena.
 */
#ifndef TINYFLASH_FIRMWARE_ARENA_H
#define TINYFLASH_FIRMWARE_ARENA_H

#include "link/transfer.h"
#include "tinyflash/model.h"

typedef struct arena_owner {
    tiny_session session; /* to run it: arena_infer, arena_clear */
    transfer sample;
    transfer target;
    uint32_t compared;  /* values of the output, with a target; 0 after each run */
    uint8_t purpose;    /* of the sample */
    uint8_t has_output; /* of the last inference */
} arena_owner;

/* Returns the transfer that takes `count` bytes at `offset` for a purpose, and voids what they may
 * overwrite. Null, and nothing changes except that offset 0 begins a new sample: the piece is not
 * the next, does not fit, or the model has no such input. room: for a held-out sample. */
transfer *arena_piece(arena_owner *self, uint8_t purpose, uint8_t *room, uint32_t offset,
                      uint32_t count);

/* Uses up the held-out sample in `room`. Returns 0 if there is no complete one. */
int arena_take_held_out(arena_owner *self, const uint8_t *room);

/* Whether everything that a run for this purpose reads from the arena is there and complete. */
int arena_is_ready(const arena_owner *self, uint8_t purpose);

/* Returns the session for a run, of any table, any number of times. Nothing in the arena is valid
 * from here on. */
tiny_session *arena_clear(arena_owner *self);

/* Runs the infer table on the sample. Returns the output; null: the source of rows failed. */
const uint8_t *arena_infer(arena_owner *self);

/* Returns the output of the last inference; null: there is none, or it may be overwritten. */
const uint8_t *arena_output(const arena_owner *self);

#endif
