/* Memory that the host fills in pieces, in order, so the device always knows which bytes it has. */
#ifndef TINYFLASH_TRANSFER_H
#define TINYFLASH_TRANSFER_H

#include <stdint.h>

typedef struct transfer {
    uint8_t *memory;
    uint32_t size;
    uint32_t done; /* bytes received: the offset of the next piece */
} transfer;

/* Whether a piece of `count` bytes at `offset` continues the transfer and fits; a piece at offset 0
 * restarts it. The caller adds `count` to `done` when the bytes are in place. */
int transfer_fits(transfer *into, uint32_t offset, uint32_t count);

/* Whether every byte has arrived. */
int transfer_is_complete(const transfer *into);

#endif
