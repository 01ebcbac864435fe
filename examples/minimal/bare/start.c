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

void start(void) {
    memcpy(data_start, data_image, (size_t)(data_end - data_start));
    memset(bss_start, 0, (size_t)(bss_end - bss_start));
    port_exit(main());
}
