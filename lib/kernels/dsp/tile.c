/* Sums of products for some positions at a time: everything around the loop; see tile.h. */
#include "tile.h"

#include <stddef.h>

#include "../../arith.h"
#include "words.h"

#define MARK 0x7FFF0000 /* the halves of x are below 2^10 */

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

/* Rows at the end whose words may reach beyond the weights. A word has four terms: a row of two is
 * followed by two more in the row below it, one of one by one. */
static uint32_t rows_apart(uint32_t kept, uint32_t frozen, uint32_t out) {
    const uint32_t most = kept == 1 || frozen == 1 ? 3 : 1;
    return out < most ? out : most;
}

/* Copies the last rows of a part to where words can be read. Returns the end of the copy. */
static int8_t *copy_last(tiny_tiling *t, int part, int8_t *to) {
    const uint32_t terms = t->terms[part];
    t->last[part] = to;
    if (terms % 4) {
        tiny_copy_bytes(to, t->w[part] + (t->out - t->apart) * terms, t->apart * terms);
    }
    return to + tiny_quads(terms) * 4 + tiny_quads((t->apart - 1) * terms) * 4;
}

/* The words of x of all terms, at the most. */
static uint32_t words_of(uint32_t kept, uint32_t frozen) {
    return (tiny_quads(kept) + tiny_quads(frozen)) * TINY_TILE_WIDE * 2;
}

tiny_tiling tiny_tiling_begin(const tiny_requant *requant, const tiny_weights *w, const int32_t *b,
                              uint32_t out, uint32_t kept, uint32_t frozen, uint32_t *scratch) {
    tiny_output *outputs = (tiny_output *)(void *)scratch;
    tiny_tiling t = {0};
    t.requant = requant;
    t.b = b;
    t.outputs = outputs;
    t.w[0] = kept ? w->kept : w->frozen;
    t.w[1] = w->frozen;
    t.terms[0] = kept ? kept : frozen;
    t.terms[1] = kept ? frozen : 0;
    t.out = out;
    t.exceptions = fill_outputs(requant, b, out, kept + frozen, outputs);
    t.apart = rows_apart(kept, frozen, out);
    t.zero = requant->x_zero;
    t.width = 0;
    t.x[0] = (uint32_t *)(void *)(outputs + out);
    int8_t *end_of_x = (int8_t *)(t.x[0] + words_of(kept, frozen));
    t.spare = copy_last(&t, 0, end_of_x + TINY_TILE_PART_BYTES + TINY_TILE_BYTES);
    t.spare = copy_last(&t, 1, t.spare);
    t.window = t.spare + TINY_TILE_WIDE * out;
    return t;
}

#if TINY_DSP_ASM

/* Fills what the loop reads behind the x of a part. */
static void place_part(const tiny_tiling *t, int index, tiny_tile_part *part) {
    part->mark = MARK;
    part->excess = (0u - t->terms[index]) % 4u;
    part->skipped = (0u - tiny_quads(t->terms[index])) % 4u;
}

/* The tile, behind the x of the last part, and the first part where there are two. */
static void place_tile(const tiny_tiling *t, uint32_t *first_end, uint32_t *end) {
    tiny_tile *tile = (tiny_tile *)(void *)end;
    place_part(t, end != first_end, &tile->part);
    if (end != first_end) {
        tiny_tile_part *first = (tiny_tile_part *)(void *)first_end;
        place_part(t, 0, first);
        tile->part.other = first;
        first->other = &tile->part;
    }
    tile->x = t->x[0];
    tile->stride = t->out;
}

#else

/* The C twin of the loop needs nothing there. */
static void place_tile(const tiny_tiling *t, const uint32_t *first_end, const uint32_t *end) {
    (void)t;
    (void)first_end;
    (void)end;
}

#endif

static void set_width(tiny_tiling *t, uint32_t width) {
    uint32_t *first_end = t->x[0] + tiny_quads(t->terms[0]) * width * 2, *end = first_end;
    if (t->terms[1]) {
        t->x[1] = first_end + TINY_TILE_PART_BYTES / 4;
        end = t->x[1] + tiny_quads(t->terms[1]) * width * 2;
    }
    t->width = width;
    t->tile = end;
    place_tile(t, first_end, end);
}

