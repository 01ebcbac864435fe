/* Erases and programs the flash (RP2040 Datasheet, 2.8.3.1.3; RP2350 Datasheet, 5.4.8). Meanwhile nothing
 * can be read from it, so that the code is in RAM, and no byte of the serial line beyond the UART's FIFO
 * is received. Afterwards the flash is read by the command 03h, at the clock that the ROM sets. */
#include "parts/rp2_flash/rp2_flash.h"

#include "parts/mapped_flash/mapped_flash.h"

#ifdef BOARD_STORE_SECTORS /* firmware without a store has no sizes */

#define FLASH_START 0x10000000u
#define BLOCK_BYTES 65536u /* which a command of its own erases at once */
#define ERASE_BLOCK 0xD8u

/* A change: the function that makes it, with its arguments, between those that stop reading and go on. */
typedef struct change {
    rp2_rom_call *connect, *stop_reading, *make, *flush_cache, *read;
    uint32_t arguments[4];
} change;

/* The build counts each call of the ROM like one of the deepest kernel. */
__attribute__((section(".ram_code"), noinline)) static void make(const change *given) {
    const uint32_t *arguments = given->arguments;
    (void)given->connect(0, 0, 0, 0);
    (void)given->stop_reading(0, 0, 0, 0);
    (void)given->make(arguments[0], arguments[1], arguments[2], arguments[3]);
    (void)given->flush_cache(0, 0, 0, 0);
    (void)given->read(0, 0, 0, 0);
}

/* Interrupts are never taken (parts/cortex_m/sleep.c), so nothing runs from the flash meanwhile. */
static void change_by(uint32_t code, uint32_t at, uint32_t b, uint32_t c, uint32_t d) {
    const change one = {
        .connect = rp2_rom_function(RP2_CODE('I', 'F')),
        .stop_reading = rp2_rom_function(RP2_CODE('E', 'X')),
        .make = rp2_rom_function(code),
        .flush_cache = rp2_rom_function(RP2_CODE('F', 'C')),
        .read = rp2_rom_function(RP2_CODE('C', 'X')),
        .arguments = {BOARD_STORE_ADDRESS - FLASH_START + at, b, c, d},
    };
    make(&one);
}

int mapped_flash_erase(void *context, uint32_t sector) {
    (void)context;
    change_by(RP2_CODE('R', 'E'), sector * BOARD_STORE_SECTOR_BYTES, BOARD_STORE_SECTOR_BYTES,
              BLOCK_BYTES, ERASE_BLOCK);
    return 0;
}

/* The page is in RAM: the store's own. */
int mapped_flash_program(void *context, uint32_t at, const uint8_t *page) {
    (void)context;
    change_by(RP2_CODE('R', 'P'), at, (uint32_t)page, BOARD_STORE_PAGE_BYTES, 0);
    return 0;
}

#endif
