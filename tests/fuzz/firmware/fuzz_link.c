/* Fuzzes the firmware's side of the link, guided by the coverage of its code: what reaches new edges
 * is kept, and changed again.
 *
 * A case is a list of pieces: a byte of flags, a length of 16 bits, and as many bytes. They go over the
 * line as they are, or as a frame with its CRC and COBS. An error is a sanitizer's word, or a case
 * that does not end: then the case is in the folder as crash-<seed>.
 *
 *     fuzz_link SECONDS SEED FOLDER       prints executions, cases kept, edges
 */
#define _POSIX_C_SOURCE 200809L
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "board.h"
#include "commands/commands.h"
#include "model.h"
#include "parts/simulated_flash/simulated_flash.h"
#include "tinyflash/crc32.h"

#define LONGEST 4096 /* bytes of a case */
#define MOST_CASES 4096
#define EDGES 16384
#define SLOWEST 10 /* seconds of a case */
#define UNITS(bytes) ((bytes) / 8 + 1)
#define UNSEEN __attribute__((no_sanitize_coverage))

typedef struct fuzz_case {
    uint32_t count;
    uint8_t bytes[LONGEST];
} fuzz_case;

static fuzz_case *corpus[MOST_CASES], now;
static uint32_t cases;
static uint8_t hits[EDGES], seen[EDGES];
static uint32_t edges;
static uintptr_t before;
static int watching;
static uint32_t random_state;
static char crash_path[4096];

/* ---- Coverage -------------------------------------------------------------------------------- */

void __sanitizer_cov_trace_pc(void);
void __sanitizer_set_death_callback(void (*callback)(void));

UNSEEN void __sanitizer_cov_trace_pc(void) {
    if (watching) {
        const uintptr_t pc = (uintptr_t)__builtin_return_address(0);
        const uintptr_t at = (pc ^ (before >> 1)) % EDGES;
        hits[at] = (uint8_t)(hits[at] + (hits[at] < 255));
        before = pc;
    }
}

/* 1, 2, 3, 4-7, 8-15, 16-31, 32-127, 128 and more. */
UNSEEN static uint8_t class_of(uint8_t count) {
    static const uint8_t limits[] = {1, 2, 3, 4, 8, 16, 32, 128};
    uint8_t found = 0;
    for (uint8_t i = 0; i < sizeof limits; i++) {
        found = count >= limits[i] ? (uint8_t)(1u << i) : found;
    }
    return found;
}

UNSEEN static int is_new(void) {
    int found = 0;
    for (uint32_t i = 0; i < EDGES; i++) {
        const uint8_t class = hits[i] ? class_of(hits[i]) : 0;
        if (class & ~seen[i]) {
            edges += seen[i] == 0;
            seen[i] |= class;
            found = 1;
        }
    }
    return found;
}

/* ---- The board ------------------------------------------------------------------------------- */

const char board_name[] = "fuzzed";
const uint32_t board_ticks_per_second = 200;
static uint8_t line[3 * LONGEST];
static uint32_t line_count, line_next;
static uint32_t ticks;
static simulated_flash flash;
static uint8_t cells[BOARD_STORE_SECTORS * BOARD_STORE_SECTOR_BYTES];

void board_init(void) {}

/* After the end of the case there is silence, in which time passes. */
int board_uart_read(void) {
    ticks += line_next == line_count;
    return line_next < line_count ? line[line_next++] : -1;
}

void board_idle(void) {}

void board_uart_write(const uint8_t *bytes, uint32_t count) { (void)bytes, (void)count; }

uint32_t board_uart_rate(uint32_t wanted) { return wanted <= 2000000 ? wanted : 0; }

void board_uart_set_rate(uint32_t wanted) { (void)wanted; }

uint32_t board_ticks(void) { return ticks; }

uint32_t board_seed(void) { return 1; } /* the first run of the sensor */

void board_exit(int code) { exit(code); }

uint32_t board_stack_bytes(void) { return 0; }

uint32_t board_stack_used(void) { return 0; }

uint32_t board_stack_needed(void) { return 0; }

int flash_cells_read(void *from, uint32_t at, uint8_t *bytes, uint32_t count) {
    memcpy(bytes, (uint8_t *)from + at, count);
    return 0;
}

