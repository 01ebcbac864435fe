/* Arm's CMSDK peripherals, which its MPS boards have at different addresses: a UART by polling, and
 * a timer as the clock. */
#ifndef TINYFLASH_CMSDK_H
#define TINYFLASH_CMSDK_H

#include <stdint.h>

/* The registers of a CMSDK UART. */
typedef struct cmsdk_uart {
    volatile uint32_t data, state, control, interrupt, divider;
} cmsdk_uart;

/* The registers of a CMSDK timer, which counts down. */
typedef struct cmsdk_timer {
    volatile uint32_t control, value, reload;
} cmsdk_timer;

/* The board's UART, and the interrupt line that a received byte raises. The board defines them. */
extern cmsdk_uart *const cmsdk_board_uart;
extern const uint32_t cmsdk_board_uart_line;

/* Starts the board's UART; the functions of board.h for the serial line work from then on. */
void cmsdk_start_uart(void);

/* Starts a timer, and returns how far it has counted since; it wraps at 2^32. */
void cmsdk_start_timer(cmsdk_timer *timer);
uint32_t cmsdk_timer_ticks(const cmsdk_timer *timer);

#endif
