/* A flash memory: erased in blocks, programmed in pages. Replace flash.c by your board's driver. */
#ifndef FLASH_H
#define FLASH_H

#include <stdint.h>

#define FLASH_BLOCK 4096u /* bytes; erased at once, to ones */
#define FLASH_BLOCKS 16u
#define FLASH_PAGE 16u /* bytes; programmed at once: ones become zeros */

/* `at`: in bytes from the beginning. All return 0 if they fail. */
int flash_read(uint32_t at, void *to, uint32_t count);
int flash_program(uint32_t at, const void *from, uint32_t count);
int flash_erase(uint32_t at);

#endif
