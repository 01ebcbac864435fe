/* A sensor for the firmware on this computer: one frame per tick of the clock, whose numbers say which
 * one it is. */
#include "board.h"
#include "sensor.h"

#ifndef SENSOR_CHANNELS
#define SENSOR_CHANNELS 3
#endif
#ifndef SENSOR_ROWS /* above 0: pictures */
#define SENSOR_ROWS 0
#endif
#ifndef SENSOR_LENGTH
#define SENSOR_LENGTH 0
#endif

#define FRAME_NUMBERS (SENSOR_CHANNELS * (SENSOR_ROWS ? SENSOR_ROWS * SENSOR_ROWS : 1))

static uint32_t begun, done;

const board_sensor *board_sensor_find(void) {
    static const board_sensor sensor = {
        .name = "counter",
        .names = "",
        .units = "",
        .millihertz = 200000,
        .rows = SENSOR_ROWS,
        .columns = SENSOR_ROWS,
        .channels = SENSOR_CHANNELS,
        .scale = {0, 0x3FE00000u}, /* 0.5 */
        .length = SENSOR_LENGTH,
    };
    return &sensor;
}

void board_sensor_start(void) {
    begun = board_ticks();
    done = 0;
}

uint32_t board_sensor_read(int16_t *frames, uint32_t most) {
    uint32_t count = 0;
    const uint32_t length = SENSOR_LENGTH ? SENSOR_LENGTH : UINT32_MAX;
    while (done < board_ticks() - begun && count < most && done < length) {
        for (uint32_t i = 0; i < FRAME_NUMBERS; i++) {
            *frames++ = (int16_t)(done * 7 + i);
        }
        done++;
        count++;
    }
    return count;
}
