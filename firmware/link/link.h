/* The line to the host: the frame that comes in, and the reply that went out last. */
#ifndef TINYFLASH_LINK_H
#define TINYFLASH_LINK_H

#include "link/frames.h"
#include "link/reply.h"
#include "link/rows.h"

typedef struct link {
    rows rows; /* of a model that takes its sample by rows */
    frame_receiver receiver;
    reply reply;           /* the last one, for a command that comes twice */
    uint32_t answered_crc; /* of the command that was answered last, or is being executed */
} link;

/* Whether the frame in the receiver is the command that was answered last, or is being executed. */
int link_is_repetition(const link *self);

/* Sends an unsolicited frame without a body; the last reply stays as it is. */
void link_notify(uint8_t type);

#endif
