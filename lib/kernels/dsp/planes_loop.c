/* The loops over rows of outputs in a plane; see planes.h.
 *
 * Four outputs of one row of taps, three taps wide, with stride 1: 1 load of three words of x, 2 loads
 * of two words of weights, 8 multiply-adds for 12 products, 3 for the end of the row.
 */
#include <stddef.h>

#include "../../arith.h"
#include "planes.h"
#include "stripe.h"

tiny_outputs tiny_outputs_begin(const tiny_correlation *c, uint32_t plane, uint32_t row,
                                uint32_t rows, uint32_t column, uint32_t quads) {
    const uint32_t loaded = c->words + (c->stride == 1 ? 1 : TINY_QUAD - 1);
    const uint32_t advance = TINY_QUAD * 2 * c->stride, row_bytes = c->row_words * 4;
    tiny_outputs o; /* field by field: an initializer becomes a call of memset */
    o.multiplier = 0;
    o.offset = 0;
    o.shift = 0;
    o.bias = 0;
    o.x = c->planes + (plane * c->plane_rows + row * c->stride_h) * c->row_words +
          column * c->stride / 2;
    o.x_end = o.x + quads * advance / 4;
    o.w = c->weights + plane * c->weight_words;
    o.w_end = o.w + c->weight_words;
    o.x_step = row_bytes - loaded * 4;
    o.x_back = c->kernel_h * row_bytes - advance;
    o.x_row = c->stride_h * row_bytes;
    o.x_down = o.x_row - quads * advance;
    o.y = NULL;
    o.y_step = 0;
    o.y_down = 0;
    o.rows = rows;
    o.values = NULL;
    o.saved = 0;
    return o;
}

#if TINY_DSP_ASM

#define WORDS_MAX 4 /* of a row of weights, paired */

/* The sums are in r1, r9, r10, r11; the outputs in r0; x in r12; weights in lr, their end in r7. Pairs of
 * weights times pairs of x, for windows that begin at words a, a, b, b and at words a, b, c, d. */
#define SUM(sum, w, x) "smlad " sum ", " w ", " x ", " sum "\n"
#define EVEN_ODD(a, b)                                                                  \
    "ldmia.w lr!, {r6, r8}\n" SUM("r1", "r6", a) SUM("r9", "r8", a) SUM("r10", "r6", b) \
        SUM("r11", "r8", b)
#define EVEN(a, b, c, d)                                                             \
    "ldr.w r8, [lr], #4\n" SUM("r1", "r8", a) SUM("r9", "r8", b) SUM("r10", "r8", c) \
        SUM("r11", "r8", d)

/* One row of taps with 1 to 4 words of weights, for stride 1 and for stride 2, and the way to the next
 * row: its step is in a register where one is left. */
#define KEPT_STEP(step) "ldr " step ", [r0, %[x_step]]\n"
#define BY_KEPT(step) "add.w r12, r12, " step "\n"
#define BY_LOADED "ldr r2, [r0, %[x_step]]\n add.w r12, r12, r2\n"
#define BEGIN_1_1 KEPT_STEP("r5")
#define TAPS_1_1 "ldmia.w r12!, {r2, r3}\n" EVEN_ODD("r2", "r3") BY_KEPT("r5")
#define BEGIN_1_2 KEPT_STEP("r5")
#define TAPS_1_2 \
    "ldmia.w r12!, {r2, r3, r4}\n" EVEN_ODD("r2", "r3") EVEN_ODD("r3", "r4") BY_KEPT("r5")
#define BEGIN_1_3
#define THREE                                                                    \
    "ldmia.w r12!, {r2, r3, r4, r5}\n" EVEN_ODD("r2", "r3") EVEN_ODD("r3", "r4") \
        EVEN_ODD("r4", "r5")
#define TAPS_1_3 THREE BY_LOADED
#define BEGIN_1_4
#define TAPS_1_4 THREE "ldr.w r2, [r12], #4\n" EVEN_ODD("r5", "r2") BY_LOADED
#define BEGIN_2_1 KEPT_STEP("r6")
#define TAPS_2_1 "ldmia.w r12!, {r2, r3, r4, r5}\n" EVEN("r2", "r3", "r4", "r5") BY_KEPT("r6")
#define BEGIN_2_2
#define TWO \
    "ldmia.w r12!, {r2, r3, r4, r5, r6}\n" EVEN("r2", "r3", "r4", "r5") EVEN("r3", "r4", "r5", "r6")
