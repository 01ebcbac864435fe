/* What the linker script (tinyflash/boards/linker.py) tells the start-up code of any core. */
#ifndef TINYFLASH_LINKER_H
#define TINYFLASH_LINKER_H

#include <stdint.h>
#include <string.h>

/* The stack is at the bottom of its region: below its guard there is nothing to overwrite. */
extern uint32_t linker_stack_start[], linker_stack_end[];
extern uint32_t linker_stack_needed[]; /* its address is a number of bytes */

extern uint8_t linker_data_start[], linker_data_end[], linker_data_image[];
extern uint8_t linker_bss_start[], linker_bss_end[];

/* Variables in other regions than .bss: arena, weights or state of a model. */
typedef struct linker_range {
    void *start;
    uint32_t bytes;
} linker_range;
extern const linker_range linker_ranges[];

#ifndef BOARD_RANGES /* the build says how many there are */
#define BOARD_RANGES 0
#endif

/* Bytes from one linker symbol to another; as numbers, since to C they are unrelated objects. */
#define BYTES_BETWEEN(start, end) ((uint32_t)(end) - (uint32_t)(start))

/* Turns on memories that are off after a reset. Called before any of linker_ranges is written, and
 * only if there are some. The default does nothing. */
void board_start_memories(void);

/* Gives all variables their initial values. */
static inline void linker_fill_memory(void) {
    memcpy(linker_data_start, linker_data_image, BYTES_BETWEEN(linker_data_start, linker_data_end));
    memset(linker_bss_start, 0, BYTES_BETWEEN(linker_bss_start, linker_bss_end));
    if (BOARD_RANGES) {
        board_start_memories();
    }
    for (int i = 0; i < BOARD_RANGES; i++) {
        memset(linker_ranges[i].start, 0, linker_ranges[i].bytes);
    }
}

static inline uint32_t *linker_stack_above(uint32_t guard_bytes) {
    return linker_stack_start + guard_bytes / sizeof(uint32_t);
}

/* Returns the most bytes of the stack that were used since it was painted, above its guard. */
static inline uint32_t linker_stack_used(uint32_t guard_bytes, uint32_t paint) {
    const volatile uint32_t *word = linker_stack_above(guard_bytes);
    while (word < linker_stack_end && *word == paint) {
        word++;
    }
    return BYTES_BETWEEN(word, linker_stack_end);
}

#endif
