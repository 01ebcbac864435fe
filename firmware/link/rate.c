/* The rate of the serial line: raised by a host, and given up if the line or the host fails. */
#include "link/rate.h"

#include "board.h"

/* Bytes arrive if the two sides differ by less than a fortieth. */
#define PARTS 40u

#define DOUBT_SECONDS 2u

__attribute__((weak)) uint32_t board_uart_rate(uint32_t wanted) {
    (void)wanted;
    return 0;
}

__attribute__((weak)) void board_uart_set_rate(uint32_t wanted) { (void)wanted; }

uint32_t rate_near(uint32_t wanted) {
    if (wanted == BOARD_UART_RATE) {
        return wanted; /* each board begins with it */
    }
    const uint32_t there = wanted > 0 ? board_uart_rate(wanted) : 0;
    const uint32_t difference = there > wanted ? there - wanted : wanted - there;
    return difference < wanted / PARTS ? there : 0;
}

/* Until the first frame at the new rate, it is in doubt. */
void rate_apply(rate *self) {
    if (self->wanted == 0) {
        return;
    }
    board_uart_set_rate(self->wanted);
    self->is_raised = self->wanted != BOARD_UART_RATE;
    self->in_doubt = 1;
    self->doubt = board_ticks();
    self->wanted = 0;
}

void rate_watch(rate *self, int has_byte, int is_frame) {
    if (!self->is_raised || is_frame) {
        self->in_doubt = 0;
    } else if (has_byte && !self->in_doubt) {
        self->in_doubt = 1;
        self->doubt = board_ticks();
    } else if (self->in_doubt &&
               board_ticks() - self->doubt >= DOUBT_SECONDS * board_ticks_per_second) {
        self->wanted = BOARD_UART_RATE;
        rate_apply(self);
    }
}
