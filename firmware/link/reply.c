/* The reply under construction. */
#include "link/reply.h"

#include <string.h>

#define LONGEST_TEXT 63

void reply_begin(reply *to, uint8_t type, uint8_t sequence) {
    const uint8_t start[] = {type, sequence, 0};
    to->count = 0;
    reply_put_bytes(to, start, sizeof start);
}

void reply_set_status(reply *to, uint8_t status) { to->bytes[FRAME_HEADER_BYTES] = status; }

uint32_t reply_room(const reply *to) { return FRAME_BYTES - FRAME_CRC_BYTES - to->count; }

void reply_put_bytes(reply *to, const uint8_t *bytes, uint32_t count) {
    if (count <= reply_room(to)) {
        memcpy(to->bytes + to->count, bytes, count);
        to->count += count;
    }
}

void reply_put8(reply *to, uint8_t value) { reply_put_bytes(to, &value, 1); }

void reply_put16(reply *to, uint16_t value) {
    uint8_t bytes[2];
    frame_put16(bytes, value);
    reply_put_bytes(to, bytes, sizeof bytes);
}

void reply_put32(reply *to, uint32_t value) {
    uint8_t bytes[4];
    frame_put32(bytes, value);
    reply_put_bytes(to, bytes, sizeof bytes);
}

void reply_put_text(reply *to, const char *text) {
    size_t length = 0;
    while (length < LONGEST_TEXT && text[length] != '\0') {
        length++;
    }
    reply_put8(to, (uint8_t)length);
    reply_put_bytes(to, (const uint8_t *)text, (uint32_t)length);
}
