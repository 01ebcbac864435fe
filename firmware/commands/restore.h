/* Restores weights and state, all or nothing.
 *
 * There is no room for a second copy, so the bytes are written in place. From the first byte to the
 * commit, the named spaces are marked partly written, and the session refuses to run.
 */
#ifndef TINYFLASH_RESTORE_H
#define TINYFLASH_RESTORE_H

#include "link/transfer.h"
#include "protocol.h"
#include "tinyflash/model.h"

typedef struct restore {
    transfer weights, state;
    uint8_t spaces; /* set of partly written spaces; 0: none, the session may run */
} restore;

/* Begins a restore of a set of spaces, which must include the partly written ones. */
protocol_status restore_begin(restore *self, const tiny_session *session, uint8_t spaces);

/* Returns the transfer into a space that is being restored, or null. */
transfer *restore_into(restore *self, uint8_t space);

/* Ends the restore if every byte has arrived intact: `crc` covers the weights, if named, then the
 * state, if named. */
protocol_status restore_commit(restore *self, const tiny_session *session, uint32_t crc);

/* Whether a model can run with these bytes as its WEIGHTS: its biases are within their limits. */
int restore_is_sound(const tiny_model *model, const uint8_t *weights);

/* The same for the STATE of a session: its scales are the model's, and in range, as are its rate and
 * its labels. */
int restore_is_sound_state(const tiny_session *session);

/* The same for the gain of one scale (SPEC 5.1). */
static inline int restore_is_sound_gain(int8_t gain) { return gain >= -64 && gain <= 63; }

#endif
