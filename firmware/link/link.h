/* The line to the host: the incoming frame, and the last reply. */
#ifndef TINYFLASH_LINK_H
#define TINYFLASH_LINK_H

#include "link/frames.h"
#include "link/pairing.h"
#include "link/rate.h"
#include "link/reply.h"
#include "link/rows.h"

typedef struct link {
    rows rows; /* for a model that reads its sample by rows */
    frame_receiver receiver;
    reply reply;           /* the last one, kept for a repeated command */
    uint32_t answered_crc; /* of the last answered or the running command */
    pairing pairing;
    rate rate;
} link;

/* Takes what the line has: a byte, or -1 for none. */
frame_event link_receive(link *self, int byte);

/* Whether the frame in the receiver repeats the last answered or the running command. */
int link_is_repetition(const link *self);

/* Sends an unsolicited frame without a body; the last reply stays as it is. */
void link_notify(uint8_t type);

#endif
