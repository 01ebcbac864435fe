/* What collecting reads: frames of the board's sensor, or what a front end makes of them. */
#ifndef TINYFLASH_FEATURES_H
#define TINYFLASH_FEATURES_H

#include "sensor.h"

#ifdef SPECTROGRAM

/* The same as those of sensor.h, for frames of features (lib/SPEC.md 14). Null: no sensor, or one
 * whose frames the front end was not built for. */
const board_sensor *features_find(void);
void features_start(void);
uint32_t features_read(int16_t *frames, uint32_t most);

/* What made the frames of the sensor's: as dataset.toml names it. */
const char *features_text(void);

#else

static inline const board_sensor *features_find(void) { return board_sensor_find(); }
static inline void features_start(void) { board_sensor_start(); }
static inline uint32_t features_read(int16_t *frames, uint32_t most) {
    return board_sensor_read(frames, most);
}
static inline const char *features_text(void) { return "raw"; }

#endif

#endif
