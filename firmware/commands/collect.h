/* Collecting: the newest frames of the board's sensor, in a ring, until the host has asked for them
 * (PROTOCOL.md, "Collecting"). Firmware that was not built to collect has none of it. */
#ifndef TINYFLASH_COLLECT_H
#define TINYFLASH_COLLECT_H

#include "sensor.h"

/* Frames have numbers from 0 on. Frame n is in place n % room. */
typedef struct collecting {
    const board_sensor *sensor; /* null: none was found, or none was looked for yet */
    uint32_t frame_numbers;     /* int16 numbers of a frame */
    uint32_t room;              /* frames that the ring has room for */
    uint32_t run;               /* changes at every START; 0: none since the board's start */
    uint32_t next;              /* the number of the next frame */
    uint32_t acknowledged;      /* the host has kept the frames before this one */
    uint32_t lost;              /* frames that were replaced before the host asked for them */
    uint32_t reported;          /* frames before this one are in `lost`, if they were */
    uint32_t last;              /* board_ticks() when the clock below was set */
    uint64_t clock;             /* ticks since START */
    uint64_t stamp;             /* of the frame before `next`: the clock when it came */
    uint8_t is_running;
    uint8_t has_looked;
} collecting;

struct device;

#ifdef COLLECT_BYTES

/* Takes the frames that have become due. The main loop calls it whenever it has a moment. */
void collect_poll(struct device *self);

#else

static inline void collect_poll(struct device *self) { (void)self; }

#endif

#endif
