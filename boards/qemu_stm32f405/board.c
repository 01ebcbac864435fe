/* STM32F405 in QEMU: USART1 by polling, TIM2 as the clock. QEMU needs no clock tree and no pins. */
#include "parts/cortex_m/cortex_m.h"

#define USART1_SR (*(volatile uint32_t *)0x40011000u)
#define USART1_DR (*(volatile uint32_t *)0x40011004u)
#define USART1_CR1 (*(volatile uint32_t *)0x4001100Cu)
#define SR_RECEIVED (1u << 5)
#define SR_SEND_READY (1u << 7)
#define CR1_RECEIVE (1u << 2)
#define CR1_SEND (1u << 3)
#define CR1_INTERRUPT (1u << 5) /* while a byte waits */
#define CR1_ENABLE (1u << 13)
#define USART1_LINE 37

#define TIM2_CR1 (*(volatile uint32_t *)0x40000000u)
#define TIM2_COUNT (*(volatile uint32_t *)0x40000024u)
#define TIM2_PRESCALER (*(volatile uint32_t *)0x40000028u)
#define TIM2_RELOAD (*(volatile uint32_t *)0x4000002Cu)

const char board_name[] = "qemu_stm32f405";
const uint32_t board_ticks_per_second = 1000000000;

void board_init(void) {
    USART1_CR1 = CR1_ENABLE | CR1_SEND | CR1_RECEIVE | CR1_INTERRUPT;
    cortex_m_arm(USART1_LINE);
    TIM2_PRESCALER = 0;
    TIM2_RELOAD = 0xFFFFFFFFu;
    TIM2_CR1 = 1;
}

static int has_received(void) { return (USART1_SR & SR_RECEIVED) != 0; }

int board_uart_read(void) { return has_received() ? (int)(USART1_DR & 0xFF) : -1; }

void board_idle(void) {
    cortex_m_rearm(USART1_LINE);
    if (!has_received()) {
        cortex_m_sleep();
    }
}

void board_uart_write(const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        while (!(USART1_SR & SR_SEND_READY)) {
        }
        USART1_DR = bytes[i];
    }
}

uint32_t board_ticks(void) { return TIM2_COUNT; }
