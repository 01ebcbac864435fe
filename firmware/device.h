/* The device that commands act on: the running model, its samples, and the line to the host. */
#ifndef TINYFLASH_DEVICE_H
#define TINYFLASH_DEVICE_H

#include "commands/restore.h"
#include "link/link.h"
#include "link/transfer.h"
#include "protocol.h"
#include "tinyflash/model.h"
#include "tinyflash/schedule.h"

typedef struct device {
    tiny_session session;
    const char *model_name;
    transfer sample;        /* into the input of the table it was sent for */
    transfer target;        /* into the target of the train table */
    const uint8_t *output;  /* of the last inference; null: overwritten since */
    tiny_schedule schedule; /* 0 steps: none */
    uint32_t first_step;    /* of the schedule, by the training step counter */
    restore restore;
    link link;
} device;

/* Binds the model to memory and reports that the device is ready. */
tiny_error device_start(device *self, const tiny_model *model, const char *name,
                        const tiny_memory *memory);

/* Consumes the sample at `input`, if it is complete and the session can run. */
protocol_status device_take_sample(device *self, const uint8_t *input);

#endif
