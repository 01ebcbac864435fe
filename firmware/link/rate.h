/* The rate of the serial line (PROTOCOL.md, "Rates"). */
#ifndef TINYFLASH_RATE_H
#define TINYFLASH_RATE_H

#include <stdint.h>

/* All-zero at the start: the line has BOARD_UART_RATE. */
typedef struct rate {
    uint32_t wanted;   /* after the reply that is being sent; 0: the same as now */
    uint32_t changes;  /* that hosts have ordered since the start */
    uint32_t doubt;    /* board_ticks when it began */
    uint8_t is_raised; /* the line has another rate than at the start */
    uint8_t in_doubt;  /* what came since then was no frame, or nothing came */
} rate;

/* Returns the rate near `wanted` that the line can have; 0: none. */
uint32_t rate_near(uint32_t wanted);

/* Changes the rate as a host ordered it, after the reply. */
void rate_apply(rate *self);

/* Looks at the line: whether a byte came, and whether it ended a whole frame. A raised rate that is in
 * doubt for too long ends. */
void rate_watch(rate *self, int has_byte, int is_frame);

#endif
