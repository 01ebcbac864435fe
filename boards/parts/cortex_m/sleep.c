/* Sleeping until an interrupt line is raised, without ever entering a handler. */
#include "parts/cortex_m/cortex_m.h"

#define NVIC_ENABLE ((volatile uint32_t *)0xE000E100u)
#define NVIC_CLEAR_PENDING ((volatile uint32_t *)0xE000E280u)
#define SYSTICK_CTRL (*(volatile uint32_t *)0xE000E010u)
#define SYSTICK_RELOAD (*(volatile uint32_t *)0xE000E014u)
#define SYSTICK_VALUE (*(volatile uint32_t *)0xE000E018u)
#define SCB_ICSR (*(volatile uint32_t *)0xE000ED04u)

#define SYSTICK_RUN 7u /* count the core's clock, and become pending at its end */
#define SYSTICK_LONGEST 0xFFFFFu
#define ICSR_CLEAR_SYSTICK (1u << 25)

/* With interrupts masked, one that becomes pending ends the sleep and does nothing else. The core's
 * own timer is one more, so that no sleep is longer than 2^20 clocks. */
void cortex_m_arm(uint32_t line) {
    __asm volatile("cpsid i" ::: "memory");
    NVIC_ENABLE[line / 32] = 1u << (line % 32);
    SYSTICK_RELOAD = SYSTICK_LONGEST;
    SYSTICK_VALUE = 0;
    SYSTICK_CTRL = SYSTICK_RUN;
}

/* A line that is still raised becomes pending again at once, so no byte is missed. */
void cortex_m_rearm(uint32_t line) {
    SCB_ICSR = ICSR_CLEAR_SYSTICK;
    NVIC_CLEAR_PENDING[line / 32] = 1u << (line % 32);
}

void cortex_m_sleep(void) { __asm volatile("dsb\nwfi" ::: "memory"); }
