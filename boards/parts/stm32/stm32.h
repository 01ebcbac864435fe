/* What the STM32 boards share: pins, and a serial line through a USART.
 *
 * A board that uses the part gives the USART's address and interrupt line; stm32_usart_v1 (STM32F1, F4)
 * or stm32_usart_v2 (STM32F7, STM32H7) says where the registers are.
 */
#ifndef TINYFLASH_STM32_H
#define TINYFLASH_STM32_H

#include <stdint.h>

/* The registers of a port's pins; the same in STM32F4 (RM0390, 7.4), F7 (RM0385, 6.4) and H7. */
typedef struct stm32_gpio {
    volatile uint32_t mode, type, speed, pull, input, output, set, lock, alternate[2];
} stm32_gpio;

/* The registers of a USART, by number. */
typedef struct stm32_usart {
    volatile uint32_t at[11];
} stm32_usart;

/* Which is which, and the bits that differ. */
typedef struct stm32_usart_kind {
    uint8_t state, received, sent, rate, control_1, control_3;
    uint32_t enable;  /* of control 1 */
    uint32_t discard; /* of control 3: a byte that nobody reads stops nothing */
} stm32_usart_kind;

extern const stm32_usart_kind stm32_usart_registers;
extern stm32_usart *const stm32_board_usart;
extern const uint32_t stm32_board_usart_line;

/* Connects a pin, 0 to 15, with a peripheral: its number among the pin's alternate functions. The
 * port's clock runs. A pull-up keeps a line quiet that nothing drives. */
void stm32_connect(stm32_gpio *port, uint32_t pin, uint32_t function);

/* Waits until all bits of `mask` in a register have the values in `bits`. */
void stm32_wait(const volatile uint32_t *from, uint32_t mask, uint32_t bits);

/* Starts the USART, whose clock runs at `clock` Hz, with 8 data bits, no parity, one stop bit. The
 * functions of boards/board.h for the serial line work from then on. */
void stm32_start_usart(uint32_t clock);

#endif
