/* The line to the host: what it brings, repeated commands, and unsolicited frames. */
#include "link/link.h"

frame_event link_receive(link *self, int byte) {
    const int has_byte = byte >= 0;
    const frame_event event =
        has_byte ? frame_receive(&self->receiver, (uint8_t)byte) : FRAME_NOTHING;
    rate_watch(&self->rate, has_byte, event == FRAME_WHOLE);
    return event;
}

/* The host repeats a command whose reply it missed: same sequence number, same bytes. */
int link_is_repetition(const link *self) {
    return self->reply.count > 0 && self->reply.bytes[1] == self->receiver.bytes[1] &&
           self->answered_crc == self->receiver.crc;
}

void link_notify(uint8_t type) {
    uint8_t frame[FRAME_HEADER_BYTES + FRAME_CRC_BYTES] = {type, 0};
    frame_send(frame, FRAME_HEADER_BYTES);
}
