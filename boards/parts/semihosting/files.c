/* Files in the folder of an emulator, and its arguments. */
#include "parts/semihosting/files.h"

#include <string.h>

#include "parts/semihosting/semihosting.h"

#define SYS_OPEN 0x01u
#define SYS_WRITE 0x05u
#define SYS_READ 0x06u
#define SYS_SEEK 0x0Au
#define SYS_GET_CMDLINE 0x15u
#define ARGUMENTS_BYTES 128u

static uint32_t address(const void *of) { return (uint32_t)(uintptr_t)of; }

uint32_t semihosting_open(const char *name, uint32_t mode) {
    const uint32_t block[3] = {address(name), mode, (uint32_t)strlen(name)};
    return semihosting_ask(SYS_OPEN, block);
}

/* The host says how many bytes are missing. */
static int transfer(uint32_t operation, uint32_t file, uint32_t at, const uint8_t *bytes,
                    uint32_t count) {
    const uint32_t place[2] = {file, at};
    const uint32_t block[3] = {file, address(bytes), count};
    return semihosting_ask(SYS_SEEK, place) != 0u || semihosting_ask(operation, block) != 0u;
}

int semihosting_read(uint32_t file, uint32_t at, uint8_t *bytes, uint32_t count) {
    return transfer(SYS_READ, file, at, bytes, count);
}

int semihosting_write(uint32_t file, uint32_t at, const uint8_t *bytes, uint32_t count) {
    return transfer(SYS_WRITE, file, at, bytes, count);
}

/* Returns what follows `name` if the text begins with it; null if not. */
static const char *after(const char *text, const char *name) {
    while (*name != '\0' && *text == *name) {
        text++;
        name++;
    }
    return *name == '\0' ? text : 0;
}

static uint32_t number(const char *digits) {
    uint32_t value = 0;
    for (; *digits >= '0' && *digits <= '9'; digits++) {
        value = 10u * value + (uint32_t)(*digits - '0');
    }
    return value;
}

uint32_t semihosting_number(const char *name, uint32_t otherwise) {
    char arguments[ARGUMENTS_BYTES] = {0};
    const uint32_t block[2] = {address(arguments), sizeof arguments - 1};
    uint32_t value = otherwise;
    if (semihosting_ask(SYS_GET_CMDLINE, block) == 0u) {
        for (const char *text = arguments; *text != '\0'; text++) {
            const char *digits = after(text, name);
            value = digits == 0 ? value : number(digits);
        }
    }
    return value;
}
