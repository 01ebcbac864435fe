/* The interface of a board's sensor: what a frame is, and frames as they become due.
 *
 * board.toml names the part that has it, `sensor = "..."`. Only firmware that is built to collect
 * links it. A frame is one int16 number per channel, at one moment; or a picture.
 */
#ifndef TINYFLASH_SENSOR_H
#define TINYFLASH_SENSOR_H

#include <stdint.h>

typedef struct board_sensor {
    const char *name;       /* of the sensor, for people */
    const char *names;      /* of the channels, separated by commas; "" without */
    const char *units;      /* of the channels, the same; a unit may have a factor: "4 rad/s" */
    uint32_t millihertz;    /* frames in 1000 s */
    uint16_t rows, columns; /* of a picture; both 0: a frame is one number per channel */
    uint32_t channels;      /* the numbers of a frame, or of a pixel */
    uint32_t scale[2];      /* real units per number: an IEEE double, its low half first */
    uint32_t length;        /* frames until the sensor ends; 0: it does not end */
} board_sensor;

/* Returns the sensor; null: none is there. Called once, after board_init. */
const board_sensor *board_sensor_find(void);

/* Begins with frame 0, from now on. Called only if a sensor was found. */
void board_sensor_start(void);

/* Copies frames that have become due since the last call, oldest first, at most `most`. Returns how
 * many. Called a hundred times per second, but for pauses in which the board learns or sends: a sensor
 * with a memory of its own bridges them. */
uint32_t board_sensor_read(int16_t *frames, uint32_t most);

#endif
