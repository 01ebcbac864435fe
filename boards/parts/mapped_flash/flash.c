/* The flash of a store, with address and sizes of board.toml. */
#include <stddef.h>
#include <string.h>

#include "board.h"
#include "parts/mapped_flash/mapped_flash.h"
#include "tinyflash/store.h"

#ifdef BOARD_STORE_SECTORS /* firmware without a store has no sizes */

static int read(void *context, uint32_t at, uint8_t *bytes, uint32_t count) {
    (void)context;
    memcpy(bytes, (const uint8_t *)(BOARD_STORE_ADDRESS + at), count);
    return 0;
}

static const tiny_flash flash = {
    NULL,
    BOARD_STORE_SECTORS,
    BOARD_STORE_SECTOR_BYTES,
    BOARD_STORE_PAGE_BYTES,
    mapped_flash_erase,
    mapped_flash_program,
    read,
};

const tiny_flash *board_flash(void) { return &flash; }

#endif
