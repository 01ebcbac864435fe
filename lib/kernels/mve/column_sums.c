/* Sums of columns; see column_sums.h. */
#include "column_sums.h"

#include "../../arith.h"
#include "helium.h"

void tiny_eight_begin(tiny_eight *eight) {
    for (uint32_t i = 0; i < TINY_EIGHT; i++) {
        eight->some[i] = 0;
        eight->sums[i] = 0;
        TINY_AS_A_LOOP; /* no memset, which takes longer */
    }
    eight->left = TINY_EIGHT_ROWS;
}

#if TINY_MVE_ASM

/* Adds `rows` rows, one at least, to sums. */
static inline void add_rows(int16_t *sums, const int8_t *x, uint32_t step, uint32_t rows,
                            uint32_t columns) {
    __asm__ volatile(
        "vldrh.u16 q1, [%[sums]]\n"
        "vctp.16 %[columns]\n"
        "dls lr, %[rows]\n"
        "1:\n"
        "vpst\n"
        "vldrbt.s16 q0, [%[x]]\n"
        "add %[x], %[step]\n"
        "vadd.i16 q1, q1, q0\n"
        "le lr, 1b\n"
        "vstrh.16 q1, [%[sums]]\n"
        : [x] "+&l"(x)
        : [sums] "l"(sums), [step] "r"(step), [rows] "r"(rows), [columns] "r"(columns)
        : "lr", "q0", "q1", "cc", "memory");
}

#else

/* The C twin. */
static void add_rows(int16_t *sums, const int8_t *x, uint32_t step, uint32_t rows,
                     uint32_t columns) {
    for (; rows; rows--, x += step) {
        for (uint32_t i = 0; i < columns; i++) {
            sums[i] = (int16_t)(sums[i] + x[i]);
        }
    }
}

#endif

void tiny_eight_add(tiny_eight *eight, const int8_t *x, uint32_t step, uint32_t rows,
                    uint32_t columns) {
    while (rows) {
        const uint32_t some = rows < eight->left ? rows : eight->left;
        add_rows(eight->some, x, step, some, columns);
        x += some * step;
        rows -= some;
        eight->left -= some;
        if (eight->left == 0) {
            for (uint32_t i = 0; i < TINY_EIGHT; i++) {
                eight->sums[i] += eight->some[i];
                eight->some[i] = 0;
            }
            eight->left = TINY_EIGHT_ROWS;
        }
    }
}
