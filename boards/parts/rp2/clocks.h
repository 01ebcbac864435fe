/* Between the files of this folder. */
#ifndef TINYFLASH_RP2_CLOCKS_H
#define TINYFLASH_RP2_CLOCKS_H

#include "parts/rp2/rp2.h"

/* Takes blocks out of their reset: bits of RESETS. */
void rp2_release(uint32_t blocks);

/* Starts crystal, PLL, and the clocks of core and peripherals. The PLL is out of its reset. */
void rp2_start_clocks(void);

#endif
