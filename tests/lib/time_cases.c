/* Times kernel cases: prints the ticks of the board's timer that one row of the table takes, for
 * each case by its number. */
#include <string.h>

#include "board.h"
#include "case_sizes.h"
#include "kernel_cases.h"
#include "model.h"
#include "print_line.h"
#include "tinyflash/tinyflash.h"

static uint32_t weights[CASE_WEIGHTS_BYTES / 4];
static uint32_t state[CASE_STATE_BYTES / 4];
static uint32_t arena[CASE_ARENA_BYTES / 4];
static uint8_t *const spaces[SPACES] = {(uint8_t *)weights, (uint8_t *)state, (uint8_t *)arena};

int main(void) {
    const tiny_memory memory = {spaces[0],      spaces[1],    spaces[2],
                                sizeof weights, sizeof state, sizeof arena};
    tiny_session session;
    board_init();
    if (tiny_init(&session, &model, &memory) != TINY_OK) {
        board_exit(1);
    }
    for (uint32_t i = 0; i < kernel_case_count; i++) {
        for (int s = 0; s < SPACES; s++) {
            memcpy(spaces[s], kernel_cases[i].before[s], kernel_cases[i].bytes[s]);
        }
        const uint32_t start = board_ticks();
        tiny_run(&session, &model.infer, i, 1);
        print_line(board_ticks() - start);
    }
    board_exit(0);
}
