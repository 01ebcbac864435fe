/* Writing weights and state back: all of it, or none of it counts.
 *
 * There is no room for a second copy, so the bytes go straight to their place. From the first to
 * the commit, the spaces named are marked half written, and nothing runs on them.
 */
#ifndef TINYFLASH_RESTORE_H
#define TINYFLASH_RESTORE_H

#include "link/transfer.h"
#include "protocol.h"
#include "tinyflash/model.h"

typedef struct restore {
    transfer weights, state;
    uint8_t spaces; /* set of spaces half written; 0: none, the session may run */
} restore;

/* Opens a restore of a set of spaces, which must contain those half written already. */
protocol_status restore_begin(restore *self, const tiny_session *session, uint8_t spaces);

/* The transfer into a space that is being restored, or null. */
transfer *restore_into(restore *self, uint8_t space);

/* Closes it if every byte has come, in full and undamaged: `crc` covers the weights, if named, and
 * then the state, if named. */
protocol_status restore_commit(restore *self, const tiny_session *session, uint32_t crc);

#endif
