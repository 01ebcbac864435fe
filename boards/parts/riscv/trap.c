/* Traps end in a report and an exit. */
#include "board.h"
#include "linker.h"
#include "parts/riscv/riscv.h"

#define LAST_FAULT 7u /* of mcause: a store to an address without access; calls follow */

void riscv_trap(void);
void riscv_report_trap(const uint8_t *stack) __attribute__((noreturn, used));

/* mtvec takes addresses of 4 bytes. The old stack may be broken: pass its pointer as an argument, and
 * continue on a fresh one. */
__attribute__((naked, aligned(4))) void riscv_trap(void) {
    __asm volatile(
        "mv a0, sp\n"
        "la sp, linker_stack_end\n"
        "j riscv_report_trap\n");
}

static uint32_t is_on_stack(const uint8_t *stack) {
    const uint8_t *lowest = (const uint8_t *)linker_stack_start + RISCV_GUARD_BYTES;
    return stack >= lowest && stack <= (const uint8_t *)linker_stack_end;
}

/* stack: the pointer at the trap; below the guard if the stack had overflowed. */
void riscv_report_trap(const uint8_t *stack) {
    board_fault fault = {.exception = BOARD_FAULT_RISCV};
    RISCV_READ("mcause", fault.status);
    RISCV_READ("mepc", fault.pc);
    RISCV_READ("mtval", fault.address);
    fault.address = fault.status == 2 ? 0 : fault.address; /* it is the undefined instruction */
    fault.stack_broken = fault.status <= LAST_FAULT && !is_on_stack(stack);
    board_on_fault(&fault);
    board_exit(BOARD_EXIT_FAULT);
}
