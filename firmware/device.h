/* The device that commands act on: the running model, its samples, and the line to the host. */
#ifndef TINYFLASH_DEVICE_H
#define TINYFLASH_DEVICE_H

#include "arena.h"
#include "commands/collect.h"
#include "commands/restore.h"
#include "commands/storing.h"
#include "link/link.h"
#include "tinyflash/schedule.h"

typedef struct device {
    arena_owner arena; /* with the session */
    const char *model_name;
    tiny_schedule schedule; /* 0 steps: none */
    uint32_t first_step;    /* of the schedule, by the training step counter */
    restore restore;
    device_store store;
    link link;
#ifdef COLLECT_BYTES
    collecting collecting;
#endif
} device;

/* Binds the model to memory, loads what was saved last, and reports that the device is ready. */
tiny_error device_start(device *self, const tiny_model *model, const char *name,
                        const tiny_memory *memory);

#endif
