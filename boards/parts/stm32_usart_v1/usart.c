/* A serial line through the USART of an STM32F4, by polling (RM0390, 25.6). */
#include "board.h"
#include "parts/cortex_m/cortex_m.h"
#include "parts/stm32/stm32.h"

#define STATE_RECEIVED (1u << 5)
#define STATE_SEND_READY (1u << 7)
#define CONTROL_RECEIVE (1u << 2)
#define CONTROL_SEND (1u << 3)
#define CONTROL_INTERRUPT (1u << 5) /* while a byte waits */
#define CONTROL_ENABLE (1u << 13)

struct stm32_usart {
    volatile uint32_t state, data, rate, control[3];
};

void stm32_start_usart(uint32_t clock) {
    stm32_board_usart->rate = (clock + STM32_BAUD_RATE / 2u) / STM32_BAUD_RATE;
    stm32_board_usart->control[0] =
        CONTROL_ENABLE | CONTROL_SEND | CONTROL_RECEIVE | CONTROL_INTERRUPT;
    cortex_m_arm(stm32_board_usart_line);
}

static int has_received(void) { return (stm32_board_usart->state & STATE_RECEIVED) != 0; }

/* A byte that came too late to be read is lost; reading state and data clears that, too. */
int board_uart_read(void) { return has_received() ? (int)(stm32_board_usart->data & 0xFF) : -1; }

void board_idle(void) {
    cortex_m_rearm(stm32_board_usart_line);
    if (!has_received()) {
        cortex_m_sleep();
    }
}

void board_uart_write(const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        stm32_wait(&stm32_board_usart->state, STATE_SEND_READY, STATE_SEND_READY);
        stm32_board_usart->data = bytes[i];
    }
}
