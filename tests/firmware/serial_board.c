/* The host as a board on a serial line that has a rate: the firmware on standard input and output.
 *
 * What passes is records, of the sender's rate 32, a count 32, and as many bytes. A receiver of another
 * rate gets other bytes.
 */
#define _POSIX_C_SOURCE 200809L
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "board.h"

#define SILENCE_MS 1
#define CLOCK 16000000u
#define LEAST_DIVIDER 8u /* 2,000,000 baud */
#define PARTS 40u

const char board_name[] = "serial";
const uint32_t board_ticks_per_second =
    200; /* a tick is about 1 ms in silence: five times as hasty */

static uint32_t ticks;
static uint32_t rate = BOARD_UART_RATE;

void board_init(void) {}

uint32_t board_uart_rate(uint32_t wanted) {
    const uint32_t divide = (CLOCK + wanted / 2) / wanted;
    return divide >= LEAST_DIVIDER ? CLOCK / divide : 0;
}

void board_uart_set_rate(uint32_t wanted) { rate = wanted; }

/* The end of the input ends the firmware. */
static void take(void *to, size_t count) {
    uint8_t *at = to;
    while (count > 0) {
        const ssize_t got = read(STDIN_FILENO, at, count);
        if (got <= 0) {
            board_exit(0);
        }
        at += got;
        count -= (size_t)got;
    }
}

/* A slow sender's bits are long; of a fast one's, some are seen. Returns -1 for none. */
static int changed(uint8_t byte, uint32_t sent_at) {
    const uint32_t difference = sent_at > rate ? sent_at - rate : rate - sent_at;
    if (difference < rate / PARTS) {
        return byte;
    }
    if (sent_at < rate) {
        return byte & 0x80;
    }
    return byte & 1 ? -1 : byte ^ 0x5A;
}

int board_uart_read(void) {
    static uint32_t head[2];
    if (head[1] == 0) {
        struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
        if (poll(&input, 1, SILENCE_MS) == 0) {
            ticks++;
            return -1;
        }
        take(head, sizeof head);
    }
    uint8_t byte;
    take(&byte, 1);
    head[1]--;
    return changed(byte, head[0]);
}

void board_idle(void) {}

void board_uart_write(const uint8_t *bytes, uint32_t count) {
    const uint32_t head[2] = {rate, count};
    fwrite(head, sizeof head, 1, stdout);
    fwrite(bytes, 1, count, stdout);
    fflush(stdout);
}

uint32_t board_ticks(void) { return ticks; }

void board_exit(int code) { exit(code); }

uint32_t board_stack_bytes(void) { return 0; }

uint32_t board_stack_used(void) { return 0; }

uint32_t board_stack_needed(void) { return 0; }
