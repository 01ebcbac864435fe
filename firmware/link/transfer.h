/* Memory that the host fills in pieces, in order, so that what is there is always known. */
#ifndef TINYFLASH_TRANSFER_H
#define TINYFLASH_TRANSFER_H

#include <stdint.h>

typedef struct transfer {
    uint8_t *memory;
    uint32_t size;
    uint32_t done; /* bytes received: the offset of the next piece */
} transfer;

/* Whether a piece of `count` bytes at `offset` continues what is there and stays within; a piece at
 * offset 0 begins anew. The caller adds `count` to `done` once the bytes are in place. */
int transfer_fits(transfer *into, uint32_t offset, uint32_t count);

/* Whether every byte has come. */
int transfer_is_complete(const transfer *into);

#endif
