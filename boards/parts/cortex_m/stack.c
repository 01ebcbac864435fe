/* The stack: a pattern to measure its depth by. */
#include "parts/cortex_m/cortex_m.h"

#define PAINT 0xC5C5C5C5u

#ifdef __ARM_ARCH_6M__ /* without conditional instructions */
#define PAINT_LOOP "1: cmp sp, %0\nbls 2f\nstmia %0!, {%1}\nb 1b\n2:\n"
#else
#define PAINT_LOOP "1: cmp sp, %0\nitt hi\nstrhi %1, [%0], #4\nbhi 1b\n"
#endif

/* In assembly, because in C the compiler may push registers after the pointer has been read: they would
 * be painted over. */
void cortex_m_prepare_stack(void) {
    uint32_t *word = linker_stack_start;
    __asm volatile(PAINT_LOOP : "+l"(word) : "l"(PAINT) : "cc", "memory");
    cortex_m_arm_guard();
}

uint32_t board_stack_bytes(void) { return BYTES_BETWEEN(linker_stack_start, linker_stack_end); }

uint32_t board_stack_used(void) { return linker_stack_used(CORTEX_M_GUARD_BYTES, PAINT); }

uint32_t board_stack_needed(void) { return (uint32_t)linker_stack_needed; }
