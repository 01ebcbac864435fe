/* Requests to the host of an emulator: Arm's semihosting (Semihosting for AArch32 and
 * AArch64), which RISC-V has taken over. */
#ifndef TINYFLASH_SEMIHOSTING_H
#define TINYFLASH_SEMIHOSTING_H

#include <stdint.h>

/* A call of the host has the operation and the address of the block in two registers. */
#ifdef __riscv
#define SEMIHOSTING_OPERATION "a0"
#define SEMIHOSTING_BLOCK "a1"
/* RISC-V Semihosting, 3.1: three instructions, of 4 bytes each, in one page. They are aligned while
 * instructions of 2 bytes are allowed, which the linker may need to do it. */
#define SEMIHOSTING_CALL                                                                   \
    ".option push\n.balign 16\n.option norvc\nslli x0, x0, 0x1f\nebreak\nsrai x0, x0, 7\n" \
    ".option pop"
#else
#define SEMIHOSTING_OPERATION "r0"
#define SEMIHOSTING_BLOCK "r1"
#define SEMIHOSTING_CALL "bkpt 0xab"
#endif

/* Asks for an operation with a block of arguments. Returns the host's answer. */
static inline uint32_t semihosting_ask(uint32_t operation, const uint32_t *block) {
    register uint32_t answer __asm(SEMIHOSTING_OPERATION) = operation;
    register const uint32_t *given __asm(SEMIHOSTING_BLOCK) = block;
    __asm volatile(SEMIHOSTING_CALL : "+r"(answer) : "r"(given) : "memory");
    return answer;
}

#endif
