/* A QEMU plugin: counts how often the blocks of a firmware run, for each call of a kernel.
 *
 * Arguments: marks=FILE, out=FILE. A line of `marks` is a kind and the address range of a function:
 *
 *     kernel BEGIN END      a call from the executor begins here
 *     executor BEGIN END    walks the table; entering it from elsewhere begins a run
 *     outside BEGIN END     what the executor returns to; entering it ends the run
 *
 * `out` gets, for each run, lines "call ADDRESS" (of the kernel; 0: of the executor), each followed by
 * lines "ADDRESS INSTRUCTIONS RUNS JUMPS" for the blocks that ran since, and "end" at last. JUMPS are
 * the runs of a block after another one than that in front of it: taken branches. Numbers other than
 * addresses are decimal.
 *
 * A block is a straight piece of code as QEMU translates it. Its header qemu-plugin.h is in few
 * packages, so what is used of it is declared here; VERSION is of that interface.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
typedef struct qemu_info_t qemu_info_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };
typedef void (*translated_callback)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*executed_callback)(unsigned, void *);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translated_callback);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, executed_callback,
                                          enum qemu_plugin_cb_flags, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);

extern int qemu_plugin_version;
int qemu_plugin_version = VERSION;

typedef enum place { NOWHERE, OUTSIDE, EXECUTOR, KERNEL } place;

typedef struct mark {
    place kind;
    uint64_t begin, end;
} mark;

typedef struct block {
    place mark;
    uint64_t address, end;
    size_t instructions;
    uint64_t runs, jumps;
    struct block *next; /* of the blocks that ran in the same call */
} block;

#define MARKS 256
static mark marks[MARKS];
static size_t mark_count;
static FILE *out;
static place now = OUTSIDE;
static block *ran;         /* since the call began */
static uint64_t after_end; /* the address behind the last block */

/* A kernel is marked where it begins only: a loop within it begins no call. */
static place mark_of(uint64_t address) {
    for (size_t i = 0; i < mark_count; i++) {
        const uint64_t end = marks[i].kind == KERNEL ? marks[i].begin + 1 : marks[i].end;
        if (address >= marks[i].begin && address < end) {
            return marks[i].kind;
        }
    }
    return NOWHERE;
}

static void write_blocks(void) {
    while (ran) {
        fprintf(out, "%llx %zu %llu %llu\n", (unsigned long long)ran->address, ran->instructions,
                (unsigned long long)ran->runs, (unsigned long long)ran->jumps);
        ran->runs = ran->jumps = 0;
        ran = ran->next;
    }
}

static void go(place to, uint64_t address) {
    write_blocks();
    if (to == OUTSIDE) {
        fprintf(out, "end\n");
        fflush(out);
    } else {
        fprintf(out, "call %llx\n", (unsigned long long)address);
    }
    now = to;
}

static void executed(unsigned cpu, void *data) {
    block *self = data;
    (void)cpu;
    if (self->mark == KERNEL && now == EXECUTOR) {
        go(KERNEL, self->address);
    } else if (self->mark == EXECUTOR && now != EXECUTOR) {
        go(EXECUTOR, 0);
    } else if (self->mark == OUTSIDE && now != OUTSIDE) {
        go(OUTSIDE, 0);
    }
    if (now != OUTSIDE) {
        if (self->runs++ == 0) {
            self->next = ran;
            ran = self;
        }
        self->jumps += self->address != after_end;
    }
    after_end = self->end;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *tb) {
    block *self = calloc(1, sizeof *self); /* QEMU may run it until it ends */
    (void)id;
    if (!self) {
        abort();
    }
    self->instructions = qemu_plugin_tb_n_insns(tb);
    self->address = qemu_plugin_tb_vaddr(tb);
    const struct qemu_plugin_insn *last = qemu_plugin_tb_get_insn(tb, self->instructions - 1);
    self->end = qemu_plugin_insn_vaddr(last) + qemu_plugin_insn_size(last);
    self->mark = mark_of(self->address);
    qemu_plugin_register_vcpu_tb_exec_cb(tb, executed, QEMU_PLUGIN_CB_NO_REGS, self);
}

static int read_marks(const char *path) {
    FILE *file = fopen(path, "r");
    char kind[16];
    unsigned long long begin, end;
    while (file && mark_count < MARKS && fscanf(file, "%15s %llx %llx", kind, &begin, &end) == 3) {
        const place place = *kind == 'k' ? KERNEL : *kind == 'e' ? EXECUTOR : OUTSIDE;
        marks[mark_count++] = (mark){place, begin, end};
    }
    return file ? fclose(file) : -1;
}

extern int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv);
int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t *info, int argc, char **argv) {
    (void)info;
    for (int i = 0; i < argc; i++) {
        if (!strncmp(argv[i], "marks=", 6) && read_marks(argv[i] + 6)) {
            return -1;
        }
        if (!strncmp(argv[i], "out=", 4)) {
            out = fopen(argv[i] + 4, "w");
        }
    }
    if (!out || !mark_count) {
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    return 0;
}
