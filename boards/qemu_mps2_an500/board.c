/* MPS2 AN500 in QEMU: CMSDK UART0 by polling, CMSDK timer 0 as the clock. */
#include "parts/cortex_m/cortex_m.h"

#define UART0_DATA (*(volatile uint32_t *)0x40004000u)
#define UART0_STATE (*(volatile uint32_t *)0x40004004u)
#define UART0_CTRL (*(volatile uint32_t *)0x40004008u)
#define UART0_INTERRUPT (*(volatile uint32_t *)0x4000400Cu)
#define UART0_BAUDDIV (*(volatile uint32_t *)0x40004010u)
#define STATE_SEND_FULL (1u << 0)
#define STATE_RECEIVED (1u << 1)
#define CTRL_SEND (1u << 0)
#define CTRL_RECEIVE (1u << 1)
#define CTRL_RECEIVE_INTERRUPT (1u << 3)
#define INTERRUPT_RECEIVED (1u << 1)
#define UART0_LINE 0
#define SMALLEST_BAUDDIV 16

#define TIMER0_CTRL (*(volatile uint32_t *)0x40000000u)
#define TIMER0_VALUE (*(volatile uint32_t *)0x40000004u)
#define TIMER0_RELOAD (*(volatile uint32_t *)0x40000008u)

const char board_name[] = "qemu_mps2_an500";
const uint32_t board_ticks_per_second = 25000000;

void board_init(void) {
    UART0_BAUDDIV = SMALLEST_BAUDDIV;
    UART0_CTRL = CTRL_SEND | CTRL_RECEIVE | CTRL_RECEIVE_INTERRUPT;
    cortex_m_arm(UART0_LINE);
    TIMER0_RELOAD = 0xFFFFFFFFu;
    TIMER0_VALUE = 0xFFFFFFFFu;
    TIMER0_CTRL = 1;
}

static int has_received(void) { return (UART0_STATE & STATE_RECEIVED) != 0; }

int board_uart_read(void) { return has_received() ? (int)(UART0_DATA & 0xFF) : -1; }

/* The interrupt stays raised until it is cleared, even after the byte is read. */
void board_idle(void) {
    UART0_INTERRUPT = INTERRUPT_RECEIVED;
    cortex_m_rearm(UART0_LINE);
    if (!has_received()) {
        cortex_m_sleep();
    }
}

void board_uart_write(const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        while (UART0_STATE & STATE_SEND_FULL) {
        }
        UART0_DATA = bytes[i];
    }
}

/* The timer counts down. */
uint32_t board_ticks(void) { return ~TIMER0_VALUE; }
