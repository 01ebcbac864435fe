/* A store in flash that the core reads like memory, at the address of board.toml. Whoever uses the part says
 * how it is changed: `erase` and `program` of tiny_flash (tinyflash/store.h). */
#ifndef TINYFLASH_MAPPED_FLASH_H
#define TINYFLASH_MAPPED_FLASH_H

#include <stdint.h>

int mapped_flash_erase(void *context, uint32_t sector);
int mapped_flash_program(void *context, uint32_t at, const uint8_t *page);

#endif
