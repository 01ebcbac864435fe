/* Start-up of an Armv7-M or Armv8-M core: vector table, memory, stack guard; then main. */
#include <stdint.h>
#include <string.h>

#include "parts/cortex_m/cortex_m.h"

extern int main(void);
extern uint8_t linker_data_start[], linker_data_end[], linker_data_image[];
extern uint8_t linker_bss_start[], linker_bss_end[];

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

/* The registers that the FPU and Helium share are off after a reset, and compilers may use them in any
 * function. A core without them ignores this. */
static void enable_vectors(void) {
    CPACR |= CPACR_FULL_ACCESS;
    __asm volatile("dsb\nisb" ::: "memory");
}

void cortex_m_reset(void) {
    enable_vectors();
    memcpy(linker_data_start, linker_data_image, BYTES_BETWEEN(linker_data_start, linker_data_end));
    memset(linker_bss_start, 0, BYTES_BETWEEN(linker_bss_start, linker_bss_end));
    cortex_m_prepare_stack();
    (void)main();
    board_exit(0);
}
