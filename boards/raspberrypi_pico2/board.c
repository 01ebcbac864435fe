/* Raspberry Pi Pico 2: an RP2350 with its Arm cores, at 150 MHz from its crystal; UART0 on GP0 and GP1,
 * which the debug probe makes a serial port. Registers: RP2350 Datasheet. */
#include "board.h"
#include "parts/cycle_counter/cycle_counter.h"
#include "parts/rp2/rp2.h"
#include "parts/rp2_flash/rp2_flash.h"

#define RESET_PINS (1u << 6)
#define RESET_PADS (1u << 9)
#define RESET_PLL (1u << 14)

const char board_name[] = "raspberrypi_pico2";
const uint32_t board_ticks_per_second = 150000000;
const rp2_chip rp2_board_chip = {
    .resets = 0x40020000u,
    .clocks = 0x40010000u,
    .crystal = 0x40048000u,
    .pll = 0x40050000u,
    .pins = 0x40028000u,
    .pads = 0x40038000u,
    .uart = 0x40070000u,
    .used = RESET_PINS | RESET_PADS | RESET_PLL,
    .uart_reset = 1u << 26,
    .uart_line = 33,
    .hz = 150000000,
    .dividers = RP2_DIVIDERS(5, 2),
};

/* What the chip looks for in the first 4 KB of the flash before it runs a program (5.9.5): one item, a
 * program for the secure Arm cores of an RP2350; the last item; no other block. Without an item that names
 * it, the vector table is at the start of the flash. */
__attribute__((section(".image_definition"), used)) static const uint32_t image_definition[] = {
    0xFFFFDED3u, 0x10210142u, 0x000001FFu, 0u, 0xAB123579u,
};

/* Of the ROM, at 0x16: the address of the function that finds others (5.4.1). Volatile, since compilers
 * think that nothing is so low. */
static const uint16_t *const volatile rom_address = (const uint16_t *)0x16u;
#define FOR_SECURE_ARM 4u

typedef rp2_rom_call *rom_lookup(uint32_t code, uint32_t kind);

rp2_rom_call *rp2_rom_function(uint32_t code) {
    rom_lookup *const lookup = (rom_lookup *)(uint32_t)*rom_address;
    return lookup(code, FOR_SECURE_ARM);
}

void board_init(void) {
    rp2_start();
    cycle_counter_start();
}
