/* Whether the core has integer Helium; elsewhere each function with assembly is its C twin. And bytes
 * of which a vector has 16 (products.c).
 */
#ifndef TINYFLASH_KERNELS_MVE_HELIUM_H
#define TINYFLASH_KERNELS_MVE_HELIUM_H

#include <stdint.h>

#if defined(__ARM_FEATURE_MVE) && (__ARM_FEATURE_MVE & 1) && defined(__GNUC__)
#define TINY_MVE_ASM 1
#else
#define TINY_MVE_ASM 0
#endif

/* Fills bytes, one at least. */
void tiny_fill_bytes(int8_t *bytes, uint32_t count, int8_t with);

/* The sum of bytes, one at least. */
int32_t tiny_sum_bytes(const int8_t *bytes, uint32_t count);

#endif
