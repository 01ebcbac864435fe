/* A flash memory that fails as real ones do. */
#include "parts/simulated_flash/simulated_flash.h"

#include <string.h>

#define WORD 4u
#define ERASED 0xFFFFFFFFu

/* Some of 32 bits, by a number: xorshift (Marsaglia 2003). */
static uint32_t some_bits(uint32_t seed) {
    uint32_t x = seed * 2654435761u + 1u;
    x ^= x << 13;
    x ^= x >> 17;
    return x ^ (x << 5);
}

static int read_word(simulated_flash *self, uint32_t at, uint32_t *word) {
    uint8_t bytes[WORD];
    const int failed = flash_cells_read(self->cells, at, bytes, WORD);
    memcpy(word, bytes, WORD);
    return failed;
}

static int write_word(simulated_flash *self, uint32_t at, uint32_t word) {
    uint8_t bytes[WORD];
    memcpy(bytes, &word, WORD);
    return flash_cells_write(self->cells, at, bytes, WORD);
}

static void cut(simulated_flash *self) {
    self->is_off = 1;
    flash_cells_cut();
}

/* Whether the power goes during the next word. */
static int is_last_word(const simulated_flash *self) { return self->faults.words_left == 0u; }

static void count_word(simulated_flash *self) {
    self->words++;
    if (self->faults.words_left != SIMULATED_FLASH_POWERED) {
        self->faults.words_left--;
    }
}

/* Programs a word: its zeros. Of a torn one, some. */
static int program_word(simulated_flash *self, uint32_t at, uint32_t word) {
    uint32_t old;
    const uint32_t kept = is_last_word(self) ? some_bits(self->faults.tear + at) : 0u;
    if (read_word(self, at, &old) || write_word(self, at, old & (word | kept))) {
        return 1;
    }
    if (is_last_word(self)) {
        cut(self);
        return 1;
    }
    count_word(self);
    return 0;
}

/* Whether the cells of a page have only ones. */
static int is_erased(simulated_flash *self, uint32_t at) {
    uint32_t word = ERASED;
    int failed = 0;
    for (uint32_t i = 0; i < self->flash.page_bytes && word == ERASED && !failed; i += WORD) {
        failed = read_word(self, at + i, &word);
    }
    return word == ERASED && !failed;
}

/* Refuses to program a page twice: flash with error correction (STM32H7, STM32L4) cannot. */
static int program(void *context, uint32_t at, const uint8_t *page) {
    simulated_flash *self = context;
    int failed = self->is_off || !is_erased(self, at);
    for (uint32_t i = 0; i < self->flash.page_bytes && !failed; i += WORD) {
        uint32_t word;
        memcpy(&word, page + i, WORD);
        failed = program_word(self, at + i, word);
    }
    return failed;
}

/* Sets some of the bits of a word. */
static int erase_in_part(simulated_flash *self, uint32_t at) {
    uint32_t old;
    return read_word(self, at, &old) ||
           write_word(self, at, old | some_bits(self->faults.tear + at));
}

/* Tears the erase of a sector at one of its words: that word alone, or all of the sector. */
static int tear_sector(simulated_flash *self, uint32_t sector, uint32_t at) {
    const uint32_t start = sector * self->flash.sector_bytes;
    const int all = (self->faults.tear & 1u) != 0u;
    const uint32_t first = all ? start : at;
    const uint32_t end = all ? start + self->flash.sector_bytes : at + WORD;
    for (uint32_t word = first; word < end; word += WORD) {
        (void)erase_in_part(self, word);
    }
    cut(self);
    return 1;
}

static int erase(void *context, uint32_t sector) {
    simulated_flash *self = context;
    const uint32_t start = sector * self->flash.sector_bytes;
    int failed = self->is_off;
    for (uint32_t i = 0; i < self->flash.sector_bytes && !failed; i += WORD) {
        if (is_last_word(self)) {
            return tear_sector(self, sector, start + i);
        }
        failed = write_word(self, start + i, ERASED);
        count_word(self);
    }
    return failed;
}

static void stick(const simulated_flash *self, uint32_t at, uint8_t *bytes, uint32_t count) {
    const flash_faults *faults = &self->faults;
    for (uint32_t i = 0; i < WORD && faults->stuck_mask; i++) {
        const uint32_t byte = faults->stuck_at + i;
        const uint8_t mask = (uint8_t)(faults->stuck_mask >> (8u * i));
        if (byte >= at && byte - at < count) {
            const uint8_t stuck = (uint8_t)(faults->stuck_bits >> (8u * i)) & mask;
            bytes[byte - at] = (uint8_t)((bytes[byte - at] & ~mask) | stuck);
        }
    }
}

static int read(void *context, uint32_t at, uint8_t *bytes, uint32_t count) {
    simulated_flash *self = context;
    const int failed = self->is_off || flash_cells_read(self->cells, at, bytes, count);
    stick(self, at, bytes, count);
    return failed;
}

void simulated_flash_begin(simulated_flash *self, void *cells, uint32_t sectors,
                           uint32_t sector_bytes, uint32_t page_bytes) {
    memset(self, 0, sizeof *self);
    self->flash = (tiny_flash){self, sectors, sector_bytes, page_bytes, erase, program, read};
    self->cells = cells;
    self->faults.words_left = SIMULATED_FLASH_POWERED;
}