int flash_cells_write(void *to, uint32_t at, const uint8_t *bytes, uint32_t count) {
    memcpy((uint8_t *)to + at, bytes, count);
    return 0;
}

void flash_cells_cut(void) {}

const tiny_flash *board_flash(void) {
    simulated_flash_begin(&flash, cells, BOARD_STORE_SECTORS, BOARD_STORE_SECTOR_BYTES,
                          BOARD_STORE_PAGE_BYTES);
    return &flash.flash;
}

/* ---- A case ---------------------------------------------------------------------------------- */

enum { FRAMED = 1, NUMBERED = 2, KNOWN = 4 };

UNSEEN static void put(uint8_t byte) {
    if (line_count < sizeof line) {
        line[line_count++] = byte;
    }
}

UNSEEN static void put_frame(const uint8_t *bytes, uint32_t count) {
    uint8_t frame[LONGEST + 4];
    memcpy(frame, bytes, count);
    frame_put32(frame + count, tiny_crc32(0, frame, count));
    count += 4;
    put(0);
    for (uint32_t done = 0; done < count + 1;) {
        uint32_t length = 0;
        while (done + length < count && length < 254 && frame[done + length]) {
            length++;
        }
        put((uint8_t)(length + 1));
        for (uint32_t i = 0; i < length; i++) {
            put(frame[done + i]);
        }
        done += length == 254 ? length : length + 1;
    }
    put(0);
}

/* Puts the pieces on the line. */
UNSEEN static void lay_out(const fuzz_case *one) {
    uint8_t sequence = 0, bytes[LONGEST];
    line_count = line_next = 0;
    for (uint32_t at = 0; at + 3 <= one->count;) {
        const uint8_t flags = one->bytes[at];
        uint32_t count = frame_get16(one->bytes + at + 1);
        at += 3;
        count = count < one->count - at ? count : one->count - at;
        memcpy(bytes, one->bytes + at, count);
        at += count;
        if (flags & NUMBERED && count > 1) {
            bytes[1] = ++sequence;
        }
        if (flags & KNOWN && count > 0) {
            bytes[0] = (uint8_t)(bytes[0] % (PROTOCOL_COLLECT + 1));
        }
        if (flags & FRAMED) {
            put_frame(bytes, count);
        } else {
            for (uint32_t i = 0; i < count; i++) {
                put(bytes[i]);
            }
        }
    }
}

static uint64_t weights[UNITS(MODEL_WEIGHTS_BYTES)];
static uint64_t state[UNITS(MODEL_STATE_BYTES)];
static uint64_t arena[UNITS(MODEL_ARENA_BYTES)];

static void run(void) {
    static device self;
    const tiny_memory memory = {weights, state, arena, sizeof weights, sizeof state, sizeof arena};
    memset(&self, 0, sizeof self);
    memset(cells, 0xFF, sizeof cells);
    if (device_start(&self, &model, MODEL_NAME, &memory) != TINY_OK) {
        abort();
    }
    while (line_next < line_count) {
        commands_feed(&self, board_uart_read());
        ticks++; /* in which frames of the sensor come */
        collect_poll(&self);
    }
    for (int i = 0; i < 3; i++) {
        ticks += 2 * board_ticks_per_second;
        commands_feed(&self, -1);
        collect_poll(&self);
    }
}

/* ---- Changes --------------------------------------------------------------------------------- */

UNSEEN static uint32_t draw(uint32_t below) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 17;
    random_state ^= random_state << 5;
    return below ? random_state % below : 0;
}

UNSEEN static void insert(uint32_t at, const uint8_t *bytes, uint32_t count) {
    if (now.count + count <= LONGEST) {
        memmove(now.bytes + at + count, now.bytes + at, now.count - at);
        memcpy(now.bytes + at, bytes, count);
        now.count += count;
    }
}

