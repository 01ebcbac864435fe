/* The host as a board: enough of boards/board.h for the kernel cases. */
#include <stdio.h>
#include <stdlib.h>

#include "board.h"

const char board_name[] = "host";

void board_init(void) {}

void board_uart_write(const uint8_t *bytes, uint32_t count) { fwrite(bytes, 1, count, stdout); }

void board_exit(int code) { exit(code); }
