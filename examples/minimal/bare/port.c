/* A microcontroller in an emulator or under a debugger, through Arm semihosting: text, and the file
 * learned.bin of the host. On a board of your own, replace this file. */
#include "port.h"

#define SYS_OPEN 0x01u
#define SYS_CLOSE 0x02u
#define SYS_WRITE0 0x04u
#define SYS_WRITE 0x05u
#define SYS_READ 0x06u
#define SYS_EXIT 0x18u
#define APPLICATION_EXIT 0x20026u
#define RUN_TIME_ERROR 0x20023u
#define READ_BYTES 1u  /* fopen's "rb" */
#define WRITE_BYTES 5u /* fopen's "wb" */

static const char saved[] = "learned.bin";
static uint32_t file;

static uint32_t call(uint32_t what, const void *with) {
    register uint32_t operation __asm("r0") = what;
    register const void *argument __asm("r1") = with;
    __asm volatile("bkpt 0xab" : "+r"(operation) : "r"(argument) : "memory");
    return operation;
}

static uint32_t address(const void *place) { return (uint32_t)(uintptr_t)place; }

/* Called after main. */
void port_exit(int code);
void port_exit(int code) {
    const uint32_t reason = code == 0 ? APPLICATION_EXIT : RUN_TIME_ERROR;
    for (;;) {
        (void)call(SYS_EXIT, (const void *)(uintptr_t)reason);
    }
}

void port_print(const char *text) { (void)call(SYS_WRITE0, text); }

void port_print_number(const char *text, uint32_t number) {
    char digits[12] = {0};
    uint32_t at = sizeof digits - 2;
    digits[at] = '\n';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    port_print(text);
    port_print(digits + at);
}

int port_open(port_mode mode) {
    const uint32_t block[] = {address(saved), mode == PORT_READ ? READ_BYTES : WRITE_BYTES,
                              sizeof saved - 1};
    file = call(SYS_OPEN, block);
    return file != 0xFFFFFFFFu;
}

/* Both return how many bytes are left to do. */
int port_read(void *to, uint32_t count) {
    const uint32_t block[] = {file, address(to), count};
    return call(SYS_READ, block) == 0;
}

int port_write(const void *from, uint32_t count) {
    const uint32_t block[] = {file, address(from), count};
    return call(SYS_WRITE, block) == 0;
}

int port_close(void) { return call(SYS_CLOSE, &file) == 0; }
