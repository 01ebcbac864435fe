/* From bytes to commands to replies; a command that comes twice is executed once. */
#include <stddef.h>

#include "commands/commands.h"

/* What a command is called with: its body has between `least` and `most` bytes. */
typedef struct command_row {
    uint8_t type;
    uint16_t least, most;
    command *run;
} command_row;

static const command_row command_rows[] = {
    {PROTOCOL_HELLO, 0, 0, command_hello},
    {PROTOCOL_SAMPLE, COMMAND_SAMPLE_HEAD, LINK_BODY_BYTES, command_sample},
    {PROTOCOL_INFER, 0, 0, command_infer},
    {PROTOCOL_TRAIN, COMMAND_TRAIN_SCHEDULED, COMMAND_TRAIN_AT_RATE, command_train},
    {PROTOCOL_COUNTERS, 0, 0, command_counters},
    {PROTOCOL_READ, 7, 7, command_read},
    {PROTOCOL_RESTORE, 5, 5, command_restore},
    {PROTOCOL_WRITE, COMMAND_WRITE_HEAD, LINK_BODY_BYTES, command_write},
    {PROTOCOL_COMMIT, 4, 4, command_commit},
    {PROTOCOL_RESET, 0, 0, command_reset},
    {PROTOCOL_SCHEDULE, 22, 22, command_schedule},
    {PROTOCOL_GUARD, 1, 9, command_guard},
};

static const command_row *find_row(uint8_t type) {
    for (size_t i = 0; i < sizeof command_rows / sizeof command_rows[0]; i++) {
        if (command_rows[i].type == type) {
            return &command_rows[i];
        }
    }
    return NULL;
}

static protocol_status execute(device *self) {
    const uint8_t *frame = self->receiver.bytes;
    const uint32_t count = self->receiver.body_count;
    const command_row *row = find_row(frame[0]);
    if (row == NULL) {
        return PROTOCOL_BAD_COMMAND;
    }
    if (count < row->least || count > row->most) {
        return PROTOCOL_BAD_LENGTH;
    }
    return row->run(self, frame + LINK_HEADER_BYTES, count);
}

/* The host repeats a command whose reply it missed: same sequence number, same bytes. */
int device_is_repetition(const device *self) {
    return self->reply.count > 0 && self->reply.bytes[1] == self->receiver.bytes[1] &&
           self->answered_crc == self->receiver.crc;
}

static void answer(device *self) {
    const uint8_t *frame = self->receiver.bytes;
    if (!device_is_repetition(self)) {
        reply_begin(&self->reply, (uint8_t)(frame[0] | PROTOCOL_REPLY), frame[1]);
        self->answered_crc = self->receiver.crc;
        reply_set_status(&self->reply, (uint8_t)execute(self));
    }
    link_send(self->reply.bytes, self->reply.count);
}

/* Rows that nobody waits for were asked for twice: they are no command, and must not replace the last. */
static void take_frame(device *self) {
    if (self->receiver.bytes[0] == PROTOCOL_ROWS) {
        return;
    }
    do {
        self->rows.interrupted = 0;
        answer(self);
    } while (self->rows.interrupted); /* by the next command, which has come already */
}

/* Says something that answers no command, so the last reply must survive it. */
static void notify(uint8_t type) {
    uint8_t frame[LINK_HEADER_BYTES + LINK_CRC_BYTES] = {type, 0};
    link_send(frame, LINK_HEADER_BYTES);
}

tiny_error device_start(device *self, const tiny_model *model, const char *name,
                        const tiny_memory *memory) {
    const tiny_error error = tiny_init(&self->session, model, memory);
    self->model_name = name;
    tiny_set_source(&self->session, rows_source, self);
    if (error == TINY_OK) {
        notify(PROTOCOL_READY);
    }
    return error;
}

void device_feed(device *self, uint8_t byte) {
    switch (link_receive(&self->receiver, byte)) {
        case LINK_FRAME:
            take_frame(self);
            break;
        case LINK_DAMAGED:
            notify(PROTOCOL_NAK);
            break;
        case LINK_NOTHING:
            break;
    }
}
