/* Two people wear a device that knows how others move. Each device chooses from its wearer's first
 * samples which layers of the network to adapt, and adapts them. */
#include <string.h>

#include "gait.h" /* tinyflash compile network.tflite --candidate first.toml ... --name gait */
#include "port.h"
#include "tinyflash/tinyflash.h"
#include "wearers.h"

#ifndef EPOCHS
#define EPOCHS 3u
#endif

static uint32_t memory[GAIT_MEMORY_WORDS]; /* of the judge, then of the model that is chosen */
static const tiny_factor rate = TINY_RATE(0.03), none = {0, 0};
static tiny_session session;

static tiny_error start(const tiny_model *model) {
    return tiny_choose_init(&session, model, memory, sizeof memory);
}

/* Shows all samples of a wearer to the model that is alive. */
static tiny_error show(const wearer *who, tiny_factor how_much) {
    tiny_error error = TINY_OK;
    for (uint32_t i = 0; i < SAMPLES && error == TINY_OK; i++) {
        memcpy(tiny_train_input(&session), who->samples[i], GAIT_INPUT_BYTES);
        error = tiny_train(&session, who->labels[i], how_much);
    }
    return error;
}

/* Writes the number of the candidate that suits a wearer. This classifier has learned already. A new
 * one would learn first: show(who, rate), before tiny_choose_begin. */
static tiny_error choose(const wearer *who, uint32_t *chosen) {
    tiny_error error = start(gait.judge);
    if (error == TINY_OK) {
        error = tiny_choose_begin(&gait, &session);
    }
    if (error == TINY_OK) {
        error = show(who, none);
    }
    return error == TINY_OK ? tiny_choose(&gait, &session, chosen) : error;
}

static tiny_error learn(const wearer *who) {
    tiny_error error = TINY_OK;
    for (uint32_t epoch = 0; epoch < EPOCHS && error == TINY_OK; epoch++) {
        error = show(who, rate);
    }
    return error;
}

/* Returns how many of the windows that it has never seen the model recognises. */
static uint32_t correct(const wearer *who) {
    uint32_t count = 0;
    for (uint32_t i = SAMPLES; i < SAMPLES + TESTS; i++) {
        memcpy(tiny_infer_input(&session), who->samples[i], GAIT_INPUT_BYTES);
        const int8_t *scores = (const int8_t *)tiny_infer(&session);
        uint32_t best = 0;
        for (uint32_t c = 1; c < GAIT_CLASSES; c++) {
            best = scores[c] > scores[best] ? c : best;
        }
        count += best == who->labels[i];
    }
    return count;
}

/* Of weights and state, which are first in the block: equal bytes have equal sums. */
static uint32_t checksum(void) {
    const tiny_model *model = session.model;
    const uint32_t bytes = model->weights_bytes + model->state_bytes;
    return tiny_crc32(0, (const uint8_t *)memory, bytes);
}

/* Trains a candidate, and prints what became of it. */
static tiny_error adapt(const wearer *who, uint32_t candidate) {
    tiny_error error = start(gait.candidates[candidate].model);
    port_print_number("candidate: ", candidate);
    port_print_number("correct before: ", correct(who));
    error = error == TINY_OK ? learn(who) : error;
    port_print_number("correct after: ", correct(who));
    port_print_number("checksum: ", checksum());
    return error;
}

/* A device would adapt only what it has chosen. This one goes on and adapts the others, too, to show
 * what they would have reached. */
static tiny_error run(const wearer *who) {
    uint32_t chosen = 0;
    tiny_error error = choose(who, &chosen);
    port_print_number("checksum of the judge: ", checksum());
    port_print_number("chosen: ", chosen);
    for (uint32_t i = 0; i < GAIT_CHOICES && error == TINY_OK; i++) {
        error = adapt(who, (chosen + i) % GAIT_CHOICES);
    }
    return error;
}

int main(void) {
    tiny_error error = TINY_OK;
    for (uint32_t i = 0; i < WEARERS && error == TINY_OK; i++) {
        port_print_number("wearer: ", i);
        error = run(&wearers[i]);
    }
    port_print(error == TINY_OK ? "done\n" : tiny_error_text(error));
    return error == TINY_OK ? 0 : 1;
}
