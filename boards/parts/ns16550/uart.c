/* The functions of board.h for a serial line, with a 16550. */
#include "parts/ns16550/ns16550.h"

#include "board.h"

#define INTERRUPT_RECEIVED 1u
#define FIFO_ON 1u
#define LINE_8_BITS 3u
#define STATE_RECEIVED (1u << 0)
#define STATE_SEND_EMPTY (1u << 5)

void ns16550_start(void) {
    ns16550_board_uart->line = LINE_8_BITS;
    ns16550_board_uart->fifo = FIFO_ON;
    ns16550_board_uart->interrupt = INTERRUPT_RECEIVED;
}

int ns16550_has_received(void) { return (ns16550_board_uart->state & STATE_RECEIVED) != 0; }

int board_uart_read(void) { return ns16550_has_received() ? ns16550_board_uart->data : -1; }

void board_uart_write(const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        while (!(ns16550_board_uart->state & STATE_SEND_EMPTY)) {
        }
        ns16550_board_uart->data = bytes[i];
    }
}
