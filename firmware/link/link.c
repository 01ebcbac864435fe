/* The line to the host: repeated commands, and unsolicited frames. */
#include "link/link.h"

/* The host repeats a command whose reply it missed: same sequence number, same bytes. */
int link_is_repetition(const link *self) {
    return self->reply.count > 0 && self->reply.bytes[1] == self->receiver.bytes[1] &&
           self->answered_crc == self->receiver.crc;
}

void link_notify(uint8_t type) {
    uint8_t frame[FRAME_HEADER_BYTES + FRAME_CRC_BYTES] = {type, 0};
    frame_send(frame, FRAME_HEADER_BYTES);
}
