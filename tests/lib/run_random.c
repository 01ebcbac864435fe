/* Runs random cases of kernels: the reference and another set on the same memory, which must be the
 * same afterwards. Cases come from a file (tests/lib/stream.py); the kernels, and the fields of
 * their records, are in tables that are generated. One line for each failure; then a summary with a
 * digest of all that the reference computed, which is the same on every machine. The exit status is
 * 0 or 1. The same source runs on the host and on every board. */
#include "random_kernels.h"

#include <string.h>

#include "board.h"
#include "case_file.h"

#define NOTHING 0xFFFFFFFFu
#define UNWRITTEN 0x80u /* in scratch, and behind it */
#define GUARD_BYTES 64u
#define FAILURES_TOLD 10u
#define BUFFERS TINY_OP_BUFFERS
#define ATTEMPTS 6

/* What a case begins with. `settles`: the offset of a scale whose exponent is searched for, such that
 * the largest gradient takes `bits` bits. */
typedef struct case_head {
    uint32_t words; /* of the rest of the case */
    uint32_t draw, node, kernel, seed, memory, scratch, settles, bits, first, count, fills;
    uint32_t buffers[BUFFERS];
} case_head;

/* Numbers of a tensor: any of [low, high], or one of the two. */
typedef struct fill {
    uint32_t offset, length, size;
    int32_t low, high;
    uint32_t ends;
} fill;

static case_head head;
static uint32_t rest[STREAM_WORDS];
static uint32_t before[MEMORY_BYTES / 4], expected[MEMORY_BYTES / 4];
static uint32_t work[(MEMORY_BYTES + SCRATCH_BYTES + GUARD_BYTES) / 4];
static any_record record;
static uint32_t random_bits;
static uint32_t digest = 2166136261u; /* FNV-1a */

static void print(const char *text) {
    board_uart_write((const uint8_t *)text, (uint32_t)strlen(text));
}

static void print_number(uint32_t value) {
    char digits[12];
    char *at = digits + sizeof digits - 1;
    *at = '\0';
    do {
        *--at = (char)('0' + value % 10);
        value /= 10;
    } while (value);
    *--at = ' ';
    print(at);
}

/* xorshift32, by Marsaglia. */
static uint32_t next_random(void) {
    random_bits ^= random_bits << 13;
    random_bits ^= random_bits >> 17;
    random_bits ^= random_bits << 5;
    return random_bits;
}

static int32_t drawn(const fill *f) {
    const uint64_t span = (uint64_t)((int64_t)f->high - f->low);
    if (f->ends) {
        return next_random() >> 31 ? f->high : f->low;
    }
    return (int32_t)(f->low + (int64_t)(((uint64_t)next_random() * (span + 1)) >> 32));
}

/* Fills the memory: what is no tensor, too, with bytes that a wrong store would change. */
static const uint32_t *fill_memory(const uint32_t *at) {
    random_bits = head.seed;
    for (uint32_t i = 0; i < head.memory / 4; i++) {
        before[i] = next_random();
    }
    memcpy(before, at, STATE_BYTES);
    at += STATE_BYTES / 4;
    for (uint32_t i = 0; i < head.fills; i++) {
        fill f;
        memcpy(&f, at, sizeof f);
        at += sizeof f / 4;
        uint8_t *to = (uint8_t *)before + f.offset;
        for (uint32_t k = 0; k < f.length; k++, to += f.size) {
            const int32_t value = drawn(&f);
            memcpy(to, &value, f.size); /* both machines are little-endian */
        }
    }
    return at;
}

/* Takes the record from the words of the case, arrays by a pointer to them. */
static void read_record(const random_kernel *kernel, const uint32_t *at) {
    memset(&record, 0, sizeof record);
    for (uint32_t i = 0; i < kernel->count; i++) {
        const random_field *field = &kernel->fields[i];
        uint8_t *to = (uint8_t *)&record + field->offset;
        if (!field->array) {
            memcpy(to, at++, field->size);
            continue;
        }
        const uint32_t words = *at++;
        const void *array = words == NOTHING ? NULL : at;
        memcpy(to, &array, sizeof array);
        at += words == NOTHING ? 0 : words;
    }
}

