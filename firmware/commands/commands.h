/* The commands that a host can give, and the device they act on (PROTOCOL.md, "Commands"). */
#ifndef TINYFLASH_COMMANDS_H
#define TINYFLASH_COMMANDS_H

#include "commands/restore.h"
#include "link/frames.h"
#include "link/reply.h"
#include "link/rows.h"
#include "link/transfer.h"
#include "protocol.h"
#include "tinyflash/model.h"
#include "tinyflash/schedule.h"

typedef struct device {
    tiny_session session;
    const char *model_name;
    transfer sample;        /* into the input of the table that it was sent for */
    transfer target;        /* into the target of the train table */
    const uint8_t *output;  /* of the last inference; null: overwritten since */
    tiny_schedule schedule; /* of 0 steps: none */
    uint32_t first_step;    /* of the schedule, by the training step counter */
    restore restore;
    rows rows; /* of a model that takes its sample by rows */
    link_receiver receiver;
    reply reply;           /* the last one, for a command that comes twice */
    uint32_t answered_crc; /* of the command that was answered last, or is being executed */
} device;

/* Binds the model to memory and says that the device is ready. */
tiny_error device_start(device *self, const tiny_model *model, const char *name,
                        const tiny_memory *memory);

/* Feeds one byte off the wire; executes and answers the command that it completes, if any. */
void device_feed(device *self, uint8_t byte);

/* Whether the frame in the receiver is the command that was answered last, or is being executed. */
int device_is_repetition(const device *self);

/* Takes the sample that lies at `input`, if it is complete and the session fit to run; that uses it up. */
protocol_status device_take_sample(device *self, const uint8_t *input);

/* ---- Commands: read `count` bytes of body, append to self->reply ------------------------------ */

typedef protocol_status command(device *self, const uint8_t *body, uint32_t count);

/* Bytes of a body before its data. */
#define COMMAND_SAMPLE_HEAD 10
#define COMMAND_ROWS_HEAD 9
#define COMMAND_WRITE_HEAD 5

/* Bytes of a body of TRAIN, without a rate and with one. */
#define COMMAND_TRAIN_SCHEDULED 4
#define COMMAND_TRAIN_AT_RATE 8

/* session.c: the model at work. */
command command_hello, command_sample, command_infer, command_train, command_schedule;
command command_counters;

/* guard.c: what watches over it. */
command command_guard;

/* learned.c: what it has learned. */
command command_read, command_restore, command_write, command_commit, command_reset;

#endif
