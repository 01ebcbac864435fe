/* The flash controller of an STM32F4 (RM0390, 3.8) or STM32F7 (RM0385, 3.7). Code that runs from the
 * same flash waits during an erase, up to seconds: no byte of the serial line is read meanwhile. */
#include "parts/stm32_flash/stm32_flash.h"

#include <stddef.h>
#include <string.h>

#include "parts/mapped_flash/mapped_flash.h"
#include "parts/stm32/stm32.h"

#ifdef BOARD_STORE_SECTORS /* firmware without a store has no sizes */

#define KEYS (*(volatile uint32_t *)0x40023C04u)
#define STATE (*(volatile uint32_t *)0x40023C0Cu)
#define CONTROL (*(volatile uint32_t *)0x40023C10u)

#define KEY_1 0x45670123u
#define KEY_2 0xCDEF89ABu
#define STATE_ERRORS 0xF2u /* write protection, alignment, parallelism, sequence; and "operation" */
#define STATE_BUSY (1u << 16)
#define CONTROL_PROGRAM (1u << 0)
#define CONTROL_ERASE (1u << 1)
#define CONTROL_SECTOR_SHIFT 3
#define CONTROL_BY_WORDS (2u << 8)
#define CONTROL_START (1u << 16)
#define CONTROL_LOCK (1u << 31)

static void unlock(void) {
    KEYS = KEY_1;
    KEYS = KEY_2;
    STATE = STATE_ERRORS; /* of before */
}

/* Returns 0 if the operation succeeded. */
static int end(void) {
    stm32_wait(&STATE, STATE_BUSY, 0);
    CONTROL = CONTROL_LOCK;
    return (STATE & STATE_ERRORS) != 0;
}

static void tell(uint32_t address, uint32_t bytes) {
    if (stm32_board_flash.changed != NULL) {
        stm32_board_flash.changed(address, bytes);
    }
}

int mapped_flash_erase(void *context, uint32_t sector) {
    (void)context;
    const uint32_t number = stm32_board_flash.first_sector + sector;
    const uint32_t what = CONTROL_ERASE | CONTROL_BY_WORDS | number << CONTROL_SECTOR_SHIFT;
    unlock();
    CONTROL = what;
    CONTROL = what | CONTROL_START;
    const int failed = end();
    tell(BOARD_STORE_ADDRESS + sector * BOARD_STORE_SECTOR_BYTES, BOARD_STORE_SECTOR_BYTES);
    return failed;
}

int mapped_flash_program(void *context, uint32_t at, const uint8_t *page) {
    (void)context;
    volatile uint32_t *to = (volatile uint32_t *)(BOARD_STORE_ADDRESS + at);
    int failed = 0;
    for (uint32_t i = 0; i < BOARD_STORE_PAGE_BYTES / sizeof *to && !failed; i++) {
        uint32_t word;
        memcpy(&word, page + i * sizeof word, sizeof word);
        unlock();
        CONTROL = CONTROL_PROGRAM | CONTROL_BY_WORDS;
        to[i] = word;
        failed = end();
    }
    tell(BOARD_STORE_ADDRESS + at, BOARD_STORE_PAGE_BYTES);
    return failed;
}

#endif
