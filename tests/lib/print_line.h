/* A number in a line of its own, without the C library's printf. */
#ifndef PRINT_LINE_H
#define PRINT_LINE_H

#include <stdint.h>

#include "board.h"

static void print_line(uint32_t value) {
    char digits[12];
    char *at = digits + sizeof digits - 1;
    *at = '\n';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    board_uart_write((const uint8_t *)at, (uint32_t)(digits + sizeof digits - at));
}

#endif
