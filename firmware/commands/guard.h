/* The guard's memory on the device. Firmware built without GUARD_SAMPLES has none of it. */
#ifndef TINYFLASH_FIRMWARE_GUARD_H
#define TINYFLASH_FIRMWARE_GUARD_H

#include "tinyflash/model.h"

#ifndef GUARD_SAMPLES
#define GUARD_SAMPLES 0 /* held-out samples there is room for */
#endif

/* Where the next held-out sample goes; null: there is no room. */
uint8_t *guard_room(void);

/* After each training step. */
void guard_watch(tiny_session *session);

/* Other weights come: those that the guard keeps are the best no longer. */
void guard_stop(void);

#endif
