/* The commands that a host can give (PROTOCOL.md, "Commands"). */
#ifndef TINYFLASH_COMMANDS_H
#define TINYFLASH_COMMANDS_H

#include "device.h"

/* Takes one received byte, or -1 for none. Executes and answers the command that it completes, if
 * any. */
void commands_feed(device *self, int byte);

/* ---- Commands: read `count` bytes of body, append to self->link.reply ------------------------ */

typedef protocol_status command(device *self, const uint8_t *body, uint32_t count);

/* Bytes of a body before its data. */
#define COMMAND_SAMPLE_HEAD 10
#define COMMAND_WRITE_HEAD 5

/* Rates in a body of RATES. */
#define COMMAND_MOST_RATES 16

/* Bytes of a body of TRAIN, without a rate and with one. */
#define COMMAND_TRAIN_SCHEDULED 4
#define COMMAND_TRAIN_AT_RATE 8

/* run.c: runs the model. */
command command_hello, command_sample, command_infer, command_train, command_schedule;
command command_counters, command_pair;

/* line.c: looks after the serial line. */
command command_rates, command_rate, command_echo;

/* guard.c: watches over it. */
command command_guard;

/* replay.c: keeps it from forgetting. */
command command_replay;

/* normal.c: judges what is normal; of a model that has targets. */
command command_normal;

/* learned.c: reads and restores what it has learned. */
command command_read, command_restore, command_write, command_commit, command_reset;

/* collect.c: frames of the board's sensor; in firmware that is built to collect. */
command command_collect;

/* storing.c: keeps it in flash; on boards with a flash for it. */
command command_save, command_load, command_factory;

#endif
