/* The device's store: what was learned survives a power cut. Firmware for a board without a flash for
 * it (board.toml, [store]) has none. */
#ifndef TINYFLASH_FIRMWARE_STORING_H
#define TINYFLASH_FIRMWARE_STORING_H

#include "tinyflash/store.h"

typedef struct device_store {
    tiny_store store;
    int is_there; /* the board has a flash, with room for two records of the model */
} device_store;

/* Opens the board's flash, if it has one, and sets the session to what was saved last. Call it once, at
 * start-up. */
void device_store_start(device_store *self, tiny_session *session);

#endif
