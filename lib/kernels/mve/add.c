/* The sum and the difference of two maps, four elements at a time (SPEC 3.1): 24 instructions. */
#include <stddef.h>

#include "../../arith.h"
#include "helium.h"
#include "tinyflash/ops.h"

/* Elements that are adjacent in all three. Shifts are 0 or negative; of each, one: 1 where it is not 0,
 * else 0. Assembly knows the order of these fields. */
typedef struct elements {
    const int8_t *a, *b;
    int8_t *y;
    int32_t a_shift, b_shift, y_shift;
    int32_t a_zero, b_zero, y_zero;
    int32_t sign, a_one, b_one, y_one;
    uint32_t count;
    int32_t a_multiplier[4], b_multiplier[4], y_multiplier[4], least[4], most[4];
} elements;

#if TINY_MVE_ASM

#define AT(field) [field] "i"(offsetof(elements, field))

/* A rounding shift rounds ties up: so 1 is subtracted from what is negative. */
#define MULTIPLY(q, multiplier, shift, one)  \
    "vqrdmulh.s32 " q ", " q ", " multiplier \
    "\n"                                     \
    "vpt.s32 lt, " q                         \
    ", zr\n"                                 \
    "vsubt.i32 " q ", " q ", " one           \
    "\n"                                     \
    "vrshl.s32 " q ", " shift "\n"
#define OPERAND(q, from, zero)     \
    "vldrb.s32 " q ", [" from      \
    "], #4\n"                      \
    "vsub.i32 " q ", " q ", " zero \
    "\n"                           \
    "vshl.i32 " q ", " q ", #20\n"

/* r7 may be the frame pointer. */
TINY_APART static void add(const elements *e) {
    register const elements *at __asm__("r12") = e;
    __asm__ volatile(
        "push {r7}\n"
        "vldrw.u32 q2, [r12, %[a_multiplier]]\n"
        "vldrw.u32 q3, [r12, %[b_multiplier]]\n"
        "vldrw.u32 q4, [r12, %[y_multiplier]]\n"
        "vldrw.u32 q5, [r12, %[least]]\n"
        "vldrw.u32 q6, [r12, %[most]]\n"
        "ldr.w lr, [r12, %[count]]\n"
        "ldmia.w r12!, {r0, r1, r2, r3, r4, r5, r6, r7, r8, r9, r10, r11}\n"
        "ldr.w r12, [r12]\n"
        "dlstp.32 lr, lr\n"
        "1:\n" OPERAND("q0", "r0", "r6") MULTIPLY("q0", "q2", "r3", "r10")
            OPERAND("q1", "r1", "r7") MULTIPLY("q1", "q3", "r4", "r11")
        "vmla.s32 q0, q1, r9\n" MULTIPLY("q0", "q4", "r5", "r12")
        "vadd.i32 q0, q0, r8\n"
        "vmax.s32 q0, q0, q5\n"
        "vmin.s32 q0, q0, q6\n"
        "vstrb.32 q0, [r2], #4\n"
        "letp lr, 1b\n"
        "pop {r7}\n"
        : "+r"(at)
        : AT(a_multiplier), AT(b_multiplier), AT(y_multiplier), AT(least), AT(most), AT(count)
        : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "lr", "q0", "q1",
          "q2", "q3", "q4", "q5", "q6", "cc", "memory");
}

#else

/* The C twin. */
static void add(const elements *e) {
    for (uint32_t i = 0; i < e->count; i++) {
        const int32_t u =
            tiny_multiply((e->a[i] - e->a_zero) * (1 << 20), e->a_multiplier[0], e->a_shift);
        const int32_t v =
            tiny_multiply((e->b[i] - e->b_zero) * (1 << 20), e->b_multiplier[0], e->b_shift);
        const int32_t y = tiny_multiply(u + e->sign * v, e->y_multiplier[0], e->y_shift);
        e->y[i] = (int8_t)tiny_clamp(y + e->y_zero, e->least[0], e->most[0]);
    }
}

#endif

static void begin(const tiny_add *op, elements *e) {
    e->a_shift = op->a_shift;
    e->b_shift = op->b_shift;
    e->y_shift = op->y_shift;
    e->a_zero = op->a_zero;
    e->b_zero = op->b_zero;
    e->y_zero = op->y_zero;
    e->sign = op->b_sign;
    e->a_one = op->a_shift < 0;
    e->b_one = op->b_shift < 0;
    e->y_one = op->y_shift < 0;
    for (uint32_t i = 0; i < 4; i++) {
        e->a_multiplier[i] = op->a_multiplier;
        e->b_multiplier[i] = op->b_multiplier;
        e->y_multiplier[i] = op->y_multiplier;
        e->least[i] = op->y_min;
        e->most[i] = op->y_max;
    }
}

/* `rows` rows that are adjacent in memory, from elements a and y on. Of a row b that repeats, each
 * repetition is apart. */
static void add_rows(const tiny_add *op, elements *e, const int8_t *a, const int8_t *b, int8_t *y,
                     uint32_t rows) {
    const uint32_t size = rows * (op->count / op->height);
    e->count = op->b_count < op->count ? op->b_count : size;
    for (uint32_t i = 0; i < size; i += e->count) {
        e->a = a + i;
        e->b = b;
        e->y = y + i;
        add(e);
    }
}

TINY_OP(add_forward_mve) {
    const tiny_add *op = record;
    const uint32_t size = op->count / op->height, end = (uint32_t)band.first + band.count;
    const int repeats = op->b_count < op->count;
    const int whole = op->a_ring == op->height && op->y_ring == op->height &&
                      (repeats || op->b_ring == op->height);
    const uint32_t rows = whole ? band.count : 1;
    const int8_t *a = buffers[0], *b = buffers[1];
    int8_t *y = buffers[2];
    elements e;
    begin(op, &e);
    for (uint32_t row = band.first; row < end; row += rows) {
        add_rows(op, &e, a + tiny_slot(row, op->a_ring) * size,
                 repeats ? b : b + tiny_slot(row, op->b_ring) * size,
                 y + tiny_slot(row, op->y_ring) * size, rows);
    }
}
