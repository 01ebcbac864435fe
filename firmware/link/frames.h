/* Frames on a serial line: COBS between zero bytes, with a CRC-32 (PROTOCOL.md, "Frames"). */
#ifndef TINYFLASH_LINK_H
#define TINYFLASH_LINK_H

#include <stdint.h>

/* Longest frame in either direction: type, sequence number, body and CRC, before COBS. */
#define LINK_FRAME_BYTES 512
#define LINK_HEADER_BYTES 2
#define LINK_CRC_BYTES 4
#define LINK_BODY_BYTES (LINK_FRAME_BYTES - LINK_HEADER_BYTES - LINK_CRC_BYTES)

typedef enum link_event {
    LINK_NOTHING, /* the frame goes on */
    LINK_FRAME,   /* a whole frame with a right CRC has come */
    LINK_DAMAGED  /* a frame ended that was truncated, too long or corrupt */
} link_event;

/* Receives frames, byte by byte. All zero is a receiver between two frames. */
typedef struct link_receiver {
    uint8_t bytes[LINK_FRAME_BYTES]; /* type, sequence number, body, CRC */
    uint32_t body_count;             /* after LINK_FRAME: bytes of its body */
    uint32_t crc;                    /* after LINK_FRAME: its CRC */
    uint32_t damaged;   /* frames dropped since the start; stays at its maximum when full */
    uint32_t count;     /* bytes decoded of the frame under way */
    uint8_t block_left; /* COBS: bytes until the next code byte */
    uint8_t zero_due;   /* COBS: a zero stands before the next block */
    uint8_t overlong;
} link_receiver;

/* Feeds one byte off the wire. The frame stays in `bytes` until the next call. */
link_event link_receive(link_receiver *receiver, uint8_t byte);

/* Sends a frame through board_uart_write: `count` bytes of type, sequence number and body. Room for
 * LINK_CRC_BYTES more must follow them: the CRC is put there. */
void link_send(uint8_t *bytes, uint32_t count);

/* CRC-32 as in zlib, of `count` more bytes after those that gave `crc`; 0 to begin with. */
uint32_t link_crc32(uint32_t crc, const uint8_t *bytes, uint32_t count);

/* Little-endian numbers in a body. */
uint16_t link_get16(const uint8_t *bytes);
uint32_t link_get32(const uint8_t *bytes);
void link_put16(uint8_t *bytes, uint16_t value);
void link_put32(uint8_t *bytes, uint32_t value);

#endif
