/* The sensor of an emulated board: a recording that the host has put into the file sensor.bin in the
 * emulator's folder. Its frames become due by the board's clock, at the recording's rate.
 *
 * The file is a file_head, little-endian, and frames of int16 after it. The emulator's argument
 * sensor=1 says that it is there.
 */
#include "sensor.h"

#include "board.h"
#include "parts/semihosting/files.h"

#define MAGIC 0x31534654u /* "TFS1" */
#define TEXT_BYTES 64

/* tinyflash/boards/replay.py writes it. */
typedef struct file_head {
    uint32_t magic, millihertz;
    uint16_t rows, columns;
    uint32_t channels, scale[2], length;
    char name[TEXT_BYTES], names[TEXT_BYTES], units[TEXT_BYTES];
} file_head;

static file_head head;
static board_sensor sensor;
static uint32_t file, frame_bytes;
static uint32_t done;  /* frames read */
static uint32_t last;  /* ticks at the last call */
static uint64_t phase; /* since the last frame was due: ticks, times the rate in millihertz */

static void terminate(char *text) { text[TEXT_BYTES - 1] = '\0'; }

static int is_sound(void) {
    const uint32_t pixels = (uint32_t)head.rows * head.columns;
    return head.magic == MAGIC && head.millihertz > 0 && head.channels > 0 &&
           head.channels <= 0xFFFFu && head.length > 0 && pixels <= 0xFFFFu;
}

const board_sensor *board_sensor_find(void) {
    if (semihosting_number(" sensor=", 0) == 0u) {
        return 0;
    }
    file = semihosting_open("sensor.bin", SEMIHOSTING_READ);
    if (file == SEMIHOSTING_NO_FILE ||
        semihosting_read(file, 0, (uint8_t *)&head, sizeof head) != 0 || !is_sound()) {
        return 0;
    }
    terminate(head.name);
    terminate(head.names);
    terminate(head.units);
    const uint32_t pixels = head.rows ? (uint32_t)head.rows * head.columns : 1;
    frame_bytes = pixels * head.channels * sizeof(int16_t);
    sensor = (board_sensor){
        .name = head.name,
        .names = head.names,
        .units = head.units,
        .millihertz = head.millihertz,
        .rows = head.rows,
        .columns = head.columns,
        .channels = head.channels,
        .scale = {head.scale[0], head.scale[1]},
        .length = head.length,
    };
    return &sensor;
}

void board_sensor_start(void) {
    done = 0;
    phase = 0;
    last = board_ticks();
}

uint32_t board_sensor_read(int16_t *frames, uint32_t most) {
    const uint64_t period = (uint64_t)board_ticks_per_second * 1000u;
    const uint32_t now = board_ticks(), left = sensor.length - done;
    uint32_t due = 0;
    phase += (uint64_t)(now - last) * sensor.millihertz;
    last = now;
    while (phase >= period && due < most && due < left) {
        phase -= period;
        due++;
    }
    const uint32_t at = (uint32_t)sizeof head + done * frame_bytes;
    if (due == 0 || semihosting_read(file, at, (uint8_t *)frames, due * frame_bytes) != 0) {
        return 0;
    }
    done += due;
    return due;
}
