/* Sums of products for four positions at a time; see tile.h.
 *
 * The loop, for one quad of terms and four positions: 1 load of weights, 2 sign extensions that
 * unpack them, 2 loads of four words of x, 8 multiply-adds of two products each. 13 instructions for
 * 16 products, and 3 for the end of a round of four quads. A quad has one length in bytes, so the
 * first round of a row that is no multiple of 16 terms begins in the middle of the loop.
 */
#include "tile.h"

#include <stddef.h>

#include "../../arith.h"
#include "words.h"

/* Fills the outputs of all channels; returns how many of them are exceptions. */
static uint32_t fill_outputs(const tiny_requant *q, const int32_t *b, uint32_t count,
                             uint32_t terms, tiny_output *outputs) {
    uint32_t exceptions = 0;
    for (uint32_t o = 0; o < count; o++) {
        outputs[o] = tiny_output_of(q, b, o, terms);
        exceptions += outputs[o].multiplier < 0;
    }
    return exceptions;
}

/* What the loop reads of a part whose x begins at `from`. */
static tiny_tile_part part_of(const int8_t *w, uint32_t terms, const uint32_t *from) {
    const tiny_tile_part part = {w, from + tiny_tile_words(terms), terms, (0u - terms) % 4u,
                                 (0u - tiny_quads(terms)) % 4u};
    return part;
}

/* Rows at the end whose words may reach beyond the weights. A word has four terms: a row of two is
 * followed by two more in the row below it, one of one by one. */
static uint32_t rows_apart(uint32_t kept, uint32_t frozen, uint32_t out) {
    const uint32_t most = kept == 1 || frozen == 1 ? 3 : 1;
    return out < most ? out : most;
}

/* Copies the last rows of `rows` to where words can be read. Returns the end of the copy. */
static int8_t *copy_last(tiny_tiling *tiling, int part, uint32_t rows, int8_t *to) {
    const tiny_tile_part *from = &tiling->tile.part[part];
    const uint32_t terms = from->terms, apart = tiling->apart;
    tiling->last[part] = to;
    if (terms % 4) {
        tiny_copy_bytes(to, from->w + (rows - apart) * terms, apart * terms);
    }
    return to + tiny_quads(terms) * 4 + tiny_quads((apart - 1) * terms) * 4;
}

tiny_tiling tiny_tiling_begin(const tiny_requant *requant, const tiny_weights *w, const int32_t *b,
                              uint32_t out, uint32_t kept, uint32_t frozen, uint32_t *scratch) {
    tiny_output *outputs = (tiny_output *)(void *)scratch;
    uint32_t *x = (uint32_t *)(void *)(outputs + out);
    uint32_t *x_frozen = x + tiny_tile_words(kept);
    int8_t *last = (int8_t *)(x_frozen + tiny_tile_words(frozen));
    const tiny_tile_part none = {0};
    const tiny_tile_part trained = part_of(w->kept, kept, x);
    const tiny_tile_part others = part_of(w->frozen, frozen, x_frozen);
    tiny_tiling tiling = {
        .tile.x = x,
        .tile.next = outputs,
        .tile.end = outputs + out,
        .tile.stride = out,
        .tile.part[0] = kept ? trained : others,
        .tile.part[1] = kept ? others : none,
        .requant = requant,
        .b = b,
        .exceptions = fill_outputs(requant, b, out, kept + frozen, outputs),
        .apart = rows_apart(kept, frozen, out),
    };
    last = copy_last(&tiling, 0, out, last);
    tiling.spare = copy_last(&tiling, 1, out, last);
    return tiling;
}

/* Four bytes, the zero point taken off, doubled: a column of one quad. */
static inline void unpack_quad(uint32_t bytes, uint32_t minus_zeros, uint32_t *x) {
    const uint32_t even = tiny_add_even_bytes(minus_zeros, bytes);
    const uint32_t odd = tiny_add_odd_bytes(minus_zeros, bytes);
    x[0] = tiny_add_halves(even, even);
    x[1] = tiny_add_halves(odd, odd);
}

void tiny_tile_unpack(const int8_t *from, uint32_t terms, int32_t zero, uint32_t *x) {
    const uint32_t minus_zeros = tiny_pair(-zero, -zero);
    const int8_t *end = from + terms / 4 * 4;
    for (; from != end; from += 4, x += 2 * TINY_TILE) {
        unpack_quad(tiny_load(from), minus_zeros, x);
    }
    if (terms % 4) { /* the terms that are missing count 0, whatever their weights are */
        const int32_t second = terms % 4 > 1 ? from[1] - zero : 0;
        const int32_t third = terms % 4 > 2 ? from[2] - zero : 0;
        x[0] = tiny_pair(2 * (from[0] - zero), 2 * third);
        x[1] = tiny_pair(2 * second, 0);
    }
}

