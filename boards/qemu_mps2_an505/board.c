/* MPS2 AN505 in QEMU: CMSDK UART 0 and timer 0, at their addresses for secure programs. */
#include "parts/cmsdk/cmsdk.h"
#include "parts/cortex_m/cortex_m.h"

#define TIMER ((cmsdk_timer *)0x50000000u)

const char board_name[] = "qemu_mps2_an505";
const uint32_t board_ticks_per_second = 20000000;
cmsdk_uart *const cmsdk_board_uart = (cmsdk_uart *)0x50200000u;
const uint32_t cmsdk_board_uart_line = 32;

void board_init(void) {
    cmsdk_start_uart();
    cmsdk_start_timer(TIMER);
}

uint32_t board_ticks(void) { return cmsdk_timer_ticks(TIMER); }
