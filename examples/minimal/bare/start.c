/* Starts a Cortex-M: vector table, variables, main. */
#include <stdint.h>
#include <string.h>

extern uint8_t data_start[], data_end[], data_image[], bss_start[], bss_end[];
extern uint32_t stack_end[];

int main(void);
void port_exit(int code);
void start(void);

static void fault(void) {
    for (;;) {
        port_exit(1);
    }
}

typedef struct vector_table {
    uint32_t *stack;
    void (*reset)(void);
    void (*exceptions[14])(void); /* of the core; the example takes no interrupt */
} vector_table;

extern const vector_table vectors;
__attribute__((section(".vectors"), used)) const vector_table vectors = {
    stack_end,
    start,
    {fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault, fault,
     fault},
};

static size_t bytes_between(const uint8_t *first, const uint8_t *end) {
    return (uintptr_t)end - (uintptr_t)first;
}

void start(void) {
    memcpy(data_start, data_image, bytes_between(data_start, data_end));
    memset(bss_start, 0, bytes_between(bss_start, bss_end));
    port_exit(main());
}
