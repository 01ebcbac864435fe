/* The replay buffer's memory on the device. Firmware built without REPLAY_SLOTS has none. */
#ifndef TINYFLASH_FIRMWARE_REPLAY_H
#define TINYFLASH_FIRMWARE_REPLAY_H

#include "link/transfer.h"
#include "tinyflash/model.h"

#ifndef REPLAY_SLOTS
#define REPLAY_SLOTS 0 /* samples of each class to keep */
#endif

/* Call it before each training step: keeps the sample, or not. Returns the error of label or rate
 * with which that step would fail; then nothing is kept. */
tiny_error replay_keep(tiny_session *session, uint32_t label, tiny_factor rate);

/* Call it after each training step, when its outcome has been read: trains on kept samples. */
void replay_run(tiny_session *session, tiny_factor rate);

/* From now on nothing is kept, and no kept sample is trained on. */
void replay_stop(void);

/* Returns the buffer's memory, which has *count bytes; null: none is in use. */
const uint8_t *replay_memory(uint32_t *count);

/* Returns the transfer that fills it; null: the firmware has none. */
transfer *replay_restore(void);

#endif