/* Eight positions are two narrow tiles, and fourteen a wide one more. */
uint32_t tiny_tiling_shape(tiny_tiling *tiling, uint32_t left) {
    const int wide = left > 2 * TINY_TILE || left == TINY_TILE_WIDE || left == TINY_TILE_WIDE - 1;
    const uint32_t width = wide ? TINY_TILE_WIDE : TINY_TILE;
    if (width != tiling->width) {
        set_width(tiling, width);
    }
    return left < width ? left : width;
}

#if TINY_DSP_ASM

/* Four bytes, the zero point taken off, doubled: a column of one quad. */
#define QUAD(step)                               \
    "ldr.w %[odd], [%[from]], #4\n"              \
    "sxtab16 %[even], %[zeros], %[odd]\n"        \
    "sxtab16 %[odd], %[zeros], %[odd], ror #8\n" \
    "sadd16 %[even], %[even], %[even]\n"         \
    "sadd16 %[odd], %[odd], %[odd]\n"            \
    "strd %[even], %[odd], [%[x]], #" step "\n"

/* Two quads a round; an odd number begins in its middle. The bytes may be at any address. */
#define UNPACK(name, step)                                                                          \
    static inline uint32_t *name(const int8_t *from, uint32_t quads, uint32_t zeros,                \
                                 uint32_t *x) {                                                     \
        uint32_t even, odd;                                                                         \
        if (quads) {                                                                                \
            __asm__ volatile("tst %[quads], #1\n"                                                 \
                             "bne 2f\n"                                                           \
                             "1:\n" QUAD(step) "2:\n" QUAD(step) "subs %[quads], %[quads], #2\n" \
                             "bgt 1b\n"                                                           \
                             : [quads] "+r"(quads), [from] "+r"(from), [x] "+r"(x),               \
                               [even] "=&r"(even), [odd] "=&r"(odd)                               \
                             : [zeros] "r"(zeros)                                                 \
                             : "cc", "memory"); \
        }                                                                                           \
        return x;                                                                                   \
    }

UNPACK(unpack_narrow, "32")
UNPACK(unpack_wide, "48")

#else

/* The C twin. */
static uint32_t *unpack_quads(const int8_t *from, uint32_t quads, uint32_t zeros, uint32_t *x,
                              uint32_t step) {
    for (; quads; quads--, from += 4, x += step) {
        const uint32_t bytes = tiny_load(from);
        const uint32_t even = tiny_add_even_bytes(zeros, bytes);
        const uint32_t odd = tiny_add_odd_bytes(zeros, bytes);
        x[0] = tiny_add_halves(even, even);
        x[1] = tiny_add_halves(odd, odd);
    }
    return x;
}

static uint32_t *unpack_narrow(const int8_t *from, uint32_t quads, uint32_t zeros, uint32_t *x) {
    return unpack_quads(from, quads, zeros, x, 2 * TINY_TILE);
}

static uint32_t *unpack_wide(const int8_t *from, uint32_t quads, uint32_t zeros, uint32_t *x) {
    return unpack_quads(from, quads, zeros, x, 2 * TINY_TILE_WIDE);
}

#endif

/* The last terms, fewer than four. What is missing counts 0, whatever its weights are. */
static void unpack_rest(const int8_t *from, uint32_t terms, int32_t zero, uint32_t *x) {
    const int32_t second = terms > 1 ? from[1] - zero : 0;
    const int32_t third = terms > 2 ? from[2] - zero : 0;
    x[0] = tiny_pair(2 * (from[0] - zero), 2 * third);
    x[1] = tiny_pair(2 * second, 0);
}

static inline void unpack_part(const tiny_tiling *t, int part, uint32_t position,
                               const int8_t *from) {
    const uint32_t terms = t->terms[part], zeros = tiny_pair(-t->zero, -t->zero);
    uint32_t *x = t->x[part] + 2 * position;
    x = t->width == TINY_TILE ? unpack_narrow(from, terms / 4, zeros, x)
                              : unpack_wide(from, terms / 4, zeros, x);
    if (terms % 4) {
        unpack_rest(from + (terms & ~3u), terms % 4, t->zero, x);
    }
}

