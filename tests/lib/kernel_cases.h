/* What tests/lib/emit.py generates: rows of a table, and memory before and after each. */
#ifndef TINYFLASH_TESTS_KERNEL_CASES_H
#define TINYFLASH_TESTS_KERNEL_CASES_H

#include <stdint.h>

/* Memory spaces that kernels write, in this order: WEIGHTS, STATE, ARENA. */
#define SPACES 3

/* Bytes behind the scratch of a case, where nothing may be written. */
#define CASE_GUARD_BYTES 64u

/* Case i is row i of `model.infer`. Images are aligned to 4 bytes. Scratch begins at
 * CASE_SCRATCH_OFFSET of the arena. */
typedef struct kernel_case {
    const char *name;
    uint32_t scratch; /* bytes */
    uint32_t bytes[SPACES];
    const uint32_t *before[SPACES];
    const uint32_t *after[SPACES];
} kernel_case;

extern const kernel_case kernel_cases[];
extern const uint32_t kernel_case_count;

#endif
