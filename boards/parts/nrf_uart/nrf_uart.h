/* The serial line of nRF51 and nRF52: UART0, which both have at the same addresses. */
#ifndef TINYFLASH_NRF_UART_H
#define TINYFLASH_NRF_UART_H

#include <stdint.h>

/* The pins of port 0. The board defines them. */
extern const uint32_t nrf_uart_pin_send, nrf_uart_pin_receive;

/* Starts the UART; the functions of board.h for the serial line work from then on. */
void nrf_uart_start(void);

#endif
