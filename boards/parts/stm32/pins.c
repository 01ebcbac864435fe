/* Pins of an STM32. */
#include "parts/stm32/stm32.h"

#define MODE_ALTERNATE 2u
#define PULL_UP 1u
#define FAST 2u

/* Replaces field `index` of a register, `width` bits wide. */
static void put(volatile uint32_t *to, uint32_t index, uint32_t width, uint32_t value) {
    const uint32_t shift = index * width, mask = ((1u << width) - 1u) << shift;
    *to = (*to & ~mask) | value << shift;
}

void stm32_connect(stm32_gpio *port, uint32_t pin, uint32_t function) {
    put(&port->alternate[pin / 8u], pin % 8u, 4, function);
    put(&port->speed, pin, 2, FAST);
    put(&port->pull, pin, 2, PULL_UP);
    put(&port->mode, pin, 2, MODE_ALTERNATE);
}

void stm32_wait(const volatile uint32_t *from, uint32_t mask, uint32_t bits) {
    while ((*from & mask) != bits) {
    }
}
