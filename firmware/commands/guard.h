/* The guard's memory on the device. Firmware built without GUARD_SAMPLES has none. */
#ifndef TINYFLASH_FIRMWARE_GUARD_H
#define TINYFLASH_FIRMWARE_GUARD_H

#include "arena.h"
#include "link/transfer.h"

#ifndef GUARD_SAMPLES
#define GUARD_SAMPLES 0 /* room for held-out samples */
#endif

/* Returns where the next held-out sample goes; null: no room. */
uint8_t *guard_room(void);

/* Call this after each training step. */
void guard_watch(arena_owner *arena);

/* Returns the copy of the best weights, which has *count bytes; null: no guard is running. */
const uint8_t *guard_best(uint32_t *count);

/* Returns the transfer that restores that copy; null: the firmware has no guard. */
transfer *guard_restore(void);

/* The weights are being replaced, so the saved best is void. */
void guard_stop(void);

#endif
