/* The file of random cases, cases.bin in the folder that the program was started in. A board reads
 * it through its emulator. */
#ifndef TINYFLASH_TESTS_CASE_FILE_H
#define TINYFLASH_TESTS_CASE_FILE_H

#include <stdint.h>

void case_file_open(void);

/* 1 if `bytes` more were read; else the file has ended. */
int case_file_read(void *to, uint32_t bytes);

#endif
