/* Files in the folder of an emulator, and its arguments, through semihosting. */
#ifndef TINYFLASH_SEMIHOSTING_FILES_H
#define TINYFLASH_SEMIHOSTING_FILES_H

#include <stdint.h>

#define SEMIHOSTING_NO_FILE 0xFFFFFFFFu

/* Modes of fopen, by their numbers in the specification. */
enum { SEMIHOSTING_READ = 1, SEMIHOSTING_READ_AND_WRITE = 3 };

/* Returns the file with this name, or SEMIHOSTING_NO_FILE. */
uint32_t semihosting_open(const char *name, uint32_t mode);

/* Read or write bytes at a place of a file. Return 0 if all were. */
int semihosting_read(uint32_t file, uint32_t at, uint8_t *bytes, uint32_t count);
int semihosting_write(uint32_t file, uint32_t at, const uint8_t *bytes, uint32_t count);

/* Returns the number that the emulator's arguments give as ` name123`; `otherwise` without one. */
uint32_t semihosting_number(const char *name, uint32_t otherwise);

#endif
