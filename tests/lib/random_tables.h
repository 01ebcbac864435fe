/* What tests/lib/stream.py generates: kernels, and how to make their records of words. */
#ifndef TINYFLASH_TESTS_RANDOM_TABLES_H
#define TINYFLASH_TESTS_RANDOM_TABLES_H

#include <stddef.h>
#include <stdint.h>

#include "tinyflash/kernels.h"
#include "tinyflash/ops.h"

/* A field takes a word; an array takes the number of its words and these. */
typedef struct random_field {
    uint32_t offset, size;
    int array;
} random_field;

#define RANDOM_FIELD(type, name, array) {offsetof(type, name), sizeof(((type *)0)->name), array}

typedef struct random_kernel {
    tiny_kernel reference, other;
    const random_field *fields;
    uint32_t count;
} random_kernel;

#endif
