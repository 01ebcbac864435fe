/* Times the calls of a model: prints the ticks that each call of a table takes, in order; of the infer
 * table, then of the train table. The sample is noise. */
#include "board.h"
#include "model.h"
#include "print_line.h"
#include "tinyflash/tinyflash.h"

#define UNITS(bytes) (((bytes) + 7) / 8 + 1)

static uint64_t weights[UNITS(MODEL_WEIGHTS_BYTES)];
static uint64_t state[UNITS(MODEL_STATE_BYTES)];
static uint64_t arena[UNITS(MODEL_ARENA_BYTES)];

static void fill(uint8_t *to, uint32_t count, uint32_t seed) {
    for (uint32_t i = 0; i < count; i++) {
        seed = seed * 1664525u + 1013904223u;
        to[i] = (uint8_t)(seed >> 24);
    }
}

static int noise(void *context, tiny_band band, uint8_t *rows) {
    (void)context;
    fill(rows, band.count * model.row_bytes, band.first);
    return 0;
}

static void time(tiny_session *session, const tiny_table *table) {
    for (uint32_t i = 0; i < table->count; i++) {
        const uint32_t start = board_ticks();
        tiny_run(session, table, i, 1);
        const uint32_t ticks = board_ticks() - start;
        print_line(table->ops[table->calls[i].op].kernel ? ticks : 0);
    }
}

int main(void) {
    const tiny_memory memory = {weights, state, arena, sizeof weights, sizeof state, sizeof arena};
    const tiny_factor rate = {0xA000, -20};
    tiny_session session;
    board_init();
    if (tiny_init(&session, &model, &memory) != TINY_OK) {
        board_exit(1);
    }
    tiny_set_source(&session, noise, NULL);
    if (tiny_infer_input(&session)) {
        fill(tiny_infer_input(&session), model.input_bytes, 1);
    }
    time(&session, &model.infer);
    for (uint32_t step = 0; model.train.count && step < 2; step++) { /* the second has gradients */
        if (tiny_train_input(&session)) {
            fill(tiny_train_input(&session), model.input_bytes, 2 + step);
        }
        if (tiny_train_begin(&session, step, rate) != TINY_OK) {
            board_exit(2);
        }
        time(&session, &model.train);
    }
    board_exit(0);
}
