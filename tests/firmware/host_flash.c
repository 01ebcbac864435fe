/* The flash of the host as a board: a file, named by the environment (FLASH); without it there is none.
 * CUT: the words until the power goes. STUCK: the byte of a word of which bit 0 is stuck at 0. */
#include <stdio.h>
#include <stdlib.h>

#include "board.h"
#include "parts/simulated_flash/simulated_flash.h"

static simulated_flash flash;

static int transfer(void *cells, uint32_t at) { return fseek(cells, (long)at, SEEK_SET) != 0; }

int flash_cells_read(void *cells, uint32_t at, uint8_t *bytes, uint32_t count) {
    return transfer(cells, at) || fread(bytes, 1, count, cells) != count;
}

int flash_cells_write(void *cells, uint32_t at, const uint8_t *bytes, uint32_t count) {
    return transfer(cells, at) || fwrite(bytes, 1, count, cells) != count || fflush(cells) != 0;
}

void flash_cells_cut(void) { board_exit(BOARD_EXIT_POWER_CUT); }

const tiny_flash *board_flash(void) {
    const char *name = getenv("FLASH"), *cut = getenv("CUT"), *stuck = getenv("STUCK");
    FILE *file = name == NULL ? NULL : fopen(name, "r+b");
    if (file == NULL) {
        return NULL;
    }
    simulated_flash_begin(&flash, file, BOARD_STORE_SECTORS, BOARD_STORE_SECTOR_BYTES,
                          BOARD_STORE_PAGE_BYTES);
    if (cut != NULL) {
        flash.faults.words_left = (uint32_t)strtoul(cut, NULL, 10);
    }
    if (stuck != NULL) {
        flash.faults.stuck_at = (uint32_t)strtoul(stuck, NULL, 10);
        flash.faults.stuck_mask = 1;
    }
    return &flash.flash;
}
