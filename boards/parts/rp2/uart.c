/* A serial line through UART0, by polling (RP2040 Datasheet, 4.2). */
#include "board.h"
#include "parts/cortex_m/cortex_m.h"
#include "parts/rp2/clocks.h"
#include "parts/rp2/rp2.h"

#define DATA 0x0u
#define STATE 0x18u
#define STATE_BUSY (1u << 3)
#define STATE_RECEIVED_NONE (1u << 4)
#define STATE_SEND_FULL (1u << 5)
#define RATE_WHOLE 0x24u
#define RATE_64THS 0x28u
#define LEAST_64THS 64u
#define MOST_64THS (0xFFFFu * 64u)
#define LINE 0x2Cu
#define LINE_8_BITS_FIFO (3u << 5 | 1u << 4)
#define CONTROL 0x30u
#define CONTROL_RUN (1u << 0 | 1u << 8 | 1u << 9) /* on, send, receive */
#define INTERRUPTS 0x38u
#define INTERRUPT_RECEIVED (1u << 4) /* the FIFO is half full */
#define INTERRUPT_WAITS (1u << 6)    /* bytes have waited in it for 32 bits */
#define INTERRUPTS_CLEAR 0x44u

#define PIN_CONTROL(pin) (0x4u + 8u * (pin)) /* 2.19.6.1 */
#define PIN_UART 2u
#define PAD(pin) (0x4u + 4u * (pin)) /* 2.19.6.3 */
/* Input on, 4 mA, pulled up so that a line is quiet that nothing drives, Schmitt trigger; on the RP2350, no
 * isolation. */
#define PAD_PULLED_UP (1u << 6 | 1u << 4 | 1u << 3 | 1u << 1)

static volatile uint32_t *uart(uint32_t offset) {
    return (volatile uint32_t *)(rp2_board_chip.uart + offset);
}

static void connect(uint32_t pin) {
    *(volatile uint32_t *)(rp2_board_chip.pads + PAD(pin)) = PAD_PULLED_UP;
    *(volatile uint32_t *)(rp2_board_chip.pins + PIN_CONTROL(pin)) = PIN_UART;
}

/* The divider of the clock, in 64ths, for a bit of 16 samples. */
static uint32_t divider(uint32_t rate) { return (rp2_board_chip.hz * 4u + rate / 2u) / rate; }

uint32_t board_uart_rate(uint32_t wanted) {
    const uint32_t divide = divider(wanted);
    return divide >= LEAST_64THS && divide <= MOST_64THS ? rp2_board_chip.hz * 4u / divide : 0;
}

/* LINE comes after the rate, since that applies it. */
static void run(uint32_t rate) {
    const uint32_t divide = divider(rate);
    *uart(RATE_WHOLE) = divide / 64u;
    *uart(RATE_64THS) = divide % 64u;
    *uart(LINE) = LINE_8_BITS_FIFO;
    *uart(CONTROL) = CONTROL_RUN;
}

void board_uart_set_rate(uint32_t wanted) {
    while (*uart(STATE) & STATE_BUSY) {
    }
    *uart(CONTROL) = 0;
    run(wanted);
}

void rp2_start(void) {
    rp2_release(rp2_board_chip.used);
    rp2_start_clocks();
    rp2_release(rp2_board_chip.uart_reset);
    connect(0);
    connect(1);
    run(BOARD_UART_RATE);
    *uart(INTERRUPTS) = INTERRUPT_RECEIVED | INTERRUPT_WAITS;
    cortex_m_arm(rp2_board_chip.uart_line);
}

static int has_received(void) { return !(*uart(STATE) & STATE_RECEIVED_NONE); }

int board_uart_read(void) { return has_received() ? (int)(*uart(DATA) & 0xFFu) : -1; }

void board_idle(void) {
    *uart(INTERRUPTS_CLEAR) = INTERRUPT_RECEIVED | INTERRUPT_WAITS;
    cortex_m_rearm(rp2_board_chip.uart_line);
    if (!has_received()) {
        cortex_m_sleep();
    }
}

void board_uart_write(const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        while (*uart(STATE) & STATE_SEND_FULL) {
        }
        *uart(DATA) = bytes[i];
    }
}
