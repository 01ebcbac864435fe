/* Clip masks (SPEC 4.4): 16 elements by two comparisons, whose results are the bits. */
#include "../../arith.h"
#include "helium.h"
#include "tinyflash/ops.h"

#define BITS 16u /* of a vector of bytes */

#if TINY_MVE_ASM

/* Whole vectors, one at least. */
static inline void mask_vectors(const tiny_mask *op, const int8_t *y, uint32_t count,
                                uint8_t *mask) {
    uint32_t bits;
    __asm__ volatile(
        "dls lr, %[count]\n"
        "1:\n"
        "vldrb.u8 q0, [%[y]], #16\n"
        "vpt.s8 gt, q0, %[least]\n"
        "vcmpt.s8 lt, q0, %[most]\n"
        "vmrs %[bits], p0\n"
        "strh %[bits], [%[mask]], #2\n"
        "le lr, 1b\n"
        : [y] "+&r"(y), [mask] "+&r"(mask), [bits] "=&r"(bits)
        : [count] "r"(count), [least] "r"(op->y_min), [most] "r"(op->y_max)
        : "lr", "q0", "cc", "memory");
}

#else

/* The C twin. */
static void mask_vectors(const tiny_mask *op, const int8_t *y, uint32_t count, uint8_t *mask) {
    for (uint32_t i = 0; i < BITS * count; i += 8, y += 8) {
        uint32_t bits = 0;
        for (uint32_t bit = 0; bit < 8; bit++) {
            bits |= (uint32_t)(op->y_min < y[bit] && y[bit] < op->y_max) << bit;
        }
        *mask++ = (uint8_t)bits;
    }
}

#endif

/* Elements [at, end) of the map, byte by byte: both ends of adjacent rows. */
static TINY_APART void mask_some(const tiny_mask *op, const int8_t *y, uint32_t at, uint32_t end,
                                 uint8_t *mask) {
    while (at < end) {
        const uint32_t byte = at - at % 8 + 8, until = byte < end ? byte : end;
        tiny_mask_byte(op, y, at, until, mask);
        y += until - at;
        at = until;
    }
}

/* The same; y: the first of them. */
static void mask_rows(const tiny_mask *op, const int8_t *y, uint32_t at, uint32_t end,
                      uint8_t *mask) {
    const uint32_t head = (0u - at) % 8;
    const uint32_t first = head < end - at ? at + head : end;
    const uint32_t vectors = (end - first) / BITS;
    mask_some(op, y, at, first, mask);
    if (vectors) {
        mask_vectors(op, y + (first - at), vectors, mask + (first >> 3));
    }
    mask_some(op, y + (first - at) + vectors * BITS, first + vectors * BITS, end, mask);
}

/* Rows that are adjacent in memory are one. */
TINY_OP(mask_forward_mve) {
    const tiny_mask *op = record;
    const int8_t *y = buffers[0];
    const uint32_t size = op->count / op->height, end = (uint32_t)band.first + band.count;
    const uint32_t rows = op->ring == op->height ? band.count : 1;
    for (uint32_t row = band.first; row < end; row += rows) {
        mask_rows(op, y + tiny_slot(row, op->ring) * size, row * size, (row + rows) * size,
                  buffers[1]);
    }
}
