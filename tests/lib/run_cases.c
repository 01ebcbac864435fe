/* Runs kernel cases: memory as the numpy reference had it before, one row of the table, and memory
 * must be what the reference had after. One line for each failure, then a summary; the exit status
 * is 0 or 1. The same source runs on the host and on every board. */
#include <string.h>

#include "board.h"
#include "case_sizes.h"
#include "kernel_cases.h"
#include "model.h"
#include "tinyflash/tinyflash.h"

#define UNWRITTEN 0x80u

static const char *const space_names[SPACES] = {"WEIGHTS", "STATE", "ARENA"};

static uint32_t weights[CASE_WEIGHTS_BYTES / 4];
static uint32_t state[CASE_STATE_BYTES / 4];
static uint32_t arena[CASE_ARENA_BYTES / 4];
static uint8_t *const spaces[SPACES] = {(uint8_t *)weights, (uint8_t *)state, (uint8_t *)arena};

static void print(const char *text) {
    board_uart_write((const uint8_t *)text, (uint32_t)strlen(text));
}

static void print_number(uint32_t value) {
    char digits[11];
    char *at = digits + sizeof digits - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    print(at);
}

static uint32_t first_difference(const uint8_t *a, const uint8_t *b, uint32_t bytes) {
    uint32_t i = 0;
    while (i < bytes && a[i] == b[i]) {
        i++;
    }
    return i;
}

static void report(const kernel_case *c, int space, uint32_t at, uint8_t expected) {
    print("FAILED ");
    print(c->name);
    print(": ");
    print(space_names[space]);
    print(" byte ");
    print_number(at);
    print(" is ");
    print_number(spaces[space][at]);
    print(", not ");
    print_number(expected);
    print("\n");
}

/* Fills the scratch of a case, and what is behind it, with the numbers of largest magnitude: what a
 * kernel finds there has no meaning. */
static void fill_scratch(uint32_t bytes) {
    memset(spaces[SPACES - 1] + CASE_SCRATCH_OFFSET, UNWRITTEN, bytes + CASE_GUARD_BYTES);
}

/* 1 if nothing behind the scratch of a case has been written. */
static int keeps_to_scratch(const kernel_case *c) {
    const uint32_t end = CASE_SCRATCH_OFFSET + c->scratch;
    for (uint32_t at = end; at < end + CASE_GUARD_BYTES; at++) {
        if (spaces[SPACES - 1][at] != UNWRITTEN) {
            report(c, SPACES - 1, at, UNWRITTEN);
            return 0;
        }
    }
    return 1;
}

/* 1 if every byte is as the reference says. */
static int passes(tiny_session *session, uint32_t index) {
    const kernel_case *c = &kernel_cases[index];
    for (int s = 0; s < SPACES; s++) {
        memcpy(spaces[s], c->before[s], c->bytes[s]);
    }
    fill_scratch(c->scratch);
    tiny_run(session, &session->model->infer, index, 1);
    for (int s = 0; s < SPACES; s++) {
        const uint8_t *after = (const uint8_t *)c->after[s];
        const uint32_t at = first_difference(spaces[s], after, c->bytes[s]);
        if (at < c->bytes[s]) {
            report(c, s, at, after[at]);
            return 0;
        }
    }
    return keeps_to_scratch(c);
}

int main(void) {
    const tiny_memory memory = {spaces[0],      spaces[1],    spaces[2],
                                sizeof weights, sizeof state, sizeof arena};
    tiny_session session;
    uint32_t passed = 0;
    board_init();
    if (tiny_init(&session, &model, &memory) == TINY_OK) {
        for (uint32_t i = 0; i < kernel_case_count; i++) {
            passed += (uint32_t)passes(&session, i);
        }
    }
    print(board_name);
    print(": ");
    print_number(passed);
    print(" of ");
    print_number(kernel_case_count);
    print(" kernel cases passed\n");
    board_exit(passed == kernel_case_count ? 0 : 1);
}
