/* The functions of board.h for a serial line, with the UART of an nRF51 or nRF52, by polling (nRF52840
 * Product Specification 1.7, 6.34; nRF51 Series Reference Manual 3.0, 29). */
#include "parts/nrf_uart/nrf_uart.h"

#include "board.h"
#include "parts/cortex_m/cortex_m.h"

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
#define UART_LINE 2

#define PORT_SET (*(volatile uint32_t *)0x50000508u)
#define PORT_OUTPUT (*(volatile uint32_t *)0x50000518u)

/* Their names, what they are, and what the register has for them. */
typedef struct nrf_uart_rate {
    uint32_t named, actual, setting;
} nrf_uart_rate;

static const nrf_uart_rate rates[] = {
    {BOARD_UART_RATE, 115942, 0x01D7E000u}, {230400, 231884, 0x03AFB000u},
    {460800, 470588, 0x075F7000u},          {921600, 941176, 0x0EBED000u},
    {1000000, 1000000, 0x10000000u},
};

/* Returns the place of a rate; of the first if it is not among them. */
static uint32_t find(uint32_t named) {
    uint32_t place = sizeof rates / sizeof *rates - 1;
    while (place > 0 && rates[place].named != named) {
        place--;
    }
    return place;
}

uint32_t board_uart_rate(uint32_t wanted) {
    const nrf_uart_rate *rate = &rates[find(wanted)];
    return rate->named == wanted ? rate->actual : 0;
}

static void run(uint32_t rate) {
    UART_RATE = rates[find(rate)].setting;
    UART_ENABLE = ENABLED;
    UART_START_RECEIVING = 1;
    UART_START_SENDING = 1;
}

/* Every byte has left: board_uart_write waits for that. */
void board_uart_set_rate(uint32_t wanted) {
    UART_ENABLE = 0;
    run(wanted);
}

void nrf_uart_start(void) {
    PORT_SET = 1u << nrf_uart_pin_send; /* the line is high when nothing is sent */
    PORT_OUTPUT = 1u << nrf_uart_pin_send;
    UART_PIN_SEND = nrf_uart_pin_send;
    UART_PIN_RECEIVE = nrf_uart_pin_receive;
    run(BOARD_UART_RATE);
    UART_INTERRUPT = INTERRUPT_RECEIVED;
    cortex_m_arm(UART_LINE);
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
