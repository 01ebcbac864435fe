/* A serial line through a CMSDK UART, by polling. */
#include "parts/cmsdk/cmsdk.h"
#include "parts/cortex_m/cortex_m.h"

#define STATE_SEND_FULL (1u << 0)
#define STATE_RECEIVED (1u << 1)
#define CONTROL_SEND (1u << 0)
#define CONTROL_RECEIVE (1u << 1)
#define CONTROL_RECEIVE_INTERRUPT (1u << 3)
#define INTERRUPT_RECEIVED (1u << 1)
#define SMALLEST_DIVIDER 16

void cmsdk_start_uart(void) {
    cmsdk_board_uart->divider = SMALLEST_DIVIDER;
    cmsdk_board_uart->control = CONTROL_SEND | CONTROL_RECEIVE | CONTROL_RECEIVE_INTERRUPT;
    cortex_m_arm(cmsdk_board_uart_line);
}

static int has_received(void) { return (cmsdk_board_uart->state & STATE_RECEIVED) != 0; }

int board_uart_read(void) { return has_received() ? (int)(cmsdk_board_uart->data & 0xFF) : -1; }

/* The interrupt stays raised until it is cleared, even after the byte is read. */
void board_idle(void) {
    cmsdk_board_uart->interrupt = INTERRUPT_RECEIVED;
    cortex_m_rearm(cmsdk_board_uart_line);
    if (!has_received()) {
        cortex_m_sleep();
    }
}

void board_uart_write(const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        while (cmsdk_board_uart->state & STATE_SEND_FULL) {
        }
        cmsdk_board_uart->data = bytes[i];
    }
}