#if TINY_DSP_ASM

/* The sums are in r1, r9, r10, r11; the tile in r0; weights in r12; x in lr. r7 is left alone: it is
 * the frame pointer of unoptimized code. */
#define QUAD                          \
    "ldr.w r2, [r12], #4\n"           \
    "ldmia.w lr!, {r3, r4, r5, r6}\n" \
    "sxtb16 r8, r2\n"               \
    "sxtb16 r2, r2, ror #8\n"       \
    "smlad r1, r8, r3, r1\n"          \
    "smlad r9, r8, r5, r9\n"          \
    "smlad r1, r2, r4, r1\n"          \
    "smlad r9, r2, r6, r9\n"          \
    "ldmia.w lr!, {r3, r4, r5, r6}\n" \
    "smlad r10, r8, r3, r10\n"        \
    "smlad r11, r8, r5, r11\n"        \
    "smlad r10, r2, r4, r10\n"        \
    "smlad r11, r2, r6, r11\n"
#define QUAD_BYTES 52

/* A round of four quads, entered where `entry` says, until x ends. */
#define ROUNDS(label, part)                                                 \
    "ldr r3, [r0, %[entry" part                                             \
    "]]\n"                                                                  \
    "bx r3\n"                                                               \
    ".balign 4\n" label ":\n" QUAD QUAD QUAD QUAD "ldr r3, [r0, %[end" part \
    "]]\n"                                                                  \
    "cmp lr, r3\n"                                                          \
    "bne " label                                                            \
    "b\n"                                                                   \
    "ldr r3, [r0, %[excess" part                                            \
    "]]\n"                                                                  \
    "sub.w r12, r12, r3\n"

/* `entry` counts quads to leave out; this makes an address in the loop of it, a Thumb one. */
#define ENTRY(label, part)      \
    "ldr r2, [r0, %[entry" part \
    "]]\n"                      \
    "mov r4, %[quad]\n"         \
    "adr.w r3, " label          \
    "f\n"                       \
    "mla r3, r2, r4, r3\n"      \
    "orr r3, r3, #1\n"          \
    "str r3, [r0, %[entry" part "]]\n"

#define BEGIN                 \
    "ldr r2, [r0, %[next]]\n" \
    "ldr.w lr, [r0, %[x]]\n"  \
    "ldr r1, [r2]\n"          \
    "mov r9, r1\n mov r10, r1\n mov r11, r1\n"

#define STORE \
    "ldr r2, [r0, %[next]]\n"                \
    "ldmia r2!, {r3, r4, r5, r6}\n"          \
    "str r2, [r0, %[next]]\n"                \
    TINY_REQUANTIZE("r1") TINY_REQUANTIZE("r9") TINY_REQUANTIZE("r10") TINY_REQUANTIZE("r11") \
    "ldr r3, [r0, %[y]]\n"                   \
    "ldr r4, [r0, %[stride]]\n"              \
    "strb.w r1, [r3]\n"                      \
    "strb.w r9, [r3, r4]\n"                  \
    "strb.w r10, [r3, r4, lsl #1]\n"         \
    "add r5, r3, r4\n"                       \
    "strb.w r11, [r5, r4, lsl #1]\n"         \
    "adds r3, #1\n"                          \
    "str r3, [r0, %[y]]\n"                   \
    "ldr r3, [r0, %[end]]\n"                 \
    "cmp r2, r3\n"

#define PART(index, field) "i"(offsetof(tiny_tile, part[index]) + offsetof(tiny_tile_part, field))
#define OPERANDS(tile)                                                                            \
    "r"(tile), [quad] "i"(QUAD_BYTES), [x] "i"(offsetof(tiny_tile, x)),                           \
        [next] "i"(offsetof(tiny_tile, next)), [end] "i"(offsetof(tiny_tile, end)),               \
        [y] "i"(offsetof(tiny_tile, y)), [stride] "i"(offsetof(tiny_tile, stride)),               \
        [w0] PART(0, w), [end0] PART(0, end), [entry0] PART(0, entry), [excess0] PART(0, excess), \
        [w1] PART(1, w), [end1] PART(1, end), [entry1] PART(1, entry), [excess1] PART(1, excess)
#define CLOBBERED \
    "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r11", "r12", "lr", "cc", "memory"

/* Weights in one part: their pointer never leaves its register. */
TINY_APART static void run_one_part(tiny_tile *tile) {
    register tiny_tile *t __asm__("r0") = tile;
    __asm__ volatile(ENTRY("1", "0")
                     "ldr.w r12, [r0, %[w0]]\n"
                     "5:\n" BEGIN ROUNDS("1", "0") STORE
                     "bne.w 5b\n"
                     :
                     : OPERANDS(t)
                     : CLOBBERED);
}

