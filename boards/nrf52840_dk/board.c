/* nRF52840-DK: 64 MHz from the crystal; UART0 on the pins that the debugger on the board makes a serial
 * port. Registers: Product Specification 1.7. */
#include "board.h"
#include "parts/cortex_m/cortex_m.h"
#include "parts/cycle_counter/cycle_counter.h"

#define CLOCK_START (*(volatile uint32_t *)0x40000000u)
#define CLOCK_STARTED (*(volatile uint32_t *)0x40000100u)

#define UART_START_RECEIVING (*(volatile uint32_t *)0x40002000u)
#define UART_START_SENDING (*(volatile uint32_t *)0x40002008u)
#define UART_RECEIVED (*(volatile uint32_t *)0x40002108u)
#define UART_SENT (*(volatile uint32_t *)0x4000211Cu)
#define UART_INTERRUPT (*(volatile uint32_t *)0x40002304u)
#define UART_ENABLE (*(volatile uint32_t *)0x40002500u)
#define UART_PIN_SEND (*(volatile uint32_t *)0x4000250Cu)
#define UART_PIN_RECEIVE (*(volatile uint32_t *)0x40002514u)
#define UART_RXD (*(volatile uint32_t *)0x40002518u)
#define UART_TXD (*(volatile uint32_t *)0x4000251Cu)
#define UART_RATE (*(volatile uint32_t *)0x40002524u)
#define INTERRUPT_RECEIVED (1u << 2)
#define ENABLED 4u
#define RATE_115200 0x01D7E000u
#define UART_LINE 2

#define PORT_SET (*(volatile uint32_t *)0x50000508u)
#define PORT_OUTPUT (*(volatile uint32_t *)0x50000518u)
#define PIN_SEND 6
#define PIN_RECEIVE 8

#define CACHE_CONTROL (*(volatile uint32_t *)0x4001E540u) /* of the flash */
#define CACHE_ENABLED 1u

const char board_name[] = "nrf52840_dk";
const uint32_t board_ticks_per_second = 64000000;

static void start_clock(void) {
    CACHE_CONTROL = CACHE_ENABLED;
    CLOCK_STARTED = 0;
    CLOCK_START = 1;
    while (!CLOCK_STARTED) {
    }
}

static void start_uart(void) {
    PORT_SET = 1u << PIN_SEND; /* the line is high when nothing is sent */
    PORT_OUTPUT = 1u << PIN_SEND;
    UART_PIN_SEND = PIN_SEND;
    UART_PIN_RECEIVE = PIN_RECEIVE;
    UART_RATE = RATE_115200;
    UART_ENABLE = ENABLED;
    UART_INTERRUPT = INTERRUPT_RECEIVED;
    UART_START_RECEIVING = 1;
    UART_START_SENDING = 1;
    cortex_m_arm(UART_LINE);
}

void board_init(void) {
    start_clock();
    cycle_counter_start();
    start_uart();
}

/* The UART has room for six bytes; the event is for one, so it is cleared before one is read. */
int board_uart_read(void) {
    if (!UART_RECEIVED) {
        return -1;
    }
    UART_RECEIVED = 0;
    return (int)(UART_RXD & 0xFFu);
}

void board_idle(void) {
    cortex_m_rearm(UART_LINE);
    if (!UART_RECEIVED) {
        cortex_m_sleep();
    }
}

void board_uart_write(const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        UART_SENT = 0;
        UART_TXD = bytes[i];
        while (!UART_SENT) {
        }
    }
}
