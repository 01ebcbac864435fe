/* The checksum of everything that may arrive damaged: frames of a link, records in flash. */
#ifndef TINYFLASH_CRC32_H
#define TINYFLASH_CRC32_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Returns the CRC-32, that of zlib and Ethernet (IEEE 802.3), of `count` more bytes after those that
 * gave `crc`; start with 0. */
uint32_t tiny_crc32(uint32_t crc, const uint8_t *bytes, uint32_t count);

#ifdef __cplusplus
}
#endif

#endif