TINY_APART static void run_two_parts(tiny_tile *tile) {
    register tiny_tile *t __asm__("r0") = tile;
    __asm__ volatile(ENTRY("1", "0") ENTRY("2", "1")
                     "5:\n" BEGIN
                     "ldr.w r12, [r0, %[w0]]\n" ROUNDS("1", "0")
                     "str.w r12, [r0, %[w0]]\n"
                     "ldr.w r12, [r0, %[w1]]\n" ROUNDS("2", "1")
                     "str.w r12, [r0, %[w1]]\n" STORE
                     "bne.w 5b\n"
                     :
                     : OPERANDS(t)
                     : CLOBBERED);
}

#endif

/* The sum of a row of a part with a column of x, doubled as x is. */
static int64_t part_sum(const tiny_tile_part *part, uint32_t row, const uint32_t *x) {
    const int8_t *w = part->w + row * part->terms;
    int64_t sum = 0;
    for (uint32_t i = 0; i < part->terms; i++) {
        const uint32_t pair = x[i / 4 * 2 * TINY_TILE + i % 2];
        sum += (int16_t)(i % 4 < 2 ? pair & 0xFFFFu : pair >> 16) * (int64_t)w[i];
    }
    return sum;
}

/* The sum of channel o at a position, without bias. */
static int32_t sum_of(const tiny_tile *tile, uint32_t o, uint32_t position) {
    const tiny_tile_part *part = tile->part;
    const uint32_t *x = tile->x + 2 * position;
    const int64_t first = part_sum(&part[0], o, x);
    return (int32_t)((first + part_sum(&part[1], o, x + tiny_tile_words(part[0].terms))) / 2);
}

#if !TINY_DSP_ASM

/* The C twin of the loop. */
static void run_twin(const tiny_tile *tile) {
    for (uint32_t o = 0; o < tile->stride; o++) {
        const tiny_output *out = &tile->next[o];
        for (uint32_t p = 0; p < TINY_TILE; p++) {
            tile->y[p * tile->stride + o] = tiny_output_byte(out, sum_of(tile, o, p));
        }
    }
}

#endif

#if TINY_DSP_ASM

static void run_rows(tiny_tile *tile) {
    if (tile->part[1].terms) {
        run_two_parts(tile);
    } else {
        run_one_part(tile);
    }
}

/* The last channels apart, where their words would reach beyond the weights. */
static void run(const tiny_tiling *tiling, tiny_tile tile) {
    if (tile.part[0].excess == 0 && tile.part[1].excess == 0) {
        run_rows(&tile);
        return;
    }
    const uint32_t entries[2] = {tile.part[0].entry, tile.part[1].entry};
    tile.end -= tiling->apart;
    if (tile.next != tile.end) {
        run_rows(&tile);
    }
    tile.end += tiling->apart;
    for (int i = 0; i < 2; i++) {
        tile.part[i].entry = entries[i];
        tile.part[i].w = tile.part[i].excess ? tiling->last[i] : tile.part[i].w;
    }
    run_rows(&tile);
}

#else

static void run(const tiny_tiling *tiling, tiny_tile tile) {
    (void)tiling;
    run_twin(&tile);
}

#endif

/* Computes the exceptions of a tile as SPEC 2.2 says it. */
static void run_exceptions(const tiny_tiling *tiling, int8_t *y, uint32_t positions) {
    const tiny_tile *tile = &tiling->tile;
    for (uint32_t o = 0; o < tile->stride; o++) {
        const int32_t bias = tiling->b ? tiling->b[o] : 0;
        for (uint32_t p = 0; tile->next[o].multiplier < 0 && p < positions; p++) {
            y[p * tile->stride + o] =
                tiny_requantize(tiling->requant, o, bias + sum_of(tile, o, p));
        }
    }
}

/* The loop saturates to int8. Few layers have narrower bounds. */
static void narrow(const tiny_requant *q, int8_t *y, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        y[i] = (int8_t)tiny_clamp(y[i], q->y_min, q->y_max);
    }
}

void tiny_tiling_run(const tiny_tiling *tiling, int8_t *y, uint32_t positions) {
    const tiny_requant *q = tiling->requant;
    tiny_tile tile = tiling->tile;
    tile.y = positions < TINY_TILE ? tiling->spare : y;
    run(tiling, tile);
    if (tiling->exceptions) {
        run_exceptions(tiling, tile.y, positions);
    }
    if (q->y_min > -128 || q->y_max < 127) {
        narrow(q, tile.y, positions * tile.stride);
    }
    if (tile.y != y) {
        tiny_copy_bytes(y, tile.y, positions * tile.stride);
    }
}
