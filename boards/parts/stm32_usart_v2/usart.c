/* The USART of STM32F7 and STM32H7 (RM0385, 31.8). */
#include "parts/stm32/stm32.h"

const stm32_usart_kind stm32_usart_registers = {
    .control_1 = 0,
    .control_3 = 2,
    .rate = 3,
    .state = 7,
    .received = 9,
    .sent = 10,
    .enable = 1u << 0,
    .discard = 1u << 12,
};
