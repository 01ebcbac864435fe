/* Requests rows of a sample from the host as inference or training needs them. */
#include "link/rows.h"

#include "board.h"
#include "link/coding.h"
#include "link/link.h"

/* Bytes of a body of ROWS before its data. */
#define ROWS_HEAD 9

/* The wait for a piece before asking again, and the tries until the host counts as gone. */
#define ASKS_PER_SECOND 2
#define MOST_ASKS 20

/* The bytes of the sample wanted at `to`, from `first` on. */
typedef struct want {
    uint8_t *to;
    uint32_t first, count;
    uint32_t done;
} want;

void rows_begin(rows *self) { *self = (rows){.row_bytes = self->row_bytes}; }

static void ask(const link *self, const want *wanted) {
    uint8_t frame[FRAME_HEADER_BYTES + 8 + FRAME_CRC_BYTES] = {PROTOCOL_WANT};
    frame[1] = self->reply.bytes[1]; /* of the running command */
    frame_put32(frame + FRAME_HEADER_BYTES, wanted->first + wanted->done);
    frame_put32(frame + FRAME_HEADER_BYTES + 4, wanted->count - wanted->done);
    frame_send(frame, FRAME_HEADER_BYTES + 8);
}

/* body: group 8, stride 16, offset 32, count 16, data. A piece that is not the next was asked for
 * twice, and is ignored. */
static protocol_status take_piece(const uint8_t *body, uint32_t count, want *wanted) {
    if (count < ROWS_HEAD) {
        return PROTOCOL_BAD_LENGTH;
    }
    const coding_range range = {
        .count = frame_get16(body + 7),
        .stride = frame_get16(body + 1),
        .group = body[0],
    };
    if (frame_get32(body + 3) != wanted->first + wanted->done) {
        return PROTOCOL_OK;
    }
    if (range.count == 0 || range.count > wanted->count - wanted->done) {
        return PROTOCOL_BAD_RANGE;
    }
    if (!coding_place(wanted->to + wanted->done, &range, body + ROWS_HEAD, count - ROWS_HEAD)) {
        return PROTOCOL_BAD_CODE;
    }
    wanted->done += range.count;
    return PROTOCOL_OK;
}

/* Handles a frame: a piece, the running command again, or another command, which ends the run. */
static protocol_status take_frame(link *self, want *wanted) {
    const frame_receiver *receiver = &self->receiver;
    if (receiver->bytes[0] == PROTOCOL_ROWS) {
        const int is_stale = receiver->bytes[1] != self->reply.bytes[1];
        return is_stale
                   ? PROTOCOL_OK
                   : take_piece(receiver->bytes + FRAME_HEADER_BYTES, receiver->body_count, wanted);
    }
    if (link_is_repetition(self)) {
        ask(self, wanted);
        return PROTOCOL_OK;
    }
    self->rows.interrupted = 1;
    return PROTOCOL_NO_ROWS;
}

/* Takes one byte, or -1. Rows that are not authentic are damaged: they are asked for again. */
static frame_event receive(link *self, int byte) {
    const frame_event event = link_receive(self, byte);
    const int are_rows = event == FRAME_WHOLE && self->receiver.bytes[0] == PROTOCOL_ROWS;
    if (!are_rows || pairing_accepts(&self->pairing, &self->receiver)) {
        return event;
    }
    frame_count_damaged(&self->receiver);
    return FRAME_DAMAGED;
}

/* Returns the next event on the line: a frame, a damaged frame, or nothing in time. */
static frame_event listen(link *self) {
    const uint32_t start = board_ticks();
    while (board_ticks() - start < board_ticks_per_second / ASKS_PER_SECOND) {
        const int byte = board_uart_read();
        const frame_event event = receive(self, byte);
        if (event != FRAME_NOTHING) {
            return event;
        }
        if (byte < 0) {
            board_idle();
        }
    }
    return FRAME_NOTHING;
}

/* Receives one piece of the wanted bytes, or returns why there is none. */
static protocol_status get_piece(link *self, want *wanted) {
    const uint32_t before = wanted->done;
    protocol_status status = PROTOCOL_OK;
    ask(self, wanted);
    for (int asks = 1; status == PROTOCOL_OK && wanted->done == before;) {
        if (listen(self) == FRAME_WHOLE) {
            status = take_frame(self, wanted);
        } else if (asks++ < MOST_ASKS) {
            ask(self, wanted);
        } else {
            status = PROTOCOL_NO_ROWS;
        }
    }
    return status;
}

int rows_source(void *context, tiny_band band, uint8_t *to) {
    link *self = context;
    const uint32_t row_bytes = self->rows.row_bytes;
    want wanted = {to, band.first * row_bytes, band.count * row_bytes, 0};
    const uint32_t start = board_ticks();
    while (self->rows.status == PROTOCOL_OK && wanted.done < wanted.count) {
        self->rows.status = get_piece(self, &wanted);
    }
    self->rows.waited += board_ticks() - start;
    return self->rows.status != PROTOCOL_OK;
}
