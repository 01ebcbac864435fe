/* Turns bytes into commands and replies. A repeated command is executed once. */
#include "commands/commands.h"

#include <stddef.h>

#include "board.h"
#include "model.h"

/* The limits of a command: its body has `least` to `most` bytes. */
typedef struct command_row {
    uint8_t type;
    uint16_t least, most;
    command *run;
} command_row;

static const command_row command_rows[] = {
    {PROTOCOL_HELLO, 0, 0, command_hello},
    {PROTOCOL_SAMPLE, COMMAND_SAMPLE_HEAD, FRAME_BODY_BYTES, command_sample},
    {PROTOCOL_INFER, 0, 0, command_infer},
    {PROTOCOL_TRAIN, COMMAND_TRAIN_SCHEDULED, COMMAND_TRAIN_AT_RATE, command_train},
    {PROTOCOL_COUNTERS, 0, 0, command_counters},
    {PROTOCOL_READ, 7, 7, command_read},
    {PROTOCOL_RESTORE, 5, 5, command_restore},
    {PROTOCOL_WRITE, COMMAND_WRITE_HEAD, FRAME_BODY_BYTES, command_write},
    {PROTOCOL_COMMIT, 4, 4, command_commit},
    {PROTOCOL_RESET, 0, 0, command_reset},
    {PROTOCOL_SCHEDULE, 22, 22, command_schedule},
    {PROTOCOL_GUARD, 1, 41, command_guard},
    {PROTOCOL_RATES, 0, 4 * COMMAND_MOST_RATES, command_rates},
    {PROTOCOL_RATE, 4, 4, command_rate},
    {PROTOCOL_ECHO, 0, FRAME_BODY_BYTES - 1, command_echo},
    {PROTOCOL_REPLAY, 1, 9, command_replay},
#if MODEL_TARGET_BYTES > 0
    {PROTOCOL_NORMAL, 1, FRAME_BODY_BYTES, command_normal},
#endif
#ifdef PAIRING
    {PROTOCOL_PAIR, 0, 0, command_pair},
#endif
#ifdef COLLECT_BYTES
    {PROTOCOL_COLLECT, 1, 17, command_collect},
#endif
#ifdef BOARD_STORE_SECTORS
    {PROTOCOL_SAVE, 0, 0, command_save},
    {PROTOCOL_LOAD, 0, 0, command_load},
    {PROTOCOL_FACTORY, 0, 0, command_factory},
#endif
};

static const command_row *find_row(uint8_t type) {
    for (size_t i = 0; i < sizeof command_rows / sizeof command_rows[0]; i++) {
        if (command_rows[i].type == type) {
            return &command_rows[i];
        }
    }
    return NULL;
}

/* How a host begins: it has no nonce yet. */
static int is_greeting(uint8_t type) { return type == PROTOCOL_HELLO || type == PROTOCOL_PAIR; }

static protocol_status execute(device *self) {
    frame_receiver *receiver = &self->link.receiver;
    const uint8_t *frame = receiver->bytes;
    const command_row *row = find_row(frame[0]);
    if (row == NULL) {
        return PROTOCOL_BAD_COMMAND;
    }
    if (!is_greeting(frame[0]) && !pairing_takes(&self->link.pairing, receiver)) {
        return PROTOCOL_NOT_PAIRED;
    }
    const uint32_t count = receiver->body_count;
    if (count < row->least || count > row->most) {
        return PROTOCOL_BAD_LENGTH;
    }
    return row->run(self, frame + FRAME_HEADER_BYTES, count);
}

/* A type that no command can have is answered by PROTOCOL_REPLY alone, so no reply looks like an
 * unsolicited frame. */
static uint8_t reply_type(uint8_t type) {
    return (uint8_t)(type <= PROTOCOL_LAST_COMMAND ? type | PROTOCOL_REPLY : PROTOCOL_REPLY);
}

static void answer(device *self) {
    const uint8_t *frame = self->link.receiver.bytes;
    if (!link_is_repetition(&self->link)) {
        reply_begin(&self->link.reply, reply_type(frame[0]), frame[1]);
        self->link.answered_crc = self->link.receiver.crc;
        reply_set_status(&self->link.reply, (uint8_t)execute(self));
    }
    frame_send(self->link.reply.bytes, self->link.reply.count);
    rate_apply(&self->link.rate);
}

/* Unexpected rows were requested twice. They are not a command and must not replace the last one.
 */
static void take_frame(device *self) {
    if (self->link.receiver.bytes[0] == PROTOCOL_ROWS) {
        return;
    }
    do {
        self->link.rows.interrupted = 0;
        answer(self);
    } while (self->link.rows.interrupted); /* by the next command, already received */
}

void commands_feed(device *self, int byte) {
    const frame_event event = link_receive(&self->link, byte);
    if (event != FRAME_NOTHING) {
        pairing_stir(&self->link.pairing, board_ticks());
    }
    switch (event) {
        case FRAME_WHOLE:
            take_frame(self);
            break;
        case FRAME_DAMAGED:
            link_notify(PROTOCOL_NAK);
            break;
        case FRAME_NOTHING:
            break;
    }
}
