/* The flash of an emulated board: the file flash.bin in the emulator's folder, so that what is saved
 * survives the end of the emulator.
 *
 * The emulator's arguments are numbers: flash=1, or the board has none; and how it fails, cut=, tear=,
 * stuck_at=, stuck_mask=, stuck_bits= (simulated_flash.h).
 */
#include "board.h"
#include "parts/semihosting/semihosting.h"
#include "parts/simulated_flash/simulated_flash.h"

#ifdef BOARD_STORE_SECTORS /* a program without a store has no sizes, and no flash */

#define SYS_OPEN 0x01u
#define SYS_WRITE 0x05u
#define SYS_READ 0x06u
#define SYS_SEEK 0x0Au
#define SYS_GET_CMDLINE 0x15u
#define READ_AND_WRITE 3u /* mode "r+b" */
#define FAILED 0xFFFFFFFFu
#define ARGUMENTS_BYTES 128u

static simulated_flash flash;
static uint32_t file;

static uint32_t address(const void *of) { return (uint32_t)(uintptr_t)of; }

/* Reads or writes at a place of the file. The host says how many bytes are missing. */
static int transfer(uint32_t operation, uint32_t at, const uint8_t *bytes, uint32_t count) {
    const uint32_t place[2] = {file, at};
    const uint32_t block[3] = {file, address(bytes), count};
    return semihosting_ask(SYS_SEEK, place) != 0u || semihosting_ask(operation, block) != 0u;
}

int flash_cells_read(void *cells, uint32_t at, uint8_t *bytes, uint32_t count) {
    (void)cells;
    return transfer(SYS_READ, at, bytes, count);
}

int flash_cells_write(void *cells, uint32_t at, const uint8_t *bytes, uint32_t count) {
    (void)cells;
    return transfer(SYS_WRITE, at, bytes, count);
}

void flash_cells_cut(void) { board_exit(BOARD_EXIT_POWER_CUT); }

static uint32_t open_file(void) {
    static const char name[] = "flash.bin";
    const uint32_t block[3] = {address(name), READ_AND_WRITE, sizeof name - 1};
    return semihosting_ask(SYS_OPEN, block);
}

/* Returns what follows `name` if the text begins with it; null if not. */
static const char *after(const char *text, const char *name) {
    while (*name != '\0' && *text == *name) {
        text++;
        name++;
    }
    return *name == '\0' ? text : 0;
}

/* Sets a number that the arguments give as ` name123`. */
static void take(const char *arguments, const char *name, uint32_t *number) {
    for (; *arguments != '\0'; arguments++) {
        const char *digits = after(arguments, name);
        if (digits != 0) {
            *number = 0;
            for (; *digits >= '0' && *digits <= '9'; digits++) {
                *number = 10u * *number + (uint32_t)(*digits - '0');
            }
        }
    }
}

/* Returns whether the arguments give the board a flash. */
static int take_all(flash_faults *faults) {
    char arguments[ARGUMENTS_BYTES] = {0};
    const uint32_t block[2] = {address(arguments), sizeof arguments - 1};
    uint32_t has_flash = 0;
    if (semihosting_ask(SYS_GET_CMDLINE, block) == 0u) {
        take(arguments, " flash=", &has_flash);
        take(arguments, " cut=", &faults->words_left);
        take(arguments, " tear=", &faults->tear);
        take(arguments, " stuck_at=", &faults->stuck_at);
        take(arguments, " stuck_mask=", &faults->stuck_mask);
        take(arguments, " stuck_bits=", &faults->stuck_bits);
    }
    return has_flash != 0u;
}

const tiny_flash *board_flash(void) {
    simulated_flash_begin(&flash, 0, BOARD_STORE_SECTORS, BOARD_STORE_SECTOR_BYTES,
                          BOARD_STORE_PAGE_BYTES);
    if (!take_all(&flash.faults)) {
        return 0;
    }
    file = open_file();
    return file == FAILED ? 0 : &flash.flash;
}

#endif
