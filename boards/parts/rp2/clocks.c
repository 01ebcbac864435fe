/* Crystal of 12 MHz, PLL, clocks of core and peripherals. */
#include "parts/rp2/clocks.h"

#define CLEAR 0x3000u /* an alias of each register: bits written as 1 become 0 (2.1.2) */

#define RESETS_DONE 0x8u /* 2.14 */

#define CRYSTAL_CONTROL 0x0u /* 2.16 */
#define CRYSTAL_STATE 0x4u
#define CRYSTAL_STARTUP 0xCu
#define CRYSTAL_1_TO_15_MHZ 0xAA0u
#define CRYSTAL_ON (0xFABu << 12)
#define CRYSTAL_STABLE (1u << 31)
#define CRYSTAL_1_MS 47u /* in units of 256 periods */

#define PLL_STATE 0x0u /* 2.18 */
#define PLL_POWER 0x4u
#define PLL_FEEDBACK 0x8u
#define PLL_DIVIDERS 0xCu
#define PLL_LOCKED (1u << 31)
#define PLL_TIMES_125 125u /* 1500 MHz */
#define PLL_OFF (1u << 0)
#define PLL_DIVIDERS_OFF (1u << 3)
#define PLL_OSCILLATOR_OFF (1u << 5)

#define REFERENCE_CONTROL 0x30u /* 2.15 */
#define REFERENCE_SELECTED 0x38u
#define REFERENCE_CRYSTAL 2u
#define SYSTEM_CONTROL 0x3Cu
#define SYSTEM_SELECTED 0x44u
#define SYSTEM_REFERENCE 0u
#define SYSTEM_PLL 1u /* another source than the reference: number 0, in the bits above */
#define PERIPHERAL_CONTROL 0x48u
#define PERIPHERAL_ON (1u << 11) /* from the clock of the system */

static volatile uint32_t *at(uint32_t address) { return (volatile uint32_t *)address; }

static void wait(uint32_t address, uint32_t mask) {
    while ((*at(address) & mask) != mask) {
    }
}

void rp2_release(uint32_t blocks) {
    *at(rp2_board_chip.resets + CLEAR) = blocks;
    wait(rp2_board_chip.resets + RESETS_DONE, blocks);
}

static void start_crystal(void) {
    const uint32_t crystal = rp2_board_chip.crystal;
    *at(crystal + CRYSTAL_STARTUP) = CRYSTAL_1_MS;
    *at(crystal + CRYSTAL_CONTROL) = CRYSTAL_ON | CRYSTAL_1_TO_15_MHZ;
    wait(crystal + CRYSTAL_STATE, CRYSTAL_STABLE);
}

static void start_pll(void) {
    const uint32_t pll = rp2_board_chip.pll;
    *at(pll + PLL_STATE) = 1; /* the crystal, undivided */
    *at(pll + PLL_FEEDBACK) = PLL_TIMES_125;
    *at(pll + PLL_POWER + CLEAR) = PLL_OFF | PLL_OSCILLATOR_OFF;
    wait(pll + PLL_STATE, PLL_LOCKED);
    *at(pll + PLL_DIVIDERS) = rp2_board_chip.dividers;
    *at(pll + PLL_POWER + CLEAR) = PLL_DIVIDERS_OFF;
}

/* SELECTED has one bit for each source. The core runs from the reference while its PLL changes. */
void rp2_start_clocks(void) {
    const uint32_t clocks = rp2_board_chip.clocks;
    start_crystal();
    *at(clocks + REFERENCE_CONTROL) = REFERENCE_CRYSTAL;
    wait(clocks + REFERENCE_SELECTED, 1u << REFERENCE_CRYSTAL);
    *at(clocks + SYSTEM_CONTROL + CLEAR) =
        SYSTEM_PLL; /* first the switch, then what is behind it */
    wait(clocks + SYSTEM_SELECTED, 1u << SYSTEM_REFERENCE);
    start_pll();
    *at(clocks + SYSTEM_CONTROL) = SYSTEM_REFERENCE;
    *at(clocks + SYSTEM_CONTROL) = SYSTEM_PLL;
    wait(clocks + SYSTEM_SELECTED, 1u << SYSTEM_PLL);
    *at(clocks + PERIPHERAL_CONTROL) = PERIPHERAL_ON;
}
