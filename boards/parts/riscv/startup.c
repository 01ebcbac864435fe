/* Start-up of a RISC-V core: stack, traps, memory, the guard of the stack; then main. */
#include "board.h"
#include "linker.h"
#include "parts/riscv/riscv.h"

extern int main(void);
void riscv_trap(void);
void riscv_start(void) __attribute__((noreturn));
void riscv_reset(void) __attribute__((noreturn));

#define PAINT 0xC5C5C5C5u

/* The core begins here, without a stack. */
__attribute__((naked, section(".boot"))) void riscv_reset(void) {
    __asm volatile(
        "la sp, linker_stack_end\n"
        "j riscv_start\n");
}

/* In assembly, since a compiler may use the stack at any point of a function. */
static void paint_stack(void) {
    uint32_t *word = linker_stack_start;
    __asm volatile(
        "1: bgeu %0, sp, 2f\n"
        "sw %1, 0(%0)\n"
        "addi %0, %0, 4\n"
        "j 1b\n"
        "2:\n"
        : "+r"(word)
        : "r"(PAINT)
        : "memory");
}

static void arm_guard(void) {
    RISCV_WRITE("pmpaddr0", RISCV_NAPOT(linker_stack_start, RISCV_GUARD_BYTES));
    RISCV_SET("pmpcfg0", RISCV_DENY);
}

__attribute__((used)) void riscv_start(void) {
    RISCV_WRITE("mtvec", (uint32_t)riscv_trap);
    linker_fill_memory();
    paint_stack();
    arm_guard();
    (void)main();
    board_exit(0);
}

uint32_t board_stack_bytes(void) { return BYTES_BETWEEN(linker_stack_start, linker_stack_end); }

uint32_t board_stack_used(void) { return linker_stack_used(RISCV_GUARD_BYTES, PAINT); }

uint32_t board_stack_needed(void) { return (uint32_t)linker_stack_needed; }
