/* Four int8 or two int16 in a word: comparisons of all at once, and parts of a word.
 *
 * The core compares byte by byte, or half by half, into flags of its own (GE), by which `sel` then
 * chooses: the larger of four bytes takes two instructions. As in words.h, each function has a C
 * twin for other machines.
 */
#ifndef TINYFLASH_KERNELS_DSP_LANES_H
#define TINYFLASH_KERNELS_DSP_LANES_H

#include "words.h"

/* The first `count` bytes, 1 to 4; the others are 0. Nothing behind them is read. */
static inline uint32_t tiny_load_some(const int8_t *from, uint32_t count) {
    if (count >= 4) {
        return tiny_load(from);
    }
    uint32_t bytes = 0;
    for (uint32_t i = 0; i < count; i++) {
        bytes |= (uint32_t)(uint8_t)from[i] << (8 * i);
    }
    return bytes;
}

/* Byte `index` of a word. */
static inline int32_t tiny_byte_of(uint32_t bytes, uint32_t index) {
    return (int8_t)(bytes >> (8 * index) & 0xFFu);
}

/* Four times the same byte. */
static inline uint32_t tiny_four(int32_t byte) { return ((uint32_t)byte & 0xFFu) * 0x01010101u; }

/* The bytes of a word whose bits are set in the low four of `mask`, and 0 in place of others. */
static inline uint32_t tiny_masked(uint32_t bytes, uint32_t mask) {
    const uint32_t ones = ((mask & 15u) * 0x00204081u) & 0x01010101u;
    return bytes & ((ones << 8) - ones);
}

#if TINY_DSP_ASM

/* Byte by byte, the larger one. */
static inline uint32_t tiny_larger_bytes(uint32_t a, uint32_t b) {
    uint32_t larger;
    __asm__(
        "ssub8 %0, %1, %2\n"
        "sel %0, %1, %2"
        : "=&r"(larger)
        : "r"(a), "r"(b)
        : "cc");
    return larger;
}

/* Byte by byte, the smaller one. */
static inline uint32_t tiny_smaller_bytes(uint32_t a, uint32_t b) {
    uint32_t smaller;
    __asm__(
        "ssub8 %0, %1, %2\n"
        "sel %0, %2, %1"
        : "=&r"(smaller)
        : "r"(a), "r"(b)
        : "cc");
    return smaller;
}

/* The bytes of `value` where that of a is at least that of b, and 0 elsewhere. */
static inline uint32_t tiny_where_at_least(uint32_t a, uint32_t b, uint32_t value) {
    uint32_t chosen;
    __asm__(
        "ssub8 %0, %1, %2\n"
        "sel %0, %3, %4"
        : "=&r"(chosen)
        : "r"(a), "r"(b), "r"(value), "r"(0)
        : "cc");
    return chosen;
}

/* The bytes of `value` where that of a is above that of b, and 0 elsewhere. */
static inline uint32_t tiny_where_above(uint32_t a, uint32_t b, uint32_t value) {
    uint32_t chosen;
    __asm__(
        "ssub8 %0, %2, %1\n"
        "sel %0, %4, %3"
        : "=&r"(chosen)
        : "r"(a), "r"(b), "r"(value), "r"(0)
        : "cc");
    return chosen;
}

/* The sum of the four bytes, taken as unsigned, and `sum`. */
static inline uint32_t tiny_add_bytes(uint32_t sum, uint32_t bytes) {
    __asm__("usada8 %0, %1, %2, %0" : "+r"(sum) : "r"(bytes), "r"(0));
    return sum;
}

/* The magnitudes of two halves above -2^15. */
static inline uint32_t tiny_magnitudes(uint32_t pair) {
    uint32_t magnitudes;
    __asm__(
        "ssub16 %0, %2, %1\n"
        "sel %0, %0, %1"
        : "=&r"(magnitudes)
        : "r"(pair), "r"(0)
        : "cc");
    return magnitudes;
}

/* Half by half, the larger one. */
static inline uint32_t tiny_larger_halves(uint32_t a, uint32_t b) {
    uint32_t larger;
    __asm__(
        "ssub16 %0, %1, %2\n"
        "sel %0, %1, %2"
        : "=&r"(larger)
        : "r"(a), "r"(b)
        : "cc");
    return larger;
}

/* The upper half of a product of two words, rounded: a * b / 2^32, ties up. */
static inline int32_t tiny_upper_product(int32_t a, int32_t b) {
    int32_t upper;
    __asm__("smmulr %0, %1, %2" : "=r"(upper) : "r"(a), "r"(b));
    return upper;
}

/* The upper half of a product of two words, and `sum`: a * b / 2^32, rounded down. */
static inline int32_t tiny_upper_sum(int32_t a, int32_t b, int32_t sum) {
    int32_t result;
    __asm__("smmla %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(sum));
    return result;
}

/* sum + a * b; compilers take three multiplications where b has been a word before. */
static inline int64_t tiny_add_product(int64_t sum, int32_t a, int32_t b) {
    __asm__("smlal %Q0, %R0, %1, %2" : "+r"(sum) : "r"(a), "r"(b));
    return sum;
}

/* The nearest of [-2^14, 2^14). */
static inline int32_t tiny_saturate_15(int32_t v) {
    int32_t nearest;
    __asm__("ssat %0, #15, %1" : "=r"(nearest) : "r"(v));
    return nearest;
}

#else

static inline uint32_t tiny_where_at_least(uint32_t a, uint32_t b, uint32_t value) {
    uint32_t chosen = 0;
    for (uint32_t i = 0; i < 4; i++) {
        chosen |= tiny_byte_of(a, i) >= tiny_byte_of(b, i) ? value & (0xFFu << (8 * i)) : 0;
    }
    return chosen;
}

static inline uint32_t tiny_where_above(uint32_t a, uint32_t b, uint32_t value) {
    return value & ~tiny_where_at_least(b, a, 0xFFFFFFFFu);
}

static inline uint32_t tiny_larger_bytes(uint32_t a, uint32_t b) {
    return tiny_where_at_least(a, b, a) | tiny_where_above(b, a, b);
}

static inline uint32_t tiny_add_bytes(uint32_t sum, uint32_t bytes) {
    return sum + (bytes & 0xFFu) + (bytes >> 8 & 0xFFu) + (bytes >> 16 & 0xFFu) + (bytes >> 24);
}

static inline uint32_t tiny_magnitudes(uint32_t pair) {
    const int32_t low = tiny_low(pair), high = tiny_high(pair);
    return tiny_pair(low < 0 ? -low : low, high < 0 ? -high : high);
}

static inline uint32_t tiny_larger_halves(uint32_t a, uint32_t b) {
    return tiny_pair(tiny_low(a) > tiny_low(b) ? tiny_low(a) : tiny_low(b),
                     tiny_high(a) > tiny_high(b) ? tiny_high(a) : tiny_high(b));
}

static inline int32_t tiny_upper_product(int32_t a, int32_t b) {
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 31)) >> 32);
}

static inline int32_t tiny_upper_sum(int32_t a, int32_t b, int32_t sum) {
    return (int32_t)((int64_t)a * b >> 32) + sum;
}

static inline int64_t tiny_add_product(int64_t sum, int32_t a, int32_t b) {
    return sum + (int64_t)a * b;
}

static inline int32_t tiny_saturate_15(int32_t v) {
    return v < -(1 << 14) ? -(1 << 14) : (v > (1 << 14) - 1 ? (1 << 14) - 1 : v);
}

#endif

#endif
