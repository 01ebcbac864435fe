/* Rows of a sample, asked of the host as inference or training needs them (PROTOCOL.md, "Rows"). */
#ifndef TINYFLASH_ROWS_H
#define TINYFLASH_ROWS_H

#include <stdint.h>

#include "protocol.h"
#include "tinyflash/model.h"

typedef struct rows {
    uint32_t row_bytes;     /* of the model; the rest is of the run under way */
    uint32_t waited;        /* ticks that went by waiting for the host */
    protocol_status status; /* why it got no rows */
    uint8_t interrupted;    /* another command came instead: it is in the receiver */
} rows;

/* Before a run. */
void rows_begin(rows *self);

/* A tiny_source, its context the link: asks the host for the rows, and decodes them in place.
 * No memory but the receiver's frame is needed. */
int rows_source(void *context, tiny_band band, uint8_t *to);

#endif
