/* Frames on a serial line: COBS between zero bytes, with a CRC-32. */
#include "link/frames.h"

#include "board.h"
#include "tinyflash/crc32.h"

/* ---- Numbers --------------------------------------------------------------------------------- */

uint16_t frame_get16(const uint8_t *bytes) { return (uint16_t)(bytes[0] | (bytes[1] << 8)); }

uint32_t frame_get32(const uint8_t *bytes) {
    return frame_get16(bytes) | ((uint32_t)frame_get16(bytes + 2) << 16);
}

void frame_put16(uint8_t *bytes, uint16_t value) {
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

void frame_put32(uint8_t *bytes, uint32_t value) {
    frame_put16(bytes, (uint16_t)value);
    frame_put16(bytes + 2, (uint16_t)(value >> 16));
}

/* ---- Receiving ------------------------------------------------------------------------------- */

static void store(frame_receiver *receiver, uint8_t byte) {
    if (receiver->count == FRAME_BYTES) {
        receiver->overlong = 1;
        return;
    }
    receiver->bytes[receiver->count++] = byte;
}

static int is_whole(frame_receiver *receiver) {
    if (receiver->overlong || receiver->block_left > 0 ||
        receiver->count < FRAME_HEADER_BYTES + FRAME_CRC_BYTES) {
        return 0;
    }
    const uint32_t covered = receiver->count - FRAME_CRC_BYTES;
    receiver->crc = frame_get32(receiver->bytes + covered);
    receiver->body_count = covered - FRAME_HEADER_BYTES;
    return receiver->crc == tiny_crc32(0, receiver->bytes, covered);
}

void frame_count_damaged(frame_receiver *receiver) {
    if (receiver->damaged < UINT32_MAX) {
        receiver->damaged++;
    }
}

/* Handles a zero byte. Between two frames it is ignored, so a sender may use it to flush the line.
 */
static frame_event end_frame(frame_receiver *receiver) {
    const int empty = receiver->count == 0 && receiver->block_left == 0 && !receiver->zero_due;
    const int whole = !empty && is_whole(receiver);
    receiver->count = 0;
    receiver->block_left = 0;
    receiver->zero_due = 0;
    receiver->overlong = 0;
    if (empty) {
        return FRAME_NOTHING;
    }
    if (!whole) {
        frame_count_damaged(receiver);
    }
    return whole ? FRAME_WHOLE : FRAME_DAMAGED;
}

frame_event frame_receive(frame_receiver *receiver, uint8_t byte) {
    if (byte == 0) {
        return end_frame(receiver);
    }
    if (receiver->block_left > 0) {
        receiver->block_left--;
        store(receiver, byte);
        return FRAME_NOTHING;
    }
    if (receiver->zero_due) {
        store(receiver, 0);
    }
    receiver->block_left = (uint8_t)(byte - 1);
    receiver->zero_due = byte != 0xFF;
    return FRAME_NOTHING;
}

/* ---- Sending --------------------------------------------------------------------------------- */

#define LONGEST_RUN 254 /* non-zero bytes after one code byte */

static uint32_t run_length(const uint8_t *bytes, uint32_t count) {
    for (uint32_t run = 0; run < count && run < LONGEST_RUN; run++) {
        if (bytes[run] == 0) {
            return run;
        }
    }
    return count < LONGEST_RUN ? count : LONGEST_RUN;
}

/* COBS: each run of non-zero bytes is sent after the code byte length + 1, which replaces the zero that
 * follows the run. The last run is coded as if one more zero followed. */
static void send_encoded(const uint8_t *bytes, uint32_t count) {
    uint32_t done = 0;
    while (done < count + 1) {
        const uint32_t run = run_length(bytes + done, count - done);
        const uint8_t code = (uint8_t)(run + 1);
        board_uart_write(&code, 1);
        board_uart_write(bytes + done, run);
        done += run == LONGEST_RUN ? run : run + 1;
    }
}

void frame_send(uint8_t *bytes, uint32_t count) {
    static const uint8_t delimiter = 0;
    frame_put32(bytes + count, tiny_crc32(0, bytes, count));
    board_uart_write(&delimiter, 1);
    send_encoded(bytes, count + FRAME_CRC_BYTES);
    board_uart_write(&delimiter, 1);
}
