/* The reply under construction: header and status, then the data that a command appends. */
#ifndef TINYFLASH_REPLY_H
#define TINYFLASH_REPLY_H

#include "link/frames.h"

typedef struct reply {
    uint8_t bytes[FRAME_BYTES];
    uint32_t count; /* header and body, so far */
} reply;

/* Begins a reply whose body is the status. */
void reply_begin(reply *to, uint8_t type, uint8_t sequence);
void reply_set_status(reply *to, uint8_t status);

/* Returns the room left in the body. Bytes that do not fit are not appended. */
uint32_t reply_room(const reply *to);

void reply_put8(reply *to, uint8_t value);
void reply_put16(reply *to, uint16_t value);
void reply_put32(reply *to, uint32_t value);
void reply_put_bytes(reply *to, const uint8_t *bytes, uint32_t count);

/* Appends a text as its length and its bytes, cut off at 63. */
void reply_put_text(reply *to, const char *text);

#endif
