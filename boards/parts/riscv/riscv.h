/* A 32-bit RISC-V core in machine mode: start-up, traps, sleep. Registers: The RISC-V Instruction Set
 * Manual, Volume II: Privileged Architecture. */
#ifndef TINYFLASH_RISCV_H
#define TINYFLASH_RISCV_H

#include <stdint.h>

/* Control and status registers are an extension of their own (Zicsr), which GCC 12's libraries do not
 * name. */
#define RISCV_CSR(instruction, name, value)                                                        \
    __asm volatile(".option push\n.option arch, +zicsr\n" instruction " " name ", %0\n.option pop" \
                   :                                                                               \
                   : "r"(value)                                                                    \
                   : "memory")
#define RISCV_WRITE(name, value) RISCV_CSR("csrw", name, value)
#define RISCV_SET(name, value) RISCV_CSR("csrs", name, value)

#define RISCV_READ(name, value)                                                         \
    __asm volatile(".option push\n.option arch, +zicsr\ncsrr %0, " name "\n.option pop" \
                   : "=r"(value))

/* Interrupts in mie. They are never taken, since mstatus.MIE stays 0; an enabled one ends a sleep. */
#define RISCV_TIMER (1u << 7)
#define RISCV_EXTERNAL (1u << 11)

/* A locked entry of the physical memory protection that denies all access, to machine mode too, to a
 * naturally aligned power of two of bytes. Entry 0 is the guard of the stack. */
#define RISCV_DENY 0x98u
#define RISCV_NAPOT(start, bytes) ((uint32_t)(start) >> 2 | ((uint32_t)(bytes) / 8 - 1))

/* Bytes at the low end of the stack that nothing may use. */
#define RISCV_GUARD_BYTES 32

/* Sleeps until an interrupt in mie is pending. */
static inline void riscv_sleep(void) { __asm volatile("wfi" ::: "memory"); }

#endif
