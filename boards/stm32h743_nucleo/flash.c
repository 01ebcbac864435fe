/* A store in the last sectors of bank 2, programmed by 32 bytes (RM0433, 4.3.9, 4.9). The program is in
 * bank 1 as long as it fits there, and then runs during an erase. */
#include <string.h>

#include "parts/cortex_m7/cortex_m7.h"
#include "parts/mapped_flash/mapped_flash.h"
#include "parts/stm32/stm32.h"

#ifdef BOARD_STORE_SECTORS /* firmware without a store has no sizes */

#define FIRST_SECTOR 6u
#define KEYS (*(volatile uint32_t *)0x52002104u)
#define CONTROL (*(volatile uint32_t *)0x5200210Cu)
#define STATE (*(volatile uint32_t *)0x52002110u)
#define CLEAR (*(volatile uint32_t *)0x52002114u)

#define KEY_1 0x45670123u
#define KEY_2 0xCDEF89ABu
#define STATE_WAITS (1u << 2)    /* for an operation to end */
#define STATE_ERRORS 0x006E0000u /* write protection, sequence, strobe, inconsistency, operation */
#define CONTROL_LOCK (1u << 0)
#define CONTROL_PROGRAM (1u << 1)
#define CONTROL_ERASE (1u << 2)
#define CONTROL_BY_64_BITS (3u << 4)
#define CONTROL_START (1u << 7)
#define CONTROL_SECTOR_SHIFT 8

static void begin(uint32_t what) {
    KEYS = KEY_1;
    KEYS = KEY_2;
    CLEAR = STATE_ERRORS; /* of before */
    CONTROL = what | CONTROL_BY_64_BITS;
}

/* Returns 0 if the operation succeeded. Caches may have what was there before. */
static int end(uint32_t at, uint32_t bytes) {
    stm32_wait(&STATE, STATE_WAITS, 0);
    CONTROL = CONTROL_LOCK;
    cortex_m7_forget(BOARD_STORE_ADDRESS + at, bytes);
    return (STATE & STATE_ERRORS) != 0;
}

int mapped_flash_erase(void *context, uint32_t sector) {
    (void)context;
    begin(CONTROL_ERASE | (FIRST_SECTOR + sector) << CONTROL_SECTOR_SHIFT);
    CONTROL |= CONTROL_START;
    return end(sector * BOARD_STORE_SECTOR_BYTES, BOARD_STORE_SECTOR_BYTES);
}

/* The barriers keep the order of the words, and end the last write before its end is awaited. */
int mapped_flash_program(void *context, uint32_t at, const uint8_t *page) {
    (void)context;
    volatile uint32_t *to = (volatile uint32_t *)(BOARD_STORE_ADDRESS + at);
    begin(CONTROL_PROGRAM);
    __asm volatile("dsb" ::: "memory");
    for (uint32_t i = 0; i < BOARD_STORE_PAGE_BYTES / sizeof *to; i++) {
        uint32_t word;
        memcpy(&word, page + i * sizeof word, sizeof word);
        to[i] = word;
    }
    __asm volatile("dsb" ::: "memory");
    return end(at, BOARD_STORE_PAGE_BYTES);
}

#endif
