/* The interface of a board: start-up, a serial line, a clock, an exit. Nothing else.
 *
 * A board folder implements this, with the help of the parts (boards/parts) that its board.toml
 * names.
 */
#ifndef TINYFLASH_BOARD_H
#define TINYFLASH_BOARD_H

#include <stdint.h>

struct tiny_flash;

/* The name of the board folder. */
extern const char board_name[];

/* Starts the serial line and the clock. The program calls it first. */
void board_init(void);

/* Returns the next received byte, or -1 at once if there is none. */
int board_uart_read(void);

/* Sleeps until a byte arrives, or for a moment, so that the program can check the clock. For a
 * program that only waits for a byte. */
void board_idle(void);

/* Sends `count` bytes; returns when the hardware has taken the last one. */
void board_uart_write(const uint8_t *bytes, uint32_t count);

/* The rate of the serial line, in bits per second, that board_init sets. */
#define BOARD_UART_RATE 115200u

/* Returns the rate nearest to `wanted`, above 0, that the serial line can have; 0: none is near, or the
 * line has no rate. The default is 0: the line keeps the rate of board_init. */
uint32_t board_uart_rate(uint32_t wanted);

/* Gives the serial line the rate nearest to `wanted`, for which board_uart_rate is not 0, after the last
 * byte has left. Bytes on their way to the board are lost. */
void board_uart_set_rate(uint32_t wanted);

/* A free-running counter that wraps at 2^32. board.toml gives the instructions per tick. */
uint32_t board_ticks(void);
extern const uint32_t board_ticks_per_second;

/* Returns what differs from one start to the next, and cannot be foreseen as far as the board can help
 * it: a true random number, if it has one. Firmware with a pairing key, and firmware that collects, call
 * it once. The default is board_ticks(). */
uint32_t board_seed(void);

/* Returns the flash that a store has for itself, with the sizes of board.toml's [store]; null: none is
 * there. Only on a board that has [store]; the program calls it once, after board_init. */
const struct tiny_flash *board_flash(void);

/* Ends the program: the exit status of an emulator, a halt on a real board. */
void board_exit(int code) __attribute__((noreturn));

/* Bytes reserved for the stack, the most used since start-up, and the least to reserve: the worst
 * case that the build computed, plus a guard. 0: unknown. */
uint32_t board_stack_bytes(void);
uint32_t board_stack_used(void);
uint32_t board_stack_needed(void);

/* Why the processor stopped; register names of the manuals of Arm's M profile, and of RISC-V. */
typedef struct board_fault {
    uint32_t exception;    /* IPSR: 3 hard, 4 memory, 5 bus, 6 usage fault; BOARD_FAULT_RISCV */
    uint32_t status;       /* CFSR, 0 on Armv6-M; mcause */
    uint32_t address;      /* BFAR or MMFAR; mtval; 0: unknown */
    uint32_t pc;           /* of the faulting instruction; 0: its frame was lost */
    uint32_t stack_broken; /* 1: the stack had overflowed */
} board_fault;

/* Called once on a fault, on a fresh stack; board_exit(BOARD_EXIT_FAULT) follows. The default sends
 * one line of text; a program may define its own. */
void board_on_fault(const board_fault *fault);

#define BOARD_FAULT_RISCV 256 /* no exception of an Arm core has this number */

#define BOARD_EXIT_FAULT 70
#define BOARD_EXIT_POWER_CUT 72 /* of a simulated flash */

#endif
