/* nRF52840-DK: 64 MHz from the crystal; UART0 on the pins that the debugger on the board makes a serial
 * port. Registers: Product Specification 1.7. */
#include "board.h"
#include "parts/cycle_counter/cycle_counter.h"
#include "parts/nrf_uart/nrf_uart.h"

#define CLOCK_START (*(volatile uint32_t *)0x40000000u)
#define CLOCK_STARTED (*(volatile uint32_t *)0x40000100u)

#define CACHE_CONTROL (*(volatile uint32_t *)0x4001E540u) /* of the flash */
#define CACHE_ENABLED 1u

/* Chips from build code F on lock out debuggers at each reset unless the program allows them, too. */
#define DEBUGGERS (*(volatile uint32_t *)0x40000558u) /* APPROTECT.DISABLE */
#define DEBUGGERS_ALLOWED 0x5Au

const char board_name[] = "nrf52840_dk";
const uint32_t board_ticks_per_second = 64000000;
const uint32_t nrf_uart_pin_send = 6, nrf_uart_pin_receive = 8;

static void start_clock(void) {
    CACHE_CONTROL = CACHE_ENABLED;
    CLOCK_STARTED = 0;
    CLOCK_START = 1;
    while (!CLOCK_STARTED) {
    }
}

void board_init(void) {
    DEBUGGERS = DEBUGGERS_ALLOWED;
    start_clock();
    cycle_counter_start();
    nrf_uart_start();
}