static void run(tiny_kernel kernel) {
    void *buffers[BUFFERS];
    uint8_t *memory = (uint8_t *)work;
    const tiny_band band = {(uint16_t)head.first, (uint16_t)head.count};
    for (uint32_t i = 0; i < BUFFERS; i++) {
        buffers[i] = head.buffers[i] == NOTHING ? NULL : memory + head.buffers[i];
    }
    if (head.scratch) {
        buffers[TINY_SCRATCH] = memory + head.memory;
    }
    memcpy(work, before, head.memory);
    memset(memory + head.memory, UNWRITTEN, head.scratch + GUARD_BYTES);
    kernel(&record, buffers, band);
}

static int bits_of(int32_t value) {
    int bits = 0;
    while (bits < 31 && value >> bits) {
        bits++;
    }
    return bits;
}

/* Looks for the exponent of dx at which the largest gradient takes so many bits: with 7 of them it is
 * about to saturate. */
static void settle(tiny_kernel reference) {
    tiny_scale *scale = (tiny_scale *)((uint8_t *)before + head.settles);
    const tiny_scale *after = (const tiny_scale *)((uint8_t *)work + head.settles);
    const int32_t peak = scale->peak;
    const int wanted = (int)head.bits;
    int bits = 0;
    scale->peak = 0;
    for (int i = 0; i < ATTEMPTS && bits != wanted; i++) {
        run(reference);
        bits = bits_of(after->peak);
        const int exponent = scale->exponent + bits - wanted;
        scale->exponent = (int8_t)(exponent < -40 ? -40 : exponent > 15 ? 15 : exponent);
    }
    scale->peak = peak;
}

/* The first byte that is another than expected; one behind all of them if none is. */
static uint32_t first_difference(void) {
    const uint8_t *got = (const uint8_t *)work, *want = (const uint8_t *)expected;
    const uint32_t behind = head.memory + head.scratch;
    if (memcmp(got, want, head.memory) != 0) {
        uint32_t i = 0;
        while (got[i] == want[i]) {
            i++;
        }
        return i;
    }
    uint32_t i = behind;
    while (i < behind + GUARD_BYTES && got[i] == UNWRITTEN) {
        i++;
    }
    return i;
}

static int passes(const random_kernel *kernel) {
    read_record(kernel, fill_memory(rest));
    if (head.settles != NOTHING) {
        settle(kernel->reference);
    }
    run(kernel->reference);
    memcpy(expected, work, head.memory);
    for (uint32_t i = 0; i < head.memory; i++) {
        digest = (digest ^ ((const uint8_t *)expected)[i]) * 16777619u;
    }
    run(kernel->other);
    return first_difference() == head.memory + head.scratch + GUARD_BYTES;
}

static void name_case(const char *how) {
    print(how);
    print_number(head.draw);
    print_number(head.node);
}

static void report(void) {
    const uint32_t at = first_difference();
    const uint8_t want = at < head.memory ? ((const uint8_t *)expected)[at] : UNWRITTEN;
    name_case("FAILED");
    print_number(at);
    print_number(((const uint8_t *)work)[at]);
    print_number(want);
    print("\n");
}

/* The case during which the program ends. */
static void stopped(void) {
    name_case("STOPPED");
    print("\n");
}

#ifdef __arm__

void board_on_fault(const board_fault *fault) {
    stopped();
    print("status");
    print_number(fault->status);
    print(" address");
    print_number(fault->address);
    print(" pc");
    print_number(fault->pc);
    print("\n");
}

static void before_the_end(void) {}

#else

#include <stdio.h>

/* Of the sanitizers of GCC and Clang; without them, as where coverage is measured, there is none. */
#pragma weak __sanitizer_set_death_callback
void __sanitizer_set_death_callback(void (*callback)(void));

static void stopped_by_sanitizer(void) {
    stopped();
    fflush(stdout);
}

static void before_the_end(void) {
    if (__sanitizer_set_death_callback) {
        __sanitizer_set_death_callback(stopped_by_sanitizer);
    }
}

#endif

int main(void) {
    uint32_t ran = 0, failed = 0;
    board_init();
    before_the_end();
    case_file_open();
    while (failed < FAILURES_TOLD && case_file_read(&head, sizeof head)) {
        if (!case_file_read(rest, head.words * 4)) {
            break;
        }
        ran++;
        if (!passes(&random_kernels[head.kernel])) {
            report();
            failed++;
        }
    }
    print("ran");
    print_number(ran);
    print(" digest");
    print_number(digest);
    print("\n");
    board_exit(failed ? 1 : 0);
}
