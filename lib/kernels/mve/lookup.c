/* A function of one element by its table, which a load gathers from: 16 elements at a time. */
#include "../../arith.h"
#include "helium.h"
#include "tinyflash/ops.h"

#if TINY_MVE_ASM

static inline void look_up(const uint8_t *table, const int8_t *x, uint32_t count, int8_t *y) {
    __asm__ volatile(
        "dlstp.8 lr, %[count]\n"
        "1:\n"
        "vldrb.u8 q0, [%[x]], #16\n"
        "vldrb.u8 q1, [%[table], q0]\n"
        "vstrb.8 q1, [%[y]], #16\n"
        "letp lr, 1b\n"
        : [x] "+&r"(x), [y] "+&r"(y)
        : [count] "r"(count), [table] "r"(table)
        : "lr", "q0", "q1", "cc", "memory");
}

#else

/* The C twin. */
static void look_up(const uint8_t *table, const int8_t *x, uint32_t count, int8_t *y) {
    for (uint32_t i = 0; i < count; i++) {
        y[i] = (int8_t)table[(uint8_t)x[i]];
    }
}

#endif

TINY_OP(lookup_forward_mve) {
    const tiny_lookup *op = record;
    const int8_t *x = buffers[0];
    int8_t *y = buffers[2];
    const uint32_t size = op->count / op->height;
    for (uint32_t row = band.first; row < (uint32_t)band.first + band.count; row++) {
        look_up(buffers[1], x + tiny_slot(row, op->x_ring) * size, size,
                y + tiny_slot(row, op->y_ring) * size);
    }
}