#define TAPS_2_2 TWO BY_LOADED
#define BEGIN_2_3
#define THIRD TWO "ldr.w r2, [r12], #4\n" EVEN("r4", "r5", "r6", "r2")
#define TAPS_2_3 THIRD BY_LOADED
#define BEGIN_2_4
#define TAPS_2_4 THIRD "ldr.w r3, [r12], #4\n" EVEN("r5", "r6", "r2", "r3") BY_LOADED

#define OUTPUT(sum) TINY_REQUANTIZE(sum, "r4", "r5", "r6", "lr")
/* As tiny_scaled of stripe.h. */
#define SCALED(sum)       \
    "smmla " sum ", " sum \
    ", r4, r5\n"          \
    "asr.w " sum ", " sum \
    ", r6\n"              \
    "ssat " sum ", #15, " sum "\n"
#define AT(field) [field] "i"(offsetof(tiny_outputs, field))

/* All rows of taps; three of them are not a loop. */
#define ROWS(stride, words)        \
    "2:\n" TAPS_##stride##_##words \
        "cmp lr, r7\n"             \
        "bne 2b\n"
#define THREE_ROWS TAPS_1_2 TAPS_1_2 TAPS_1_2

/* A function for each stride and width of weights. r7 is saved, because it is the frame pointer of
 * unoptimized code. The bias of the next four outputs is in r8. */
