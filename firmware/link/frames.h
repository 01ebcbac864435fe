/* Frames on a serial line: COBS between zero bytes, with a CRC-32 (PROTOCOL.md, "Frames"). */
#ifndef TINYFLASH_FRAMES_H
#define TINYFLASH_FRAMES_H

#include <stdint.h>

/* Longest frame in either direction: type, sequence number, body and CRC, before COBS. */
#define FRAME_BYTES 512
#define FRAME_HEADER_BYTES 2
#define FRAME_CRC_BYTES 4
#define FRAME_BODY_BYTES (FRAME_BYTES - FRAME_HEADER_BYTES - FRAME_CRC_BYTES)

typedef enum frame_event {
    FRAME_NOTHING, /* the frame is incomplete */
    FRAME_WHOLE,   /* a whole frame with a correct CRC arrived */
    FRAME_DAMAGED  /* a truncated, too long or corrupt frame ended */
} frame_event;

/* Receives frames, byte by byte. An all-zero receiver is between two frames. */
typedef struct frame_receiver {
    uint8_t bytes[FRAME_BYTES]; /* type, sequence number, body, CRC */
    uint32_t body_count;        /* after FRAME_WHOLE: bytes of its body */
    uint32_t crc;               /* after FRAME_WHOLE: its CRC */
    uint32_t damaged;           /* frames dropped since the start; stays at its maximum when full */
    uint32_t count;             /* decoded bytes of the current frame */
    uint8_t block_left;         /* COBS: bytes until the next code byte */
    uint8_t zero_due;           /* COBS: a zero precedes the next block */
    uint8_t overlong;
} frame_receiver;

/* Takes one received byte. The frame stays in `bytes` until the next call. */
frame_event frame_receive(frame_receiver *receiver, uint8_t byte);

/* Counts a damaged frame: frame_receive those that it finds, others those with a wrong content. */
void frame_count_damaged(frame_receiver *receiver);

/* Sends a frame through board_uart_write: `count` bytes of type, sequence number and body. Writes
 * the CRC after them, so room for FRAME_CRC_BYTES more must follow. */
void frame_send(uint8_t *bytes, uint32_t count);

/* Little-endian numbers in a body. */
uint16_t frame_get16(const uint8_t *bytes);
uint32_t frame_get32(const uint8_t *bytes);
void frame_put16(uint8_t *bytes, uint16_t value);
void frame_put32(uint8_t *bytes, uint32_t value);

#endif
