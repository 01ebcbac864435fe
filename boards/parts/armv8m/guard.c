/* The guard of the stack on Armv8-M: the core itself checks its pointer against a limit. */
#include "parts/cortex_m/cortex_m.h"

void cortex_m_arm_guard(void) {
    const uint8_t *limit = (const uint8_t *)linker_stack_start + CORTEX_M_GUARD_BYTES;
    __asm volatile("msr msplim, %0\nisb" : : "r"(limit) : "memory");
}
