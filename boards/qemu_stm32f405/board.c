/* STM32F405 in QEMU: USART1, and TIM2 as the clock. QEMU needs no clock tree and no pins. */
#include "board.h"
#include "parts/stm32/stm32.h"

#define APB2_HZ 84000000u

#define TIM2_CR1 (*(volatile uint32_t *)0x40000000u)
#define TIM2_COUNT (*(volatile uint32_t *)0x40000024u)
#define TIM2_PRESCALER (*(volatile uint32_t *)0x40000028u)
#define TIM2_RELOAD (*(volatile uint32_t *)0x4000002Cu)

const char board_name[] = "qemu_stm32f405";
const uint32_t board_ticks_per_second = 1000000000;
stm32_usart *const stm32_board_usart = (stm32_usart *)0x40011000u;
const uint32_t stm32_board_usart_line = 37;

void board_init(void) {
    stm32_start_usart(APB2_HZ);
    TIM2_PRESCALER = 0;
    TIM2_RELOAD = 0xFFFFFFFFu;
    TIM2_CR1 = 1;
}

uint32_t board_ticks(void) { return TIM2_COUNT; }
