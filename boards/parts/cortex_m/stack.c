/* The stack: a pattern to measure its depth by. */
#include "parts/cortex_m/cortex_m.h"

#define PAINT 0xC5C5C5C5u

static uint32_t *first_usable(void) {
    return linker_stack_start + CORTEX_M_GUARD_BYTES / sizeof(uint32_t);
}

/* In assembly, because in C the compiler may push registers after the pointer has been read: they would
 * be painted over. */
void cortex_m_prepare_stack(void) {
    uint32_t *word = linker_stack_start;
    __asm volatile(
        "1: cmp sp, %0\n"
        "itt hi\n"
        "strhi %1, [%0], #4\n"
        "bhi 1b\n"
        : "+r"(word)
        : "r"(PAINT)
        : "cc", "memory");
    cortex_m_arm_guard();
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
