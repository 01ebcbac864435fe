/* Lossless coding of samples on the line (PROTOCOL.md, "Coded samples"). */
#ifndef TINYFLASH_CODING_H
#define TINYFLASH_CODING_H

#include <stdint.h>

/* Bytes [first, first + count) of a sample. Each is predicted from those 1, stride and stride + 1
 * before it (stride 0: from the one before). group >= 1: in a sparse block, only bytes at its
 * multiples are coded; the others equal their prediction. */
typedef struct coding_range {
    uint32_t first, count, stride, group;
} coding_range;

/* Decodes a range from `size` bytes of code. The bytes before it must already be decoded. Returns
 * 0 if the code is damaged or has the wrong length; the bytes decoded so far stay written. Writes
 * nothing outside the range. */
int coding_decode(uint8_t *sample, const coding_range *range, const uint8_t *code, uint32_t size);

/* The same, and copies raw bytes if the range's group is PROTOCOL_RAW. */
int coding_place(uint8_t *sample, const coding_range *range, const uint8_t *data, uint32_t size);

#endif
