/* The flash of an emulated board: the file flash.bin in the emulator's folder, so that what is saved
 * survives the end of the emulator.
 *
 * The emulator's arguments are numbers: flash=1, or the board has none; and how it fails, cut=, tear=,
 * stuck_at=, stuck_mask=, stuck_bits= (simulated_flash.h).
 */
#include "board.h"
#include "parts/semihosting/files.h"
#include "parts/simulated_flash/simulated_flash.h"

#ifdef BOARD_STORE_SECTORS /* a program without a store has no sizes, and no flash */

static simulated_flash flash;
static uint32_t file;

int flash_cells_read(void *cells, uint32_t at, uint8_t *bytes, uint32_t count) {
    (void)cells;
    return semihosting_read(file, at, bytes, count);
}

int flash_cells_write(void *cells, uint32_t at, const uint8_t *bytes, uint32_t count) {
    (void)cells;
    return semihosting_write(file, at, bytes, count);
}

void flash_cells_cut(void) { board_exit(BOARD_EXIT_POWER_CUT); }

static void take(const char *name, uint32_t *to) { *to = semihosting_number(name, *to); }

static void take_all(flash_faults *faults) {
    take(" cut=", &faults->words_left);
    take(" tear=", &faults->tear);
    take(" stuck_at=", &faults->stuck_at);
    take(" stuck_mask=", &faults->stuck_mask);
    take(" stuck_bits=", &faults->stuck_bits);
}

const tiny_flash *board_flash(void) {
    simulated_flash_begin(&flash, 0, BOARD_STORE_SECTORS, BOARD_STORE_SECTOR_BYTES,
                          BOARD_STORE_PAGE_BYTES);
    if (semihosting_number(" flash=", 0) == 0u) {
        return 0;
    }
    take_all(&flash.faults);
    file = semihosting_open("flash.bin", SEMIHOSTING_READ_AND_WRITE);
    return file == SEMIHOSTING_NO_FILE ? 0 : &flash.flash;
}

#endif
