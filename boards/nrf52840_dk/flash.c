/* A store in the last pages of the flash, programmed by words (Product Specification 1.7, 4.3). The core
 * waits during an erase, up to 85 ms: bytes of the serial line beyond six are lost meanwhile. */
#include <string.h>

#include "parts/mapped_flash/mapped_flash.h"

#ifdef BOARD_STORE_SECTORS /* firmware without a store has no sizes */

#define READY (*(volatile uint32_t *)0x4001E400u)
#define CONFIG (*(volatile uint32_t *)0x4001E504u)
#define ERASE_PAGE (*(volatile uint32_t *)0x4001E508u)
#define CONFIG_READ 0u
#define CONFIG_WRITE 1u
#define CONFIG_ERASE 2u

static void set(uint32_t config) {
    CONFIG = config;
    while (!READY) {
    }
}

int mapped_flash_erase(void *context, uint32_t sector) {
    (void)context;
    set(CONFIG_ERASE);
    ERASE_PAGE = BOARD_STORE_ADDRESS + sector * BOARD_STORE_SECTOR_BYTES;
    while (!READY) {
    }
    set(CONFIG_READ);
    return 0;
}

int mapped_flash_program(void *context, uint32_t at, const uint8_t *page) {
    (void)context;
    volatile uint32_t *to = (volatile uint32_t *)(BOARD_STORE_ADDRESS + at);
    set(CONFIG_WRITE);
    for (uint32_t i = 0; i < BOARD_STORE_PAGE_BYTES / sizeof *to; i++) {
        uint32_t word;
        memcpy(&word, page + i * sizeof word, sizeof word);
        to[i] = word;
        while (!READY) {
        }
    }
    set(CONFIG_READ);
    return 0;
}

#endif