void tiny_tiling_unpack(const tiny_tiling *tiling, uint32_t position, uint32_t count,
                        const int8_t *from) {
    const uint32_t first = tiling->terms[0], second = tiling->terms[1];
    for (uint32_t end = position + count; position < end; position++) {
        unpack_part(tiling, 0, position, from);
        from += first;
        if (second) {
            unpack_part(tiling, 1, position, from);
            from += second;
        }
    }
}

/* The sum of a row of a part at a position, doubled as x is. */
static int64_t part_sum(const tiny_tiling *t, int part, uint32_t row, uint32_t position) {
    const int8_t *w = t->w[part] + row * t->terms[part];
    const uint32_t *x = t->x[part] + 2 * position;
    int64_t sum = 0;
    for (uint32_t i = 0; i < t->terms[part]; i++) {
        const uint32_t pair = x[i / 4 * 2 * t->width + i % 2];
        sum += (int64_t)(i % 4 < 2 ? tiny_low(pair) : tiny_high(pair)) * w[i];
    }
    return sum;
}

/* The sum of channel o at a position, without bias. */
static int32_t sum_of(const tiny_tiling *t, uint32_t o, uint32_t position) {
    const int64_t first = part_sum(t, 0, o, position);
    return (int32_t)((first + (t->terms[1] ? part_sum(t, 1, o, position) : 0)) / 2);
}

#if TINY_DSP_ASM

/* Output channels [first, end); the weights of both parts are set. */
static void run_rows(const tiny_tiling *t, uint32_t first, uint32_t end) {
    tiny_tile *tile = (tiny_tile *)(void *)t->tile;
    tile->next = &t->outputs[first].bias;
    tile->end = &t->outputs[end].multiplier;
    if (first != end) {
        tiny_tile_loop(tile, t->width, t->terms[1] != 0);
    }
}

/* The last channels apart, where their words would reach beyond the weights. */
static void run(const tiny_tiling *t, int8_t *y) {
    tiny_tile *tile = (tiny_tile *)(void *)t->tile;
    tiny_tile_part *last = &tile->part, *first = t->terms[1] ? last->other : last;
    const uint32_t most = t->out - t->apart;
    tile->y = y;
    last->w = t->w[1];
    first->w = t->w[0];
    if (first->excess == 0 && last->excess == 0) {
        run_rows(t, 0, t->out);
        return;
    }
    run_rows(t, 0, most);
    last->w = last->excess ? t->last[1] : last->w;
    first->w = first->excess ? t->last[0] : first->w;
    run_rows(t, most, t->out);
}

#else

/* The C twin of the loop. */
static void run(const tiny_tiling *t, int8_t *y) {
    for (uint32_t o = 0; o < t->out; o++) {
        for (uint32_t p = 0; p < t->width; p++) {
            y[p * t->out + o] = tiny_output_byte(&t->outputs[o], sum_of(t, o, p));
        }
    }
}

#endif

/* Computes the exceptions of a tile as SPEC 2.2 says it. */
static void run_exceptions(const tiny_tiling *t, int8_t *y, uint32_t positions) {
    for (uint32_t o = 0; o < t->out; o++) {
        const int32_t bias = t->b ? t->b[o] : 0;
        for (uint32_t p = 0; t->outputs[o].multiplier < 0 && p < positions; p++) {
            y[p * t->out + o] = tiny_requantize(t->requant, o, bias + sum_of(t, o, p));
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
    int8_t *to = positions < tiling->width ? tiling->spare : y;
    run(tiling, to);
    if (tiling->exceptions) {
        run_exceptions(tiling, to, positions);
    }
    if (q->y_min > -128 || q->y_max < 127) {
        narrow(q, to, positions * tiling->out);
    }
    if (to != y) {
        tiny_copy_bytes(y, to, positions * tiling->out);
    }
}
