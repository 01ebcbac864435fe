/* Start-up of an Arm Cortex-M core: vector table, memory, stack guard; then main. */
#include <stdint.h>

#include "parts/cortex_m/cortex_m.h"

extern int main(void);

void cortex_m_reset(void) __attribute__((noreturn));

typedef void vector(void);

/* No interrupt is ever taken (sleep.c), so the exceptions of the core are the whole table. */
typedef struct vector_table {
    uint32_t *stack;
    vector *reset;
    vector *exceptions[14];
} vector_table;

#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define CPACR_FULL_ACCESS (0xFu << 20) /* to coprocessors 10 and 11 */

#define FAULT cortex_m_fault_entry

extern const vector_table cortex_m_vectors;
__attribute__((section(".vectors"), used)) const vector_table cortex_m_vectors = {
    linker_stack_end,
    cortex_m_reset,
    {FAULT, FAULT, FAULT, FAULT, FAULT, FAULT, FAULT, FAULT, FAULT, FAULT, FAULT, FAULT, FAULT,
     FAULT},
};

#ifdef __ARM_ARCH_6M__ /* a core of this architecture has none */
static void enable_vectors(void) {}
#else
/* The registers that the FPU and Helium share are off after a reset, and compilers may use them in any
 * function. A core without them ignores this. */
static void enable_vectors(void) {
    CPACR |= CPACR_FULL_ACCESS;
    __asm volatile("dsb\nisb" ::: "memory");
}
#endif

void cortex_m_reset(void) {
    enable_vectors();
    linker_fill_memory();
    cortex_m_prepare_stack();
    (void)main();
    board_exit(0);
}
