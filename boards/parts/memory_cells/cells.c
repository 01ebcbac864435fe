/* The cells of a simulated flash in memory, for a program on a computer. */
#include <string.h>

#include "parts/simulated_flash/simulated_flash.h"

int flash_cells_read(void *cells, uint32_t at, uint8_t *bytes, uint32_t count) {
    memcpy(bytes, (const uint8_t *)cells + at, count);
    return 0;
}

int flash_cells_write(void *cells, uint32_t at, const uint8_t *bytes, uint32_t count) {
    memcpy((uint8_t *)cells + at, bytes, count);
    return 0;
}

void flash_cells_cut(void) {}
