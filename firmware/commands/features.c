/* A spectrogram of the board's sensor, frame by frame as its samples come. */
#include "commands/features.h"

#ifdef SPECTROGRAM

#include <stddef.h>
#include <string.h>

#include "spectrogram_tables.h" /* tinyflash/write/spectrogram.py writes it for the build */

static int16_t samples[SPECTROGRAM_WINDOW];
static int32_t work[SPECTROGRAM_WORK];
static uint32_t filled; /* of the samples; always fewer than a window between two calls */
static board_sensor described;

/* Frames until a sensor ends that gives so many samples. */
static uint32_t frames_of(uint32_t count) {
    return count < SPECTROGRAM_WINDOW ? 0 : (count - SPECTROGRAM_WINDOW) / SPECTROGRAM_HOP + 1u;
}

/* Whether a sensor that gives so many samples ends before a window is full; 0 samples: it never
 * ends. */
static int ends_early(uint32_t count) { return count - 1u < SPECTROGRAM_WINDOW - 1u; }

const board_sensor *features_find(void) {
    const board_sensor *sensor = board_sensor_find();
    if (sensor == NULL || sensor->rows || sensor->channels != 1u ||
        sensor->millihertz != SPECTROGRAM_RATE * 1000u) {
        return NULL;
    }
    if (ends_early(sensor->length)) {
        return NULL;
    }
    described = *sensor;
    described.names = ""; /* the front end says them */
    described.units = "";
    described.millihertz = (sensor->millihertz + SPECTROGRAM_HOP / 2u) / SPECTROGRAM_HOP;
    described.channels = SPECTROGRAM_BANDS;
    described.scale[0] = 0;
    described.scale[1] = 0x3F900000u; /* 1/64, in nepers */
    described.length = frames_of(sensor->length);
    return &described;
}

void features_start(void) {
    filled = 0;
    board_sensor_start();
}

static int is_full(void) {
    filled += board_sensor_read(samples + filled, SPECTROGRAM_WINDOW - filled);
    return filled == SPECTROGRAM_WINDOW;
}

uint32_t features_read(int16_t *frames, uint32_t most) {
    uint32_t count = 0;
    while (count < most && is_full()) {
        tiny_spectrogram_run(&spectrogram, samples, work, frames + count * SPECTROGRAM_BANDS);
        filled = SPECTROGRAM_WINDOW - SPECTROGRAM_HOP;
        memmove(samples, samples + SPECTROGRAM_HOP, filled * sizeof samples[0]);
        count++;
    }
    return count;
}

const char *features_text(void) { return SPECTROGRAM_TEXT; }

#endif
