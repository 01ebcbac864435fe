/* The flash algorithm of a CMSIS pack, for the tests: STM32F4 and F7 (RM0390, 3), or with H7 defined, the
 * STM32H743 (RM0433, 4). Position-independent; a pack's own is a vendor's, which is not ours to copy. */
#include <stdint.h>

#ifndef H7
#define BASE 0x40023C00u
#define STATUS 0x0Cu
#define CONTROL 0x10u
#define BUSY (1u << 16)
#define ERRORS 0xF0u
#define PROGRAM (1u | 2u << 8) /* by words */
#define ERASE (2u | 2u << 8)
#define SECTOR_SHIFT 3
#define START (1u << 16)
#define LOCK (1u << 31)
#else
#define BASE 0x52002000u
#define STATUS 0x10u
#define CONTROL 0x0Cu
#define BUSY 5u
#define ERRORS 0x07EE0000u
#define PROGRAM (2u | 3u << 4)
#define ERASE (4u | 3u << 4)
#define SECTOR_SHIFT 8
#define START (1u << 7)
#define LOCK 1u
#endif

struct device {
    uint16_t version;
    char name[128];
    uint16_t kind;
    uint32_t start, bytes, page_bytes, reserved;
    uint8_t erased;
    uint8_t unused[3];
    uint32_t program_ms, erase_ms;
    uint32_t sectors[8][2]; /* bytes of each, and where they begin */
};

__attribute__((section("DevDscr"), used)) const struct device FlashDevice = {
    0x0101, "tests", 1,         0x08000000u, SIZE, 1024,
    0,      0xFF,    {0, 0, 0}, 100,         6000, {SECTORS, {0xFFFFFFFFu, 0xFFFFFFFFu}},
};

static volatile uint32_t *at(uint32_t address, uint32_t offset) {
#ifdef H7
    return (volatile uint32_t *)(BASE + (address >= 0x08100000u ? 0x100u : 0u) + offset);
#else
    (void)address;
    return (volatile uint32_t *)(BASE + offset);
#endif
}

static int wait(uint32_t address) {
    while (*at(address, STATUS) & BUSY) {
    }
    return (*at(address, STATUS) & ERRORS) != 0;
}

#define CODE __attribute__((used))

CODE int Init(uint32_t address, uint32_t clock, uint32_t what) {
    (void)clock;
    (void)what;
    for (uint32_t bank = 0x08000000u; bank <= 0x08100000u; bank += 0x00100000u) {
        if (*at(bank, CONTROL) & LOCK) {
            *at(bank, 4) = 0x45670123u;
            *at(bank, 4) = 0xCDEF89ABu;
        }
    }
    *at(address, STATUS) = ERRORS;
    return 0;
}

CODE int UnInit(uint32_t what) {
    (void)what;
    *at(0x08000000u, CONTROL) |= LOCK;
#ifdef H7
    *at(0x08100000u, CONTROL) |= LOCK;
#endif
    return 0;
}

/* Four small sectors, one of four times their size, the rest of eight times; on H7 all are equal. */
static uint32_t number_of(uint32_t address) {
    const uint32_t small = (address - 0x08000000u) / SMALL;
#ifdef H7
    return small & 7u;
#else
    return small < 4 ? small : small < 8 ? 4 : 4 + small / 8;
#endif
}

CODE int EraseSector(uint32_t address) {
    *at(address, CONTROL) = ERASE | number_of(address) << SECTOR_SHIFT;
    *at(address, CONTROL) |= START;
    const int failed = wait(address);
    *at(address, CONTROL) = 0;
    return failed;
}

CODE int ProgramPage(uint32_t address, uint32_t bytes, const uint32_t *data) {
    int failed = 0;
    for (uint32_t i = 0; i < bytes / 4 && !failed; i++) {
        *at(address, CONTROL) = PROGRAM;
        ((volatile uint32_t *)address)[i] = data[i];
        failed = wait(address);
    }
    *at(address, CONTROL) = 0;
    return failed;
}
