/* Raspberry Pi Pico: an RP2040 at 125 MHz from its crystal; UART0 on GP0 and GP1, which the debug probe
 * makes a serial port; the timer of microseconds as the clock. Registers: RP2040 Datasheet. */
#include "board.h"
#include "parts/rp2/rp2.h"
#include "parts/rp2_flash/rp2_flash.h"

#define TICK \
    (*(volatile uint32_t *)0x4005802Cu) /* of the watchdog, which the timer counts (4.7.2) */
#define TICK_EACH_MICROSECOND (1u << 9 | RP2_CRYSTAL_HZ / 1000000u)
#define TIMER_LOW (*(volatile uint32_t *)0x40054028u)

#define RESET_PINS (1u << 5)
#define RESET_PADS (1u << 8)
#define RESET_PLL (1u << 12)
#define RESET_TIMER (1u << 21)

const char board_name[] = "raspberrypi_pico";
const uint32_t board_ticks_per_second = 1000000;
const rp2_chip rp2_board_chip = {
    .resets = 0x4000C000u,
    .clocks = 0x40008000u,
    .crystal = 0x40024000u,
    .pll = 0x40028000u,
    .pins = 0x40014000u,
    .pads = 0x4001C000u,
    .uart = 0x40034000u,
    .used = RESET_PINS | RESET_PADS | RESET_PLL | RESET_TIMER,
    .uart_reset = 1u << 22,
    .uart_line = 20,
    .hz = 125000000,
    .dividers = RP2_DIVIDERS(6, 2),
};

/* Of the ROM, from 0x14: the address of the table of functions; one more; that of the function that looks
 * into it (2.8.3). Volatile, since compilers think that nothing is so low. */
static const uint16_t *const volatile rom_addresses = (const uint16_t *)0x14u;

typedef rp2_rom_call *rom_lookup(const uint16_t *table, uint32_t code);

rp2_rom_call *rp2_rom_function(uint32_t code) {
    const uint16_t *const addresses = rom_addresses;
    rom_lookup *const lookup = (rom_lookup *)(uint32_t)addresses[2];
    return lookup((const uint16_t *)(uint32_t)addresses[0], code);
}

void board_init(void) {
    rp2_start();
    TICK = TICK_EACH_MICROSECOND;
}

uint32_t board_ticks(void) { return TIMER_LOW; }
