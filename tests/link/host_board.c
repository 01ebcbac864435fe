/* The host as a board: the firmware on standard input and output, under sanitizers. */
#include <stdio.h>
#include <stdlib.h>

#include "board.h"

const char board_name[] = "host";

void board_init(void) {}

/* The end of the input ends the firmware. */
int board_uart_read(void) {
    const int byte = getchar();
    if (byte == EOF) {
        board_exit(0);
    }
    return byte;
}

void board_idle(void) {}

void board_uart_write(const uint8_t *bytes, uint32_t count) {
    fwrite(bytes, 1, count, stdout);
    fflush(stdout);
}

uint32_t board_ticks(void) {
    static uint32_t ticks;
    return ticks++;
}

void board_exit(int code) { exit(code); }

uint32_t board_stack_bytes(void) { return 0; }

uint32_t board_stack_used(void) { return 0; }

uint32_t board_stack_needed(void) { return 0; }
