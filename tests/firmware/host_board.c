/* The host as a board: the firmware on standard input and output, under sanitizers. */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "board.h"

#define SILENCE_MS 1

#ifndef STACK_NEEDED
#define STACK_NEEDED 0 /* above 0, and there is too little of it */
#endif
#ifndef FAULTS
#define FAULTS 0 /* 1: the processor stops where the firmware first reads */
#endif

const char board_name[] = "host";
const uint32_t board_ticks_per_second =
    200; /* a tick is about 1 ms in silence: five times as hasty */

static uint32_t ticks;

#ifdef PAIRING
#define HAS_KEY 1
#else
#define HAS_KEY 0
#endif

/* The clock of a paired board begins elsewhere each time: it is the seed of its nonces. */
void board_init(void) {
    struct timespec now = {0};
    if (HAS_KEY) {
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    ticks = (uint32_t)now.tv_nsec;
}

/* The end of the input ends the firmware. A byte that does not come takes a tick. */
int board_uart_read(void) {
    static const board_fault fault = {3, 0x82, 0x20000000, 0x1234, 1};
    static uint8_t bytes[512];
    static ssize_t count, next;
    if (FAULTS) {
        board_on_fault(&fault);
        board_exit(BOARD_EXIT_FAULT);
    }
    if (next == count) {
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        if (poll(&input, 1, SILENCE_MS) == 0) {
            ticks++;
            return -1;
        }
        count = read(STDIN_FILENO, bytes, sizeof bytes);
        next = 0;
        if (count <= 0) {
            board_exit(0);
        }
    }
    return bytes[next++];
}

void board_idle(void) {}

void board_uart_write(const uint8_t *bytes, uint32_t count) {
    fwrite(bytes, 1, count, stdout);
    fflush(stdout);
}

uint32_t board_ticks(void) { return ticks; }

void board_exit(int code) { exit(code); }

uint32_t board_stack_bytes(void) { return 0; }

uint32_t board_stack_used(void) { return 0; }

uint32_t board_stack_needed(void) { return STACK_NEEDED; }