#define RUN(stride, words) RUN_AS(run_##stride##_##words, stride, words, ROWS(stride, words))
#define RUN_AS(name, stride, words, all_taps)                                                   \
    TINY_APART static void name(tiny_outputs *outputs) {                                        \
        register tiny_outputs *o __asm__("r0") = outputs;                                       \
        __asm__ volatile(                                                                     \
            "str.w r7, [r0, %[saved]]\n"                                                      \
            "ldr.w r7, [r0, %[w_end]]\n"                                                      \
            "ldr.w r8, [r0, %[bias]]\n"                                                       \
            "ldr.w r12, [r0, %[x]]\n"                                                         \
            "1:\n"                                                                            \
            "mov r1, r8\n mov r9, r8\n mov r10, r8\n mov r11, r8\n"                           \
            "ldr.w lr, [r0, %[w]]\n" BEGIN_##stride##_##words all_taps                                 \
            "ldrd r2, r3, [r0, %[y]]\n"                                                       \
            "cbnz r2, 5f\n"                                                                  \
            "ldmia.w r0, {r4, r5, r6}\n" SCALED("r1") SCALED("r9") SCALED("r10") SCALED("r11") \
            "ldr r3, [r0, %[values]]\n" \
            "strh.w r1, [r3]\n" \
            "strh.w r9, [r3, #8]\n" \
            "strh.w r10, [r3, #16]\n" \
            "strh.w r11, [r3, #24]\n" \
            "adds r3, #32\n" \
            "str r3, [r0, %[values]]\n" \
            "mov.w r8, #0\n"                                                                  \
            "b 3f\n"                                                                          \
            "5:\n" \
            "ldmia.w r0, {r4, r5, r6, r8}\n" OUTPUT("r1") OUTPUT("r9") OUTPUT("r10") OUTPUT("r11") \
            "strb.w r1, [r2]\n"                                                               \
            "strb.w r9, [r2, r3]\n"                                                           \
            "strb.w r10, [r2, r3, lsl #1]\n"                                                  \
            "add.w r4, r2, r3, lsl #1\n"                                                      \
            "strb.w r11, [r4, r3]\n"                                                          \
            "add.w r2, r4, r3, lsl #1\n"                                                      \
            "str r2, [r0, %[y]]\n"                                                            \
            "3:\n"                                                                            \
            "ldr r3, [r0, %[x_back]]\n"                                                       \
            "ldr r4, [r0, %[x_end]]\n"                                                        \
            "sub.w r12, r12, r3\n"                                                            \
            "cmp r12, r4\n"                                                                   \
            "bne 1b\n"                                                                        \
            "ldr r3, [r0, %[rows]]\n"                                                         \
            "subs r3, #1\n"                                                                   \
            "str r3, [r0, %[rows]]\n"                                                         \
            "beq 6f\n"                                                                        \
            "ldr r3, [r0, %[x_down]]\n"                                                       \
            "ldr r5, [r0, %[x_row]]\n"                                                        \
            "add.w r12, r12, r3\n"                                                            \
            "add r4, r4, r5\n"                                                                \
            "str r4, [r0, %[x_end]]\n"                                                        \
            "ldr r2, [r0, %[y]]\n"                                                            \
            "cmp r2, #0\n"                                                                    \
            "beq 1b\n"                                                                        \
            "ldr r3, [r0, %[y_down]]\n"                                                       \
            "add r2, r2, r3\n"                                                                \
            "str r2, [r0, %[y]]\n"                                                            \
            "b 1b\n"                                                                          \
            "6:\n"                                                                            \
            "ldr.w r7, [r0, %[saved]]\n"                                                      \
            :                                                                                 \
            : "r"(o), AT(bias), AT(x), AT(w), AT(w_end), AT(x_step), AT(x_back), AT(x_end),   \
              AT(x_down), AT(x_row), AT(rows), AT(y), AT(y_down), AT(values), AT(saved)         \
            : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", \
              "memory"); \
    }

RUN(1, 1)
RUN(1, 2)
RUN(1, 3)
RUN(1, 4)
RUN(2, 1)
RUN(2, 2)
RUN(2, 3)
RUN(2, 4)
RUN_AS(run_3_rows, 1, 2, THREE_ROWS)

void tiny_outputs_run(const tiny_correlation *c, tiny_outputs *outputs) {
    switch (c->words + (c->stride == 1 ? 0 : WORDS_MAX)) {
        case 1:
            run_1_1(outputs);
            break;
        case 2:
            if (c->kernel_h == 3) {
                run_3_rows(outputs);
            } else {
                run_1_2(outputs);
            }
            break;
        case 3:
            run_1_3(outputs);
            break;
        case 4:
            run_1_4(outputs);
            break;
        case WORDS_MAX + 1:
            run_2_1(outputs);
            break;
        case WORDS_MAX + 2:
            run_2_2(outputs);
            break;
        case WORDS_MAX + 3:
            run_2_3(outputs);
            break;
        default:
            run_2_4(outputs);
            break;
    }
}

#else

/* The sum of the output at word `x` of a plane, or of the one to its right where `odd`. */
static int32_t sum_at(const tiny_correlation *c, const tiny_outputs *o, const uint32_t *x,
                      uint32_t odd) {
    int32_t sum = o->bias;
    for (const uint32_t *w = o->w + odd; w < o->w_end; x += c->row_words - c->words) {
        for (uint32_t i = 0; i < c->words; i++, x++, w += c->stride == 1 ? 2 : 1) {
            sum = tiny_add_dual(sum, *x, *w);
        }
    }
    return sum;
}

/* Four outputs. */
static void run_quad(const tiny_correlation *c, tiny_outputs *o) {
    const tiny_output output = {0, o->multiplier, o->offset, o->shift};
    const tiny_rounding rounding = {o->multiplier, o->offset, o->shift};
    for (uint32_t i = 0; i < TINY_QUAD; i++) {
        const int32_t sum = sum_at(c, o, o->x + i * c->stride / 2, i * c->stride % 2);
        if (!o->y) {
            *o->values = (uint16_t)tiny_scaled(&rounding, sum);
            o->values += TINY_PLANES;
            continue;
        }
        *o->y = tiny_output_byte(&output, sum / 2);
        o->y += o->y_step;
    }
}

/* The C twin of the loops. */
void tiny_outputs_run(const tiny_correlation *c, tiny_outputs *outputs) {
    for (; outputs->rows; outputs->rows--) {
        for (; outputs->x != outputs->x_end; outputs->x += TINY_QUAD * c->stride / 2) {
            run_quad(c, outputs);
        }
        outputs->x += (int32_t)outputs->x_down / 4;
        outputs->x_end += outputs->x_row / 4;
        outputs->y += outputs->y ? outputs->y_down : 0;
    }
}

#endif
