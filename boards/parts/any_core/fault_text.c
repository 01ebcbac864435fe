/* What a fault is without a program that has a report of its own: one line of text. */
#include <string.h>

#include "board.h"

static void send_text(const char *text) {
    board_uart_write((const uint8_t *)text, (uint32_t)strlen(text));
}

static void send_number(const char *name, uint32_t value) {
    char digits[8];
    for (int i = 0; i < 8; i++) {
        digits[i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 15];
    }
    send_text(name);
    board_uart_write((const uint8_t *)digits, sizeof digits);
}

__attribute__((weak)) void board_on_fault(const board_fault *fault) {
    send_text(fault->stack_broken ? "\nstack overflow" : "\nfault");
    send_number(": exception ", fault->exception);
    send_number(", status ", fault->status);
    send_number(", address ", fault->address);
    send_number(", pc ", fault->pc);
    send_text("\n");
}
