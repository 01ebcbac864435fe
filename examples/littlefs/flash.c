/* A flash memory of a computer: the file flash.bin, which outlasts a run as flash outlasts a reset.
 *
 * With FLASH_CUT=n in the environment, the power is cut in the middle of the nth change: the program
 * ends there, with CUT_STATUS. */
#include "flash.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CUT_STATUS 9
#define FLASH_BYTES (FLASH_BLOCK * FLASH_BLOCKS)

static uint8_t content[FLASH_BYTES];
static FILE *file;
static long changes;

/* Opens the file; a new one is erased. */
static int is_open(void) {
    if (file == NULL && (file = fopen("flash.bin", "r+b")) != NULL) {
        return fread(content, 1, FLASH_BYTES, file) == FLASH_BYTES;
    }
    if (file == NULL && (file = fopen("flash.bin", "w+b")) != NULL) {
        memset(content, 0xFF, FLASH_BYTES);
        return fwrite(content, 1, FLASH_BYTES, file) == FLASH_BYTES && fflush(file) == 0;
    }
    return file != NULL;
}

static int is_within(uint32_t at, uint32_t count) {
    return count <= FLASH_BYTES && at <= FLASH_BYTES - count && is_open();
}

static int keep(uint32_t at, uint32_t count) {
    return fseek(file, (long)at, SEEK_SET) == 0 && fwrite(content + at, 1, count, file) == count &&
           fflush(file) == 0;
}

static int power_is_cut(void) {
    const char *cut = getenv("FLASH_CUT");
    changes++;
    return cut != NULL && changes == strtol(cut, NULL, 10);
}

int flash_read(uint32_t at, void *to, uint32_t count) {
    if (!is_within(at, count)) {
        return 0;
    }
    memcpy(to, content + at, count);
    return 1;
}

int flash_program(uint32_t at, const void *from, uint32_t count) {
    if (!is_within(at, count)) {
        return 0;
    }
    const int cut = power_is_cut();
    const uint32_t done = cut ? count / 2 : count;
    for (uint32_t i = 0; i < done; i++) {
        content[at + i] &= ((const uint8_t *)from)[i];
    }
    const int kept = keep(at, done);
    if (cut) {
        exit(CUT_STATUS);
    }
    return kept;
}

int flash_erase(uint32_t at) {
    if (!is_within(at, FLASH_BLOCK)) {
        return 0;
    }
    const int cut = power_is_cut();
    const uint32_t done = cut ? FLASH_BLOCK / 2 : FLASH_BLOCK;
    memset(content + at, 0xFF, done);
    const int kept = keep(at, done);
    if (cut) {
        exit(CUT_STATUS);
    }
    return kept;
}
