/* STM32VLDISCOVERY in QEMU: USART1, and the core's own timer as the clock, since QEMU has none of the
 * chip's. QEMU needs no clock tree and no pins. */
#include "board.h"
#include "parts/stm32/stm32.h"

#define APB2_HZ 24000000u

#define SYSTICK_CTRL (*(volatile uint32_t *)0xE000E010u)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xE000E018u)
#define SYSTICK_SLOW 3u /* count an eighth of the core's clock; become pending at the end */
#define SYSTICK_MASK 0xFFFFFFu

const char board_name[] = "qemu_stm32vldiscovery";
const uint32_t board_ticks_per_second = APB2_HZ / 8;
stm32_usart *const stm32_board_usart = (stm32_usart *)0x40013800u;
const uint32_t stm32_board_usart_line = 37;

void board_init(void) {
    stm32_start_usart(APB2_HZ);
    SYSTICK_CTRL = SYSTICK_SLOW;
}

/* SysTick counts 24 bits down, so the rest is counted here: times of up to 5.5 s between two calls are
 * right, and longer ones are short by a multiple of that. Counted runs are 700 million instructions. */
uint32_t board_ticks(void) {
    static uint32_t ticks;
    const uint32_t now = SYSTICK_MASK - SYSTICK_VALUE;
    ticks += (now - ticks) & SYSTICK_MASK;
    return ticks;
}
