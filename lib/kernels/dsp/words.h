/* Two int16 in a word: the instructions that the kernels of this set are made of.
 *
 * Each function is one instruction of a core with the DSP extension (Armv7E-M: Cortex-M4, M7;
 * Armv8-M: M33), written as assembly because compilers have no common name for all of them. On other
 * machines the same functions are C, so that the code around them can be run under sanitizers.
 *
 * Pair order. Four adjacent bytes b0 b1 b2 b3 become two words: (b0, b2) and (b1, b3), the lower half
 * first. That is what one instruction each gives, sxtb16 with and without rotation. Sums do not mind
 * the order, as long as both operands have the same one.
 */
#ifndef TINYFLASH_KERNELS_DSP_WORDS_H
#define TINYFLASH_KERNELS_DSP_WORDS_H

#include <stdint.h>
#include <string.h>

#include "../../arith.h"

/* Not with Helium, nor with an FPU where the compiler does not optimise: there GCC 12 finds no registers
 * for the operands of the loop of add.c, which it does find for all other cores of this set. */
#if defined(__ARM_FEATURE_DSP) && defined(__ARM_ARCH_PROFILE) && __ARM_ARCH_PROFILE == 'M' && \
    !defined(__ARM_FEATURE_MVE) && defined(__GNUC__) &&                                       \
    (defined(__OPTIMIZE__) || !defined(__ARM_FP))
#define TINY_DSP_ASM 1
#else
#define TINY_DSP_ASM 0
#endif

/* Of a function that is assembly and takes nearly all registers. It is inlined, except where there is
 * an FPU: GCC 12 then finds no registers for it among what is around it, and does not compile. */
#if defined(__ARM_FP)
#define TINY_INLINE_ASM TINY_APART static
#else
#define TINY_INLINE_ASM static inline
#endif

/* Two halves in a word. */
static inline uint32_t tiny_pair(int32_t low, int32_t high) {
    return ((uint32_t)low & 0xFFFFu) | ((uint32_t)high << 16);
}

static inline int32_t tiny_low(uint32_t pair) { return (int16_t)(pair & 0xFFFFu); }

static inline int32_t tiny_high(uint32_t pair) { return (int16_t)(pair >> 16); }

/* The sum plus two products; it wraps, as the instruction does on words of no meaning. */
static inline int32_t tiny_add_dual(int32_t sum, uint32_t a, uint32_t b) {
    return (int32_t)((uint32_t)sum + (uint32_t)(tiny_low(a) * tiny_low(b)) +
                     (uint32_t)(tiny_high(a) * tiny_high(b)));
}

/* Four bytes at any address; the cores of this set load words from any. */
static inline uint32_t tiny_load(const int8_t *at) {
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Stores four bytes at any address. */
static inline void tiny_store_word(int8_t *at, uint32_t word) { memcpy(at, &word, sizeof word); }

/* Stores a half where words are read later. */
static inline void tiny_store_half(int8_t *at, uint32_t half) {
    const uint16_t value = (uint16_t)half;
    memcpy(at, &value, sizeof value);
}

/* Copies bytes by words. The last word may overlap the one before. The small C libraries that firmware is
 * linked with copy bytes one by one; TINY_AS_A_LOOP keeps compilers from calling them. */
static inline void tiny_copy_bytes(int8_t *to, const int8_t *from, uint32_t bytes) {
    if (bytes >= 4) {
        for (; bytes > 4; bytes -= 4, to += 4, from += 4) {
            tiny_store_word(to, tiny_load(from));
            TINY_AS_A_LOOP;
        }
        to -= 4 - bytes;
        from -= 4 - bytes;
        tiny_store_word(to, tiny_load(from));
        return;
    }
    for (; bytes; bytes--) {
        *to++ = *from++;
        TINY_AS_A_LOOP;
    }
}

/* Sets words to zero, for the same reason. */
static inline void tiny_clear_words(uint32_t *words, uint32_t count) {
    for (; count; count--) {
        *words++ = 0;
        TINY_AS_A_LOOP;
    }
}

#if TINY_DSP_ASM

/* Bytes 0 and 2, sign-extended, plus the halves of `to`. */
static inline uint32_t tiny_add_even_bytes(uint32_t to, uint32_t bytes) {
    uint32_t pair;
    __asm__("sxtab16 %0, %1, %2" : "=r"(pair) : "r"(to), "r"(bytes));
    return pair;
}

/* Bytes 1 and 3, sign-extended, plus the halves of `to`. */
static inline uint32_t tiny_add_odd_bytes(uint32_t to, uint32_t bytes) {
    uint32_t pair;
    __asm__("sxtab16 %0, %1, %2, ror #8" : "=r"(pair) : "r"(to), "r"(bytes));
    return pair;
}

/* (low of a, low of b). */
static inline uint32_t tiny_low_halves(uint32_t a, uint32_t b) {
    uint32_t pair;
    __asm__("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(a), "r"(b));
    return pair;
}

/* (high of a, high of b). */
static inline uint32_t tiny_high_halves(uint32_t a, uint32_t b) {
    uint32_t pair;
    __asm__("pkhtb %0, %1, %2, asr #16" : "=r"(pair) : "r"(b), "r"(a));
    return pair;
}

/* Halves plus halves. */
static inline uint32_t tiny_add_halves(uint32_t a, uint32_t b) {
    uint32_t pair;
    __asm__("sadd16 %0, %1, %2" : "=r"(pair) : "r"(a), "r"(b));
    return pair;
}

#else

static inline int32_t tiny_byte(uint32_t bytes, uint32_t index) {
    return (int8_t)(bytes >> (8 * index) & 0xFFu);
}

static inline uint32_t tiny_add_even_bytes(uint32_t to, uint32_t bytes) {
    return tiny_pair(tiny_low(to) + tiny_byte(bytes, 0), tiny_high(to) + tiny_byte(bytes, 2));
}

static inline uint32_t tiny_add_odd_bytes(uint32_t to, uint32_t bytes) {
    return tiny_pair(tiny_low(to) + tiny_byte(bytes, 1), tiny_high(to) + tiny_byte(bytes, 3));
}

static inline uint32_t tiny_low_halves(uint32_t a, uint32_t b) {
    return tiny_pair(tiny_low(a), tiny_low(b));
}

static inline uint32_t tiny_high_halves(uint32_t a, uint32_t b) {
    return tiny_pair(tiny_high(a), tiny_high(b));
}

static inline uint32_t tiny_add_halves(uint32_t a, uint32_t b) {
    return tiny_pair(tiny_low(a) + tiny_low(b), tiny_high(a) + tiny_high(b));
}

#endif

#endif
