/* What RP2040 and RP2350 share: resets, crystal, PLL, clocks, pins, and UART0 as the serial line.
 *
 * Both have the same registers at other addresses; sections are of the RP2040 Datasheet.
 */
#ifndef TINYFLASH_RP2_H
#define TINYFLASH_RP2_H

#include <stdint.h>

/* The addresses of a chip. */
typedef struct rp2_chip {
    uint32_t resets, clocks, crystal, pll, pins, pads, uart;
    uint32_t used;       /* bits of RESETS: the blocks that leave their reset at once */
    uint32_t uart_reset; /* the UART's, which has no clock before */
    uint32_t uart_line;  /* interrupt */
    uint32_t hz;         /* of the core, 1500 MHz divided by `dividers` */
    uint32_t dividers;   /* the two of the PLL, 1 to 7 each, as PRIM has them */
} rp2_chip;

#define RP2_DIVIDERS(first, second) ((uint32_t)(first) << 16 | (uint32_t)(second) << 12)
#define RP2_CRYSTAL_HZ 12000000u

extern const rp2_chip rp2_board_chip;

/* Starts the clocks from the crystal, and UART0 on GP0 and GP1; the functions of board.h for the serial
 * line work from then on. */
void rp2_start(void);

#endif
