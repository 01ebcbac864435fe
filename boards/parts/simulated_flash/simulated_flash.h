/* A flash memory that fails as real ones do: a page is programmed once after an erase, a bit may be
 * stuck, and the power may go at any word, which is then torn. For emulated boards and for tests on
 * the host. */
#ifndef TINYFLASH_SIMULATED_FLASH_H
#define TINYFLASH_SIMULATED_FLASH_H

#include "tinyflash/store.h"

#define SIMULATED_FLASH_POWERED 0xFFFFFFFFu

/* ---- The cells: a part implements them (memory_cells, semihosting) --------------------------- */

/* Read or write bytes of the flash `cells`. Return 0 on success; at + count is within it. */
int flash_cells_read(void *cells, uint32_t at, uint8_t *bytes, uint32_t count);
int flash_cells_write(void *cells, uint32_t at, const uint8_t *bytes, uint32_t count);

/* Called when the power goes. If it returns, every operation fails from then on. */
void flash_cells_cut(void);

/* ---- The flash ------------------------------------------------------------------------------- */

/* How it fails. All zero, with words_left SIMULATED_FLASH_POWERED: not at all. */
typedef struct flash_faults {
    uint32_t
        words_left; /* words of 4 bytes that are still programmed or erased before the power goes */
    uint32_t tear;  /* which bits of a torn word have changed; the lowest bit: the erase of a
                            sector tears all its words, and not one */
    uint32_t stuck_at; /* the word at this byte has the bits of stuck_mask as in stuck_bits */
    uint32_t stuck_mask, stuck_bits;
} flash_faults;

typedef struct simulated_flash {
    tiny_flash flash; /* the driver, for tiny_store */
    void *cells;
    flash_faults faults;
    uint32_t words; /* programmed or erased so far */
    int is_off;
} simulated_flash;

/* Makes a flash without faults, whose cells keep what they have. */
void simulated_flash_begin(simulated_flash *self, void *cells, uint32_t sectors,
                           uint32_t sector_bytes, uint32_t page_bytes);

#endif
