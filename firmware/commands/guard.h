/* The guard's memory on the device. Firmware built without GUARD_SAMPLES has none. */
#ifndef TINYFLASH_FIRMWARE_GUARD_H
#define TINYFLASH_FIRMWARE_GUARD_H

#include "arena.h"

#ifndef GUARD_SAMPLES
#define GUARD_SAMPLES 0 /* room for held-out samples */
#endif

/* Returns where the next held-out sample goes; null: no room. */
uint8_t *guard_room(void);

/* Call this after each training step. */
void guard_watch(arena_owner *arena);

/* The weights are being replaced, so the saved best is void. */
void guard_stop(void);

#endif
