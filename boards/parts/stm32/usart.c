/* The functions of board.h for a serial line, with a USART, by polling. Bits that all kinds share: RM0390,
 * 25.6; RM0385, 31.8. */
#include "board.h"
#include "parts/cortex_m/cortex_m.h"
#include "parts/stm32/stm32.h"

#define STATE_RECEIVED (1u << 5)
#define STATE_ALL_SENT (1u << 6)
#define STATE_SEND_READY (1u << 7)
#define CONTROL_RECEIVE (1u << 2)
#define CONTROL_SEND (1u << 3)
#define CONTROL_INTERRUPT (1u << 5) /* while a byte waits */

/* Of the clock, for a bit of 16 samples. */
#define LEAST_DIVIDER 16u
#define MOST_DIVIDER 0xFFFFu

static uint32_t usart_clock;

static volatile uint32_t *at(uint8_t number) { return &stm32_board_usart->at[number]; }

static uint32_t divider(uint32_t rate) { return (usart_clock + rate / 2u) / rate; }

uint32_t board_uart_rate(uint32_t wanted) {
    const uint32_t divide = divider(wanted);
    return divide >= LEAST_DIVIDER && divide <= MOST_DIVIDER ? usart_clock / divide : 0;
}

/* A USART that is on keeps its rate. */
static void run(uint32_t rate) {
    const uint32_t on = stm32_usart_registers.enable | CONTROL_SEND | CONTROL_RECEIVE;
    *at(stm32_usart_registers.control_1) = 0;
    *at(stm32_usart_registers.rate) = divider(rate);
    *at(stm32_usart_registers.control_1) = on | CONTROL_INTERRUPT;
}

void board_uart_set_rate(uint32_t wanted) {
    stm32_wait(at(stm32_usart_registers.state), STATE_ALL_SENT, STATE_ALL_SENT);
    run(wanted);
}

void stm32_start_usart(uint32_t clock) {
    usart_clock = clock;
    *at(stm32_usart_registers.control_3) = stm32_usart_registers.discard;
    run(BOARD_UART_RATE);
    cortex_m_arm(stm32_board_usart_line);
}

static int has_received(void) { return (*at(stm32_usart_registers.state) & STATE_RECEIVED) != 0; }

int board_uart_read(void) {
    return has_received() ? (int)(*at(stm32_usart_registers.received) & 0xFF) : -1;
}

void board_idle(void) {
    cortex_m_rearm(stm32_board_usart_line);
    if (!has_received()) {
        cortex_m_sleep();
    }
}

void board_uart_write(const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        stm32_wait(at(stm32_usart_registers.state), STATE_SEND_READY, STATE_SEND_READY);
        *at(stm32_usart_registers.sent) = bytes[i];
    }
}
