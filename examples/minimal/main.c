/* A network learns ten signs that it has not seen before, keeps what it learned, and goes on from
 * there when it is started again. */
#include "digits.h" /* tinyflash compile digits.tflite --scheme scheme.toml --name digits */
#include "port.h"
#include "saved.h"
#include "sensor.h"
#include "tinyflash/tinyflash.h"

#ifndef STEPS
#define STEPS 500u /* of training, in each run */
#define TESTS 100u /* signs that it is not trained on */
#endif

static uint32_t weights[DIGITS_WEIGHTS_WORDS], state[DIGITS_STATE_WORDS];
static uint32_t arena[DIGITS_ARENA_WORDS];
static const tiny_memory memory = {weights,        state,        arena,
                                   sizeof weights, sizeof state, sizeof arena};
static const tiny_factor rate = TINY_RATE(0.01);
static tiny_session session;

/* Returns how many of the test's signs the network recognises. */
static uint32_t evaluate(void) {
    uint32_t correct = 0;
    for (uint32_t i = 0; i < TESTS; i++) {
        const uint32_t label = sensor_read(SENSOR_TEST + i, tiny_infer_input(&session));
        const int8_t *scores = (const int8_t *)tiny_infer(&session);
        uint32_t best = 0;
        for (uint32_t sign = 1; sign < DIGITS_CLASSES; sign++) {
            best = scores[sign] > scores[best] ? sign : best;
        }
        correct += best == label;
    }
    return correct;
}

/* Trains on signs from `first` on. Returns TINY_OK, or why a step failed. */
static tiny_error learn(uint32_t first) {
    for (uint32_t i = 0; i < STEPS; i++) {
        const uint32_t label = sensor_read(first + i, tiny_train_input(&session));
        const tiny_error error = tiny_train(&session, label, rate);
        if (error != TINY_OK) {
            return error;
        }
    }
    return TINY_OK;
}

static int fail(const char *why) {
    port_print("error: ");
    port_print(why);
    port_print("\n");
    return 1;
}

int main(void) {
    tiny_error error = tiny_init(&session, &digits, &memory);
    if (error != TINY_OK) {
        return fail(tiny_error_text(error));
    }
    const int resumed = saved_load(&session, &memory);
    const uint32_t done = tiny_session_state(&session)->step;
    port_print_number(resumed ? "resumed after step " : "started at step ", done);
    port_print_number("correct before, of 100: ", evaluate());
    error = learn(done);
    if (error != TINY_OK) {
        return fail(tiny_error_text(error));
    }
    port_print_number("correct after, of 100: ", evaluate());
    if (!saved_store(&session, &memory)) {
        return fail("what was learned could not be saved");
    }
    port_print_number("saved after step ", tiny_session_state(&session)->step);
    return 0;
}
