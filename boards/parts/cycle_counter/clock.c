/* The clock of a board: the core's cycle counter (Armv7-M Architecture Reference Manual, C1.8). */
#include "parts/cycle_counter/cycle_counter.h"

#include "board.h"

#define DEMCR (*(volatile uint32_t *)0xE000EDFCu)
#define DEMCR_TRACE (1u << 24)
#define DWT_CTRL (*(volatile uint32_t *)0xE0001000u)
#define DWT_CTRL_COUNT 1u
#define DWT_CYCCNT (*(volatile uint32_t *)0xE0001004u)
#define DWT_LAR (*(volatile uint32_t *)0xE0001FB0u) /* of the Cortex-M7; others ignore it */
#define UNLOCK 0xC5ACCE55u

void cycle_counter_start(void) {
    DEMCR |= DEMCR_TRACE;
    DWT_LAR = UNLOCK;
    DWT_CYCCNT = 0;
    DWT_CTRL |= DWT_CTRL_COUNT;
}

uint32_t board_ticks(void) { return DWT_CYCCNT; }
