/* The guard of the stack on Armv6-M with a memory protection unit (Armv6-M Architecture Reference Manual,
 * B3.5). Its smallest region is 256 bytes, in eight parts; all but the first are left out. */
#include "parts/cortex_m/cortex_m.h"

#define MPU_CTRL (*(volatile uint32_t *)0xE000ED94u)
#define MPU_RNR (*(volatile uint32_t *)0xE000ED98u)
#define MPU_RBAR (*(volatile uint32_t *)0xE000ED9Cu)
#define MPU_RASR (*(volatile uint32_t *)0xE000EDA0u)

#define MPU_ENABLE 1u
#define MPU_DEFAULT_MAP (1u << 2)      /* memory outside of all regions keeps its default access */
#define MPU_REGION_256_BYTES (7u << 1) /* 2^(7 + 1) */
#define MPU_WITHOUT_THE_REST (0xFEu << 8)
#define MPU_NEVER_EXECUTE (1u << 28) /* access bits 0: no access */

/* The stack begins at a multiple of 256, as every region of RAM of these chips does. */
void cortex_m_arm_guard(void) {
    MPU_RNR = 0;
    MPU_RBAR = (uint32_t)linker_stack_start;
    MPU_RASR = MPU_NEVER_EXECUTE | MPU_WITHOUT_THE_REST | MPU_REGION_256_BYTES | MPU_ENABLE;
    MPU_CTRL = MPU_DEFAULT_MAP | MPU_ENABLE;
    __asm volatile("dsb\nisb" ::: "memory");
}
