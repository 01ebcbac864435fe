/* A serial line through a UART of the kind 16550, by polling (Texas Instruments, PC16550D). */
#ifndef TINYFLASH_NS16550_H
#define TINYFLASH_NS16550_H

#include <stdint.h>

/* The registers, of one byte each. */
typedef struct ns16550 {
    volatile uint8_t data, interrupt, fifo, line, modem, state;
} ns16550;

/* The board's UART. The board defines it. */
extern ns16550 *const ns16550_board_uart;

/* Starts the UART at the rate that it has. A received byte raises its interrupt line from then on. */
void ns16550_start(void);

/* Whether a received byte waits. */
int ns16550_has_received(void);

#endif
