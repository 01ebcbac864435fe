/* Requests to the host of an emulator: Arm's semihosting (Semihosting for AArch32 and AArch64). */
#ifndef TINYFLASH_SEMIHOSTING_H
#define TINYFLASH_SEMIHOSTING_H

#include <stdint.h>

/* Asks for an operation with a block of arguments. Returns the host's answer. */
static inline uint32_t semihosting_ask(uint32_t operation, const uint32_t *block) {
    register uint32_t r0 __asm("r0") = operation;
    register const uint32_t *r1 __asm("r1") = block;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

#endif
