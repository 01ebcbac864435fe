/* MPS3 AN547 in QEMU, secure: CMSDK UART 0, and the system counter of the SSE-300 as the clock. */
#include "parts/cmsdk/cmsdk.h"
#include "parts/cortex_m/cortex_m.h"

#define COUNTER_CONTROL (*(volatile uint32_t *)0x58100000u) /* CNTCR */
#define COUNTER_ENABLE 1u
#define COUNT_LOW (*(volatile uint32_t *)0x58101000u) /* CNTCV, the lower half */

const char board_name[] = "qemu_mps3_an547";
const uint32_t board_ticks_per_second = 32000000;
cmsdk_uart *const cmsdk_board_uart = (cmsdk_uart *)0x59303000u;
const uint32_t cmsdk_board_uart_line = 33;

void board_init(void) {
    cmsdk_start_uart();
    COUNTER_CONTROL = COUNTER_ENABLE;
}

uint32_t board_ticks(void) { return COUNT_LOW; }
