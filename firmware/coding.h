/* Lossless coding of samples on the line (PROTOCOL.md, "Coded samples"). */
#ifndef TINYFLASH_CODING_H
#define TINYFLASH_CODING_H

#include <stdint.h>

/* Decodes bytes [first, first + count) of `sample` from `size` bytes of code. Bytes before `first` must be
 * there already, since each byte is predicted from those 1, stride and stride + 1 before it (stride 0:
 * from the one before). Returns 0 if the code is damaged or does not end where it should; the bytes
 * decoded until then are in place. Writes nothing outside the range. */
int coding_decode(uint8_t *sample, uint32_t first, uint32_t count, uint32_t stride,
                  const uint8_t *code, uint32_t size);

#endif
