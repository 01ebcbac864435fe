/* Faults end in a report and an exit instead of a lockup. */
#include "parts/cortex_m/cortex_m.h"

#ifdef __ARM_ARCH_6M__ /* it has no registers that say why, and no jump that reaches everywhere */
#define CFSR 0u
#define BFAR 0u
#define MMFAR 0u
#define JUMP_TO_REPORT "ldr r1, =cortex_m_report_fault\nbx r1\n"
#else
#define CFSR (*(volatile uint32_t *)0xE000ED28u)
#define MMFAR (*(volatile uint32_t *)0xE000ED34u)
#define BFAR (*(volatile uint32_t *)0xE000ED38u)
#define JUMP_TO_REPORT "b cortex_m_report_fault\n"
#endif
#define CFSR_MMFAR_VALID (1u << 7)
#define CFSR_BFAR_VALID (1u << 15)
#define CFSR_STACK_LIMIT (1u << 20) /* Armv8-M; reserved on Armv7-M */

#define FRAME_WORDS 8 /* that the core pushes: r0-r3, r12, lr, pc, psr */
#define FRAME_PC 6

void cortex_m_report_fault(const uint32_t *frame) __attribute__((noreturn, used));

/* The old stack may be broken: pass its pointer as an argument, and continue on a fresh one. */
__attribute__((naked)) void cortex_m_fault_entry(void) {
    __asm volatile(
        "mrs r0, msp\n"
        "ldr r1, =linker_stack_end\n"
        "mov sp, r1\n" JUMP_TO_REPORT ".ltorg\n");
}

static uint32_t fault_address(uint32_t status) {
    if (status & CFSR_BFAR_VALID) {
        return BFAR;
    }
    return (status & CFSR_MMFAR_VALID) ? MMFAR : 0;
}

static uint32_t is_on_stack(const uint32_t *frame) {
    const uint8_t *lowest = (const uint8_t *)linker_stack_start + CORTEX_M_GUARD_BYTES;
    return (const uint8_t *)frame >= lowest && frame + FRAME_WORDS <= linker_stack_end;
}

/* frame: where the core pushed its registers; below the guard if the stack had overflowed. */
void cortex_m_report_fault(const uint32_t *frame) {
    board_fault fault = {0};
    __asm volatile("mrs %0, ipsr" : "=r"(fault.exception));
    fault.status = CFSR;
    fault.address = fault_address(fault.status);
    fault.stack_broken = !is_on_stack(frame) || (fault.status & CFSR_STACK_LIMIT);
    fault.pc = fault.stack_broken ? 0 : frame[FRAME_PC];
    board_on_fault(&fault);
    board_exit(BOARD_EXIT_FAULT);
}
