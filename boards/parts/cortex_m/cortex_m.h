/* Shared between the files of this folder. */
#ifndef TINYFLASH_CORTEX_M_H
#define TINYFLASH_CORTEX_M_H

#include <stdint.h>

#include "board.h"
#include "linker.h"

/* Bytes at the low end of the stack that nothing may use: the smallest region that the memory
 * protection unit of Armv7-M can deny. */
#define CORTEX_M_GUARD_BYTES 32

/* Paints the unused stack and arms the guard. */
void cortex_m_prepare_stack(void);

/* Turns a use of the stack's low end into a fault. Part armv7m or armv8m has it. */
void cortex_m_arm_guard(void);

/* Sleep until an interrupt line is raised, or for a moment, without ever entering a handler. Call
 * `arm` once. When there is nothing to do: call `cortex_m_rearm`, check for work once more, then
 * call `cortex_m_sleep`. */
void cortex_m_arm(uint32_t line);
void cortex_m_rearm(uint32_t line);
void cortex_m_sleep(void);

/* The handler of every exception: gathers a board_fault, reports it, exits. */
void cortex_m_fault_entry(void);

#endif
