/* The second stage of the RP2040's boot (RP2040 Datasheet, 2.8.1): the chip copies the first 256 bytes of
 * the flash into RAM, and runs them if their last word is the checksum of the others. They let the core
 * read the flash like memory, then go to the vector table behind them. The build computes the checksum. */
#include <stdint.h>

/* The serial interface of the flash (4.10.13): each row is the offset of a register, and what it gets. Off;
 * a fourth of the core's clock; 32 bits a frame, received after a command; the command 03h, 8 bits, with 24
 * bits of address; one frame each; on. */
#define SETTINGS                                  \
    ".word 0x008, 0\n"                            \
    ".word 0x014, 4\n"                            \
    ".word 0x000, 31 << 16 | 3 << 8\n"            \
    ".word 0x0F4, 0x03 << 24 | 2 << 8 | 6 << 2\n" \
    ".word 0x004, 0\n"                            \
    ".word 0x008, 1\n"

void pico_boot(void);

/* It runs at another address than it is linked for, so that nothing in it may depend on its own. */
__attribute__((naked, used, section(".boot"))) void pico_boot(void) {
    __asm volatile(
        ".syntax unified\n"
        "adr r0, 2f\n"
        "ldr r1, 3f\n"
        "movs r4, #6\n"
        "1: ldmia r0!, {r2, r3}\n"
        "str r3, [r1, r2]\n"
        "subs r4, #1\n"
        "bne 1b\n"
        "ldr r0, 4f\n" /* the vector table: its address is known, then stack and reset are loaded */
        "ldr r1, 5f\n"
        "str r0, [r1]\n"
        "ldmia r0!, {r2, r3}\n"
        "msr msp, r2\n"
        "bx r3\n"
        ".balign 4\n"
        "2:\n" SETTINGS
        "3: .word 0x18000000\n"
        "4: .word 0x10000100\n"
        "5: .word 0xE000ED08\n"
        ".org 252\n"
        ".word linker_boot_checksum\n");
}
