/* Flash of an STM32F4 or STM32F7 for a store: whole sectors, programmed by words. */
#ifndef TINYFLASH_STM32_FLASH_H
#define TINYFLASH_STM32_FLASH_H

#include <stdint.h>

/* The store's sectors; board.toml has their address and size. */
typedef struct stm32_flash_place {
    uint32_t first_sector;                             /* the number of the first one */
    void (*changed)(uint32_t address, uint32_t bytes); /* after a change; null: nothing to do */
} stm32_flash_place;

extern const stm32_flash_place stm32_board_flash;

#endif
