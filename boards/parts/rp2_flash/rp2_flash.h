/* A store in the last sectors of the flash of an RP2040 or RP2350, changed by functions in the chip's ROM. */
#ifndef TINYFLASH_RP2_FLASH_H
#define TINYFLASH_RP2_FLASH_H

#include <stdint.h>

/* A function of the ROM; those with fewer arguments ignore the rest. */
typedef uint32_t rp2_rom_call(uint32_t a, uint32_t b, uint32_t c, uint32_t d);

/* Returns a function by its code of two letters (RP2040 Datasheet, 2.8.3). The board defines it, since the
 * chips have different tables. */
rp2_rom_call *rp2_rom_function(uint32_t code);
#define RP2_CODE(first, second) ((uint32_t)(first) | (uint32_t)(second) << 8)

#endif
