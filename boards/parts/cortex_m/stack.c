/* The stack: a pattern to measure its depth by, and a guard that turns overflow into a fault. */
#include "parts/cortex_m/cortex_m.h"

#define PAINT 0xC5C5C5C5u

#define MPU_CTRL (*(volatile uint32_t *)0xE000ED94u)
#define MPU_RNR (*(volatile uint32_t *)0xE000ED98u)
#define MPU_RBAR (*(volatile uint32_t *)0xE000ED9Cu)
#define MPU_RASR (*(volatile uint32_t *)0xE000EDA0u)

#define MPU_ENABLE 1u
#define MPU_DEFAULT_MAP (1u << 2)     /* memory outside of all regions keeps its default access */
#define MPU_REGION_32_BYTES (4u << 1) /* 2^(4 + 1) */
#define MPU_NEVER_EXECUTE (1u << 28)  /* access bits 0: no access */

static void arm_guard(void) {
    MPU_RNR = 0;
    MPU_RBAR = (uint32_t)linker_stack_start;
    MPU_RASR = MPU_NEVER_EXECUTE | MPU_REGION_32_BYTES | MPU_ENABLE;
    MPU_CTRL = MPU_DEFAULT_MAP | MPU_ENABLE;
    __asm volatile("dsb\nisb" ::: "memory");
}

static uint32_t *first_usable(void) {
    return linker_stack_start + CORTEX_M_GUARD_BYTES / sizeof(uint32_t);
}

void cortex_m_prepare_stack(void) {
    const uint32_t *here;
    __asm volatile("mov %0, sp" : "=r"(here));
    for (volatile uint32_t *word = linker_stack_start; word < here; word++) {
        *word = PAINT;
    }
    arm_guard();
}

uint32_t board_stack_bytes(void) { return BYTES_BETWEEN(linker_stack_start, linker_stack_end); }

uint32_t board_stack_used(void) {
    const volatile uint32_t *word = first_usable();
    while (word < linker_stack_end && *word == PAINT) {
        word++;
    }
    return BYTES_BETWEEN(word, linker_stack_end);
}

uint32_t board_stack_needed(void) { return (uint32_t)linker_stack_needed; }
