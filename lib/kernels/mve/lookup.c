/* A function of one element by its table, which a load gathers from: 16 elements at a time. And the
 * gradient by the slopes of the function, of which a load gathers four.
 */
#include <stddef.h>

#include "../../arith.h"
#include "../../buffers.h"
#include "tiles.h"
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

/* Gradients times slopes. */
static inline void multiply(const int16_t *slope, const int8_t *x, const int8_t *dy, uint32_t count,
                            int32_t *products) {
    __asm__ volatile(
        "dlstp.32 lr, %[count]\n"
        "1:\n"
        "vldrb.u32 q0, [%[x]], #4\n"
        "vldrh.s32 q1, [%[slope], q0, uxtw #1]\n"
        "vldrb.s32 q0, [%[dy]], #4\n"
        "vmul.i32 q0, q0, q1\n"
        "vstrw.32 q0, [%[products]], #16\n"
        "letp lr, 1b\n"
        : [x] "+&l"(x), [dy] "+&l"(dy), [products] "+&r"(products)
        : [count] "r"(count), [slope] "r"(slope)
        : "lr", "q0", "q1", "cc", "memory");
}

#else

/* The C twins. */
static void multiply(const int16_t *slope, const int8_t *x, const int8_t *dy, uint32_t count,
                     int32_t *products) {
    for (uint32_t i = 0; i < count; i++) {
        products[i] = dy[i] * slope[(uint8_t)x[i]];
    }
}

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

/* SPEC 4.6: the slope is in Q14; the factor has a mantissa of 2^15. */
TINY_OP(lookup_backward_input_mve) {
    (void)band;
    const tiny_lookup *op = record;
    const int8_t *x = buffers[0];
    const tiny_gradient dy = tiny_gradient_at(buffers + 2);
    const tiny_gradient_out dx = tiny_following(&dy, buffers + 4);
    const tiny_factor factor = {0x8000, -15 - 14};
    tiny_gradient_store store;
    tiny_gradient_store_begin(&store, &dx, &factor, dy.scale->exponent, op->count);
    for (uint32_t i = 0; i < op->count; i += TINY_STORED_AT_ONCE) {
        const uint32_t left = op->count - i;
        const uint32_t count = left < TINY_STORED_AT_ONCE ? left : TINY_STORED_AT_ONCE;
        int32_t products[TINY_STORED_AT_ONCE];
        multiply(buffers[1], x + i, dy.d + i, count, products);
        tiny_gradient_store_adjacent(&store, i, products, count);
    }
}
