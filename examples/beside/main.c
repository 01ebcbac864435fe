/* Trains between the readings of a sensor, and misses none: a loop that runs one call of a training step
 * at a time. The compiler has bounded how long a call takes (tinyflash compile --longest-call).
 *
 * The sensor has a new reading at each period of the clock, and keeps it until the next one. Here it is
 * made up; a real one would be a peripheral whose flag the loop tests. An RTOS would run the loop's
 * second half as a task of low priority, with a yield after each call.
 */
#include <string.h>

#include "board.h"
#include "model.h"
#include "tinyflash/tinyflash.h"

#define STEPS 4u        /* training steps in all */
#define PERIOD_HZ 1500u /* of the sensor */
#define CLOCK_HZ 168000000u
#define PERIOD (CLOCK_HZ / PERIOD_HZ)

#define WORDS(bytes) ((bytes) / 4u + 1u)
static uint32_t weights[WORDS(MODEL_WEIGHTS_BYTES)], state[WORDS(MODEL_STATE_BYTES)];
static uint32_t arena[WORDS(MODEL_ARENA_BYTES)];
static const tiny_memory memory = {weights,        state,        arena,
                                   sizeof weights, sizeof state, sizeof arena};
static const tiny_factor rate = TINY_RATE(0.01);
static tiny_session session;

/* ---- The sensor ------------------------------------------------------------------------------ */

static uint32_t due, taken, missed;
static uint8_t sample[MODEL_INPUT_BYTES];

/* Whether there is a reading that has not been taken. */
static int sensor_is_due(void) { return (int32_t)(board_ticks() - due) >= 0; }

/* Takes it. Those that it has replaced are missed. */
static void sensor_take(void) {
    const uint32_t late = (board_ticks() - due) / PERIOD;
    missed += late;
    due += (late + 1) * PERIOD;
    sample[taken % sizeof sample] = (uint8_t)(taken * 37u);
    taken++;
}

/* ---- Training -------------------------------------------------------------------------------- */

static uint32_t next_call; /* of the training step; 0: none has begun */

static tiny_error begin_step(void) {
    memcpy(tiny_train_input(&session), sample, sizeof sample);
    return tiny_train_begin(&session, taken % MODEL_CLASSES, rate);
}

/* Runs the next call, which takes no longer than the bound. */
static tiny_error train_a_little(void) {
    const tiny_table *table = &model.train;
    tiny_error error = next_call ? TINY_OK : begin_step();
    if (error == TINY_OK) {
        error = tiny_run(&session, table, next_call, 1);
        next_call = (next_call + 1) % table->count;
    }
    return error;
}

/* ---- The loop -------------------------------------------------------------------------------- */

static void print_number(const char *what, uint32_t number) {
    char digits[11];
    uint32_t at = sizeof digits;
    digits[--at] = '\n';
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number);
    board_uart_write((const uint8_t *)what, (uint32_t)strlen(what));
    board_uart_write((const uint8_t *)digits + at, (uint32_t)(sizeof digits - at));
}

int main(void) {
    board_init();
    tiny_error error = tiny_init(&session, &model, &memory);
    due = board_ticks() + PERIOD;
    while (error == TINY_OK && tiny_session_state(&session)->step < STEPS) {
        if (sensor_is_due()) {
            sensor_take();
        } else {
            error = train_a_little();
        }
    }
    print_number("training steps: ", tiny_session_state(&session)->step);
    print_number("readings taken: ", taken);
    print_number("readings missed: ", missed);
    board_exit(error == TINY_OK ? 0 : 1);
}
