/* QEMU's RISC-V machine `virt`: a 16550 UART behind the interrupt controller (PLIC), and the timer of
 * the core-local interruptor as the clock. Addresses: QEMU, hw/riscv/virt.c; registers: RISC-V
 * Platform-Level Interrupt Controller Specification, RISC-V ACLINT Specification. */
#include "board.h"
#include "parts/ns16550/ns16550.h"
#include "parts/riscv/riscv.h"

#define TIMER_COMPARE ((volatile uint32_t *)0x02004000u) /* low, high */
#define TIMER_LOW (*(volatile uint32_t *)0x0200BFF8u)
#define TIMER_HIGH (*(volatile uint32_t *)0x0200BFFCu)
#define NEVER 0xFFFFFFFFu
#define LONGEST_SLEEP 100000u /* ticks: 10 ms */

#define UART_SOURCE 10u
#define PLIC_PRIORITY ((volatile uint32_t *)0x0C000000u)
#define PLIC_ENABLE (*(volatile uint32_t *)0x0C002000u) /* of machine mode; sources 0 to 31 */
#define PLIC_CLAIM (*(volatile uint32_t *)0x0C200004u)

#define PCI_WINDOW 0x40000000u /* 1 GB, without a device: QEMU answers where there is no memory */
#define PCI_WINDOW_BYTES 0x40000000u

const char board_name[] = "qemu_riscv32_virt";
const uint32_t board_ticks_per_second = 10000000;
ns16550 *const ns16550_board_uart = (ns16550 *)0x10000000u;

void board_init(void) {
    RISCV_WRITE("pmpaddr1", RISCV_NAPOT(PCI_WINDOW, PCI_WINDOW_BYTES));
    RISCV_SET("pmpcfg0", RISCV_DENY << 8);
    ns16550_start();
    PLIC_PRIORITY[UART_SOURCE] = 1;
    PLIC_ENABLE = 1u << UART_SOURCE;
    RISCV_SET("mie", RISCV_EXTERNAL | RISCV_TIMER);
}

/* A moment from now. The high half is changed last, so that no value in between is in the past. */
static void set_alarm(void) {
    const uint32_t low = TIMER_LOW, high = TIMER_HIGH;
    TIMER_COMPARE[1] = NEVER;
    TIMER_COMPARE[0] = low + LONGEST_SLEEP;
    TIMER_COMPARE[1] = high + (low + LONGEST_SLEEP < low);
}

/* The source is claimed and completed, so that it can be pending again, before the line is looked at
 * once more: no byte in between is missed. */
void board_idle(void) {
    set_alarm();
    PLIC_CLAIM = PLIC_CLAIM;
    if (!ns16550_has_received()) {
        riscv_sleep();
    }
}

uint32_t board_ticks(void) { return TIMER_LOW; }
