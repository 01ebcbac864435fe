/* Sleeping until an interrupt line is raised, without ever entering a handler. */
#include "cortex_m/cortex_m.h"

#define NVIC_ENABLE ((volatile uint32_t *)0xE000E100u)
#define NVIC_CLEAR_PENDING ((volatile uint32_t *)0xE000E280u)

/* With interrupts masked, one that becomes pending ends the sleep and does nothing else. */
void cortex_m_arm(uint32_t line) {
    __asm volatile("cpsid i" ::: "memory");
    NVIC_ENABLE[line / 32] = 1u << (line % 32);
}

/* A line that is still raised becomes pending again at once, so that nothing is missed. */
void cortex_m_rearm(uint32_t line) { NVIC_CLEAR_PENDING[line / 32] = 1u << (line % 32); }

void cortex_m_sleep(void) { __asm volatile("dsb\nwfi" ::: "memory"); }
