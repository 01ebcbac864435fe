/* SipHash-2-4, a keyed hash of 64 bits (Aumasson and Bernstein, 2012). */
#ifndef TINYFLASH_SIPHASH_H
#define TINYFLASH_SIPHASH_H

#include <stdint.h>

typedef struct siphash_key {
    uint64_t low, high; /* the first 8 bytes of the key, and the last; little-endian */
} siphash_key;

uint64_t siphash(const siphash_key *key, const uint8_t *bytes, uint32_t count);

#endif
