/* The caches of a Cortex-M7. */
#ifndef TINYFLASH_CORTEX_M7_H
#define TINYFLASH_CORTEX_M7_H

#include <stdint.h>

/* Switches both caches on. Call it once, before anything but the core writes to memory. */
void cortex_m7_start_caches(void);

/* Lets the next reads of `bytes` from `address` come from memory: something else has written there.
 * Writes of the core that memory does not have yet are lost, so nothing of it may be a variable. */
void cortex_m7_forget(uint32_t address, uint32_t bytes);

#endif