UNSEEN static void change(void) {
    static const uint32_t edge[] = {0, 1, 2, 72, 127, 128, 255, 256, 65535, 0x7FFFFFFF, 0xFFFFFFFF};
    const uint32_t at = draw(now.count), left = now.count - at;
    const fuzz_case *other = corpus[draw(cases)];
    uint32_t count, from;
    if (now.count == 0) {
        now = *other;
        return;
    }
    switch (draw(8)) {
        case 0:
            now.bytes[at] = (uint8_t)draw(256);
            break;
        case 1:
            now.bytes[at] ^= (uint8_t)(1u << draw(8));
            break;
        case 2:
            now.bytes[at] = (uint8_t)(now.bytes[at] + draw(9) - 4);
            break;
        case 3:
            from = edge[draw(sizeof edge / sizeof *edge)];
            memcpy(now.bytes + at, &from, left < 4 ? left : 4);
            break;
        case 4:
            count = 1 + draw(left < 64 ? left : 64);
            memmove(now.bytes + at, now.bytes + at + count, left - count);
            now.count -= count;
            break;
        case 5: /* another case, or what it begins with, before, within or behind this one */
            count = draw(2) ? other->count : draw(other->count + 1);
            insert(draw(2) ? draw(now.count + 1) : draw(2) * now.count, other->bytes, count);
            break;
        case 6:
            from = draw(other->count);
            count = draw(other->count - from + 1);
            memcpy(now.bytes + at, other->bytes + from, count < left ? count : left);
            break;
        default:
            now.bytes[at] = (uint8_t)draw(PROTOCOL_ECHO + 1);
            break;
    }
}

/* ---- Runs ------------------------------------------------------------------------------------ */

UNSEEN static void leave_case(void) {
    FILE *file = fopen(crash_path, "wb");
    if (file) {
        fwrite(now.bytes, 1, now.count, file);
        fclose(file);
    }
}

UNSEEN static void on_alarm(int number) {
    (void)number;
    leave_case();
    _Exit(99);
}

/* Calls on_alarm after so many seconds; 0: never. */
UNSEEN static void watch_time(long seconds) {
    const struct itimerval timer = {.it_value = {seconds, 0}};
    setitimer(ITIMER_REAL, &timer, NULL);
}

UNSEEN static void execute(void) {
    memset(hits, 0, sizeof hits);
    lay_out(&now);
    before = 0;
    watch_time(SLOWEST);
    watching = 1;
    run();
    watching = 0;
}

UNSEEN static void keep(const char *folder) {
    char path[4096];
    if (!is_new() || cases == MOST_CASES) {
        return;
    }
    corpus[cases] = malloc(sizeof now);
    *corpus[cases++] = now;
    snprintf(path, sizeof path, "%s/kept-%08x-%u", folder, tiny_crc32(0, now.bytes, now.count),
             now.count);
    FILE *file = fopen(path, "wb");
    if (file) {
        fwrite(now.bytes, 1, now.count, file);
        fclose(file);
    }
}

UNSEEN static void load(const char *folder) {
    DIR *entries = opendir(folder);
    for (struct dirent *entry; entries && (entry = readdir(entries));) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        FILE *file = entry->d_name[0] == '.' ? NULL : fopen(path, "rb");
        if (file) {
            now.count = (uint32_t)fread(now.bytes, 1, LONGEST, file);
            fclose(file);
            execute();
            keep(folder);
        }
    }
    if (entries) {
        closedir(entries);
    }
}

UNSEEN int main(int count, char **words) {
    if (count != 4) {
        return 2;
    }
    const time_t end = time(NULL) + atol(words[1]);
    random_state = (uint32_t)atol(words[2]) * 2654435761u + 1;
    snprintf(crash_path, sizeof crash_path, "%s/crash-%s", words[3], words[2]);
    __sanitizer_set_death_callback(leave_case);
    signal(SIGALRM, on_alarm);
    load(words[3]);
    unsigned long executions = cases;
    if (cases == 0) {
        return 2;
    }
    while (time(NULL) < end) {
        for (int i = 0; i < 64; i++) {
            now = *corpus[draw(cases)];
            for (uint32_t changes = 1 + draw(6); changes; changes--) {
                change();
            }
            execute();
            keep(words[3]);
            executions++;
        }
    }
    watch_time(0);
    printf("%lu executions, %u cases, %u edges\n", executions, cases, edges);
    return 0;
}
