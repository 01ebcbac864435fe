/* The USART of STM32F1 and STM32F4 (RM0390, 25.6). Reading state and data clears an overrun. */
#include "parts/stm32/stm32.h"

const stm32_usart_kind stm32_usart_registers = {
    .state = 0,
    .received = 1,
    .sent = 1,
    .rate = 2,
    .control_1 = 3,
    .control_3 = 5,
    .enable = 1u << 13,
};
