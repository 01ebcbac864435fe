/* Requests rows of a sample from the host as inference or training needs them (PROTOCOL.md,
 * "Rows"). */
#ifndef TINYFLASH_ROWS_H
#define TINYFLASH_ROWS_H

#include <stdint.h>

#include "protocol.h"
#include "tinyflash/model.h"

typedef struct rows {
    uint32_t row_bytes;     /* of the model; the other fields are of the current run */
    uint32_t waited;        /* ticks spent waiting for the host */
    protocol_status status; /* why it got no rows */
    uint8_t interrupted;    /* another command arrived instead: it is in the receiver */
} rows;

/* Call this before a run. */
void rows_begin(rows *self);

/* A tiny_source, its context the link: asks the host for the rows, and decodes them in place.
 * Needs no memory except the receiver's frame. */
int rows_source(void *context, tiny_band band, uint8_t *to);

#endif
