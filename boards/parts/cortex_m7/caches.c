/* The caches of a Cortex-M7 (Armv7-M Architecture Reference Manual, B2.2). */
#include "parts/cortex_m7/cortex_m7.h"

#define CCR (*(volatile uint32_t *)0xE000ED14u)
#define CCR_DATA (1u << 16)
#define CCR_INSTRUCTIONS (1u << 17)
#define CCSIDR (*(volatile uint32_t *)0xE000ED80u)
#define CSSELR (*(volatile uint32_t *)0xE000ED84u)
#define CSSELR_DATA_LEVEL_1 0u
#define ICIALLU (*(volatile uint32_t *)0xE000EF50u) /* all instructions */
#define DCIMVAC (*(volatile uint32_t *)0xE000EF5Cu) /* data, by address */
#define DCISW (*(volatile uint32_t *)0xE000EF60u)   /* data, by set and way */
#define WAY_SHIFT 30 /* of four ways; a line of 32 bytes gives the set's shift */
#define SET_SHIFT 5
#define LINE_BYTES 32u

static void wait(void) { __asm volatile("dsb\nisb" ::: "memory"); }

static void forget_all_data(void) {
    CSSELR = CSSELR_DATA_LEVEL_1;
    wait();
    const uint32_t last_set = (CCSIDR >> 13) & 0x7FFFu, last_way = (CCSIDR >> 3) & 0x3FFu;
    for (uint32_t set = 0; set <= last_set; set++) {
        for (uint32_t way = 0; way <= last_way; way++) {
            DCISW = way << WAY_SHIFT | set << SET_SHIFT;
        }
    }
    wait();
}

void cortex_m7_start_caches(void) {
    ICIALLU = 0;
    forget_all_data();
    CCR |= CCR_INSTRUCTIONS | CCR_DATA;
    wait();
}

void cortex_m7_forget(uint32_t address, uint32_t bytes) {
    wait();
    for (uint32_t line = address & ~(LINE_BYTES - 1u); line < address + bytes; line += LINE_BYTES) {
        DCIMVAC = line;
    }
    wait();
}
