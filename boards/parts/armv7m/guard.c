/* The guard of the stack on Armv7-M: a region that the memory protection unit denies. */
#include "parts/cortex_m/cortex_m.h"

#define MPU_CTRL (*(volatile uint32_t *)0xE000ED94u)
#define MPU_RNR (*(volatile uint32_t *)0xE000ED98u)
#define MPU_RBAR (*(volatile uint32_t *)0xE000ED9Cu)
#define MPU_RASR (*(volatile uint32_t *)0xE000EDA0u)

#define MPU_ENABLE 1u
#define MPU_DEFAULT_MAP (1u << 2)     /* memory outside of all regions keeps its default access */
#define MPU_REGION_32_BYTES (4u << 1) /* 2^(4 + 1) */
#define MPU_NEVER_EXECUTE (1u << 28)  /* access bits 0: no access */

void cortex_m_arm_guard(void) {
    MPU_RNR = 0;
    MPU_RBAR = (uint32_t)linker_stack_start;
    MPU_RASR = MPU_NEVER_EXECUTE | MPU_REGION_32_BYTES | MPU_ENABLE;
    MPU_CTRL = MPU_DEFAULT_MAP | MPU_ENABLE;
    __asm volatile("dsb\nisb" ::: "memory");
}
