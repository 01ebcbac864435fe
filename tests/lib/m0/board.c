/* A Cortex-M0 in QEMU: enough of boards/board.h for programs that only send. The core traps every
 * access that is not aligned. */
#include "board.h"
#include "linker.h"

#define UART_START_TX (*(volatile uint32_t *)0x40002008u)
#define UART_SENT (*(volatile uint32_t *)0x4000211Cu)
#define UART_ENABLE (*(volatile uint32_t *)0x40002500u)
#define UART_TXD (*(volatile uint32_t *)0x4000251Cu)
#define UART_ENABLED 4u

extern int main(void);

const char board_name[] = "m0";

void cortex_m_reset(void) __attribute__((noreturn));

typedef void vector(void);

static void fault(void) {
    static const char text[] = "fault of the M0\n";
    board_init(); /* it may not have been yet */
    board_uart_write((const uint8_t *)text, sizeof text - 1);
    board_exit(BOARD_EXIT_FAULT);
}

extern const struct vector_table {
    uint32_t *stack;
    vector *reset, *nmi, *hard_fault;
} m0_vectors;
__attribute__((section(".vectors"), used))
const struct vector_table m0_vectors = {linker_stack_end, cortex_m_reset, fault, fault};

void board_start_memories(void) {}

void cortex_m_reset(void) {
    linker_fill_memory();
    (void)main();
    board_exit(0);
}

void board_init(void) {
    UART_ENABLE = UART_ENABLED;
    UART_START_TX = 1;
}

void board_uart_write(const uint8_t *bytes, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        UART_SENT = 0;
        UART_TXD = bytes[i];
        while (!UART_SENT) {
        }
    }
}
