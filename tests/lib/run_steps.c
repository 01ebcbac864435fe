/* Trains a model on samples from a file, and tells a digest of all that was learned after each step;
 * at last that of an inference. The host does the same (test_boards_take_the_same_steps.py). */
#include <stdint.h>
#include <string.h>

#include "board.h"
#include "case_file.h"
#include "model.h"
#include "tinyflash/tinyflash.h"

#define UNITS(bytes) (((bytes) + 7) / 8 + 1)

/* What is before each sample in the file; without a factor it is only inferred. */
typedef struct step {
    uint32_t label;
    tiny_factor rate;
} step;

static uint64_t weights[UNITS(MODEL_WEIGHTS_BYTES)];
static uint64_t state[UNITS(MODEL_STATE_BYTES)];
static uint64_t arena[UNITS(MODEL_ARENA_BYTES)];

#ifdef STRICT_ALIGNMENT
#define CCR (*(volatile uint32_t *)0xE000ED14u)
#define CCR_UNALIGN_TRP (1u << 3)

/* Every access that is not aligned is a fault from here on. */
static void trap_unaligned(void) {
    CCR |= CCR_UNALIGN_TRP;
    __asm volatile("dsb\nisb" ::: "memory");
}
#else
static void trap_unaligned(void) {}
#endif

/* CRC-32, as zlib has it. */
static uint32_t digest(uint32_t crc, const void *bytes, uint32_t count) {
    const uint8_t *at = bytes;
    crc = ~crc;
    for (uint32_t i = 0; i < count; i++) {
        crc ^= at[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (0xEDB88320u & (0u - (crc & 1u)));
        }
    }
    return ~crc;
}

static void tell(const char *what, uint32_t value) {
    char line[16];
    const uint32_t length = (uint32_t)strlen(what);
    memcpy(line, what, length);
    for (uint32_t i = 0; i < 8; i++) {
        line[length + i] = "0123456789abcdef"[(value >> (28 - 4 * i)) & 15];
    }
    line[length + 8] = '\n';
    board_uart_write((const uint8_t *)line, length + 9);
}

int main(void) {
    const tiny_memory memory = {weights, state, arena, sizeof weights, sizeof state, sizeof arena};
    tiny_session session;
    step next = {0};
    tiny_error error;
    board_init();
    trap_unaligned();
    case_file_open();
    error = tiny_init(&session, &model, &memory);
    while (error == TINY_OK && case_file_read(&next, sizeof next)) {
        uint8_t *to = next.rate.mantissa ? tiny_train_input(&session) : tiny_infer_input(&session);
        (void)case_file_read(to, model.input_bytes);
        if (!next.rate.mantissa) {
            tell("infer ", digest(0, tiny_infer(&session), model.output_bytes));
            continue;
        }
        error = tiny_train(&session, next.label, next.rate);
        uint32_t crc = digest(0, weights, model.weights_bytes);
        tell("step ", digest(crc, state, model.state_bytes));
    }
    board_exit(error == TINY_OK ? 0 : 1);
}
