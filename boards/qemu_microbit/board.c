/* micro:bit in QEMU: an nRF51822 with its UART, and TIMER0 as the clock. QEMU needs no clock tree and no
 * pins. Registers: nRF51 Series Reference Manual 3.0. */
#include "board.h"
#include "parts/cortex_m/cortex_m.h"
#include "parts/nrf_uart/nrf_uart.h"

#define TIMER_START (*(volatile uint32_t *)0x40008000u)
#define TIMER_CAPTURE (*(volatile uint32_t *)0x40008040u)
#define TIMER_WIDTH (*(volatile uint32_t *)0x40008508u)
#define TIMER_PRESCALER (*(volatile uint32_t *)0x40008510u)
#define TIMER_CAPTURED (*(volatile uint32_t *)0x40008540u)
#define WIDTH_32 3u

const char board_name[] = "qemu_microbit";
const uint32_t board_ticks_per_second = 16000000;
const uint32_t nrf_uart_pin_send = 24, nrf_uart_pin_receive = 25;

void board_init(void) {
    TIMER_WIDTH = WIDTH_32;
    TIMER_PRESCALER = 0;
    TIMER_START = 1;
    nrf_uart_start();
}

uint32_t board_ticks(void) {
    TIMER_CAPTURE = 1;
    return TIMER_CAPTURED;
}
